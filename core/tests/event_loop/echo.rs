//! An echo server returns every message in order, with any network, settings and client.

use std::io::{ErrorKind, Read, Write};

use proptest::prelude::*;
use tidegate_core::testing::strategies::{self, Session};
use tidegate_core::testing::{Conditions, Frame, Sent, Socket, opcode, sockets};
use tidegate_core::{CloseCode, Config, Connection, Delivery, Event, Message, Role, Timestamp};

use crate::world::{Peer, echo};

/// A client that knows nothing but bytes.
struct Client<'b> {
    socket: Socket,
    rest: &'b [u8],
    received: Vec<u8>,
    /// It reads in one of so many steps, or only after all is written.
    patience: Patience,
    steps: usize,
    is_over: bool,
}

#[derive(Clone, Copy, Debug)]
enum Patience {
    OneIn(usize),
    AfterAll,
}

impl Client<'_> {
    fn step(&mut self) -> bool {
        self.steps += 1;
        let mut has_moved = false;
        match self.socket.write(self.rest) {
            Ok(written) => {
                has_moved = written > 0;
                self.rest = &self.rest[written..];
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        let reads = match self.patience {
            Patience::OneIn(steps) => self.steps.is_multiple_of(steps),
            Patience::AfterAll => self.rest.is_empty(),
        };
        if !reads {
            // The next step reads.
            return has_moved || matches!(self.patience, Patience::OneIn(_));
        }
        let mut buffer = [0; 4096];
        match self.socket.read(&mut buffer) {
            Ok(0) => {
                has_moved |= !self.is_over;
                self.is_over = true;
                self.socket.shut_down();
            }
            Ok(count) => {
                has_moved = true;
                self.received.extend_from_slice(&buffer[..count]);
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        has_moved
    }
}

/// Runs an echo against such a client to the end; what the client received, and the server.
fn run(
    connection: Connection,
    bytes: &[u8],
    patience: Patience,
    (conditions, seed): (Conditions, u64),
) -> (Vec<u8>, Peer<impl FnMut(&mut Connection, Event) + use<>>) {
    let (socket, stream) = sockets(conditions, seed);
    let mut server = Peer::new(connection, stream, echo);
    let received = Vec::new();
    let mut client = Client { socket, rest: bytes, received, patience, steps: 0, is_over: false };
    let mut now = Timestamp::ZERO;
    for _ in 0..2_000_000 {
        client.socket.set_now(now);
        let has_moved = client.step() | server.poll(now);
        if server.is_over() {
            // What is still under way arrives.
            while let Some(arrival) = client.socket.next_arrival().filter(|_| !client.is_over) {
                now = now.max(arrival);
                client.socket.set_now(now);
                client.step();
            }
            return (client.received, server);
        }
        if !has_moved {
            let arrival = client.socket.next_arrival().filter(|_| !client.is_over);
            let next = [arrival, server.next()].into_iter().flatten().filter(|next| *next > now);
            now = next.min().expect("the server waits for something that comes");
        }
    }
    panic!("it goes round in circles");
}

/// The messages in these frames, and the code of the Close frame.
fn see(bytes: &[u8]) -> (Vec<Message>, Option<u16>) {
    let (mut messages, mut close) = (Vec::new(), None);
    let (mut kind, mut payload) = (opcode::CONTINUATION, Vec::new());
    for frame in Frame::parse_all(bytes).expect("whole frames") {
        match frame.opcode {
            opcode::CLOSE => {
                close = frame.payload.first_chunk().map(|code| u16::from_be_bytes(*code));
            }
            opcode::PING | opcode::PONG => {}
            opcode => {
                kind = if opcode == opcode::CONTINUATION { kind } else { opcode };
                payload.extend(frame.payload);
                if frame.fin {
                    let payload = std::mem::take(&mut payload);
                    messages.push(match kind {
                        opcode::TEXT => Message::text(String::from_utf8(payload).unwrap()),
                        _ => Message::binary(payload),
                    });
                }
            }
        }
    }
    (messages, close)
}

fn configs() -> impl Strategy<Value = Config> {
    strategies::config().prop_filter_map("a legal configuration", |config| {
        let builder = config.to_builder().max_message_size(5000).max_frame_size(None);
        // How long a session takes on this network is none of the server's business.
        let builder = builder.ping_interval(None).close_timeout(None).write_timeout(None);
        builder.validate_utf8(true).build().ok()
    })
}

fn closed_session() -> impl Strategy<Value = Session> {
    strategies::session(Role::Client, 20, 5000).prop_map(|mut session| {
        let close = Frame::close(Some(1000), "done").masked([1, 2, 3, 4]);
        session.append(Session { frames: vec![close], meaning: vec![(0, Sent::Close)] });
        session
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_message_comes_back_in_order(
        config in configs(),
        in_chunks: bool,
        session in closed_session(),
        slowness in 1..20usize,
        conditions in strategies::conditions(),
        seed: u64,
    ) {
        let delivery = if in_chunks { Delivery::Chunks } else { Delivery::Whole };
        let config = config.to_builder().delivery(delivery).build()?;
        let marks = (config.message_marks(), config.byte_marks());
        let server = Connection::server(Timestamp::ZERO, config);
        let patience = Patience::OneIn(slowness);
        let (received, server) = run(server, &session.bytes(), patience, (conditions, seed));
        let sent: Vec<_> = session.messages().collect();
        let (echoes, close) = see(&received);
        prop_assert_eq!(echoes, sent);
        prop_assert_eq!(close, Some(1000));
        let closed = server.told.closed.expect("the end is told");
        prop_assert!(closed.is_clean() && closed.code() == CloseCode::NORMAL);
        let stats = server.connection.stats();
        prop_assert!(stats.peak_messages <= marks.0.high());
        prop_assert!(stats.peak_bytes < marks.1.high() + 5000);
    }

    /// A stream that ends anywhere: what came whole before that is handed over, and then the end.
    #[test]
    fn a_stream_that_ends_anywhere_is_told_once(
        config in configs(),
        session in closed_session(),
        cut: prop::sample::Index,
        conditions in strategies::conditions(),
        seed: u64,
    ) {
        let bytes = session.bytes();
        let cut = cut.index(bytes.len());
        let (client, stream) = sockets(conditions.cut_after(cut.max(1)), seed);
        let mut messages = Vec::new();
        let take = |_: &mut Connection, event| if let Event::Message(message) = event {
            messages.push(message);
        };
        let mut server = Peer::new(Connection::server(Timestamp::ZERO, config), stream, take);
        let (mut client, mut rest, mut now) = (client, &bytes[..cut.max(1)], Timestamp::ZERO);
        for _ in 0..1_000_000 {
            if server.is_over() {
                break;
            }
            client.set_now(now);
            let written = client.write(rest).unwrap_or(0);
            rest = &rest[written..];
            if !server.poll(now) && written == 0 {
                now = server.next().filter(|next| *next > now).expect("the end is under way");
            }
        }
        prop_assert!(server.is_over());
        let closed = server.told.closed.clone().expect("the end is told");
        prop_assert!(!closed.is_clean());
        drop(server);
        let whole = session.positions().iter().filter(|(end, sent)| {
            *end <= cut.max(1) && matches!(sent, Sent::Message(_))
        }).count();
        prop_assert_eq!(messages.len(), whole);
    }
}

/// What made `mio_echo` hang, and the README's loop lose messages: more than a turn can hold.
#[test]
fn twenty_thousand_messages_in_a_row_come_back() {
    let frame = Frame::new(opcode::BINARY, vec![7; 1024]).masked([1, 2, 3, 4]).encode();
    for (count, patience) in [(20_000, Patience::OneIn(1)), (2000, Patience::OneIn(7))] {
        let mut bytes = frame.repeat(count);
        bytes.extend(Frame::close(Some(1000), "").masked([0; 4]).encode());
        let server = Connection::server(Timestamp::ZERO, Config::default());
        let (received, server) = run(server, &bytes, patience, (Conditions::GOOD, 5));
        let (echoes, close) = see(&received);
        assert_eq!((echoes.len(), close), (count, Some(1000)));
        assert!(server.told.closed.is_some_and(|closed| closed.is_clean()));
    }
}

/// A client that reads only after it has written everything: the answers wait in the network, in
/// the outbox and in the inbox, and none is lost.
#[test]
fn a_client_that_reads_last_gets_every_answer() {
    let frame = Frame::new(opcode::TEXT, "x".repeat(900)).masked([9, 8, 7, 6]).encode();
    let mut bytes = frame.repeat(180);
    bytes.extend(Frame::close(Some(1001), "").masked([0; 4]).encode());
    let server = Connection::server(Timestamp::ZERO, Config::default());
    let (received, server) = run(server, &bytes, Patience::AfterAll, (Conditions::GOOD, 8));
    let (echoes, close) = see(&received);
    assert_eq!((echoes.len(), close), (180, Some(1001)));
    assert!(server.connection.stats().times_closed > 0, "the gate was needed");
}

/// Both ends by the same loop: the client follows the closing handshake, too.
#[test]
fn two_loops_talk_and_close() {
    for (conditions, seed) in
        [(Conditions::GOOD, 1), (Conditions::POOR, 2), (Conditions::BYTE_BY_BYTE, 3)]
    {
        let (socket, stream) = sockets(conditions, seed);
        let mut server =
            Peer::new(Connection::server(Timestamp::ZERO, Config::default()), stream, echo);
        let mut echoed = 0;
        let take = |connection: &mut Connection, event: Event| {
            if let Event::Message(_) = event {
                echoed += 1;
                if echoed == 50 {
                    connection.close(Timestamp::ZERO, None).unwrap();
                } else {
                    connection.send(Message::text("again")).unwrap();
                }
            }
        };
        let connection = Connection::client(Timestamp::ZERO, Config::default(), [1; 32]);
        let mut client = Peer::new(connection, socket, take);
        client.connection.send("first").unwrap();
        client.wake();
        let mut now = Timestamp::ZERO;
        for _ in 0..100_000 {
            if let Some(stream) = client.stream.as_ref().or(server.stream.as_ref()) {
                stream.set_now(now);
            }
            if !(client.poll(now) | server.poll(now)) {
                match [client.next(), server.next()].into_iter().flatten().min() {
                    Some(next) => now = next,
                    None => break,
                }
            }
        }
        assert!(client.is_over() && server.is_over());
        assert!(client.told.closed.is_some_and(|closed| closed.is_clean()));
        assert!(server.told.closed.is_some_and(|closed| closed.is_clean() && closed.is_by_peer()));
        assert!(now < Timestamp::from_secs(60), "no deadline was needed");
        assert_eq!(echoed, 50);
    }
}
