//! What hostile input costs a server: each attack at four lengths, to see that the time is linear,
//! and what a byte of it costs.
//!
//! `cargo bench -p tidegate-core --features deflate --bench hostile`; a part of a name as an
//! argument selects.
#![allow(missing_docs, clippy::expect_used, clippy::disallowed_methods)]

#[path = "hostile/streams.rs"]
mod streams;

use core::hint::black_box;
use std::time::Instant;

use streams::{ATTACKS, Attack};

/// The shortest input, in bytes; then twice, four and eight times as much.
const SHORTEST: usize = 32 * 1024;
const FACTORS: [usize; 4] = [1, 2, 4, 8];

/// The best of so many: the machine has other work to do, and the shorter the input, the likelier is
/// a round that nothing else comes into.
const ROUNDS: usize = 60;

fn main() {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    println!("| attack | n = {} KiB | 2n | 4n | 8n | slope, ns per byte |", SHORTEST / 1024);
    println!("|---|---|---|---|---|---|");
    for attack in ATTACKS {
        if filter.as_ref().is_none_or(|part| attack.name.contains(part.as_str())) {
            measure(attack);
        }
    }
}

fn measure(attack: Attack) {
    let points = FACTORS.map(|factor| {
        let input = (attack.input)(factor * SHORTEST);
        let nanoseconds = (0..ROUNDS)
            .map(|_| {
                let start = Instant::now();
                black_box(black_box(&input).run());
                start.elapsed().as_nanos()
            })
            .min()
            .expect("there are rounds");
        (input.len() as f64, nanoseconds as f64)
    });
    let cells: Vec<_> = points.iter().map(|(bytes, time)| format!("{:.2}", time / bytes)).collect();
    println!("| {} | {} | {:.2} |", attack.name, cells.join(" | "), slope(&points));
}

/// Of the straight line that fits best.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |value: fn(&(f64, f64)) -> f64| points.iter().map(value).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let above: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let below: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    above / below
}
