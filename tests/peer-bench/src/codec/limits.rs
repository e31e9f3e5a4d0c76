//! The lower limits of the work: one pass over the bytes.

use std::hint::black_box;

use crate::frames::{Kind, MASK};
use crate::measure::Row;
use crate::memory::{Endless, READ};
use crate::table::Group;

pub const FUSED: &str = "limit: memcpy + XOR, one pass";

/// The limits of decoding.
pub fn decode(kind: Kind, size: usize) -> Vec<Row> {
    let payload = kind.payload(size);
    let mut target = vec![0; size];
    let source = payload.clone();
    let memcpy = move |count| {
        for _ in 0..count {
            target.copy_from_slice(black_box(&source));
            black_box(&mut target);
        }
    };
    let mut target = vec![0; size];
    let source = payload.clone();
    let fused = move |count| {
        for _ in 0..count {
            copy_xor(black_box(&source), &mut target);
            black_box(&mut target);
        }
    };
    let mut rows =
        vec![Row::new("limit: memcpy", Group::Limit, memcpy), Row::new(FUSED, Group::Limit, fused)];
    if kind.is_text() {
        let simdutf8 = move |count| {
            for _ in 0..count {
                assert!(simdutf8::basic::from_utf8(black_box(&payload)).is_ok());
            }
        };
        rows.push(Row::new("limit: simdutf8 alone", Group::Limit, simdutf8));
    }
    rows.push(Row::new("limit: read, header, one pass", Group::Limit, bare(kind, size)));
    rows
}

/// The least that every decoder must do: copies the read, parses headers, unmasks each payload. It
/// allocates nothing, and relies on the frames being whole messages and valid.
fn bare(kind: Kind, size: usize) -> impl FnMut(usize) {
    let mut stream = Endless::of(&kind.frame(size));
    let mut buffer = vec![0; READ];
    let (mut start, mut end) = (0, 0);
    let mut payload = Vec::new();
    move |count| {
        for _ in 0..count {
            let length = loop {
                if let Some(total) = crate::frames::frame_length(&buffer[start..end]) {
                    break total - header_length(size);
                }
                buffer.copy_within(start..end, 0);
                (start, end) = (0, end - start);
                end += std::io::Read::read(&mut stream, &mut buffer[end..]).expect("memory");
            };
            start += header_length(size);
            payload.resize(length, 0);
            let mut filled = 0;
            while filled < length {
                if start == end {
                    start = 0;
                    end = std::io::Read::read(&mut stream, &mut buffer).expect("memory");
                }
                let part = (end - start).min(length - filled);
                copy_xor(&buffer[start..start + part], &mut payload[filled..filled + part]);
                (start, filled) = (start + part, filled + part);
            }
            black_box(&mut payload);
        }
    }
}

fn header_length(size: usize) -> usize {
    4 + match size {
        0..=125 => 2,
        126..=0xFFFF => 4,
        _ => 10,
    }
}

/// Copies and unmasks in one pass, in blocks that the compiler vectorises.
fn copy_xor(source: &[u8], target: &mut [u8]) {
    let key = u64::from_ne_bytes([
        MASK[0], MASK[1], MASK[2], MASK[3], MASK[0], MASK[1], MASK[2], MASK[3],
    ]);
    let (sources, source_rest) = source.as_chunks::<8>();
    let (targets, target_rest) = target.as_chunks_mut::<8>();
    for (target, source) in targets.iter_mut().zip(sources) {
        *target = (u64::from_ne_bytes(*source) ^ key).to_ne_bytes();
    }
    for ((target, source), key) in target_rest.iter_mut().zip(source_rest).zip(MASK.iter().cycle())
    {
        *target = source ^ key;
    }
}
