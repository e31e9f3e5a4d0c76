//! Compares the measurements with what they should be.

use core::time::Duration;

use tidegate_tests::ends::Adapter;

use crate::options::Options;
use crate::reader::{Measured, config};

/// Prints a line for each check. Returns whether all passed.
pub(crate) fn judge<A: Adapter>(options: &Options, measured: &Measured) -> bool {
    let Measured { before, peak, stats, .. } = measured;
    println!(
        "{}, {:?}, {} s{}",
        A::NAME,
        options.mode,
        options.duration.as_secs(),
        if options.has_gate { "" } else { ", without a gate" }
    );
    // Without a gate, the bound of a connection with one is used.
    let gated = config(true);
    let (growth, bound) = (peak.saturating_sub(*before), gated.memory_bound());
    let mut checks = vec![
        (
            growth <= bound,
            format!(
                "resident memory grew by {} KiB at its peak, from {} KiB; the bound is {} KiB",
                growth >> 10,
                before >> 10,
                bound >> 10
            ),
        ),
        (
            stats.peak_messages <= gated.message_marks().high()
                && stats.peak_bytes < gated.byte_marks().high() + gated.max_message_size(),
            format!(
                "at most {} messages and {} KiB were queued; the gate closed {} times",
                stats.peak_messages,
                stats.peak_bytes >> 10,
                stats.times_closed
            ),
        ),
    ];
    if let Some(sender) = &measured.sender {
        checks.push((
            measured.taken == sender.sent && measured.wrong == 0 && sender.sent > 0,
            format!(
                "{} messages sent, {} taken ({} slowly), {} wrong",
                sender.sent, measured.taken, measured.taken_slowly, measured.wrong
            ),
        ));
        checks.push((
            sender.longest_block >= BLOCKED,
            format!("the sender waited up to {} ms to send", sender.longest_block.as_millis()),
        ));
        // A ping after unread messages is answered only when they have been read.
        checks.push((
            stats.pings_in > 0 && sender.pongs == stats.pings_in,
            format!(
                "{} pings arrived, {} pongs came back, each within {} ms",
                stats.pings_in,
                sender.pongs,
                sender.longest_pong.as_millis()
            ),
        ));
    }
    for (holds, text) in &checks {
        println!("{} {text}", if *holds { "  ok  " } else { "FAILED" });
    }
    checks.iter().all(|(holds, _)| *holds)
}

/// A sender that never waits this long was not slowed down.
const BLOCKED: Duration = Duration::from_millis(100);
