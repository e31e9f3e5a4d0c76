//! Rows measured in turn, so that what else the machine does falls on all of them.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

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
            let elapsed = time(&mut rows[index], counts[index]);
            samples[index].push(elapsed.as_secs_f64() * 1e9 / counts[index] as f64);
        }
    }
    samples.into_iter().map(Cell::of).collect()
}

/// How often a row goes into a slice of time. Warms it up as well.
///
/// The shorter of two runs counts: one that the machine interrupted would make the slice too small, and
/// what it costs to begin would be charged to a few operations.
fn calibrate(row: &mut Row, slice: Duration) -> usize {
    let mut count = 1;
    loop {
        let elapsed = time(row, count).min(time(row, count));
        if elapsed * 4 >= slice {
            let factor = slice.as_secs_f64() / elapsed.as_secs_f64();
            return ((count as f64 * factor) as usize).max(1);
        }
        count *= 2;
    }
}

/// What the thread itself was busy for: not what others had the core for in between.
fn time(row: &mut Row, count: usize) -> Duration {
    let begun = clock_gettime(ClockId::ThreadCPUTime);
    (row.run)(count);
    let ended = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(ended - begun).expect("time does not run backwards")
}
