//! Rows measured in turn, so that what else the machine does falls on all of them.

use std::time::{Duration, Instant};

use crate::table::{Cell, Group};

/// One thing to measure.
pub struct Row {
    pub name: &'static str,
    pub group: Group,
    /// Does the work that often.
    pub run: Box<dyn FnMut(usize)>,
}

impl Row {
    pub fn new(name: &'static str, group: Group, run: impl FnMut(usize) + 'static) -> Self {
        Self { name, group, run: Box::new(run) }
    }
}

/// Nanoseconds for one operation of each row: rounds over all rows, each time from another start.
pub fn interleaved(rows: &mut [Row], rounds: usize, slice: Duration) -> Vec<Cell> {
    let counts: Vec<usize> = rows.iter_mut().map(|row| calibrate(row, slice)).collect();
    let mut samples = vec![Vec::with_capacity(rounds); rows.len()];
    for round in 0..rounds {
        for turn in 0..rows.len() {
            let index = (turn + round) % rows.len();
            let begun = Instant::now();
            (rows[index].run)(counts[index]);
            samples[index].push(begun.elapsed().as_secs_f64() * 1e9 / counts[index] as f64);
        }
    }
    samples.into_iter().map(Cell::of).collect()
}

/// How often a row goes into a slice of time. Warms it up as well.
fn calibrate(row: &mut Row, slice: Duration) -> usize {
    let mut count = 1;
    loop {
        let begun = Instant::now();
        (row.run)(count);
        let elapsed = begun.elapsed();
        if elapsed * 4 >= slice {
            let factor = slice.as_secs_f64() / elapsed.as_secs_f64();
            return ((count as f64 * factor) as usize).max(1);
        }
        count *= 2;
    }
}
