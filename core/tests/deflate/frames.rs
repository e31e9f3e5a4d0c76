//! Frames of compressed messages: RSV1, truncated data, and the limit on the inflated size.

use bytes::Buf;
use tidegate_core::deflate::{DeflateOptions, DeflateParams};
use tidegate_core::{
    CloseCode, Compress, Connection, Event, Failure, Message, Outgoing, ProtocolError,
};

use crate::support::{NOW, client, config, drain};

#[test]
fn a_message_that_ends_inside_a_deflate_block_fails() {
    for wire in [&b"\xc1\x00"[..], b"\xc1\x03\xf2\x48\xcd", b"\xc1\x06\xf2\x48\xcd\xc9\xc9\x07"] {
        let mut client = client(DeflateParams::default());
        client.handle_input(NOW, wire);
        let failure = client.closed().unwrap().failure();
        assert_eq!(failure, Some(Failure::Protocol(ProtocolError::TruncatedDeflate)), "{wire:x?}");
    }
}

/// "RSV1 only on the first fragment" (RFC 7692 §6.1).
#[test]
fn only_the_first_fragment_has_rsv1_set() {
    use tidegate_core::Role;
    use tidegate_core::frame::{Decoder, HeaderRules, Part};

    let config = config(DeflateOptions::default()).to_builder().fragment_size(10).build().unwrap();
    let mut server = Connection::server(NOW, config).with_deflate(DeflateParams::default());
    server
        .send(Outgoing::from("a text that is long enough to be cut").compress(Compress::Always))
        .unwrap();
    let output = server.output();
    let wire = output.copy_to_bytes(output.remaining());
    let mut decoder = Decoder::new(HeaderRules { sender: Role::Server, allow_rsv1: true });
    let (mut rest, mut marks) = (&wire[..], Vec::new());
    while let Some(part) = decoder.decode(&mut rest).unwrap() {
        if let Part::Header(header) = part {
            marks.push((header.rsv1, header.fin));
        }
    }
    assert!(marks.len() > 2, "{marks:?}");
    let last = marks.len() - 1;
    for (index, mark) in marks.into_iter().enumerate() {
        assert_eq!(mark, (index == 0, index == last));
    }
}

/// The limit is exact to the byte.
#[test]
fn the_size_limit_applies_to_the_inflated_message() {
    let limit = 10_000;
    let params = DeflateParams::default();
    let limited = || {
        let options = DeflateOptions::default();
        config(options).to_builder().max_message_size(limit).build().unwrap()
    };
    for text in [true, false] {
        for length in [limit - 1, limit, limit + 1, 50 * limit] {
            let message = if text {
                // Three-byte characters, so that inflated pieces end inside a character.
                Message::text("€".repeat(length / 3) + &"x".repeat(length % 3))
            } else {
                Message::binary(vec![7; length])
            };
            let mut client = Connection::client(NOW, limited(), [1; 32]).with_deflate(params);
            client.send(Outgoing::from(message.clone()).compress(Compress::Always)).unwrap();
            let wire = drain(&mut client);
            assert!(wire.len() < limit / 2, "the compressed length is within the limit");
            for size in [1, usize::MAX] {
                let mut server = Connection::server(NOW, limited()).with_deflate(params);
                for piece in wire.chunks(size.min(wire.len())) {
                    server.handle_input(NOW, piece);
                }
                match server.poll_event().unwrap() {
                    Event::Message(seen) if length <= limit => assert_eq!(seen, message),
                    Event::Closed(closed) if length > limit => {
                        let length = limit as u64 + 1;
                        let error = ProtocolError::MessageTooLarge { length, limit };
                        assert_eq!(closed.failure(), Some(Failure::Protocol(error)));
                        assert_eq!(closed.sent().unwrap().code, CloseCode::MESSAGE_TOO_BIG);
                    }
                    other => panic!("{length}: {other:?}"),
                }
            }
        }
    }
}
