//! The event loop: passes completions from the kernel to the connections, and submits their operations.

use std::io::{self, ErrorKind};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tidegate_core::event_loop::{Next, Operations};
use tidegate_core::handshake::{Acceptance, Limits, ServerHandshake};
use tidegate_core::{Config, Connection, Event, Timestamp};

use crate::ring::{Done, Ring};

/// Serves until it is told to stop and all peers have left.
pub fn serve(mut ring: Ring, listener: &TcpListener, is_over: impl Fn() -> bool) -> io::Result<()> {
    let origin = Instant::now();
    let mut clients: Vec<Option<Client>> = Vec::new();
    ring.accept(listener.as_fd())?;
    while !(is_over() && clients.iter().all(Option::is_none)) {
        let now = Timestamp::from_duration(origin.elapsed());
        let deadlines = clients.iter().flatten().filter_map(|client| client.until);
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
                    // A deployed server pauses here when it has no file descriptor left.
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
        // Deadlines come last: all completed operations have been passed in.
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
    /// When to run the peer if nothing completes before.
    until: Option<Timestamp>,
}

enum Machine {
    /// Receives until the request is complete. After a refusal was sent, the peer is done.
    Opening {
        handshake: Box<ServerHandshake>,
        is_receiving: bool,
        is_sending: bool,
    },
    Open {
        connection: Box<Connection>,
        operations: Operations,
    },
}

impl Client {
    fn new(stream: TcpStream, now: Timestamp) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let handshake = Box::new(ServerHandshake::new(now, Limits::default()));
        let machine = Machine::Opening { handshake, is_receiving: false, is_sending: false };
        Ok(Self { stream, machine, until: Some(now) })
    }

    fn received(&mut self, now: Timestamp, received: io::Result<Vec<u8>>) {
        let received = match received {
            // All buffers were in use (ENOBUFS): the receive is submitted again.
            Err(error) if error.raw_os_error() == Some(105) => Err(ErrorKind::WouldBlock.into()),
            received => received,
        };
        match &mut self.machine {
            Machine::Opening { handshake, is_receiving, .. } => {
                *is_receiving = false;
                match received {
                    Ok(bytes) if bytes.is_empty() => handshake.handle_eof(now),
                    Ok(bytes) => handshake.handle_input(now, &bytes),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => handshake.handle_eof(now),
                }
            }
            Machine::Open { connection, operations } => {
                let (bytes, error) = match received {
                    Ok(bytes) => (bytes, None),
                    Err(error) => (Vec::new(), Some(error)),
                };
                let received = error.map_or(Ok(&bytes[..]), Err);
                operations.received(connection, now, received, &mut application);
            }
        }
    }

    fn sent(&mut self, sent: io::Result<usize>) {
        match &mut self.machine {
            Machine::Opening { is_sending, .. } => *is_sending = false,
            Machine::Open { connection, operations } => operations.sent(connection, sent),
        }
    }

    /// Does what is possible now, and submits the rest. Returns false when the peer is done.
    fn turn(&mut self, now: Timestamp, key: usize, ring: &mut Ring) -> io::Result<bool> {
        let is_due = self.until.is_some_and(|until| until <= now);
        if let Machine::Opening { handshake, is_receiving, is_sending } = &mut self.machine {
            if is_due {
                handshake.handle_timeout(now);
            }
            if handshake.request().is_none() || handshake.accept(Acceptance::new()).is_err() {
                if handshake.wants_input() && !*is_receiving {
                    ring.receive(key, self.stream.as_fd())?;
                    *is_receiving = true;
                }
                let answer = Bytes::copy_from_slice(&std::mem::take(handshake.output()));
                if !answer.is_empty() {
                    ring.send(key, self.stream.as_fd(), answer)?;
                    *is_sending = true;
                }
                if handshake.failure().is_some() && !*is_sending {
                    let _ = self.stream.shutdown(Shutdown::Both); // ends a receive
                    return Ok(*is_receiving);
                }
                self.until = handshake.poll_timeout();
                return Ok(true);
            }
            let blank = ServerHandshake::new(now, Limits::default());
            let handshake = std::mem::replace(&mut **handshake, blank);
            let Ok(connection) = handshake.into_connection(now, Config::default()) else {
                return Ok(false);
            };
            let connection = Box::new(connection);
            self.machine = Machine::Open { connection, operations: Operations::default() };
        }
        let Machine::Open { connection, operations } = &mut self.machine else { return Ok(true) };
        if is_due {
            connection.handle_timeout(now);
        }
        let submit = match operations.next(connection, now, &mut application) {
            Next::Submit(submit) => submit,
            Next::Over { .. } => return Ok(false),
        };
        if submit.receive.is_some() {
            ring.receive(key, self.stream.as_fd())?;
        }
        if let Some(bytes) = submit.send {
            ring.send(key, self.stream.as_fd(), bytes)?;
        }
        if let Some(how) = submit.shut_down {
            let _ = self.stream.shutdown(how);
        }
        self.until = submit.until;
        Ok(true)
    }
}

/// Echoes. There is room for one answer to each message, so sending fails only while closing.
fn application(connection: &mut Connection, event: Event) {
    match event {
        Event::Message(message) => drop(connection.send(message)),
        Event::Closed(closed) if !closed.is_clean() => println!("{closed}"),
        _ => {}
    }
}

/// How long the loop waits at most, before it checks whether it should stop.
const TICK: Duration = Duration::from_millis(100);
