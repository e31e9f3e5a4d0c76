//! A WebSocket on blocking sockets and threads, with nothing but `std` around the core.
//!
//!     cargo run -p tidegate-core --example blocking             # server and client in one process
//!     cargo run -p tidegate-core --example blocking -- server 127.0.0.1:9001
//!     cargo run -p tidegate-core --example blocking -- client 127.0.0.1:9001
//!
//! A blocking thread can wait for one thing at a time, and a connection must go on reading while a
//! write is stuck (two busy peers would lock each other otherwise). So each connection has two
//! threads, one that reads and one that writes, around one connection behind a mutex. What to take
//! from here: who waits for what, and that nobody holds the lock while he waits for the network.

#![allow(
    clippy::disallowed_methods,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "an event loop has a clock, and std"
)]

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Buf;
use tidegate_core::handshake::{
    Acceptance, ClientHandshake, ClientRequest, Limits, ServerHandshake,
};
use tidegate_core::{
    CloseCode, CloseFrame, Config, Connection, Event, Message, READ_SIZE, Timestamp, Transport,
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
            serve(&TcpListener::bind(address)?);
            Ok(())
        }
        ["client", address] => talk(address),
        _ => Err("arguments: none, or `server ADDRESS`, or `client ADDRESS`".into()),
    }
}

fn serve(listener: &TcpListener) {
    for stream in listener.incoming() {
        thread::spawn(move || {
            let result = stream.map_err(Into::into).and_then(accept).and_then(|socket| {
                while let Some(message) = socket.receive() {
                    socket.send(message)?;
                }
                Ok(())
            });
            if let Err(error) = result {
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
struct Socket {
    connection: Mutex<Connection>,
    /// Told whenever somebody has changed the connection.
    changed: Condvar,
    clock: Clock,
    stream: TcpStream,
}

impl Socket {
    /// Runs a connection on a stream: two threads that end with it.
    fn start(connection: Connection, stream: TcpStream, clock: Clock) -> Arc<Self> {
        let (connection, changed) = (Mutex::new(connection), Condvar::new());
        let socket = Arc::new(Self { connection, changed, clock, stream });
        for work in [Self::read, Self::write] {
            let socket = Arc::clone(&socket);
            thread::spawn(move || work(&socket));
        }
        socket
    }

    /// The next message; `None` when the connection is over.
    fn receive(&self) -> Option<Message> {
        let mut connection = self.lock();
        loop {
            match connection.poll_event() {
                Some(Event::Message(message)) => {
                    // The gate may have opened: the reader wants to know.
                    self.changed.notify_all();
                    return Some(message);
                }
                Some(Event::Closed(closed)) => {
                    println!("{:?}: {closed}", connection.role());
                    return None;
                }
                Some(_) => {}
                None if connection.closed().is_some() => return None,
                None => connection = self.wait(connection),
            }
        }
    }

    /// Sends a message; waits while the outbox is full.
    fn send(&self, mut message: Message) -> Result<(), Box<dyn Error>> {
        let mut connection = self.lock();
        loop {
            match connection.send(message) {
                Ok(()) => {
                    self.changed.notify_all();
                    return Ok(());
                }
                Err(tidegate_core::SendError::Full(unsent)) => {
                    message = unsent;
                    connection = self.wait(connection);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn close(&self, code: CloseCode, reason: &'static str) {
        // An error says that it is closing already.
        let _ = self.lock().close(self.clock.now(), CloseFrame::new(code, reason));
        self.changed.notify_all();
    }

    /// The reading thread: reads when the connection wants input, and only then. That is all there
    /// is to the gate: while it is closed, nobody reads, and TCP slows the peer down.
    fn read(&self) {
        let mut buffer = vec![0; READ_SIZE];
        loop {
            let mut connection = self.lock();
            // At the end of a connection the rest is read and discarded until the peer's end.
            let lingers =
                |connection: &Connection| connection.transport() == Transport::ShutdownWrite;
            while !connection.wants_input() && !lingers(&connection) {
                if connection.transport() == Transport::Close {
                    return;
                }
                connection = self.wait(connection);
            }
            let patience = self.patience(&connection);
            drop(connection);

            let _ = self.stream.set_read_timeout(Some(patience));
            let read = (&self.stream).read(&mut buffer);
            let now = self.clock.now();
            let mut connection = self.lock();
            match read {
                Ok(0) => connection.handle_eof(now),
                Ok(length) => connection.handle_input(now, &buffer[..length]),
                Err(error) if is_timeout(error.kind()) => connection.handle_timeout(now),
                Err(_) => connection.handle_eof(now),
            }
            self.changed.notify_all();
        }
    }

    /// The writing thread: writes what there is, and ends TCP as the connection says.
    fn write(&self) {
        loop {
            let mut connection = self.lock();
            while !connection.wants_output() {
                match connection.transport() {
                    Transport::KeepOpen => {}
                    Transport::ShutdownWrite => {
                        let _ = self.stream.shutdown(Shutdown::Write);
                    }
                    Transport::Close => {
                        let _ = self.stream.shutdown(Shutdown::Both);
                        return;
                    }
                }
                connection = self.wait(connection);
            }
            // Taken out whole, so that the lock need not be held while the network is waited for.
            let length = connection.output().remaining();
            let bytes = connection.output().copy_to_bytes(length);
            drop(connection);
            self.changed.notify_all();
            if (&self.stream).write_all(&bytes).is_err() {
                self.lock().handle_eof(self.clock.now());
                self.changed.notify_all();
            }
        }
    }

    /// Waits until somebody has changed the connection or a deadline has come.
    fn wait<'a>(&self, connection: MutexGuard<'a, Connection>) -> MutexGuard<'a, Connection> {
        let patience = self.patience(&connection);
        let waited = self.changed.wait_timeout(connection, patience);
        let (mut connection, _) = waited.unwrap_or_else(PoisonError::into_inner);
        connection.handle_timeout(self.clock.now());
        connection
    }

    fn patience(&self, connection: &Connection) -> Duration {
        let deadline = connection.poll_timeout().unwrap_or(Timestamp::MAX);
        let patience = deadline.saturating_duration_since(self.clock.now());
        // A socket takes no zero for a timeout, and a stuck program should show itself.
        patience.clamp(Duration::from_millis(1), Duration::from_secs(60))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server's side of the opening handshake.
fn accept(stream: TcpStream) -> Result<Arc<Socket>, Box<dyn Error>> {
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
        Ok(connection) => Ok(Socket::start(connection, stream, clock)),
        Err(_) => Err(failure.map_or("no connection".into(), Into::into)),
    }
}

/// The client's side of the opening handshake.
fn connect(address: &str) -> Result<Arc<Socket>, Box<dyn Error>> {
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
        Ok(connection) => Ok(Socket::start(connection, stream, clock)),
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
