//! The README's event loop as a complete program: an echo server that uses only `std`.
//!
//!     cargo run --release -p tidegate-core --example readme_loop -- 127.0.0.1:9001
//!
//! `std` has no poller, so this program looks at every connection in turn, and sleeps briefly when
//! nothing happened. It exists so that tests can run the code that the README shows. As the base for
//! a server, use `mio_echo.rs`.

#![allow(
    clippy::disallowed_methods,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::wildcard_enum_match_arm,
    reason = "an event loop reads a clock and uses std, and the README's code ignores most kinds of event"
)]

use std::io::{self, ErrorKind};
use std::net::{TcpListener, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tidegate_core::event_loop::accept;
use tidegate_core::handshake::{Acceptance, Limits, ServerHandshake};
use tidegate_core::{Config, READ_SIZE};

use tidegate_core::event_loop::{Duplex, Turn, turn};
use tidegate_core::{Connection, Event, Timestamp};

/// Call this when the socket is ready, when the deadline has come, and after sending from outside.
fn echo(
    connection: &mut Connection,
    socket: &mut impl Duplex, // non-blocking: a std socket, or any other in WithShutdown
    buffer: &mut [u8],        // shared by all connections of a thread
    now: Timestamp,           // from one monotonic clock
) -> Turn {
    turn(connection, socket, buffer, now, |connection, event| match event {
        Event::Message(message) => drop(connection.send(message)), // there is room for the answer
        Event::Closed(closed) => println!("{closed}"),
        _ => {}
    })
}

enum Peer {
    Opening(Box<ServerHandshake>, TcpStream),
    Open(Box<Connection>, TcpStream),
}

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".into());
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    println!("ws://{}/", listener.local_addr()?);
    let (origin, mut peers, mut buffer) = (Instant::now(), Vec::new(), vec![0; READ_SIZE]);
    loop {
        let now = Timestamp::from_duration(origin.elapsed());
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                let handshake = ServerHandshake::new(now, Limits::default());
                peers.push(Peer::Opening(Box::new(handshake), stream));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(REST),
            Err(error) => eprintln!("accept: {error}"),
        }
        peers = peers.into_iter().filter_map(|peer| go_on(peer, &mut buffer, now)).collect();
    }
}

/// Runs one peer once. Returns `None` when its connection has ended.
fn go_on(peer: Peer, buffer: &mut [u8], now: Timestamp) -> Option<Peer> {
    match peer {
        Peer::Opening(mut handshake, mut stream) => {
            if let Turn::Over { .. } = accept(&mut handshake, &mut stream, buffer, now) {
                return None;
            }
            if handshake.request().is_none() {
                return Some(Peer::Opening(handshake, stream));
            }
            handshake.accept(Acceptance::new()).ok()?;
            let connection = handshake.into_connection(now, Config::default()).ok()?;
            Some(Peer::Open(Box::new(connection), stream))
        }
        Peer::Open(mut connection, mut stream) => {
            match echo(&mut connection, &mut stream, buffer, now) {
                Turn::Wait(_) | Turn::Again => Some(Peer::Open(connection, stream)),
                Turn::Over { .. } => None,
            }
        }
    }
}

/// The pause after a round in which nothing happened.
const REST: Duration = Duration::from_micros(200);
