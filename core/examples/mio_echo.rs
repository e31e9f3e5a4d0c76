//! An echo server on epoll: one thread, many connections, one read buffer for all of them.
//!
//!     cargo run --release -p tidegate-core --example mio_echo -- 127.0.0.1:9001
//!
//! The reference for event loops of any kind. What to take from here:
//!
//! - The loop asks the connection what it wants and registers for just that: no interest in
//!   reading while the gate is closed. That alone slows a fast sender down.
//! - The buffer belongs to the loop. An idle connection holds none.
//! - Deadlines come from `poll_timeout`; a call that comes late only delays.
//! - `transport` says when to shut down and when to close.

#![allow(
    clippy::disallowed_methods,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "an event loop has a clock, and std"
)]

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Buf;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use tidegate_core::handshake::{Acceptance, Limits, ServerHandshake};
use tidegate_core::{
    Config, Connection, Event, Message, READ_SIZE, SendError, Timestamp, Transport,
};

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".into());
    let address =
        address.parse().map_err(|error| io::Error::new(ErrorKind::InvalidInput, error))?;
    let mut listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);

    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut server = Server {
        peers: BTreeMap::new(),
        next: LISTENER.0 + 1,
        buffer: vec![0; READ_SIZE],
        origin: Instant::now(),
        config: Arc::new(Config::default()),
    };
    let mut events = Events::with_capacity(1024);
    loop {
        match poll.poll(&mut events, server.patience()) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        for event in &events {
            if event.token() == LISTENER {
                server.accept(&listener, poll.registry());
            } else {
                server.turn(event.token(), poll.registry());
            }
        }
        server.expire(poll.registry());
    }
}

struct Server {
    peers: BTreeMap<usize, Peer>,
    next: usize,
    /// One for all: what is read is handed over at once.
    buffer: Vec<u8>,
    origin: Instant,
    config: Arc<Config>,
}

struct Peer {
    stream: TcpStream,
    state: State,
    /// An echo that the outbox had no room for. While there is one, no event is taken: the gate
    /// then closes by itself, and the peer feels that it does not read its own echoes.
    unsent: Option<Message>,
    interest: Option<Interest>,
    is_shut_down: bool,
}

/// Boxed where they differ much in size.
enum State {
    Handshake(Box<ServerHandshake>),
    Open(Box<Connection>),
}

impl Server {
    fn accept(&mut self, listener: &TcpListener, registry: &Registry) {
        loop {
            match listener.accept() {
                Ok((stream, _)) => {
                    let _ = stream.set_nodelay(true);
                    let token = Token(self.next);
                    self.next += 1;
                    let handshake = ServerHandshake::new(self.now(), Limits::default());
                    let state = State::Handshake(Box::new(handshake));
                    let peer =
                        Peer { stream, state, unsent: None, interest: None, is_shut_down: false };
                    self.peers.insert(token.0, peer);
                    self.turn(token, registry);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => {
                    // A peer that has gone already, or no descriptor left: the others go on.
                    eprintln!("accept: {error}");
                    return;
                }
            }
        }
    }

    /// A peer's stream is ready, or its deadline has come.
    fn turn(&mut self, token: Token, registry: &Registry) {
        let now = self.now();
        let Some(peer) = self.peers.get_mut(&token.0) else { return };
        let keep = peer
            .work(now, &self.config, &mut self.buffer)
            .and_then(|keep| if keep { peer.register(token, registry) } else { Ok(false) });
        match keep {
            Ok(true) => {}
            Ok(false) => drop(self.peers.remove(&token.0)),
            Err(error) => {
                eprintln!("peer {}: {error}", token.0);
                self.peers.remove(&token.0);
            }
        }
    }

    fn expire(&mut self, registry: &Registry) {
        let now = self.now();
        let due: Vec<_> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.deadline().is_some_and(|deadline| deadline <= now))
            .map(|(token, _)| Token(*token))
            .collect();
        for token in due {
            self.turn(token, registry);
        }
    }

    /// How long the loop may sleep. A server with very many connections keeps a heap instead.
    fn patience(&self) -> Option<Duration> {
        let deadline = self.peers.values().filter_map(Peer::deadline).min()?;
        // Rounded up: epoll counts milliseconds, and half a one would be none.
        Some(deadline.saturating_duration_since(self.now()) + Duration::from_millis(1))
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_duration(self.origin.elapsed())
    }
}

impl Peer {
    /// Does everything that can be done without waiting. False: the connection is over.
    fn work(
        &mut self,
        now: Timestamp,
        config: &Arc<Config>,
        buffer: &mut [u8],
    ) -> io::Result<bool> {
        match &mut self.state {
            State::Handshake(handshake) => handshake.handle_timeout(now),
            State::Open(connection) => connection.handle_timeout(now),
        }
        // A bounded number of reads, so that one peer cannot keep the loop from the others. mio is
        // edge-triggered: whoever leaves earlier must come back by himself.
        for _ in 0..READS_PER_TURN {
            self.application(now, config);
            self.write()?;
            while self.can_go_on() {
                self.application(now, config);
                self.write()?;
            }
            match self.transport() {
                Transport::KeepOpen => {}
                Transport::ShutdownWrite if !self.is_shut_down => {
                    self.is_shut_down = true;
                    let _ = self.stream.shutdown(Shutdown::Write);
                }
                Transport::ShutdownWrite => {}
                Transport::Close => return Ok(false),
            }
            if !self.wants_input() {
                return Ok(true);
            }
            match self.stream.read(buffer) {
                Ok(0) => self.handle_eof(now),
                Ok(length) => self.handle_input(now, &buffer[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.interest = None; // registered again, so that epoll tells again
        Ok(true)
    }

    /// What an application does: decide about a request, answer messages.
    fn application(&mut self, now: Timestamp, config: &Arc<Config>) {
        if let State::Handshake(handshake) = &mut self.state
            && handshake.request().is_some()
            && handshake.accept(Acceptance::new()).is_ok()
        {
            let blank = Box::new(ServerHandshake::new(now, Limits::default()));
            let handshake = std::mem::replace(handshake, blank);
            if let Ok(connection) = handshake.into_connection(now, Arc::clone(config)) {
                self.state = State::Open(Box::new(connection));
            }
        }
        let State::Open(connection) = &mut self.state else { return };
        loop {
            if let Some(message) = self.unsent.take() {
                // Any other error says that the connection is closing: nobody reads an echo then.
                if let Err(SendError::Full(message)) = connection.send(message) {
                    self.unsent = Some(message);
                    return;
                }
            }
            match connection.poll_event() {
                Some(Event::Message(message)) => self.unsent = Some(message),
                Some(_) => {}
                None => return,
            }
        }
    }

    /// Writing made room for the echo that waits. Nobody else would tell: with nothing to write and
    /// the gate closed there is no interest registered, and so no event.
    fn can_go_on(&self) -> bool {
        match &self.state {
            State::Open(connection) => self.unsent.is_some() && connection.can_send(),
            State::Handshake(_) => false,
        }
    }

    fn write(&mut self) -> io::Result<()> {
        while self.wants_output() {
            let mut slices = [IoSlice::new(&[]); 16];
            let written = match &mut self.state {
                State::Open(connection) => {
                    let output = connection.output();
                    let count = output.chunks_vectored(&mut slices);
                    self.stream.write_vectored(&slices[..count])
                }
                State::Handshake(handshake) => self.stream.write(handshake.output().chunk()),
            };
            match (written, &mut self.state) {
                (Ok(0), _) => return Err(ErrorKind::WriteZero.into()),
                (Ok(length), State::Open(connection)) => connection.output().advance(length),
                (Ok(length), State::Handshake(handshake)) => handshake.output().advance(length),
                (Err(error), _) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                (Err(error), _) if error.kind() == ErrorKind::Interrupted => {}
                (Err(error), _) => return Err(error),
            }
        }
        Ok(())
    }

    /// Registers for what the connection wants, and for nothing else.
    fn register(&mut self, token: Token, registry: &Registry) -> io::Result<bool> {
        let wanted = match (self.wants_input(), self.wants_output()) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => None, // the gate is closed: wait for the application
        };
        if wanted != self.interest {
            // A stream that is registered afresh is told at once if it is ready.
            let _ = registry.deregister(&mut self.stream);
            if let Some(interest) = wanted {
                registry.register(&mut self.stream, token, interest)?;
            }
            self.interest = wanted;
        }
        Ok(true)
    }

    fn handle_input(&mut self, now: Timestamp, input: &[u8]) {
        match &mut self.state {
            State::Handshake(handshake) => handshake.handle_input(now, input),
            State::Open(connection) => connection.handle_input(now, input),
        }
    }

    fn handle_eof(&mut self, now: Timestamp) {
        match &mut self.state {
            State::Handshake(handshake) => handshake.handle_eof(now),
            State::Open(connection) => connection.handle_eof(now),
        }
    }

    fn wants_input(&self) -> bool {
        let wanted = match &self.state {
            State::Handshake(handshake) => handshake.wants_input(),
            State::Open(connection) => connection.wants_input(),
        };
        // When all is said, the rest is read and discarded until the peer's end.
        wanted || self.transport() == Transport::ShutdownWrite
    }

    fn wants_output(&self) -> bool {
        match &self.state {
            State::Handshake(handshake) => handshake.wants_output(),
            State::Open(connection) => connection.wants_output(),
        }
    }

    fn transport(&self) -> Transport {
        match &self.state {
            State::Handshake(handshake) => handshake.transport(),
            State::Open(connection) => connection.transport(),
        }
    }

    fn deadline(&self) -> Option<Timestamp> {
        match &self.state {
            State::Handshake(handshake) => handshake.poll_timeout(),
            State::Open(connection) => connection.poll_timeout(),
        }
    }
}

const LISTENER: Token = Token(0);
const READS_PER_TURN: usize = 16;
