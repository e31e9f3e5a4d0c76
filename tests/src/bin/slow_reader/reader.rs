//! The reading process: takes a message at each interval, and measures its memory.

use core::time::Duration;
use std::time::Instant;

use tidegate_core::{Config, Stats, Watermarks};
use tidegate_tests::ends::{Adapter, End};
use tidegate_tests::process::resident;

use crate::Result;
use crate::options::Options;
use crate::sender::{Child, Report, message};

/// The measurements.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) before: usize,
    pub(crate) peak: usize,
    pub(crate) taken: u64,
    pub(crate) taken_slowly: u64,
    /// Messages that differed from the expected one in any byte.
    pub(crate) wrong: u64,
    /// The reader's counters.
    pub(crate) stats: Stats,
    /// The sender's report; none if the reader stopped early.
    pub(crate) sender: Option<Report>,
}

impl Measured {
    fn take(&mut self, payload: &[u8]) {
        self.wrong += u64::from(payload != message(self.taken));
        self.taken += 1;
    }

    fn look(&mut self) {
        self.peak = self.peak.max(resident());
    }
}

/// The settings under test, and those whose memory bound is used.
pub(crate) fn config(has_gate: bool) -> Config {
    if has_gate {
        return Config::default();
    }
    let none = Watermarks::UNLIMITED;
    Config::builder().message_marks(none).byte_marks(none).build().unwrap_or_default()
}

/// Reads slowly, then takes the rest.
pub(crate) async fn run<A: Adapter>(options: &Options, child: &mut Child) -> Result<Measured> {
    let socket = A::connect(child.address, config(options.has_gate)).await?;
    let mut end = End::<A>::client(options.mode, socket);
    let mut measured = Measured { before: resident(), ..Measured::default() };
    let begun = Instant::now();
    let mut next = begun + DELAY;
    while begun.elapsed() < options.duration && end.queued_bytes() < ENOUGH {
        // Drives a whole connection meanwhile: it reads ahead until the gate closes.
        end.be_elsewhere(GLANCE).await;
        measured.look();
        if Instant::now() >= next {
            next += DELAY;
            if let Some(message) = end.try_recv() {
                measured.take(message.as_bytes());
            }
        }
    }
    measured.taken_slowly = measured.taken;
    measured.stats = end.stats();
    if !options.has_gate {
        end.abort();
        return Ok(measured);
    }
    child.end();
    while let Some(message) = end.recv().await? {
        measured.take(message.as_bytes());
        measured.look();
    }
    measured.stats = end.stats();
    measured.sender = Some(child.report()?);
    Ok(measured)
}

/// The pause between two messages that are taken.
const DELAY: Duration = Duration::from_millis(100);

/// The pause between two measurements of the memory.
const GLANCE: Duration = Duration::from_millis(5);

/// The memory at which a reader without a gate stops.
const ENOUGH: usize = 1 << 30;
