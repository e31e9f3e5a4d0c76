//! What was measured, and whether it is as it should be.

use core::time::Duration;

use tidegate_tokio::Stats;

use crate::memory::human;
use crate::options::Options;

/// What was measured.
#[derive(Default)]
pub(crate) struct Measured {
    pub(crate) elapsed: Duration,
    /// Messages taken by the client, altogether, and of these slowly.
    pub(crate) taken: u64,
    pub(crate) taken_slowly: u64,
    /// Messages that were not the next one, whole.
    pub(crate) wrong: u64,
    /// Messages sent while the client was slow, and altogether.
    pub(crate) sent: u64,
    pub(crate) sent_at_end: Option<u64>,
    /// How long the server waited while the client was slow.
    pub(crate) waited: Duration,
    /// The longest time in which the server could send nothing.
    pub(crate) longest_stall: Duration,
    /// Sent and taken at half time.
    pub(crate) half: Option<(u64, u64)>,
    pub(crate) memory_before: Option<usize>,
    pub(crate) memory_peak: Option<usize>,
    /// The client's counters while it was slow.
    pub(crate) stats: Option<Stats>,
}

/// Prints the verdict; whether it holds.
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
        "queue: at most {} messages (high mark {messages}) and {} (high mark \
         {},\n       which one message of {} may cross); the gate closed {} times.",
        stats.peak_messages,
        human(stats.peak_bytes),
        human(bytes),
        human(options.size),
        stats.times_closed,
    );
    (Some(is_within), text)
}

/// The memory of the process. It holds both ends, the runtime and what the allocator keeps, so it
/// is more than what the client's connection has; the bound is that connection's alone.
fn memory(options: &Options, measured: &Measured) -> Check {
    let bound = options.gated().memory_bound();
    let (Some(before), Some(peak)) = (measured.memory_before, measured.memory_peak) else {
        return (None, "memory: not known here, there is no /proc/self/status".into());
    };
    let growth = peak.saturating_sub(before);
    // Our server holds the message that is on its way, and makes the next one; the marks of its
    // outbox are far below.
    let server = if options.url.is_none() { 2 * options.size } else { 0 };
    let text = format!(
        "memory: the process grew by {} at its peak, from {}; allowed are {}:\n       \
         memory_bound() of the client's connection, {}, and {} for messages in the\n       server's \
         hand. Counted is all anonymous memory: client, server, runtime, and what\n       the \
         allocator keeps. Socket buffers are the kernel's, and are not in it.",
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
        // A server that sends nothing proves nothing.
        let result = if measured.taken == 0 { Some(false) } else { None };
        let text =
            format!("order: {} messages taken, whose order is not known here.", measured.taken);
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
        return (None, "server: how it fares is not known here.".into());
    }
    let Some((sent, taken)) = measured.half else {
        return (Some(false), "server: it was over before half of the time".into());
    };
    let (sent, taken) = (measured.sent - sent, measured.taken_slowly - taken);
    // Beside what was taken there may be one filling of the queue, and one of the kernel's buffers:
    // the window of TCP opens in large steps.
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

/// How much the kernel's buffers for sending and receiving may hold more at the end than at half
/// time: half of what Linux lets them grow to.
const KERNEL: usize = 4 << 20;
