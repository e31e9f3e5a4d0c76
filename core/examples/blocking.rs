//! A WebSocket on blocking sockets and threads, with nothing but `std` around the core.
//!
//!     cargo run -p tidegate-core --example blocking             # server and client in one process
//!     cargo run -p tidegate-core --example blocking -- server 127.0.0.1:9001
//!     cargo run -p tidegate-core --example blocking -- client 127.0.0.1:9001
//!
//! A blocking thread can wait for one thing at a time, and a connection must go on reading while a
//! write is stuck (two busy peers would lock each other otherwise). So each connection has two
//! threads, one that reads and one that writes. To `event_loop::Operations` they are what io_uring
//! would be: they get operations to do, and say when these are done. What to take from here: nobody
//! holds the lock while the network is waited for, and the thread that reads keeps the time.

#![allow(
    clippy::disallowed_methods,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::wildcard_enum_match_arm,
    reason = "an event loop has a clock and std, and does not care for every event"
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
        // A thread of its own for the opening handshake; the connection then has two.
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

/// A connection that threads share.
struct Socket<H> {
    shared: Mutex<Shared<H>>,
    /// Told whenever somebody has changed what is shared.
    changed: Condvar,
    clock: Clock,
    stream: TcpStream,
}

struct Shared<H> {
    connection: Connection,
    operations: Operations,
    /// What the two threads are to do next.
    receive: Option<usize>,
    send: Option<Bytes>,
    handler: H,
    is_over: bool,
}

/// The application of a server: it answers where it is told. There is room for one answer to each
/// message: sending fails only if we are closing.
fn echo(connection: &mut Connection, event: Event) {
    match event {
        Event::Message(message) => drop(connection.send(message)),
        Event::Closed(closed) => println!("server: {closed}"),
        _ => {}
    }
}

/// The application of a client that asks for one message after the other.
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

    /// The next one waits in the connection. That is how the gate closes.
    fn is_ready(&self) -> bool {
        self.message.is_none()
    }
}

impl Socket<Inbox> {
    /// The next message; `None` when the connection is over.
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
    /// Runs a connection on a stream: two threads that end with it.
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

    /// Sends a message; waits while the outbox is full.
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
        // An error says that it is closing already.
        let _ = shared.connection.close(self.clock.now(), CloseFrame::new(code, reason));
        self.go_on(&mut shared);
    }

    /// Something has changed: says what the threads are to do next.
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

    /// The reading thread. It keeps the time, too: only it knows that it has looked and that nothing
    /// came. While the gate is closed it is asked for nothing, and TCP slows the peer down.
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

    /// The writing thread: writes what it is given.
    fn write(&self) {
        let mut shared = self.lock();
        loop {
            if let Some(bytes) = shared.send.take() {
                // The lock is not held while the network is waited for.
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

    /// Lets a deadline that has come take effect.
    fn keep_time(&self, shared: &mut Shared<H>) {
        let now = self.clock.now();
        if shared.connection.poll_timeout().is_some_and(|deadline| deadline <= now) {
            shared.connection.handle_timeout(now);
            self.go_on(shared);
        }
    }

    /// Waits until somebody has changed what is shared.
    fn wait<'a>(&self, shared: MutexGuard<'a, Shared<H>>) -> MutexGuard<'a, Shared<H>> {
        self.changed.wait(shared).unwrap_or_else(PoisonError::into_inner)
    }

    /// How long to look for input. A deadline may come in meanwhile that is earlier: it takes effect
    /// a second late at most.
    fn patience(&self, connection: &Connection) -> Duration {
        let deadline = connection.poll_timeout().unwrap_or(Timestamp::MAX);
        let patience = deadline.saturating_duration_since(self.clock.now());
        // A socket takes no zero for a timeout.
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
        // Here an application looks at the path, the origin and the headers, or rejects.
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

/// Reads; `None` if the deadline came first.
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

/// The clock that the core is told: one origin, and what has elapsed since.
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

/// A program that talks to others takes 32 bytes from the operating system, by the crate
/// `getrandom`: masking keys must be unpredictable (RFC 6455 §10.3). This one talks to itself.
fn seed_for_a_demonstration() -> [u8; 32] {
    let mut seed = [0; 32];
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    seed[..16].copy_from_slice(&elapsed.as_nanos().to_le_bytes());
    seed[16..20].copy_from_slice(&std::process::id().to_le_bytes());
    seed
}
