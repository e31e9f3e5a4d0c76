//! How to test your own code: an event loop around a connection, and a frame parser.
//!
//! `EventLoop` and `Parser` stand for your code. The properties below are the ones to test:
//!
//! ```text
//! cargo test -p tidegate-core --features testing --example test_your_loop
//! ```
//!
//! (or `cargo run`, which tests the same). proptest shrinks a failing case to the shortest session,
//! the fewest pieces and the best network conditions that still fail.

#![allow(clippy::wildcard_enum_match_arm, reason = "an application ignores most kinds of event")]

use std::io::{Read, Write};

use proptest::prelude::*;
use tidegate_core::event_loop::{Duplex, Turn, Wait, turn};
use tidegate_core::testing::strategies::{self, Session};
use tidegate_core::testing::{Frame, Hostile, Sent, Socket, hostile, opcode, proptest, sockets};
use tidegate_core::{
    CloseCode, CloseFrame, Config, Connection, Event, Failure, Message, READ_SIZE, Role, Timestamp,
};

// ---------------------------------------------------------------------------------------------
// The code under test.

/// Your event loop: an echo on one non-blocking stream, here with the core's `event_loop`.
struct EventLoop<S> {
    connection: Connection,
    /// `None` once the stream is closed.
    stream: Option<S>,
    /// What the loop waits for. `None`: call it again at once.
    wait: Option<Wait>,
    end: Option<Event>,
    buffer: Vec<u8>,
}

impl<S: Duplex> EventLoop<S> {
    fn new(stream: S, connection: Connection) -> Self {
        let buffer = vec![0; READ_SIZE];
        Self { connection, stream: Some(stream), wait: None, end: None, buffer }
    }

    /// Called when what the loop waits for has come.
    fn turn(&mut self, now: Timestamp) {
        let Self { connection, stream: Some(stream), wait, end, buffer } = self else { return };
        let turn = turn(connection, stream, buffer, now, |connection, event| match event {
            Event::Message(message) => drop(connection.send(message)),
            Event::Closed(_) => *end = Some(event),
            _ => {}
        });
        match turn {
            Turn::Wait(until) => *wait = Some(until),
            Turn::Again => *wait = None,
            Turn::Over { .. } => self.stream = None,
        }
    }
}

/// Your parser: whole frames from bytes in any pieces, for a server.
#[derive(Default)]
struct Parser {
    received: Vec<u8>,
}

impl Parser {
    /// Takes bytes. Returns the first byte and the payload of each frame that is complete.
    fn push(&mut self, bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
        self.received.extend_from_slice(bytes);
        let mut frames = Vec::new();
        while let Some((frame, length)) = Self::frame(&self.received) {
            frames.push(frame);
            self.received.drain(..length);
        }
        frames
    }

    fn frame(bytes: &[u8]) -> Option<((u8, Vec<u8>), usize)> {
        let (first, second) = (bytes.first()?, bytes.get(1)?);
        let (length, start) = match second & 0x7F {
            126 => (u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?).into(), 4),
            127 => (u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?), 10),
            short => (short.into(), 2),
        };
        let key: [u8; 4] = *bytes.get(start..)?.first_chunk()?;
        let end = start + 4 + usize::try_from(length).ok()?;
        let payload = bytes.get(start + 4..end)?;
        let payload = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key);
        Some(((*first, payload.collect()), end))
    }
}

// ---------------------------------------------------------------------------------------------
// The tests.

/// What a naive client receives from the loop.
#[derive(Debug, Default)]
struct Seen {
    echoes: Vec<Message>,
    pongs: Vec<Vec<u8>>,
    close: Option<u16>,
}

/// A poller: tells whether what the loop waits for has come. It reports nothing that the loop did not
/// ask for, so a loop that forgets to ask hangs here, as it would with epoll.
fn is_ready(server: &EventLoop<Socket>, now: Timestamp) -> bool {
    let (Some(stream), Some(wait)) = (&server.stream, server.wait) else { return true };
    let has_come = |time: Option<Timestamp>| time.is_some_and(|time| time <= now);
    (wait.readable && has_come(stream.next_arrival()))
        || (wait.writable && stream.has_room())
        || has_come(wait.until)
}

/// A client that only moves bytes: it writes these, reads what arrives, and ends its side of the
/// stream when the server has closed. The clock jumps from one deadline to the next.
fn run(server: &mut EventLoop<Socket>, mut client: Socket, bytes: &[u8]) -> Seen {
    let (mut rest, mut received, mut buffer) = (bytes, Vec::new(), vec![0; 4096]);
    let mut now = Timestamp::ZERO;
    let mut is_over = false;
    // The bound makes a loop without progress fail instead of hanging.
    for _ in 0..1_000_000 {
        client.set_now(now);
        let mut has_moved = is_ready(server, now);
        if has_moved {
            server.turn(now);
        }
        if let Ok(written) = client.write(rest) {
            rest = rest.get(written..).unwrap_or_default();
            has_moved |= written > 0;
        }
        match client.read(&mut buffer) {
            Ok(0) => {
                has_moved |= !is_over;
                is_over = true;
                client.shut_down();
            }
            Ok(length) => {
                received.extend_from_slice(buffer.get(..length).unwrap_or_default());
                has_moved = true;
            }
            Err(_) => {}
        }
        if server.stream.is_none() {
            return see(&received);
        }
        if !has_moved {
            let arrival = client.next_arrival().filter(|_| !is_over);
            let asks = server.wait.is_some_and(|wait| wait.readable);
            let arrives = server.stream.as_ref().and_then(Socket::next_arrival).filter(|_| asks);
            let until = server.wait.and_then(|wait| wait.until);
            let next = [arrival, arrives, until].into_iter().flatten().filter(|next| *next > now);
            now = next.min().expect("the loop waits for something that can happen");
        }
    }
    panic!("it goes round in circles");
}

/// Decodes what the server sent, without the core's decoder.
fn see(bytes: &[u8]) -> Seen {
    let mut seen = Seen::default();
    let (mut kind, mut payload) = (opcode::CONTINUATION, Vec::new());
    for frame in Frame::parse_all(bytes).expect("whole frames") {
        match frame.opcode {
            opcode::PONG => seen.pongs.push(frame.payload),
            opcode::CLOSE => {
                seen.close = frame.payload.first_chunk().map(|code| u16::from_be_bytes(*code));
            }
            opcode::PING => {}
            opcode => {
                kind = if opcode == opcode::CONTINUATION { kind } else { opcode };
                payload.extend(frame.payload);
                if frame.fin {
                    let payload = core::mem::take(&mut payload);
                    seen.echoes.push(match kind {
                        opcode::TEXT => {
                            Message::text(String::from_utf8(payload).expect("text is UTF-8"))
                        }
                        _ => Message::binary(payload),
                    });
                }
            }
        }
    }
    seen
}

/// Any settings that allow all of the messages here.
fn configs() -> impl Strategy<Value = Config> {
    strategies::config().prop_filter_map("a legal configuration", |config| {
        let builder = config.to_builder().max_message_size(5000).max_frame_size(None);
        builder.validate_utf8(true).pong_timeout(None).write_timeout(None).build().ok()
    })
}

/// A session that ends with a Close from the client.
fn closed_session() -> impl Strategy<Value = Session> {
    strategies::session(Role::Client, 20, 5000).prop_map(|mut session| {
        let close = Frame::close(Some(1000), "done").masked([1, 2, 3, 4]);
        session.append(Session { frames: vec![close], meaning: vec![(0, Sent::Close)] });
        session
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..Default::default() })]

    /// The loop echoes every message, whatever the settings, the fragments and the network.
    #[cfg_attr(test, test)]
    fn the_loop_echoes(
        config in configs(),
        session in closed_session(),
        conditions in strategies::conditions(),
        seed: u64,
    ) {
        let (client, stream) = sockets(conditions, seed);
        // This network may be slower than any time limit, which is not what this tests.
        let config = config.to_builder().ping_interval(None).close_timeout(None).build()?;
        let mut server = EventLoop::new(stream, Connection::server(Timestamp::ZERO, config));
        let seen = run(&mut server, client, &session.bytes());
        let sent: Vec<_> = session.messages().collect();
        prop_assert_eq!(seen.echoes, sent);
        prop_assert_eq!(seen.close, Some(1000));
        let Some(Event::Closed(closed)) = &server.end else { panic!("the end is told") };
        prop_assert!(closed.is_clean());
        prop_assert_eq!(closed.received(), Some(&CloseFrame::new(CloseCode::NORMAL, "done")));
    }

    /// What came before a violation is answered, and the violation is closed with its code.
    #[cfg_attr(test, test)]
    fn the_loop_refuses(
        session in strategies::session(Role::Client, 5, 300),
        Hostile { bytes, error } in hostile(Role::Client, &Config::default()),
        conditions in strategies::conditions(),
        seed: u64,
    ) {
        let (client, stream) = sockets(conditions, seed);
        let config = Config::builder().ping_interval(None).close_timeout(None).build()?;
        let mut server = EventLoop::new(stream, Connection::server(Timestamp::ZERO, config));
        let seen = run(&mut server, client, &[session.bytes(), bytes].concat());
        let sent: Vec<_> = session.messages().collect();
        prop_assert_eq!(seen.echoes, sent);
        prop_assert_eq!(seen.close, Some(error.close_code().as_u16()));
        let Some(Event::Closed(closed)) = &server.end else { panic!("the end is told") };
        prop_assert_eq!(closed.failure(), Some(Failure::Protocol(error)));
    }

    /// The parser finds the same frames however the bytes are split.
    #[cfg_attr(test, test)]
    fn the_parser_finds_every_frame(
        frames in prop::collection::vec(strategies::frame(Role::Client, 70_000), 1..5),
        sizes in strategies::sizes(),
    ) {
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
        let mut parser = Parser::default();
        let found: Vec<_> =
            strategies::pieces(&bytes, &sizes).flat_map(|piece| parser.push(piece)).collect();
        prop_assert_eq!(found.len(), frames.len());
        for ((first, payload), frame) in found.into_iter().zip(frames) {
            prop_assert_eq!(first, u8::from(frame.fin) << 7 | frame.reserved << 4 | frame.opcode);
            prop_assert_eq!(payload, frame.payload);
        }
    }
}

fn main() {
    the_loop_echoes();
    the_loop_refuses();
    the_parser_finds_every_frame();
    println!("the loop and the parser pass");
}
