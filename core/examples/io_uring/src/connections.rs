//! The loop: what the kernel has done goes to the connections, and their wishes go to the kernel.

use std::io::{self, ErrorKind};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use tidegate_core::handshake::{Acceptance, Limits, ServerHandshake};
use tidegate_core::{Config, Connection, Event, READ_SIZE, Timestamp, Transport};

use crate::ring::{Done, Ring};

/// Serves until it shall stop and everyone has left.
pub fn serve(mut ring: Ring, listener: &TcpListener, is_over: impl Fn() -> bool) -> io::Result<()> {
    let origin = Instant::now();
    let mut clients: Vec<Option<Client>> = Vec::new();
    ring.accept(listener.as_fd())?;
    while !(is_over() && clients.iter().all(Option::is_none)) {
        let now = Timestamp::from_duration(origin.elapsed());
        let deadlines = clients.iter().flatten().filter_map(|client| client.machine.poll_timeout());
        let wait = deadlines.min().map_or(TICK, |deadline| deadline.saturating_duration_since(now));
        let done = ring.wait(wait.min(TICK))?;
        let now = Timestamp::from_duration(origin.elapsed());
        for done in done {
            match done {
                Done::Accepted(accepted) => {
                    if let Ok(client) = accepted.and_then(|fd| Client::new(fd.into(), now)) {
                        match clients.iter_mut().find(|place| place.is_none()) {
                            Some(place) => *place = Some(client),
                            None => clients.push(Some(client)),
                        }
                    }
                    // A server that is deployed rests where it has no file descriptor left.
                    ring.accept(listener.as_fd())?;
                }
                Done::Received(key, received) => {
                    if let Some(client) = &mut clients[key] {
                        client.received(now, received);
                    }
                }
                Done::Sent(key, sent) => {
                    if let Some(client) = &mut clients[key] {
                        client.sent(sent);
                    }
                }
            }
        }
        for (key, place) in clients.iter_mut().enumerate() {
            if let Some(client) = place
                && !client.turn(now, key, &mut ring)?
            {
                *place = None;
            }
        }
    }
    Ok(())
}

struct Client {
    stream: TcpStream,
    machine: Machine,
    is_receiving: bool,
    is_sending: bool,
    /// What the kernel did not take of a send.
    rest: Bytes,
    is_shut: bool,
    has_failed: bool,
}

enum Machine {
    Opening(Box<ServerHandshake>),
    Open(Box<Connection>),
}

impl Client {
    fn new(stream: TcpStream, now: Timestamp) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            machine: Machine::Opening(Box::new(ServerHandshake::new(now, Limits::default()))),
            is_receiving: false,
            is_sending: false,
            rest: Bytes::new(),
            is_shut: false,
            has_failed: false,
        })
    }

    fn received(&mut self, now: Timestamp, received: io::Result<Vec<u8>>) {
        self.is_receiving = false;
        match received {
            Ok(bytes) if bytes.is_empty() => self.machine.handle_eof(now),
            Ok(bytes) => self.machine.handle_input(now, &bytes),
            // All buffers were in use (ENOBUFS), or a signal came: it is asked again.
            Err(error) if error.raw_os_error() == Some(105) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => self.machine.handle_eof(now),
        }
    }

    fn sent(&mut self, sent: io::Result<(usize, Bytes)>) {
        self.is_sending = false;
        match sent {
            Ok((count, bytes)) => self.rest = bytes.slice(count..),
            Err(_) => self.has_failed = true,
        }
    }

    /// Does what there is to do, and asks the kernel for the rest. False: it is over.
    fn turn(&mut self, now: Timestamp, key: usize, ring: &mut Ring) -> io::Result<bool> {
        self.machine.handle_timeout(now);
        self.machine.open(now);
        if let Machine::Open(connection) = &mut self.machine {
            // What cannot be echoed yet stays in the inbox: the gate closes, and nothing is read.
            while connection.can_send() || connection.is_closing() {
                match connection.poll_event() {
                    Some(Event::Message(message)) => drop(connection.send(message)),
                    Some(_) => {}
                    None => break,
                }
            }
        }
        if !self.is_sending && !self.has_failed {
            let rest = std::mem::take(&mut self.rest);
            let bytes = if rest.is_empty() { self.machine.take_output() } else { rest };
            if !bytes.is_empty() {
                ring.send(key, self.stream.as_fd(), bytes)?;
                self.is_sending = true;
            }
        }
        let transport = self.machine.transport();
        if transport == Transport::Close || self.has_failed {
            // Ends what the kernel still does for this stream.
            let _ = self.stream.shutdown(Shutdown::Both);
            return Ok(self.is_receiving || self.is_sending);
        }
        if transport == Transport::ShutdownWrite && !self.is_sending && !self.is_shut {
            let _ = self.stream.shutdown(Shutdown::Write);
            self.is_shut = true;
        }
        let is_wanted = self.machine.wants_input() || transport == Transport::ShutdownWrite;
        if is_wanted && !self.is_receiving {
            ring.receive(key, self.stream.as_fd())?;
            self.is_receiving = true;
        }
        Ok(true)
    }
}

impl Machine {
    /// Accepts every valid request, and goes on with the connection.
    fn open(&mut self, now: Timestamp) {
        let Self::Opening(handshake) = self else { return };
        if handshake.request().is_none() || handshake.accept(Acceptance::new()).is_err() {
            return;
        }
        let handshake =
            std::mem::replace(&mut **handshake, ServerHandshake::new(now, Limits::default()));
        if let Ok(connection) = handshake.into_connection(now, Config::default()) {
            *self = Self::Open(Box::new(connection));
        }
    }

    /// Up to a read's worth of output. Small pieces go out together.
    fn take_output(&mut self) -> Bytes {
        fn take(output: &mut impl Buf) -> Bytes {
            output.copy_to_bytes(output.remaining().min(READ_SIZE))
        }
        match self {
            Self::Opening(handshake) => take(handshake.output()),
            Self::Open(connection) => take(connection.output()),
        }
    }

    fn handle_input(&mut self, now: Timestamp, input: &[u8]) {
        match self {
            Self::Opening(handshake) => handshake.handle_input(now, input),
            Self::Open(connection) => connection.handle_input(now, input),
        }
    }

    fn handle_eof(&mut self, now: Timestamp) {
        match self {
            Self::Opening(handshake) => handshake.handle_eof(now),
            Self::Open(connection) => connection.handle_eof(now),
        }
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        match self {
            Self::Opening(handshake) => handshake.handle_timeout(now),
            Self::Open(connection) => connection.handle_timeout(now),
        }
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        match self {
            Self::Opening(handshake) => handshake.poll_timeout(),
            Self::Open(connection) => connection.poll_timeout(),
        }
    }

    fn wants_input(&self) -> bool {
        match self {
            Self::Opening(handshake) => handshake.wants_input(),
            Self::Open(connection) => connection.wants_input(),
        }
    }

    fn transport(&self) -> Transport {
        match self {
            Self::Opening(handshake) => handshake.transport(),
            Self::Open(connection) => connection.transport(),
        }
    }
}

/// How long the loop waits when nothing is to come: it looks whether it shall stop.
const TICK: Duration = Duration::from_millis(100);
