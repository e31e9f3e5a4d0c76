//! Assembling messages from frames: exact limits, UTF-8 in any split, and malformed fragments.
#![allow(clippy::unwrap_used, missing_docs)]

use tidegate_core::frame::{FrameHeader, Mask, OpCode, encode_header};
use tidegate_core::{
    Config, ConfigBuilder, Connection, Event, Failure, Message, ProtocolError, Timestamp,
    Watermarks,
};

const NOW: Timestamp = Timestamp::ZERO;

fn base() -> ConfigBuilder {
    Config::builder()
        .message_marks(Watermarks::UNLIMITED)
        .byte_marks(Watermarks::UNLIMITED)
        .ping_interval(None)
}

fn header(opcode: OpCode, fin: bool, mask: Option<Mask>, length: usize) -> Vec<u8> {
    let header = FrameHeader { fin, rsv1: false, opcode, mask, length: length as u64 };
    encode_header(header).as_slice().to_vec()
}

/// A frame of a client, or of a server, which does not mask.
fn frame(client: bool, opcode: OpCode, fin: bool, payload: &[u8]) -> Vec<u8> {
    let mask = client.then(|| Mask::new([0x37, 0xFA, 0x21, 0x3D]));
    let mut bytes = header(opcode, fin, mask, payload.len());
    match mask {
        Some(mut mask) => mask.append(payload, &mut bytes),
        None => bytes.extend_from_slice(payload),
    }
    bytes
}

/// The fragments of one message.
fn fragments(client: bool, opcode: OpCode, pieces: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        let opcode = if index == 0 { opcode } else { OpCode::Continuation };
        bytes.extend(frame(client, opcode, index + 1 == pieces.len(), piece));
    }
    bytes
}

/// Receives the input in pieces of this size; returns the messages and the failure.
fn run(
    client: bool,
    config: ConfigBuilder,
    input: &[u8],
    size: usize,
) -> (Vec<Message>, Option<ProtocolError>) {
    let config = config.build().unwrap();
    let mut connection = if client {
        Connection::server(NOW, config)
    } else {
        Connection::client(NOW, config, [2; 32])
    };
    let mut messages = Vec::new();
    for piece in input.chunks(size) {
        connection.handle_input(NOW, piece);
        while let Some(event) = connection.poll_event() {
            match event {
                Event::Message(message) => messages.push(message),
                Event::Closed(closed) => {
                    let Some(Failure::Protocol(error)) = closed.failure() else {
                        panic!("{closed:?}")
                    };
                    return (messages, Some(error));
                }
                Event::Chunk(_) | Event::Ping(_) | Event::Pong(_) => panic!("{event:?}"),
                _ => panic!("unknown"),
            }
        }
    }
    (messages, None)
}

/// The sizes of the pieces; short input is also received byte by byte.
fn steps(length: usize) -> &'static [usize] {
    let steps = &[1, 7, 100, 5_000, usize::MAX];
    if length > 1_000 { &steps[2..] } else { steps }
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251).to_le_bytes()[0]).collect()
}

/// Text that spans several validation blocks, with characters of each length across their edges.
fn text(length: usize) -> String {
    let mut text: String = "aé潮🌊 Gezeiten ".chars().cycle().take(length).collect();
    while text.len() > length {
        text.pop();
    }
    text + &"x".repeat(length)[..]
}

#[test]
fn a_message_is_the_payload_of_its_frames_however_input_is_split() {
    for client in [true, false] {
        for length in [0, 1, 63, 64, 65, 125, 126, 127, 128, 129, 4_095, 4_096, 4_097, 12_345] {
            let (binary, text) = (pattern(length), text(length));
            let cut = |bytes: &[u8]| {
                let (third, half) = (bytes.len() / 3, bytes.len() / 2);
                [
                    fragments(client, OpCode::Text, &[bytes]),
                    fragments(client, OpCode::Text, &[b"", bytes, b""]),
                    fragments(
                        client,
                        OpCode::Text,
                        &[&bytes[..third], &bytes[third..half], b"", &bytes[half..]],
                    ),
                ]
            };
            for &size in steps(length) {
                for input in cut(text.as_bytes()) {
                    let expected = vec![Message::text(text.clone())];
                    assert_eq!(
                        run(client, base(), &input, size),
                        (expected, None),
                        "{length} {size}"
                    );
                }
                for mut input in cut(&binary) {
                    input[0] ^= 0x3; // text to binary
                    let expected = vec![Message::binary(binary.clone())];
                    assert_eq!(
                        run(client, base(), &input, size),
                        (expected, None),
                        "{length} {size}"
                    );
                }
                for input in cut(&binary) {
                    let expected = vec![Message::UncheckedText(binary.clone().into())];
                    let config = base().validate_utf8(false);
                    assert_eq!(run(client, config, &input, size), (expected, None));
                }
            }
        }
    }
}

/// The limit is exact to the byte, for one frame and for fragments.
#[test]
fn the_message_limit_is_exact_and_checked_at_the_header() {
    for client in [true, false] {
        let mask = client.then(|| Mask::new([1, 2, 3, 4]));
        for limit in [1, 100, 125, 126, 70_000] {
            let config = || base().max_message_size(limit);
            let too_large = |length: usize| {
                Some(ProtocolError::MessageTooLarge { length: length as u64, limit })
            };
            for &size in steps(limit) {
                let whole = fragments(client, OpCode::Binary, &[&pattern(limit)]);
                let expected = vec![Message::binary(pattern(limit))];
                assert_eq!(run(client, config(), &whole, size), (expected.clone(), None));
                let (first, second) = expected[0].as_bytes().split_at(limit / 2);
                let parts = fragments(client, OpCode::Binary, &[first, second, b""]);
                assert_eq!(run(client, config(), &parts, size), (expected, None));

                let announced = header(OpCode::Binary, true, mask, limit + 1);
                assert_eq!(run(client, config(), &announced, size), (vec![], too_large(limit + 1)));
                let mut announced = frame(client, OpCode::Text, false, b"x");
                announced.extend(header(OpCode::Continuation, false, mask, limit));
                assert_eq!(run(client, config(), &announced, size), (vec![], too_large(limit + 1)));
            }
        }
    }
}

/// Lengths near `u64::MAX` must not wrap around and pass the limit.
#[test]
fn sums_of_lengths_do_not_overflow() {
    let limit = usize::MAX;
    let most = (1 << 63) - 1;
    let mut input = frame(false, OpCode::Binary, false, b"x");
    input.extend(header(OpCode::Continuation, false, None, most));
    let config = || base().max_message_size(limit);
    assert_eq!(
        run(false, config(), &input, usize::MAX),
        (vec![], None),
        "a legal header whose payload has not arrived"
    );
    let small = || base().max_message_size(1 << 20);
    let error = ProtocolError::MessageTooLarge { length: 1 << 63, limit: 1 << 20 };
    assert_eq!(run(false, small(), &input, usize::MAX), (vec![], Some(error)));
}

#[test]
fn the_frame_limit_is_exact_and_does_not_limit_messages() {
    for client in [true, false] {
        let config = || base().max_frame_size(10);
        for &size in steps(0) {
            let parts = fragments(client, OpCode::Binary, &[&[1; 10], &[2; 10], &[3; 10]]);
            let expected = Message::binary([[1; 10], [2; 10], [3; 10]].concat());
            assert_eq!(run(client, config(), &parts, size), (vec![expected], None));
            let mask = client.then(|| Mask::new([1, 2, 3, 4]));
            let long = header(OpCode::Binary, true, mask, 11);
            let error = ProtocolError::FrameTooLarge { length: 11, limit: 10 };
            assert_eq!(run(client, config(), &long, size), (vec![], Some(error)));
        }
    }
}

/// The failure comes at the byte, not at the end of the message.
#[test]
fn text_fails_at_its_first_invalid_byte() {
    for client in [true, false] {
        for before in [0, 3, 60, 127, 130, 4_090, 4_096, 9_000] {
            for bad in [&b"\xFF"[..], b"\xC0\x80", b"\xED\xA0\x80", b"\xF4\x90\x80\x80", b"\x80"] {
                let good = text(before);
                let payload = [good.as_bytes(), bad].concat();
                let error = ProtocolError::InvalidUtf8 { offset: good.len() as u64 };
                let whole = frame(client, OpCode::Text, true, &payload);
                // The rest of the message never arrives.
                let mut begun = frame(client, OpCode::Text, false, &payload);
                begun.truncate(begun.len() - (bad.len() - 2.min(bad.len())));
                let split =
                    fragments(client, OpCode::Text, &[&payload[..before], &payload[before..]]);
                for &size in steps(before) {
                    for input in [&whole, &begun, &split] {
                        assert_eq!(
                            run(client, base(), input, size),
                            (vec![], Some(error)),
                            "{before} {bad:x?} {size}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn text_that_ends_inside_a_character_fails() {
    for client in [true, false] {
        for before in [0, 100, 5_000] {
            for bad in [&b"\xC3"[..], b"\xE2\x82", b"\xF0\x9F\x8C"] {
                let payload = [text(before).as_bytes(), bad].concat();
                let at = payload.len() - 1;
                for input in [
                    fragments(client, OpCode::Text, &[&payload]),
                    fragments(client, OpCode::Text, &[&payload[..at], &payload[at..], b""]),
                ] {
                    for &size in steps(before) {
                        let error = Some(ProtocolError::TruncatedUtf8);
                        assert_eq!(run(client, base(), &input, size), (vec![], error));
                    }
                }
            }
        }
    }
}

#[test]
fn fragments_of_two_messages_must_not_be_mixed() {
    for client in [true, false] {
        let part = frame(client, OpCode::Text, false, b"a");
        let end = frame(client, OpCode::Continuation, true, b"b");
        let whole = frame(client, OpCode::Binary, true, b"c");
        for &size in steps(0) {
            let input = [&part[..], &end, &whole, &part, &end].concat();
            let expected =
                vec![Message::text("ab"), Message::binary(&b"c"[..]), Message::text("ab")];
            assert_eq!(run(client, base(), &input, size), (expected, None));
            assert_eq!(
                run(client, base(), &end, size),
                (vec![], Some(ProtocolError::UnexpectedContinuation))
            );
            assert_eq!(
                run(client, base(), &[&part[..], &whole].concat(), size),
                (vec![], Some(ProtocolError::ExpectedContinuation { opcode: OpCode::Binary }))
            );
        }
    }
}

/// A log that contains a connection must not contain its messages.
#[test]
fn debug_output_shows_the_state_and_no_payload() {
    let mut server = Connection::server(Timestamp::ZERO, Config::default());
    server.handle_input(Timestamp::ZERO, b"\x81\x86\0\0\0\0secret\x02\x86\0\0\0\0hidden");
    server.send("confidential").unwrap();
    let shown = format!("{server:?}") + &format!("{:?}", server.output());
    assert!(shown.contains("queued_messages: 1"), "{shown}");
    assert!(shown.contains("queued_output: 14"), "{shown}");
    for payload in ["secret", "hidden", "confidential", "115, 101, 99", "104, 105, 100"] {
        assert!(!shown.contains(payload), "{payload} in {shown}");
    }
}
