//! Compares the measurements with what they should be.

use core::time::Duration;

use tidegate_tokio::Stats;

use crate::memory::human;
use crate::options::Options;

/// The measurements.
#[derive(Default)]
pub(crate) struct Measured {
    pub(crate) elapsed: Duration,
    /// Messages that the client took in total, and those it took slowly.
    pub(crate) taken: u64,
    pub(crate) taken_slowly: u64,
    /// Messages that were not the expected one, or not complete.
    pub(crate) wrong: u64,
    /// Messages sent while the client was slow, and in total.
    pub(crate) sent: u64,
    pub(crate) sent_at_end: Option<u64>,
    /// How long the server waited while the client was slow.
    pub(crate) waited: Duration,
    /// The longest time during which the server could send nothing.
    pub(crate) longest_stall: Duration,
    /// Messages sent and taken after half of the time.
    pub(crate) half: Option<(u64, u64)>,
    pub(crate) memory_before: Option<usize>,
    pub(crate) memory_peak: Option<usize>,
    /// The client's counters while it was slow.
    pub(crate) stats: Option<Stats>,
}

/// Prints the verdict. Returns whether all checks passed.
pub(crate) fn judge(options: &Options, measured: &Measured) -> bool {
    println!();
    let checks = [
        queue(options, measured),
        memory(options, measured),
        order(options, measured),
        slowed(options, measured),
    ];
    let mut holds = true;
    for (result, text) in checks {
        let word = match result {
            Some(true) => "  ok  ",
            Some(false) => "FAILED",
            None => "  --  ",
        };
        println!("{word} {text}");
        holds &= result != Some(false);
    }
    let verdict = match (holds, options.has_gate) {
        (true, _) => "It holds.",
        (false, true) => "It does not hold.",
        (false, false) => "It does not hold, and that is what the gate is for.",
    };
    println!("\n{verdict}");
    holds
}

type Check = (Option<bool>, String);

/// The connection's own accounting.
fn queue(options: &Options, measured: &Measured) -> Check {
    let Some(stats) = measured.stats else { return (None, "no counters".into()) };
    let (messages, bytes) = (options.messages.high(), options.bytes.high());
    let is_within =
        stats.peak_messages <= messages && stats.peak_bytes < bytes.saturating_add(options.size);
    let text = format!(
        "queue: at most {} messages (high watermark {messages}) and {} (high watermark \
         {},\n       which one message of {} may cross); the gate closed {} times.",
        stats.peak_messages,
        human(stats.peak_bytes),
        human(bytes),
        human(options.size),
        stats.times_closed,
    );
    (Some(is_within), text)
}

/// Checks the memory of the process. The process holds both ends, the runtime and memory that the
/// allocator keeps, while the bound is that of the client's connection alone.
fn memory(options: &Options, measured: &Measured) -> Check {
    let bound = options.gated().memory_bound();
    let (Some(before), Some(peak)) = (measured.memory_before, measured.memory_peak) else {
        return (None, "memory: unknown, because there is no /proc/self/status".into());
    };
    let growth = peak.saturating_sub(before);
    // Our server holds the message that it is sending and builds the next one. Its outbox's
    // watermarks are far below that.
    let server = if options.url.is_none() { 2 * options.size } else { 0 };
    let text = format!(
        "memory: the process grew by {} at its peak, from {}; allowed are {}:\n       \
         memory_bound() of the client's connection, {}, and {} for messages that\n       the \
         server holds. This counts all anonymous memory: client, server, runtime and\n       \
         what the allocator keeps. The kernel's socket buffers are not included.",
        human(growth),
        human(before),
        human(bound + server),
        human(bound),
        human(server),
    );
    (Some(growth <= bound + server), text)
}

fn order(options: &Options, measured: &Measured) -> Check {
    if options.url.is_some() {
        // If the server sent nothing, the run shows nothing.
        let result = if measured.taken == 0 { Some(false) } else { None };
        let text =
            format!("order: {} messages taken; another server's order is unknown.", measured.taken);
        return (result, text);
    }
    let Some(sent) = measured.sent_at_end else {
        let text = format!("order: {} messages taken, {} wrong", measured.taken, measured.wrong);
        return (Some(measured.wrong == 0), text);
    };
    let text = format!(
        "order: {sent} messages sent, {} received (the rest at once, at the end),\n       \
         {} wrong, lost or out of order.",
        measured.taken, measured.wrong
    );
    (Some(sent == measured.taken && measured.wrong == 0 && sent > 0), text)
}

fn slowed(options: &Options, measured: &Measured) -> Check {
    if options.url.is_some() {
        return (None, "server: the state of another server is unknown.".into());
    }
    let Some((sent, taken)) = measured.half else {
        return (Some(false), "server: the run ended before half of the time".into());
    };
    let (sent, taken) = (measured.sent - sent, measured.taken_slowly - taken);
    // Beside the messages taken, the queue and the kernel's buffers may each fill once more, because
    // the TCP window opens in large steps.
    let queue = options.messages.high().min(options.bytes.high() / options.size + 1);
    let slack = (queue + KERNEL / options.size + 1) as u64;
    let waited = 100.0 * measured.waited.as_secs_f64() / measured.elapsed.as_secs_f64();
    let text = format!(
        "server: in the second half it sent {sent} messages while {taken} were taken; at most \
         {slack} more\n       fit into the queue and the kernel's buffers. It waited for its socket \
         {waited:.0} % of the time,\n       and could send nothing for up to {:.1} s at a time.",
        measured.longest_stall.as_secs_f64()
    );
    let is_slowed = sent <= taken + slack && measured.longest_stall >= options.delay;
    (Some(is_slowed), text)
}

/// How much more the kernel's send and receive buffers may hold at the end than after half of the
/// time: half of the size to which Linux lets them grow.
const KERNEL: usize = 4 << 20;
