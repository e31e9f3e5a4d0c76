//! A WebSocket server and client on blocking sockets and threads, with only `std` and the core.
//!
//!     cargo run -p tidegate-core --example blocking             # server and client in one process
//!     cargo run -p tidegate-core --example blocking -- server 127.0.0.1:9001
//!     cargo run -p tidegate-core --example blocking -- client 127.0.0.1:9001
//!
//! A blocked thread waits for one thing only, but a connection must go on reading while a write is
//! blocked, because two busy peers would otherwise wait for each other forever. So each connection
//! has a thread that reads and a thread that writes. `event_loop::Operations` uses them as it would
//! use io_uring: it gives them operations, and they report when these are complete. Two points are
//! worth copying: no thread holds the lock while it waits for the network, and the reading thread
//! handles the deadlines.

#![allow(
    clippy::disallowed_methods,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::wildcard_enum_match_arm,
    reason = "an event loop reads a clock and uses std, and ignores most kinds of event"
)]

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tidegate_core::event_loop::{Handler, Next, Operations};
use tidegate_core::handshake::{
    Acceptance, ClientHandshake, ClientRequest, Limits, ServerHandshake,
};
use tidegate_core::{
    CloseCode, CloseFrame, Config, Connection, Event, Message, READ_SIZE, SendError, Timestamp,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let address = listener.local_addr()?.to_string();
            thread::spawn(move || serve(&listener));
            talk(&address)
        }
        ["server", address] => {
            let listener = TcpListener::bind(address)?;
            println!("ws://{}/", listener.local_addr()?);
            serve(&listener);
            Ok(())
        }
        ["client", address] => talk(address),
        _ => Err("arguments: none, or `server ADDRESS`, or `client ADDRESS`".into()),
    }
}

fn serve(listener: &TcpListener) {
    for stream in listener.incoming() {
        // One thread for the opening handshake. The connection then starts its two threads.
        thread::spawn(move || {
            let opened = stream.map_err(Into::into).and_then(accept);
            if let Err(error) = opened {
                eprintln!("server: {error}");
            }
        });
    }
}

fn talk(address: &str) -> Result<(), Box<dyn Error>> {
    let socket = connect(address)?;
    for text in ["first", "second", "third"] {
        socket.send(Message::text(text))?;
        println!("client: sent {text}, received {:?}", socket.receive());
    }
    socket.close(CloseCode::NORMAL, "done");
    while socket.receive().is_some() {}
    Ok(())
}

/// A connection that its two threads and the application share.
struct Socket<H> {
    shared: Mutex<Shared<H>>,
    /// Notified whenever the shared state has changed.
    changed: Condvar,
    clock: Clock,
    stream: TcpStream,
}

struct Shared<H> {
    connection: Connection,
    operations: Operations,
    /// The next operations for the two threads.
    receive: Option<usize>,
    send: Option<Bytes>,
    handler: H,
    is_over: bool,
}

/// The server's application: answers each message when it is handed over. There is always room for
/// one answer to each message, so sending fails only while the connection is closing.
fn echo(connection: &mut Connection, event: Event) {
    match event {
        Event::Message(message) => drop(connection.send(message)),
        Event::Closed(closed) => println!("server: {closed}"),
        _ => {}
    }
}

/// The client's application: keeps one message until the client asks for it.
#[derive(Default)]
struct Inbox {
    message: Option<Message>,
}

impl Handler for Inbox {
    fn event(&mut self, _: &mut Connection, event: Event) {
        match event {
            Event::Message(message) => self.message = Some(message),
            Event::Closed(closed) => println!("client: {closed}"),
            _ => {}
        }
    }

    /// Further messages stay in the connection until this one is taken, and so the gate can close.
    fn is_ready(&self) -> bool {
        self.message.is_none()
    }
}

impl Socket<Inbox> {
    /// The next message, or `None` when the connection has ended.
    fn receive(&self) -> Option<Message> {
        let mut shared = self.lock();
        loop {
            if let Some(message) = shared.handler.message.take() {
                self.go_on(&mut shared);
                return Some(message);
            }
            if shared.is_over {
                return None;
            }
            shared = self.wait(shared);
        }
    }
}

impl<H: Handler + Send + 'static> Socket<H> {
    /// Starts the two threads of a connection. They end when the connection does.
    fn start(connection: Connection, stream: TcpStream, clock: Clock, handler: H) -> Arc<Self> {
        let operations = Operations::default();
        let (receive, send, is_over) = (None, None, false);
        let shared = Mutex::new(Shared { connection, operations, receive, send, handler, is_over });
        let socket = Arc::new(Self { shared, changed: Condvar::new(), clock, stream });
        socket.go_on(&mut socket.lock());
        for work in [Self::read, Self::write] {
            let socket = Arc::clone(&socket);
            thread::spawn(move || work(&socket));
        }
        socket
    }

    /// Sends a message, and waits while the outbox is full.
    fn send(&self, mut message: Message) -> Result<(), Box<dyn Error>> {
        let mut shared = self.lock();
        loop {
            match shared.connection.send(message) {
                Ok(()) => {
                    self.go_on(&mut shared);
                    return Ok(());
                }
                Err(SendError::Full(unsent)) => {
                    message = unsent;
                    shared = self.wait(shared);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn close(&self, code: CloseCode, reason: &'static str) {
        let mut shared = self.lock();
        // An error means that the connection is already closing.
        let _ = shared.connection.close(self.clock.now(), CloseFrame::new(code, reason));
        self.go_on(&mut shared);
    }

    /// Computes the next operations for the threads. Called after every change.
    fn go_on(&self, shared: &mut Shared<H>) {
        let Shared { connection, operations, receive, send, handler, is_over } = shared;
        match operations.next(connection, self.clock.now(), handler) {
            Next::Submit(submit) => {
                *receive = receive.or(submit.receive);
                *send = send.take().or(submit.send);
                if let Some(how) = submit.shut_down {
                    let _ = self.stream.shutdown(how);
                }
            }
            Next::Over { error, .. } => {
                *is_over = true;
                if let Some(error) = error {
                    println!("{:?}: {error}", connection.role());
                }
            }
        }
        self.changed.notify_all();
    }

    /// The reading thread. It also handles the deadlines, because only this thread knows that it has
    /// read and that nothing came. While the gate is closed it gets no operation, and TCP slows the
    /// peer down.
    fn read(&self) {
        let mut buffer = vec![0; READ_SIZE];
        loop {
            let mut shared = self.lock();
            while shared.receive.is_none() {
                if shared.is_over {
                    return;
                }
                let patience = self.patience(&shared.connection);
                let waited = self.changed.wait_timeout(shared, patience);
                shared = waited.unwrap_or_else(PoisonError::into_inner).0;
                self.keep_time(&mut shared);
            }
            shared.receive = None;
            let patience = self.patience(&shared.connection);
            drop(shared);

            let _ = self.stream.set_read_timeout(Some(patience));
            let read = (&self.stream).read(&mut buffer);
            let now = self.clock.now();
            let mut shared = self.lock();
            let has_timed_out = read.as_ref().is_err_and(|error| is_timeout(error.kind()));
            let read = match read {
                Ok(count) => Ok(&buffer[..count]),
                Err(_) if has_timed_out => Err(ErrorKind::WouldBlock.into()),
                Err(error) => Err(error),
            };
            let Shared { connection, operations, handler, .. } = &mut *shared;
            operations.received(connection, now, read, handler);
            if has_timed_out {
                self.keep_time(&mut shared);
            }
            self.go_on(&mut shared);
        }
    }

    /// The writing thread.
    fn write(&self) {
        let mut shared = self.lock();
        loop {
            if let Some(bytes) = shared.send.take() {
                // The lock must not be held while this waits for the network.
                drop(shared);
                let written = (&self.stream).write(&bytes);
                shared = self.lock();
                let Shared { connection, operations, .. } = &mut *shared;
                operations.sent(connection, written);
                self.go_on(&mut shared);
            } else if shared.is_over {
                return;
            } else {
                shared = self.wait(shared);
            }
        }
    }

    /// Handles a deadline that has come.
    fn keep_time(&self, shared: &mut Shared<H>) {
        let now = self.clock.now();
        if shared.connection.poll_timeout().is_some_and(|deadline| deadline <= now) {
            shared.connection.handle_timeout(now);
            self.go_on(shared);
        }
    }

    /// Waits until another thread has changed the shared state.
    fn wait<'a>(&self, shared: MutexGuard<'a, Shared<H>>) -> MutexGuard<'a, Shared<H>> {
        self.changed.wait(shared).unwrap_or_else(PoisonError::into_inner)
    }

    /// How long a read may wait. At most one second, because an earlier deadline that is set while
    /// the read waits takes effect only after the read.
    fn patience(&self, connection: &Connection) -> Duration {
        let deadline = connection.poll_timeout().unwrap_or(Timestamp::MAX);
        let patience = deadline.saturating_duration_since(self.clock.now());
        // A socket refuses a timeout of zero.
        patience.clamp(Duration::from_millis(1), Duration::from_secs(1))
    }

    fn lock(&self) -> MutexGuard<'_, Shared<H>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server's side of the opening handshake.
fn accept(stream: TcpStream) -> Result<(), Box<dyn Error>> {
    let clock = Clock::start();
    let mut handshake = ServerHandshake::new(clock.now(), Limits::default());
    let mut buffer = [0; 4096];
    while handshake.request().is_none() && handshake.failure().is_none() {
        let deadline = handshake.poll_timeout().unwrap_or(Timestamp::MAX);
        match read_until(&stream, &clock, deadline, &mut buffer)? {
            Some(0) => handshake.handle_eof(clock.now()),
            Some(length) => handshake.handle_input(clock.now(), &buffer[..length]),
            None => handshake.handle_timeout(clock.now()),
        }
    }
    if handshake.request().is_some() {
        // A real application checks the path, the origin and the headers here, and may reject.
        handshake.accept(Acceptance::new())?;
    }
    let answer = std::mem::take(handshake.output());
    (&stream).write_all(&answer)?;
    let failure = handshake.failure().copied();
    match handshake.into_connection(clock.now(), Config::default()) {
        Ok(connection) => {
            Socket::start(connection, stream, clock, echo);
            Ok(())
        }
        Err(_) => Err(failure.map_or("no connection".into(), Into::into)),
    }
}

/// The client's side of the opening handshake.
fn connect(address: &str) -> Result<Arc<Socket<Inbox>>, Box<dyn Error>> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let clock = Clock::start();
    let request = ClientRequest::new(address, "/")?;
    let mut handshake =
        ClientHandshake::new(clock.now(), request, Limits::default(), seed_for_a_demonstration());
    let request = std::mem::take(handshake.output());
    (&stream).write_all(&request)?;
    let mut buffer = [0; 4096];
    while !handshake.is_open() && handshake.failure().is_none() {
        let deadline = handshake.poll_timeout().unwrap_or(Timestamp::MAX);
        match read_until(&stream, &clock, deadline, &mut buffer)? {
            Some(0) => handshake.handle_eof(clock.now()),
            Some(length) => handshake.handle_input(clock.now(), &buffer[..length]),
            None => handshake.handle_timeout(clock.now()),
        }
    }
    let failure = handshake.failure().copied();
    match handshake.into_connection(clock.now(), Config::default()) {
        Ok(connection) => Ok(Socket::start(connection, stream, clock, Inbox::default())),
        Err(_) => Err(failure.map_or("no connection".into(), Into::into)),
    }
}

/// Reads. Returns `None` if the deadline came first.
fn read_until(
    mut stream: &TcpStream,
    clock: &Clock,
    deadline: Timestamp,
    buffer: &mut [u8],
) -> std::io::Result<Option<usize>> {
    let patience = deadline.saturating_duration_since(clock.now());
    stream.set_read_timeout(Some(patience.max(Duration::from_millis(1))))?;
    match stream.read(buffer) {
        Ok(length) => Ok(Some(length)),
        Err(error) if is_timeout(error.kind()) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_timeout(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// The clock for the core: the time since one fixed origin.
#[derive(Clone, Copy)]
struct Clock(Instant);

impl Clock {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_duration(self.0.elapsed())
    }
}

/// A fixed seed, since this program communicates only with itself. Others must take 32 bytes from
/// the operating system, with the crate `getrandom`: masking keys must be unpredictable (RFC 6455
/// §10.3).
fn seed_for_a_demonstration() -> [u8; 32] {
    let mut seed = [0; 32];
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    seed[..16].copy_from_slice(&elapsed.as_nanos().to_le_bytes());
    seed[16..20].copy_from_slice(&std::process::id().to_le_bytes());
    seed
}
