//! The loop of the README as a program: an echo server with nothing but `std`.
//!
//!     cargo run --release -p tidegate-core --example readme_loop -- 127.0.0.1:9001
//!
//! `std` has no poller, so this one looks at every connection again and again, with a short rest
//! when nothing happens. It is here to be tested with its code as the README shows it; to build on,
//! take `mio_echo.rs`.

#![allow(
    clippy::disallowed_methods,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::wildcard_enum_match_arm,
    reason = "an event loop has a clock and std, and the README's code is for every kind of event"
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

/// The socket is ready, the deadline has come, or something was sent from outside.
fn echo(
    connection: &mut Connection,
    socket: &mut impl Duplex, // non-blocking: the sockets of std, or any other by WithShutdown
    buffer: &mut [u8],        // one for all connections of a thread
    now: Timestamp,           // from one monotonic clock
) -> Turn {
    turn(connection, socket, buffer, now, |connection, event| match event {
        Event::Message(message) => drop(connection.send(message)), // there is room for an answer
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

/// One turn of a peer. `None`: it is over.
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

/// Between two looks.
const REST: Duration = Duration::from_micros(200);
