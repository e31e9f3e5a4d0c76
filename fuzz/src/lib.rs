//! What the fuzz targets share: configurations, cuts, an independent second opinion.
#![allow(clippy::unwrap_used, reason = "a target may panic: that is a finding")]

pub mod calls;
pub mod differences;
pub mod driving;
pub mod inflating;
pub mod script;
pub mod session;
pub mod settings;

use bytes::Buf;
use tidegate_core::{Connection, Event, MessageKind};

use tidegate_core::testing::Random;

/// Cuts bytes into pieces of 1 to `longest` bytes; into one if that is zero.
pub fn cut(mut bytes: &[u8], seed: u64, longest: usize) -> Vec<&[u8]> {
    if longest == 0 {
        return vec![bytes];
    }
    let mut random = Random::new(seed);
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        let length = (1 + random.below(longest)).min(bytes.len());
        let (piece, rest) = bytes.split_at(length);
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

/// Takes all of the output, in pieces of at most `longest` bytes.
pub fn drain(connection: &mut Connection, longest: usize, into: &mut Vec<u8>) {
    let output = connection.output();
    while output.has_remaining() {
        let count = output.chunk().len().min(longest.max(1));
        assert_ne!(count, 0, "what remains is shown");
        into.extend_from_slice(&output.chunk()[..count]);
        output.advance(count);
    }
    assert!(!connection.wants_output(), "all was taken");
}

/// Events with the chunks of a message put together again: where chunks are cut depends on where
/// the input is, and nothing else may.
pub fn joined(events: Vec<Event>) -> Vec<Event> {
    let mut joined = Vec::new();
    let mut parts: Option<(MessageKind, Vec<u8>)> = None;
    for event in events {
        match event {
            Event::Chunk(chunk) => {
                let (kind, payload) = parts.get_or_insert((chunk.kind, Vec::new()));
                assert_eq!(*kind, chunk.kind, "a message is of one kind");
                payload.extend_from_slice(&chunk.payload);
                if chunk.last {
                    let (kind, payload) = parts.take().unwrap();
                    let payload = payload.into();
                    joined.push(Event::Chunk(tidegate_core::Chunk { kind, payload, last: true }));
                }
            }
            event => joined.push(event),
        }
    }
    if let Some((kind, payload)) = parts {
        let payload = payload.into();
        joined.push(Event::Chunk(tidegate_core::Chunk { kind, payload, last: false }));
    }
    joined
}
