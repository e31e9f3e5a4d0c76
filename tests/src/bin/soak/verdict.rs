//! Compares the measurements with what they should be.

use std::sync::atomic::Ordering;

use tidegate_driver::Counters;

use crate::state::Run;

/// The measurements, apart from the counters of the run.
#[derive(Debug)]
pub(crate) struct Measured {
    /// Resident memory, every half second.
    pub(crate) memory: Vec<usize>,
    /// Memory allocated and not released, measured as often.
    pub(crate) allocated: Vec<usize>,
    /// The same before the run, and after all connections had ended.
    pub(crate) left: (usize, usize),
    pub(crate) connections: usize,
    /// The server's counters after it had ended.
    pub(crate) counters: Option<Counters>,
    /// Tasks left at the end: by our own count, and by the runtime's.
    pub(crate) tasks: u64,
    pub(crate) runtime_tasks: Option<usize>,
    /// Open files before and after.
    pub(crate) descriptors: (usize, usize),
}

/// Prints a line for each check and a summary. Returns whether all passed.
pub(crate) fn judge(run: &Run, measured: &Measured) -> bool {
    let totals = &run.totals;
    println!("{totals}");
    let get = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let mut checks = vec![
        (
            run.faults() == 0,
            format!(
                "every message was the next one of its sender, each byte of it; no error on a \
                 connection that was not cut: {} faults",
                run.faults()
            ),
        ),
        (
            get(&totals.received) > 0 && get(&totals.clean) > 0 && get(&totals.cut) > 0,
            "there were messages, clean ends and cuts".into(),
        ),
        (
            get(&totals.unknown) <= get(&totals.cut),
            format!("{} were cut before their first message", get(&totals.unknown)),
        ),
        (
            measured.tasks == 0 && measured.runtime_tasks.unwrap_or(0) == 0,
            format!(
                "no task is left: {}, and {} by the runtime's count",
                measured.tasks,
                measured.runtime_tasks.map_or("-".into(), |tasks| tasks.to_string())
            ),
        ),
    ];
    checks.push(memory("resident", &measured.memory, measured.connections));
    checks.push(memory("allocated", &measured.allocated, measured.connections));
    let (before, after) = measured.left;
    checks.push((
        after <= before + LEFT,
        format!("allocated: {} KiB before, {} KiB when all was over", before >> 10, after >> 10),
    ));
    checks.push(match measured.counters {
        None => (false, "the server has not ended".into()),
        Some(counters) => (
            counters.open == 0
                && counters.handshakes == 0
                && counters.panicked == 0
                && counters.failed == 0
                && counters.cut == 0
                && counters.failed_handshakes == 0
                && counters.opened == get(&totals.connections),
            format!("the server has nothing left: {counters:?}"),
        ),
    });
    // The runtime may have opened its own files meanwhile: a poller, a pipe.
    let (before, after) = measured.descriptors;
    checks.push((after <= before + 8, format!("open files: {before} before, {after} after")));

    for (holds, text) in &checks {
        println!("{} {text}", if *holds { "  ok  " } else { "FAILED" });
    }
    let passed = checks.iter().filter(|(holds, _)| *holds).count();
    println!("{passed} passed, {} failed", checks.len() - passed);
    passed == checks.len()
}

/// The medians of the first third after the warm-up, and of the last third.
fn memory(what: &str, samples: &[usize], connections: usize) -> (bool, String) {
    let settled = samples.get(samples.len() / 5..).unwrap_or_default();
    let third = settled.len() / 3;
    let first = median(settled.get(..third).unwrap_or_default());
    let last = median(settled.get(settled.len() - third..).unwrap_or_default());
    let allowed = first + first / 10 + connections * EACH + MARGIN;
    let text = format!(
        "{what}: {} KiB in the median of the first third, {} KiB in that of the last (a fifth of \
         the time before is warm-up); allowed are {} KiB",
        first >> 10,
        last >> 10,
        allowed >> 10,
    );
    (first > 0 && last <= allowed, text)
}

fn median(samples: &[usize]) -> usize {
    let mut samples = samples.to_vec();
    samples.sort_unstable();
    samples.get(samples.len() / 2).copied().unwrap_or(0)
}

/// Allowance for what a runtime and its threads keep for reuse, such as read buffers.
const LEFT: usize = 2 << 20;

/// Allowance for each connection, since the amount of data in flight is random.
const EACH: usize = 64 << 10;

/// Allowance for what the allocator keeps.
const MARGIN: usize = 8 << 20;
