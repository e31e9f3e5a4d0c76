//! The load generator, the same for every server: frames made beforehand, over plain TCP.
//!
//! It parses only the length of an answer, so that it does not disturb the server on the other core.

mod connection;
mod histogram;
mod process;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

use self::connection::{Connection, open};
pub use self::histogram::Histogram;
pub use self::process::{Process, SERVER_CORE, keep_to_core, on_core, resident};

/// The frames that a client sends repeatedly.
#[derive(Clone)]
pub struct Script {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Script {
    pub fn new(frames: &[Vec<u8>]) -> Self {
        let mut script = Self { bytes: Vec::new(), ends: Vec::new() };
        for frame in frames {
            script.bytes.extend_from_slice(frame);
            script.ends.push(script.bytes.len());
        }
        script
    }

    /// One frame, repeated so that several go out in one write.
    pub fn repeated(frame: &[u8], depth: usize) -> Self {
        let times = ((256 << 10) / frame.len()).clamp(1, depth);
        Self::new(&vec![frame.to_vec(); times])
    }
}

/// Connections to one server, and their state.
pub struct Load {
    poll: Poll,
    connections: Vec<Connection>,
    buffer: Vec<u8>,
}

/// The result of a run.
pub struct Measured {
    pub messages: u64,
    /// Bytes of the answers, headers included.
    pub bytes: u64,
    pub elapsed: Duration,
    pub latency: Histogram,
}

/// What the opening handshake requests.
#[derive(Clone, Copy)]
pub enum Opening {
    None,
    Plain,
    Deflate,
    DeflateNoTakeover,
}

impl Load {
    /// Opens this many connections.
    pub fn open(address: SocketAddr, count: usize, opening: Opening) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut connections = Vec::with_capacity(count);
        for index in 0..count {
            let mut stream = mio::net::TcpStream::from_std(open(address, opening)?);
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut stream, Token(index), interest)?;
            connections.push(Connection::new(stream));
        }
        Ok(Self { poll, connections, buffer: vec![0; 1 << 20] })
    }

    /// Each connection keeps `depth` messages in flight. Answers within `warm_up` are not counted;
    /// `begin` is called when counting begins.
    pub fn echo(
        &mut self,
        script: &Script,
        depth: usize,
        warm_up: Duration,
        duration: Duration,
        begin: impl FnOnce(),
    ) -> io::Result<Measured> {
        let mut begin = Some(begin);
        let mut counting = Instant::now() + warm_up;
        let mut measured = Measured::new();
        let now = Instant::now();
        for connection in &mut self.connections {
            connection.queue(script, depth, now);
            connection.write(script)?;
        }
        let mut events = Events::with_capacity(1024);
        loop {
            self.poll.poll(&mut events, Some(Duration::from_millis(100)))?;
            let now = Instant::now();
            if now >= counting
                && let Some(begin) = begin.take()
            {
                begin();
                counting = Instant::now();
                measured = Measured::new();
            }
            if begin.is_none() && now >= counting + duration {
                measured.elapsed = counting.elapsed();
                return Ok(measured);
            }
            for event in &events {
                let connection = &mut self.connections[event.token().0];
                if event.is_readable() {
                    let answers = connection.read(&mut self.buffer, &mut measured)?;
                    connection.queue(script, answers, now);
                }
                connection.write(script)?;
            }
        }
    }

    /// One message on each connection, and its answer.
    pub fn echo_once(&mut self, script: &Script) -> io::Result<()> {
        let mut measured = Measured::new();
        let mut events = Events::with_capacity(1024);
        for index in 0..self.connections.len() {
            let connection = &mut self.connections[index];
            connection.queue(script, 1, Instant::now());
            connection.write(script)?;
        }
        while measured.messages < self.connections.len() as u64 {
            self.poll.poll(&mut events, Some(Duration::from_secs(5)))?;
            if events.is_empty() {
                return Err(ErrorKind::TimedOut.into());
            }
            for event in &events {
                if event.is_readable() {
                    self.connections[event.token().0].read(&mut self.buffer, &mut measured)?;
                }
            }
        }
        Ok(())
    }

    /// Repeatedly sends a message on the first connection, and waits until all others have it.
    pub fn broadcast(
        &mut self,
        script: &Script,
        duration: Duration,
        begin: impl FnOnce(),
    ) -> io::Result<Measured> {
        let mut begin = Some(begin);
        let mut measured = Measured::new();
        let mut begun = Instant::now();
        let mut events = Events::with_capacity(1024);
        let mut awaited = 0;
        let mut rounds = 0;
        let mut said = Instant::now();
        loop {
            if awaited == 0 {
                if rounds > 0 {
                    measured.latency.add(said.elapsed());
                }
                rounds += 1;
                if rounds == 4 {
                    begin.take().expect("it is called once")();
                    begun = Instant::now();
                    measured = Measured::new();
                }
                if rounds > 4 && begun.elapsed() >= duration {
                    measured.elapsed = begun.elapsed();
                    return Ok(measured);
                }
                awaited = self.connections.len() - 1;
                said = Instant::now();
                self.connections[0].queue(script, 1, said);
                self.connections[0].write(script)?;
            }
            self.poll.poll(&mut events, Some(Duration::from_millis(500)))?;
            if events.is_empty() {
                return Err(io::Error::other(format!("{awaited} connections miss a message")));
            }
            for event in &events {
                let connection = &mut self.connections[event.token().0];
                if event.is_readable() {
                    awaited -= connection.read(&mut self.buffer, &mut measured)?;
                }
            }
        }
    }
}

impl Measured {
    fn new() -> Self {
        Self { messages: 0, bytes: 0, elapsed: Duration::ZERO, latency: Histogram::default() }
    }
}
