//! Measures the memory for a message that is longer than memory, from one core to another.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bytes::{Buf, Bytes};
use peak_alloc::PeakAlloc;
use tidegate_core::deflate::DeflateParams;
use tidegate_core::{Chunk, Config, Connection, Delivery, Event, MessageKind, Timestamp};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Lines that differ a little: compressible text in which a lost part is noticed.
fn piece(number: u64) -> Bytes {
    let mut piece = String::with_capacity(SIZE);
    while piece.len() < SIZE {
        piece.push_str(&format!("{number:09} the tide is höher than before\n"));
    }
    piece.into()
}

fn config() -> Config {
    Config::builder()
        .delivery(Delivery::Chunks)
        .max_message_size(usize::MAX)
        .deflate(tidegate_core::deflate::DeflateOptions::default())
        .build()
        .unwrap()
}

/// Sends one message in this many pieces, and returns the peak memory meanwhile.
fn transfer(pieces: u64, kind: MessageKind, params: Option<DeflateParams>) -> usize {
    let now = Timestamp::ZERO;
    let mut client = Connection::client(now, config(), [3; 32]);
    let mut server = Connection::server(now, config());
    if let Some(params) = params {
        client = client.with_deflate(params);
        server = server.with_deflate(params);
    }
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let (mut sent, mut received, mut length) = (0, 0, 0_u64);
    let mut expected = Bytes::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        while client.can_send_chunk() && sent < pieces {
            let payload = piece(sent);
            sent += 1;
            client.send_chunk(Chunk { kind, payload, last: sent == pieces }).unwrap();
        }
        while server.wants_input() && client.wants_output() {
            let output = client.output();
            let count = output.chunk().len().min(buffer.len());
            output.copy_to_slice(&mut buffer[..count]);
            server.handle_input(now, &buffer[..count]);
        }
        while let Some(event) = server.poll_event() {
            let Event::Chunk(Chunk { payload, last, .. }) = event else { panic!("{event:?}") };
            length += payload.len() as u64;
            let mut payload = &payload[..];
            while !payload.is_empty() {
                if expected.is_empty() {
                    expected = piece(received);
                    received += 1;
                }
                let count = expected.len().min(payload.len());
                assert!(expected[..count] == payload[..count], "piece {received}");
                expected.advance(count);
                payload.advance(count);
            }
            if last {
                assert_eq!((received, expected.len()), (pieces, 0));
                assert_eq!(length, (0..pieces).map(|_| piece(0).len() as u64).sum::<u64>());
                return MEMORY.peak_usage() - before;
            }
        }
    }
}

/// `TIDEGATE_LONG_MIB=4096 cargo test --release -p tidegate-tests --test long_messages` sends 4 GiB.
#[test]
fn a_long_message_passes_through_constant_memory() {
    let default = if cfg!(debug_assertions) { 8 } else { 256 };
    let mib = std::env::var("TIDEGATE_LONG_MIB").map_or(default, |mib| mib.parse().unwrap());
    let pieces = mib * 1024 * 1024 / SIZE as u64;
    for kind in [MessageKind::Binary, MessageKind::Text] {
        for params in [None, Some(DeflateParams::default())] {
            let is_compressed = params.is_some();
            let peak = transfer(pieces, kind, params);
            println!("{mib} MiB, {kind:?}, compressed: {is_compressed}: {} KiB", peak / 1024);
            // Both ends' watermarks, a read and a piece; the compression windows of both directions.
            let allowed = if is_compressed { 1536 } else { 768 } * 1024;
            assert!(peak < allowed, "{peak} bytes for {mib} MiB");
        }
    }
}

/// The size of a piece, and a few bytes more.
const SIZE: usize = 48 * 1024;
