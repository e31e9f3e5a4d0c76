//! What fuzzing has found.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bytes::Buf;
use tidegate_core::deflate::{DeflateOptions, DeflateParams};
use tidegate_core::testing::Frame;
use tidegate_core::{
    Compress, Config, Connection, Delivery, Event, Failure, Message, Timestamp, Watermarks,
};

/// A server whose gate closes at three chunks, and 65,535 letters in one compressed message for it.
fn compressed_input(max_message_size: usize) -> (Connection, Vec<u8>) {
    let now = Timestamp::ZERO;
    let config = Config::builder()
        .message_marks(Watermarks::new(3, 1).unwrap())
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
fn an_abort_behind_a_fault_in_compressed_chunks_is_told() {
    // The fault waits for the chunk before it to be taken, and the rest of the input was kept too.
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
fn an_abort_leaves_what_waits_behind_the_gate_undecoded() {
    let (mut server, wire) = compressed_input(1 << 20);
    server.handle_input(Timestamp::ZERO, &wire);
    assert!(!server.is_gate_open());
    server.abort();
    let events: Vec<_> = core::iter::from_fn(|| server.poll_event()).collect();
    assert_eq!(events.len(), 3 + 1, "what was decoded, and the end");
    let Some(Event::Closed(closed)) = events.last() else { panic!("no end: {events:?}") };
    assert_eq!(closed.failure(), Some(Failure::Aborted));
}
