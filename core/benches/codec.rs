//! Decode and encode, in memory: what the core itself costs.
//!
//! `cargo bench -p tidegate-core --bench codec`
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use core::hint::black_box;

use bytes::{Buf, Bytes};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidegate_core::frame::{FrameHeader, Mask, OpCode, encode_header};
use tidegate_core::{Config, Connection, Event, Message, Timestamp, Watermarks};

const SIZES: [usize; 6] = [16, 125, 1024, 16 * 1024, 64 * 1024, 1024 * 1024];

/// As much input as one read brings: many small frames, or a part of a large one.
const READ: usize = 64 * 1024;

fn config() -> Config {
    Config::builder()
        .message_marks(Watermarks::UNLIMITED)
        .byte_marks(Watermarks::UNLIMITED)
        .send_marks(Watermarks::UNLIMITED)
        .max_message_size(16 * 1024 * 1024)
        .ping_interval(None)
        .build()
        .expect("valid")
}

fn frame(opcode: OpCode, payload: &[u8], mask: Option<Mask>) -> Vec<u8> {
    let length = payload.len() as u64;
    let header = FrameHeader { fin: true, rsv1: false, opcode, mask, length };
    let mut frame = encode_header(header).as_slice().to_vec();
    match mask {
        Some(mut mask) => mask.append(payload, &mut frame),
        None => frame.extend_from_slice(payload),
    }
    frame
}

fn ascii(size: usize) -> Vec<u8> {
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

fn decode(criterion: &mut Criterion) {
    for (name, opcode, payload) in [
        ("binary", OpCode::Binary, ascii as fn(usize) -> Vec<u8>),
        ("text-ascii", OpCode::Text, ascii),
        ("text-multi-byte", OpCode::Text, multi_byte),
    ] {
        let mut group = criterion.benchmark_group(format!("decode-masked-{name}"));
        for size in SIZES {
            let one = frame(opcode, &payload(size), Some(Mask::new([0x37, 0xFA, 0x21, 0x3D])));
            let count = (READ / one.len()).max(1);
            let input = one.repeat(count);
            let now = Timestamp::ZERO;
            group.throughput(Throughput::ElementsAndBytes {
                elements: count as u64,
                bytes: (count * size) as u64,
            });
            group.bench_function(size.to_string(), |bencher| {
                let mut server = Connection::server(now, config());
                bencher.iter(|| {
                    for read in input.chunks(READ) {
                        server.handle_input(now, black_box(read));
                        while let Some(event) = server.poll_event() {
                            assert!(matches!(black_box(event), Event::Message(_)));
                        }
                    }
                });
            });
        }
        group.finish();
    }
}

fn encode(criterion: &mut Criterion) {
    for (name, client) in [("server", false), ("client", true)] {
        let mut group = criterion.benchmark_group(format!("encode-{name}"));
        for size in SIZES {
            let message = Message::Binary(Bytes::from(ascii(size)));
            let now = Timestamp::ZERO;
            let count = (READ / (size + 14)).max(1);
            group.throughput(Throughput::ElementsAndBytes {
                elements: count as u64,
                bytes: (count * size) as u64,
            });
            group.bench_function(size.to_string(), |bencher| {
                let mut connection = if client {
                    Connection::client(now, config(), [7; 32])
                } else {
                    Connection::server(now, config())
                };
                bencher.iter(|| {
                    for _ in 0..count {
                        connection.send(black_box(message.clone())).unwrap();
                    }
                    let output = connection.output();
                    while output.has_remaining() {
                        let taken = black_box(output.chunk()).len();
                        output.advance(taken);
                    }
                });
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(core::time::Duration::from_millis(300))
        .measurement_time(core::time::Duration::from_secs(1))
        .sample_size(30);
    targets = decode, encode
}
criterion_main!(benches);
