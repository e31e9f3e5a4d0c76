//! An echo server on epoll: one thread, many connections, one read buffer for all of them.
//!
//!     cargo run --release -p tidegate-core --example mio_echo -- 127.0.0.1:9001
//!
//! The reference for event loops on a readiness API. `event_loop::turn` does the work of a
//! connection. This example shows what is left for the loop:
//!
//! - It registers only for what a connection waits for: not for reading while the gate is closed.
//!   That alone slows a fast sender down.
//! - It calls `turn` again when a deadline has come, and after `Turn::Again`, when the other
//!   connections have run.
//! - It owns the read buffer, so an idle connection holds none.

#![allow(
    clippy::disallowed_methods,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::wildcard_enum_match_arm,
    reason = "an event loop reads a clock and uses std, and ignores most kinds of event"
)]

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use tidegate_core::event_loop::{Turn, Wait, WithShutdown, accept, turn};
use tidegate_core::handshake::{Acceptance, Limits, ServerHandshake};
use tidegate_core::{Config, Connection, Event, READ_SIZE, Timestamp};

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".into());
    let address =
        address.parse().map_err(|error| io::Error::new(ErrorKind::InvalidInput, error))?;
    let mut listener = TcpListener::bind(address)?;
    println!("ws://{}/", listener.local_addr()?);

    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut server = Server {
        peers: BTreeMap::new(),
        next: LISTENER.0 + 1,
        buffer: vec![0; READ_SIZE],
        origin: Instant::now(),
        config: Arc::new(Config::default()),
        accepts_at: None,
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
        server.expire(&listener, poll.registry());
    }
}

struct Server {
    peers: BTreeMap<usize, Peer>,
    next: usize,
    /// Shared by all connections, since the core takes everything out of it at once.
    buffer: Vec<u8>,
    origin: Instant,
    config: Arc<Config>,
    /// When to accept again after a failure.
    accepts_at: Option<Timestamp>,
}

struct Peer {
    stream: TcpStream,
    state: State,
    /// The readiness that the poller reports.
    interest: Option<Interest>,
    /// When to call `turn` without it.
    until: Option<Timestamp>,
}

/// Boxed, because the variants differ much in size.
enum State {
    Opening(Box<ServerHandshake>),
    Open(Box<Connection>),
}

impl Server {
    fn accept(&mut self, listener: &TcpListener, registry: &Registry) {
        self.accepts_at = None;
        loop {
            match listener.accept() {
                Ok((stream, _)) => {
                    let _ = stream.set_nodelay(true);
                    let token = Token(self.next);
                    self.next += 1;
                    let handshake = ServerHandshake::new(self.now(), Limits::default());
                    let state = State::Opening(Box::new(handshake));
                    self.peers.insert(token.0, Peer { stream, state, interest: None, until: None });
                    self.turn(token, registry);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => {
                    // The peer has gone already, or no file descriptor is left. Existing connections
                    // go on. Accept again after a pause: the poller does not report the waiting
                    // clients a second time.
                    eprintln!("accept: {error}");
                    self.accepts_at = Some(self.now() + ACCEPT_PAUSE);
                    return;
                }
            }
        }
    }

    /// Runs a peer whose stream is ready or whose deadline has come.
    fn turn(&mut self, token: Token, registry: &Registry) {
        let now = self.now();
        let Some(peer) = self.peers.get_mut(&token.0) else { return };
        let kept = match peer.turn(now, &self.config, &mut self.buffer) {
            Some(Next::Wait(wait)) => peer.wait(wait, token, registry),
            // At once, but after the others: `expire` runs after all ready peers.
            Some(Next::Again) => {
                peer.until = Some(now);
                Ok(())
            }
            None => Err(None),
        };
        if let Err(error) = kept {
            if let Some(error) = error {
                eprintln!("peer {}: {error}", token.0);
            }
            self.peers.remove(&token.0);
        }
    }

    fn expire(&mut self, listener: &TcpListener, registry: &Registry) {
        let now = self.now();
        let is_due = |until: Option<Timestamp>| until.is_some_and(|until| until <= now);
        if is_due(self.accepts_at) {
            self.accept(listener, registry);
        }
        let due = self.peers.iter().filter(|(_, peer)| is_due(peer.until));
        let due: Vec<_> = due.map(|(token, _)| Token(*token)).collect();
        for token in due {
            self.turn(token, registry);
        }
    }

    /// How long the loop may sleep. A server with very many connections would use a heap instead.
    fn patience(&self) -> Option<Duration> {
        let deadlines = self.peers.values().filter_map(|peer| peer.until);
        let patience =
            deadlines.chain(self.accepts_at).min()?.saturating_duration_since(self.now());
        // Rounded up: epoll counts milliseconds, and would round half a millisecond down to zero.
        Some(if patience.is_zero() { patience } else { patience + Duration::from_millis(1) })
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_duration(self.origin.elapsed())
    }
}

/// The result of one turn, of a handshake or of a connection.
enum Next {
    Wait(Wait),
    Again,
}

impl Peer {
    /// Does everything that is possible without waiting. Returns `None` when the peer is done.
    fn turn(&mut self, now: Timestamp, config: &Arc<Config>, buffer: &mut [u8]) -> Option<Next> {
        let shut_down = |stream: &mut TcpStream| stream.shutdown(Shutdown::Write);
        let mut stream = WithShutdown::new(&mut self.stream, shut_down);
        if let State::Opening(handshake) = &mut self.state {
            let turn = accept(handshake, &mut stream, buffer, now);
            if handshake.request().is_some() && !handshake.is_accepted() {
                // A real server checks the path, the origin and the headers here, and may reject.
                handshake.accept(Acceptance::new()).ok()?;
            }
            if !handshake.is_accepted() {
                return next(turn);
            }
            let blank = ServerHandshake::new(now, Limits::default());
            let handshake = std::mem::replace(&mut **handshake, blank);
            let connection = handshake.into_connection(now, Arc::clone(config)).ok()?;
            self.state = State::Open(Box::new(connection));
        }
        let State::Open(connection) = &mut self.state else { return None };
        next(turn(connection, &mut stream, buffer, now, application))
    }

    /// Registers with the poller only for what the connection waits for.
    fn wait(
        &mut self,
        wait: Wait,
        token: Token,
        registry: &Registry,
    ) -> Result<(), Option<io::Error>> {
        self.until = wait.until;
        let wanted = match (wait.readable, wait.writable) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => None, // only if the application takes nothing, but this one always does
        };
        match (self.interest, wanted) {
            (before, wanted) if before == wanted => {}
            (None, Some(wanted)) => registry.register(&mut self.stream, token, wanted)?,
            (Some(_), Some(wanted)) => registry.reregister(&mut self.stream, token, wanted)?,
            (_, None) => registry.deregister(&mut self.stream)?,
        }
        self.interest = wanted;
        Ok(())
    }
}

/// Echoes. There is room for one answer to each message, so sending fails only while closing.
fn application(connection: &mut Connection, event: Event) {
    match event {
        Event::Message(message) => drop(connection.send(message)),
        Event::Closed(closed) if !closed.is_clean() => eprintln!("{closed}"),
        _ => {}
    }
}

fn next<H>(turn: Turn<H>) -> Option<Next> {
    match turn {
        Turn::Wait(wait) => Some(Next::Wait(wait)),
        Turn::Again => Some(Next::Again),
        Turn::Over { .. } => None,
    }
}

const LISTENER: Token = Token(0);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
