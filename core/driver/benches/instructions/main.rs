//! The hot paths, one case at a time and a given number of times: for counting instructions.
//!
//! Not to be timed. `tests/instructions.sh` runs each case twice under callgrind, `n` and `2n`
//! times; the difference is what `n` cost, without the start of the process and of the case.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "a bench may panic")]

use std::hint::black_box;

use bytes::{Buf, Bytes};
use tidegate_core::frame::{FrameHeader, Mask, OpCode, encode_header};
use tidegate_core::handshake::{Acceptance, Limits, ServerHandshake};
use tidegate_core::{Config, Connection, Event, EventRef, Message, Prepared, Timestamp};

mod driver;

/// A path by name, what a count is for, and what runs it that often.
pub(crate) struct Case {
    name: &'static str,
    /// How many operations one count stands for: a batch is counted by the message.
    operations: usize,
    run: fn(usize),
}

const CASES: &[Case] = &[
    Case::one("decode-binary-16", |count| decode(count, OpCode::Binary, &ascii(16), 1)),
    Case::batch("decode-binary-16-batch", |count| decode(count, OpCode::Binary, &ascii(16), BATCH)),
    Case::one("receive-binary-16", |count| receive(count, OpCode::Binary, &ascii(16), 1)),
    Case::batch("receive-binary-16-batch", |count| {
        receive(count, OpCode::Binary, &ascii(16), BATCH);
    }),
    Case::one("receive-binary-125", |count| receive(count, OpCode::Binary, &ascii(125), 1)),
    Case::batch("receive-binary-125-batch", |count| {
        receive(count, OpCode::Binary, &ascii(125), BATCH);
    }),
    Case::one("receive-binary-1k", |count| receive(count, OpCode::Binary, &ascii(1024), 1)),
    Case::batch("receive-ref-binary-16-batch", |count| {
        receive_ref(count, OpCode::Binary, &ascii(16), BATCH);
    }),
    Case::batch("receive-ref-binary-125-batch", |count| {
        receive_ref(count, OpCode::Binary, &ascii(125), BATCH);
    }),
    Case::one("receive-ref-binary-1k", |count| receive_ref(count, OpCode::Binary, &ascii(1024), 1)),
    Case::one("receive-ref-ascii-1k", |count| receive_ref(count, OpCode::Text, &ascii(1024), 1)),
    Case::one("receive-ref-multi-byte-1k", |count| {
        receive_ref(count, OpCode::Text, &multi_byte(1024), 1);
    }),
    Case::one("receive-ascii-16", |count| receive(count, OpCode::Text, &ascii(16), 1)),
    Case::one("receive-ascii-125", |count| receive(count, OpCode::Text, &ascii(125), 1)),
    Case::one("receive-ascii-1k", |count| receive(count, OpCode::Text, &ascii(1024), 1)),
    Case::one("receive-multi-byte-125", |count| receive(count, OpCode::Text, &multi_byte(125), 1)),
    Case::one("receive-multi-byte-1k", |count| receive(count, OpCode::Text, &multi_byte(1024), 1)),
    Case::one("decode-binary-125", |count| decode(count, OpCode::Binary, &ascii(125), 1)),
    Case::one("decode-binary-1k", |count| decode(count, OpCode::Binary, &ascii(1024), 1)),
    Case::one("decode-binary-64k", |count| decode(count, OpCode::Binary, &ascii(65_000), 1)),
    Case::one("decode-ascii-16", |count| decode(count, OpCode::Text, &ascii(16), 1)),
    Case::one("decode-ascii-1k", |count| decode(count, OpCode::Text, &ascii(1024), 1)),
    Case::one("decode-ascii-64k", |count| decode(count, OpCode::Text, &ascii(65_000), 1)),
    Case::one("decode-multi-byte-125", |count| decode(count, OpCode::Text, &multi_byte(125), 1)),
    Case::one("decode-multi-byte-1k", |count| decode(count, OpCode::Text, &multi_byte(1024), 1)),
    Case::one("decode-multi-byte-64k", |count| decode(count, OpCode::Text, &multi_byte(65_000), 1)),
    Case::one("decode-ascii-64k-in-two", |count| decode_in_two(count, &ascii(65_536))),
    Case::one("decode-multi-byte-64k-in-two", |count| decode_in_two(count, &multi_byte(65_536))),
    Case::one("decode-fragments-4x1k", decode_fragments),
    Case::one("encode-server-16", |count| encode(count, server(), 16)),
    Case::batch("encode-server-16-batch", |count| encode_batch(count, server(), 16)),
    Case::batch("encode-server-125-batch", |count| encode_batch(count, server(), 125)),
    Case::one("encode-server-1k", |count| encode(count, server(), 1024)),
    Case::batch("encode-server-1k-batch", |count| encode_batch(count, server(), 1024)),
    Case::one("encode-server-16k", |count| encode(count, server(), 16_384)),
    Case::one("encode-server-64k", |count| encode(count, server(), 65_536)),
    Case::one("encode-client-16", |count| encode(count, client(), 16)),
    Case::batch("encode-client-16-batch", |count| encode_batch(count, client(), 16)),
    Case::batch("encode-client-125-batch", |count| encode_batch(count, client(), 125)),
    Case::one("encode-client-1k", |count| encode(count, client(), 1024)),
    Case::batch("encode-client-1k-batch", |count| encode_batch(count, client(), 1024)),
    Case::one("encode-client-16k", |count| encode(count, client(), 16_384)),
    Case::one("encode-client-64k", |count| encode(count, client(), 65_536)),
    Case::one("encode-client-1m", |count| encode(count, client(), 1 << 20)),
    Case::one("encode-ref-server-16", |count| encode_ref(count, server(), 16)),
    Case::batch("encode-ref-server-16-batch", |count| encode_ref_batch(count, server(), 16)),
    Case::batch("encode-ref-server-125-batch", |count| encode_ref_batch(count, server(), 125)),
    Case::one("encode-ref-client-16", |count| encode_ref(count, client(), 16)),
    Case::batch("encode-ref-client-16-batch", |count| encode_ref_batch(count, client(), 16)),
    Case::batch("encode-ref-client-125-batch", |count| encode_ref_batch(count, client(), 125)),
    Case::one("encode-prepared-1k", encode_prepared),
    Case::one("echo-16", |count| echo(count, 16, 1)),
    Case::batch("echo-16-batch", |count| echo(count, 16, BATCH)),
    Case::one("echo-1k", |count| echo(count, 1024, 1)),
    Case::one("ping-answered", ping),
    Case::batch("gate-close-and-open", gate),
    Case::one("timeout-looked-at", timeout),
    Case::one("connection-made", |count| repeat(count, server)),
    Case::one("handshake-accepted", handshake),
];

fn main() {
    let mut cases: Vec<&Case> = CASES.iter().collect();
    cases.extend(driver::CASES);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [name, count] => {
            let case = cases.iter().find(|case| case.name == name).expect("a case of that name");
            (case.run)(count.parse().expect("a number"));
        }
        // As `cargo bench` calls it, too.
        _ => cases.iter().for_each(|case| println!("{}\t{}", case.name, case.operations)),
    }
}

impl Case {
    pub(crate) const fn one(name: &'static str, run: fn(usize)) -> Self {
        Self { name, operations: 1, run }
    }

    pub(crate) const fn batch(name: &'static str, run: fn(usize)) -> Self {
        Self { name, operations: BATCH, run }
    }
}

/// `messages` masked messages in one read, all taken.
fn decode(count: usize, opcode: OpCode, payload: &[u8], messages: usize) {
    let input = frame(opcode, true, payload).repeat(messages);
    let mut server = server();
    for _ in 0..count {
        server.handle_input(NOW, black_box(&input));
        for _ in 0..messages {
            assert!(matches!(black_box(server.poll_event()), Some(Event::Message(_))));
        }
    }
}

/// The same, each taken straight from the read.
fn receive(count: usize, opcode: OpCode, payload: &[u8], messages: usize) {
    let read = frame(opcode, true, payload).repeat(messages);
    let mut server = server();
    for _ in 0..count {
        let mut input = black_box(&read[..]);
        for _ in 0..messages {
            let event = black_box(server.receive(NOW, &mut input));
            assert!(matches!(event, Some(Event::Message(_))));
        }
    }
}

/// The same, each lent from the read, which is copied to its place first, as the kernel does.
fn receive_ref(count: usize, opcode: OpCode, payload: &[u8], messages: usize) {
    let read = frame(opcode, true, payload).repeat(messages);
    let mut buffer = read.clone();
    let mut server = server();
    for _ in 0..count {
        buffer.copy_from_slice(black_box(&read));
        let mut input = black_box(&mut buffer[..]);
        for _ in 0..messages {
            let Some(EventRef::Lent(message)) = server.receive_ref(NOW, &mut input) else {
                panic!("not lent");
            };
            black_box(message.as_bytes());
        }
    }
}

/// One text that comes in two reads.
fn decode_in_two(count: usize, payload: &[u8]) {
    let input = frame(OpCode::Text, true, payload);
    let (first, second) = input.split_at(input.len() / 2);
    let mut server = server();
    for _ in 0..count {
        server.handle_input(NOW, black_box(first));
        server.handle_input(NOW, black_box(second));
        assert!(matches!(black_box(server.poll_event()), Some(Event::Message(_))));
    }
}

/// One message in four frames.
fn decode_fragments(count: usize) {
    let payload = ascii(1024);
    let mut input = frame(OpCode::Binary, false, &payload);
    input.extend(frame(OpCode::Continuation, false, &payload));
    input.extend(frame(OpCode::Continuation, false, &payload));
    input.extend(frame(OpCode::Continuation, true, &payload));
    let mut server = server();
    for _ in 0..count {
        server.handle_input(NOW, black_box(&input));
        assert!(matches!(black_box(server.poll_event()), Some(Event::Message(_))));
    }
}

fn encode(count: usize, mut connection: Connection, size: usize) {
    let message = Message::Binary(Bytes::from(ascii(size)));
    for _ in 0..count {
        connection.send(black_box(message.clone())).unwrap();
        write(&mut connection);
    }
}

fn encode_batch(count: usize, mut connection: Connection, size: usize) {
    let message = Message::Binary(Bytes::from(ascii(size)));
    for _ in 0..count {
        for _ in 0..BATCH {
            connection.send(black_box(message.clone())).unwrap();
        }
        write(&mut connection);
    }
}

/// From a buffer that is kept.
fn encode_ref(count: usize, mut connection: Connection, size: usize) {
    let payload = ascii(size);
    for _ in 0..count {
        connection.send(black_box(&payload)).unwrap();
        write(&mut connection);
    }
}

fn encode_ref_batch(count: usize, mut connection: Connection, size: usize) {
    let payload = ascii(size);
    for _ in 0..count {
        for _ in 0..BATCH {
            connection.send(black_box(&payload)).unwrap();
        }
        write(&mut connection);
    }
}

fn encode_prepared(count: usize) {
    let prepared = Prepared::new(Bytes::from(ascii(1024)));
    let mut server = server();
    for _ in 0..count {
        server.send(black_box(&prepared)).unwrap();
        write(&mut server);
    }
}

/// What a server does with a read of `messages` messages: takes each, sends it, writes at the end.
fn echo(count: usize, size: usize, messages: usize) {
    let input = frame(OpCode::Binary, true, &ascii(size)).repeat(messages);
    let mut server = server();
    for _ in 0..count {
        server.handle_input(NOW, black_box(&input));
        while let Some(Event::Message(message)) = server.poll_event() {
            server.send(message).unwrap();
        }
        write(&mut server);
    }
}

fn ping(count: usize) {
    let input = frame(OpCode::Ping, true, b"tide");
    let mut server = server();
    for _ in 0..count {
        server.handle_input(NOW, black_box(&input));
        assert!(black_box(server.poll_event()).is_none());
        write(&mut server);
    }
}

/// The gate closes in the middle of a read, opens when messages are taken, and so on to its end.
fn gate(count: usize) {
    let input = frame(OpCode::Binary, true, &[]).repeat(BATCH);
    let mut server = server();
    for _ in 0..count {
        server.handle_input(NOW, black_box(&input));
        assert!(!black_box(server.wants_input()), "the gate is closed");
        while black_box(server.poll_event()).is_some() {}
        assert!(server.wants_input(), "the gate is open");
    }
}

/// What a pass over all timers does with a connection of which nothing is due.
fn timeout(count: usize) {
    let mut server = server();
    for _ in 0..count {
        black_box(black_box(&server).poll_timeout());
        black_box(&mut server).handle_timeout(NOW);
    }
}

fn handshake(count: usize) {
    for _ in 0..count {
        let mut handshake = ServerHandshake::new(NOW, Limits::default());
        handshake.handle_input(NOW, black_box(REQUEST));
        handshake.accept(Acceptance::new()).unwrap();
        let written = handshake.output().len();
        handshake.output().advance(written);
        black_box(handshake.into_connection(NOW, Config::default()).unwrap());
    }
}

fn repeat<T>(count: usize, make: fn() -> T) {
    for _ in 0..count {
        black_box(make());
    }
}

pub(crate) fn server() -> Connection {
    Connection::server(NOW, Config::default())
}

fn client() -> Connection {
    Connection::client(NOW, Config::default(), [7; 32])
}

fn write(connection: &mut Connection) {
    let output = connection.output();
    while output.has_remaining() {
        let taken = black_box(output.chunk()).len();
        output.advance(taken);
    }
}

/// A masked frame.
pub(crate) fn frame(opcode: OpCode, fin: bool, payload: &[u8]) -> Vec<u8> {
    let mut mask = Mask::new([0x37, 0xFA, 0x21, 0x3D]);
    let length = payload.len() as u64;
    let header = FrameHeader { fin, rsv1: false, opcode, mask: Some(mask), length };
    let mut frame = encode_header(header).as_slice().to_vec();
    mask.append(payload, &mut frame);
    frame
}

pub(crate) fn ascii(size: usize) -> Vec<u8> {
    br#"{"id":1234,"name":"tide","value":true},"#.iter().copied().cycle().take(size).collect()
}

fn multi_byte(size: usize) -> Vec<u8> {
    let mut text: String =
        "Gezeiten — прилив и отлив, 潮の満ち引き 🌊 ".chars().cycle().take(size).collect();
    while text.len() > size {
        text.pop();
    }
    while text.len() < size {
        text.push('.');
    }
    text.into_bytes()
}

/// As many messages as a peer that does not wait for answers sends at once. More than the gate lets in.
pub(crate) const BATCH: usize = 32;

pub(crate) const NOW: Timestamp = Timestamp::ZERO;

const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\nHost: example.org\r\nUser-Agent: tide/1\r\n\
    Origin: https://example.org\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
