//! Measures all rows in each round, so that other work on the machine affects them alike.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::table::{Cell, Group};

/// One thing to measure.
pub struct Row {
    pub name: &'static str,
    pub group: Group,
    /// Does the work this many times.
    pub run: Box<dyn FnMut(usize)>,
}

impl Row {
    pub fn new(name: &'static str, group: Group, run: impl FnMut(usize) + 'static) -> Self {
        Self { name, group, run: Box::new(run) }
    }
}

/// Nanoseconds for one operation of each row, in rounds that each start with a different row.
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

/// How many operations of a row fit in a slice of time. Also warms it up.
///
/// The shorter of two runs counts. After an interrupted run the slice would be too short, and the cost
/// of starting would be charged to few operations.
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

/// The CPU time of the thread, without the time in which other threads had the core.
fn time(row: &mut Row, count: usize) -> Duration {
    let begun = clock_gettime(ClockId::ThreadCPUTime);
    (row.run)(count);
    let ended = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(ended - begun).expect("time does not run backwards")
}
