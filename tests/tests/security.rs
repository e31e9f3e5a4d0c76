//! Attacks by a malicious peer: each test checks the defence that docs/security.md describes.
#![allow(clippy::unwrap_used, clippy::std_instead_of_alloc, clippy::wildcard_enum_match_arm)]

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::{Buf, Bytes};
use tidegate_core::deflate::DeflateParams;
use tidegate_core::handshake::{Acceptance, Limits, ServerHandshake};
use tidegate_core::{
    Chunk, ChunkError, CloseCode, CloseFrame, Config, ConfigBuilder, Connection, ControlError,
    Event, Failure, Message, MessageKind, ProtocolError, SendError, Timestamp, Transport,
};
use tidegate_tests::frames::{Frame, header, opcode};

const NOW: Timestamp = Timestamp::ZERO;

fn quiet() -> ConfigBuilder {
    Config::builder().ping_interval(None)
}

fn drain(connection: &mut Connection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while connection.wants_output() {
        let output = connection.output();
        bytes.extend_from_slice(output.chunk());
        output.advance(output.chunk().len());
    }
    bytes
}

fn written(connection: &mut Connection) -> Vec<Frame> {
    Frame::parse_all(&drain(connection)).unwrap()
}

fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Frame::new(first & 0xF, payload).masked([1, 2, 3, 4]);
    frame.fin = first & 0x80 != 0;
    frame.reserved = first >> 4 & 7;
    frame.encode()
}

/// Several implementations accept some of these inputs, and most of the others disconnect without a
/// close code. Here each is refused, and the peer gets the code that says why.
#[test]
fn malformed_input_is_refused_with_the_right_close_code() {
    use ProtocolError as E;
    let text = |bytes: &[u8]| client_frame(0x81, bytes);
    let close = |code: u16| client_frame(0x88, &code.to_be_bytes());
    let key = Some([1, 2, 3, 4]);
    let in_sixteen_bits = [&[0x82, 0xFE, 0, 3, 0, 0, 0, 0][..], b"abc"].concat();
    let top_bit = [0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0].to_vec();
    let begun = client_frame(0x01, b"a");
    for (name, input, code, error) in [
        ("unmasked", Frame::new(opcode::TEXT, "hi").encode(), 1002, E::Unmasked),
        ("long form", in_sixteen_bits, 1002, E::NonMinimalLength { length: 3 }),
        (
            "long pong",
            header(true, 0, opcode::PONG, key, 126),
            1002,
            E::OversizedControl { opcode: tidegate_core::frame::OpCode::Pong },
        ),
        (
            "long close",
            header(true, 0, opcode::CLOSE, key, 126),
            1002,
            E::OversizedControl { opcode: tidegate_core::frame::OpCode::Close },
        ),
        (
            "fragmented ping",
            client_frame(0x09, b""),
            1002,
            E::FragmentedControl { opcode: tidegate_core::frame::OpCode::Ping },
        ),
        ("rsv1", client_frame(0xC1, b""), 1002, E::ReservedBits { bits: 0x40 }),
        ("rsv2", client_frame(0xA1, b""), 1002, E::ReservedBits { bits: 0x20 }),
        ("opcode 3", client_frame(0x83, b""), 1002, E::UnknownOpcode { opcode: 3 }),
        ("text", text(b"ok \xFF"), 1007, E::InvalidUtf8 { offset: 3 }),
        (
            "text in pieces",
            [client_frame(0x01, b"\xE2"), client_frame(0x80, b"\x28\xA1")].concat(),
            1007,
            E::InvalidUtf8 { offset: 0 },
        ),
        ("half a character", text(b"\xE2\x82"), 1007, E::TruncatedUtf8),
        ("close 1005", close(1005), 1002, E::InvalidCloseCode { code: 1005 }),
        ("close 999", close(999), 1002, E::InvalidCloseCode { code: 999 }),
        ("close of one byte", client_frame(0x88, b"x"), 1002, E::TruncatedCloseCode),
        ("close reason", client_frame(0x88, b"\x03\xE8\xFF"), 1007, E::InvalidCloseReason),
        (
            "a message in a message",
            [begun.clone(), text(b"b")].concat(),
            1002,
            E::ExpectedContinuation { opcode: tidegate_core::frame::OpCode::Text },
        ),
        ("continuation first", client_frame(0x80, b""), 1002, E::UnexpectedContinuation),
        ("top bit", top_bit, 1002, E::LengthOverflow),
        (
            "too long",
            header(true, 0, opcode::BINARY, key, 1 << 40),
            1009,
            E::MessageTooLarge { length: 1 << 40, limit: 1 << 20 },
        ),
        (
            "too long together",
            [begun, header(true, 0, 0, key, 1 << 20)].concat(),
            1009,
            E::MessageTooLarge { length: (1 << 20) + 1, limit: 1 << 20 },
        ),
    ] {
        for size in [1, usize::MAX] {
            let mut server = Connection::server(NOW, quiet().build().unwrap());
            for piece in input.chunks(size.min(input.len())) {
                server.handle_input(NOW, piece);
            }
            let frames = written(&mut server);
            assert_eq!(frames.len(), 1, "{name}: one Close and nothing else");
            assert_eq!(frames[0].opcode, opcode::CLOSE, "{name}");
            assert_eq!(frames[0].payload[..2], u16::to_be_bytes(code), "{name}");
            let Some(Event::Closed(closed)) = server.poll_event() else { panic!("{name}") };
            assert_eq!(closed.failure(), Some(Failure::Protocol(error)), "{name}");
            assert_eq!(server.transport(), Transport::ShutdownWrite, "{name}");
            assert!(!server.wants_input() && server.poll_event().is_none(), "{name}");
        }
    }
}

/// A key that is predictable or reused lets a web page send bytes of its choice to a proxy in between
/// (RFC 6455 §10.3).
#[test]
fn every_client_frame_has_its_own_masking_key() {
    let config = || quiet().fragment_size(20_000).build().unwrap();
    let keys = |seed: u8| {
        let mut client = Connection::client(NOW, config(), [seed; 32]);
        let mut keys = Vec::new();
        let mut collect = |client: &mut Connection| {
            keys.extend(written(client).into_iter().map(|frame| frame.key.unwrap()));
        };
        for number in 0..3000 {
            client.send(Message::binary(vec![0; number % 40])).unwrap();
            if number % 10 == 0 {
                client.ping(NOW, Bytes::new()).unwrap();
                client.handle_input(NOW, &Frame::new(opcode::PING, "x").encode());
                client.send(Message::binary(vec![0; 50_000])).unwrap();
            }
            collect(&mut client);
        }
        client.close(NOW, None).unwrap();
        collect(&mut client);
        keys
    };
    let first = keys(1);
    assert_eq!(first.len(), 3000 + 300 * 5 + 1);
    let distinct: BTreeSet<_> = first.iter().collect();
    // With this many random 32-bit keys, two are equal by chance with a probability of 0.2 %.
    assert!(distinct.len() >= first.len() - 1, "{} of {}", distinct.len(), first.len());
    let ones: u32 = first.iter().map(|key| u32::from_ne_bytes(*key).count_ones()).sum();
    let share = f64::from(ones) / (32 * first.len()) as f64;
    assert!((0.49..0.51).contains(&share), "{share}");

    assert_eq!(first, keys(1), "the same seed gives the same keys, for tests");
    let others: BTreeSet<_> = keys(2).into_iter().collect();
    assert!(first.iter().filter(|key| others.contains(*key)).count() <= 1, "another seed, others");
}

/// uWebSockets compared the sum of the characters. Others used an object with inherited names as a
/// map, or searched for a part of a word.
#[test]
fn extensions_and_tokens_are_compared_exactly() {
    let accept = |lines: &str| {
        let request = format!(
            "GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Version: 13\r\n{lines}\r\n\r\n"
        );
        let mut server = ServerHandshake::new(NOW, Limits::default());
        server.handle_input(NOW, request.as_bytes());
        server.request()?;
        server.accept(Acceptance::new().deflate(DeflateParams::default())).unwrap();
        let output = server.output();
        Some(String::from_utf8(output.copy_to_bytes(output.remaining()).into()).unwrap())
    };
    let upgrade = "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n";
    let offer = |name: &str| accept(&format!("{upgrade}Sec-WebSocket-Extensions: {name}"));
    let compressed = |answer: Option<String>| answer.unwrap().contains("permessage-deflate");
    assert!(compressed(offer("permessage-deflate")));
    for name in ["permessage-deflaet", "deflate-permessage", "permessage-deflat", "constructor"] {
        assert!(!compressed(offer(name)), "{name}");
    }
    for lines in [
        "Upgrade: websocket\r\nConnection: notupgrade",
        "Upgrade: websocket\r\nConnection: upgrade-insecure",
        "Upgrade: xwebsocket\r\nConnection: Upgrade",
        "Upgrade: websocket/\r\nConnection: close",
    ] {
        assert_eq!(accept(lines), None, "{lines}");
    }
}

/// Tomcat corrupted objects that were already back in a pool. Data after a Close would also be a
/// violation.
#[test]
fn nothing_is_sent_after_a_close() {
    for by_peer in [false, true] {
        let mut server = Connection::server(NOW, quiet().build().unwrap());
        let peer_close = client_frame(0x88, b"\x03\xE8");
        if by_peer {
            server.handle_input(NOW, &peer_close);
        } else {
            server.close(NOW, CloseFrame::new(CloseCode::NORMAL, "")).unwrap();
        }
        let message = Message::text("late");
        let chunk = Chunk { kind: MessageKind::Text, payload: Bytes::new(), last: true };
        assert_eq!(server.send(message.clone()), Err(SendError::Closed(message)));
        assert_eq!(server.send_chunk(chunk.clone()), Err(ChunkError::Closed(chunk)));
        assert_eq!(server.ping(NOW, Bytes::new()), Err(ControlError::Closed));
        if by_peer {
            // While we wait for the peer's Close, its pings can still be answered.
            assert_eq!(server.pong(Bytes::new()), Err(ControlError::Closed));
        }
        assert_eq!(server.close(NOW, None), Err(ControlError::Closed));
        let frames = written(&mut server);
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].opcode, opcode::CLOSE);
        server.handle_input(NOW, &peer_close);
        server.handle_timeout(NOW);
        assert_eq!(written(&mut server), []);
    }
}

/// A peer that never answers our Close and keeps sending, so that the stream looks alive.
#[test]
fn a_peer_that_keeps_sending_after_our_close_is_cut_in_time() {
    let seconds = Timestamp::from_secs;
    let config = quiet().close_timeout(Duration::from_secs(10)).build().unwrap();
    let mut server = Connection::server(NOW, config);
    server.close(NOW, None).unwrap();
    drain(&mut server);
    let chatter = client_frame(0x82, &[0; 1000]);
    for second in 0..10 {
        server.handle_input(seconds(second), &chatter);
        server.handle_timeout(seconds(second));
        while server.poll_event().is_some() {}
        assert_eq!(server.transport(), Transport::KeepOpen);
    }
    server.handle_input(seconds(10), &chatter);
    server.handle_timeout(seconds(10));
    // A last look, in which nothing arrives.
    server.handle_timeout(server.poll_timeout().unwrap());
    assert_eq!(server.transport(), Transport::Close);
    assert_eq!(server.closed().unwrap().failure(), Some(Failure::CloseTimeout));
}
