//! Regression tests for bugs that fuzzing found.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bytes::Buf;
use tidegate_core::deflate::{DeflateOptions, DeflateParams};
use tidegate_core::testing::{Frame, opcode};
use tidegate_core::{
    Compress, Config, Connection, Delivery, Event, Failure, Message, ProtocolError, Timestamp,
    Watermarks,
};

/// A server whose gate closes at three chunks, and a compressed message of 65,535 letters for it.
fn compressed_input(max_message_size: usize) -> (Connection, Vec<u8>) {
    let now = Timestamp::ZERO;
    let config = Config::builder()
        .message_marks(Watermarks::new(3, 1))
        .max_message_size(max_message_size)
        .delivery(Delivery::Chunks)
        .deflate(DeflateOptions::default());
    let server = Connection::server(now, config.build().unwrap());
    let client = Connection::client(now, Config::default(), [1; 32]);
    let mut client = client.with_deflate(DeflateParams::default());
    client.send_with(Message::text("x".repeat(65_535)), Compress::Always).unwrap();
    let mut wire = Vec::new();
    let output = client.output();
    while output.has_remaining() {
        let count = output.chunk().len();
        wire.extend_from_slice(output.chunk());
        output.advance(count);
    }
    assert_eq!(Frame::parse_all(&wire).unwrap().len(), 1);
    (server.with_deflate(DeflateParams::default()), wire)
}

#[test]
fn an_abort_after_a_violation_in_compressed_chunks_is_reported() {
    // The violation takes effect after the chunk before it is taken; the rest of the input is kept.
    let (mut server, wire) = compressed_input(14_848);
    server.handle_input(Timestamp::ZERO, &wire);
    assert!(server.is_end_queued());
    server.abort();
    let events: Vec<_> = core::iter::from_fn(|| server.poll_event()).collect();
    let [Event::Chunk(chunk), Event::Closed(closed)] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(chunk.payload.len(), 14_848);
    assert_eq!(closed.failure(), Some(Failure::Aborted));
}

#[test]
fn an_abort_discards_input_that_the_gate_holds_back() {
    let (mut server, wire) = compressed_input(1 << 20);
    server.handle_input(Timestamp::ZERO, &wire);
    assert!(!server.is_gate_open());
    server.abort();
    let events: Vec<_> = core::iter::from_fn(|| server.poll_event()).collect();
    assert_eq!(events.len(), 3 + 1, "what was decoded, and the end");
    let Some(Event::Closed(closed)) = events.last() else { panic!("no end: {events:?}") };
    assert_eq!(closed.failure(), Some(Failure::Aborted));
}

#[test]
fn a_compressed_message_without_payload_is_refused_after_a_final_block_too() {
    // RFC 7692 §7.2.3.6: an empty message has at least one byte. The second final block ends with the
    // bytes that a receiver appends.
    for (first, delivery) in [
        (&[0x03, 0x00][..], Delivery::Whole),
        (&[0x03, 0x00], Delivery::Chunks),
        (&[0x01], Delivery::Whole),
        (&[0x01], Delivery::Chunks),
    ] {
        let now = Timestamp::ZERO;
        let config = Config::builder().delivery(delivery).build().unwrap();
        let client = Connection::client(now, config, [1; 32]);
        let mut client = client.with_deflate(DeflateParams::default());
        for payload in [first, &[]] {
            let mut frame = Frame::new(opcode::BINARY, payload);
            frame.reserved = 4;
            client.handle_input(now, &frame.encode());
        }
        let empty = client.poll_event().unwrap();
        assert!(matches!(empty, Event::Message(_) | Event::Chunk(_)), "{empty:?}");
        let Some(Event::Closed(closed)) = client.poll_event() else { panic!("it was taken") };
        let truncated = Failure::Protocol(ProtocolError::TruncatedDeflate);
        assert_eq!(closed.failure(), Some(truncated));
    }
}

#[test]
fn short_fragments_share_a_segment() {
    // With a separate segment for each, a window of output took twenty times its length.
    let now = Timestamp::ZERO;
    let config = Config::builder().fragment_size(3).build().unwrap();
    for mut connection in
        [Connection::server(now, config.clone()), Connection::client(now, config, [1; 32])]
    {
        connection.send(vec![0x5A; 10_000]).unwrap();
        let output = connection.output();
        assert!(output.chunk().len() >= 512, "{} bytes", output.chunk().len());
        let mut wire = Vec::new();
        while output.has_remaining() {
            let count = output.chunk().len();
            wire.extend_from_slice(output.chunk());
            output.advance(count);
        }
        let frames = Frame::parse_all(&wire).unwrap();
        assert_eq!(frames.len(), 10_000usize.div_ceil(3));
        assert_eq!(frames.iter().map(|frame| frame.payload.len()).sum::<usize>(), 10_000);
    }
}
