//! Measures a million connections in one process, without sockets: the memory of each, and the time
//! of a pass over all their timers.
//!
//! `cargo run --release -p tidegate-tests --bin million -- [connections]`
//!
//! They are in one `Vec`, as in a program with its own event loop. The keepalive of each is running,
//! and each has received a message and sent one.

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Buf;
use tidegate_core::{Config, Connection, Event, Timestamp};

fn main() -> Result<(), Box<dyn Error>> {
    let count: u32 = match std::env::args().nth(1) {
        Some(count) => count.parse()?,
        None => 1_000_000,
    };
    // Measured before their `Vec` is allocated.
    let empty = resident()?;
    let config = Arc::new(Config::default());
    let begun = Instant::now();
    // Each starts a little later than the one before, so that their deadlines differ.
    let mut connections: Vec<Connection> =
        (0..count).map(|index| Connection::server(start(index), Arc::clone(&config))).collect();
    println!("{count} connections of {} bytes", size_of::<Connection>());
    println!("made in                        {:8.1} ms", milliseconds(begun));
    println!("resident                       {:8.1} MB", megabytes(empty)?);

    let begun = Instant::now();
    let earliest = connections.iter().filter_map(Connection::poll_timeout).min();
    println!("poll_timeout of all            {:8.1} ms", milliseconds(begun));
    let earliest = earliest.ok_or("a deadline")?;

    let begun = Instant::now();
    tick(&mut connections, start(count));
    println!("handle_timeout, nothing due    {:8.1} ms", milliseconds(begun));

    let begun = Instant::now();
    for (index, connection) in (0..count).zip(&mut connections) {
        connection.handle_input(start(count + index), HELLO);
        let Some(Event::Message(message)) = connection.poll_event() else {
            return Err("no message".into());
        };
        connection.send(message)?;
        write(connection);
    }
    println!("a message received and sent    {:8.1} ms", milliseconds(begun));
    println!("resident                       {:8.1} MB", megabytes(empty)?);

    let begun = Instant::now();
    tick(&mut connections, start(2 * count));
    println!("handle_timeout, nothing due    {:8.1} ms", milliseconds(begun));

    // All pings at one moment, which no real clock causes: each sends one and waits for its pong.
    let due = earliest + Duration::from_secs(3600);
    let begun = Instant::now();
    for connection in &mut connections {
        connection.handle_timeout(due);
        if !connection.wants_output() {
            return Err("a ping is missing".into());
        }
        write(connection);
    }
    println!("all due, pings written         {:8.1} ms", milliseconds(begun));
    println!("resident, no pong has come     {:8.1} MB", megabytes(empty)?);

    let begun = Instant::now();
    for connection in &mut connections {
        // The payload is the number of the first ping.
        connection.handle_input(due, b"\x8A\x84\0\0\0\0\0\0\0\x01");
        if connection.is_ping_outstanding() {
            return Err("a pong was not taken".into());
        }
    }
    println!("all pongs taken                {:8.1} ms", milliseconds(begun));
    println!("resident                       {:8.1} MB", megabytes(empty)?);
    Ok(())
}

/// One pass over all timers, as in an event loop without a timer queue.
fn tick(connections: &mut [Connection], now: Timestamp) {
    for connection in connections {
        if connection.poll_timeout().is_some_and(|deadline| deadline <= now) {
            connection.handle_timeout(now);
        }
    }
}

fn write(connection: &mut Connection) {
    let output = connection.output();
    while output.has_remaining() {
        let length = black_box(output.chunk()).len();
        output.advance(length);
    }
}

fn start(index: u32) -> Timestamp {
    Timestamp::from_duration(Duration::from_micros(u64::from(index)))
}

fn milliseconds(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1000.0
}

/// The growth of the resident memory, in 10⁶ bytes.
fn megabytes(empty: u64) -> Result<f64, Box<dyn Error>> {
    Ok(resident()?.saturating_sub(empty) as f64 / 1e6)
}

fn resident() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 =
        line.and_then(|line| line.split_whitespace().next()).ok_or("no VmRSS")?.parse()?;
    Ok(kib * 1024)
}

/// A masked text message.
const HELLO: &[u8] = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
