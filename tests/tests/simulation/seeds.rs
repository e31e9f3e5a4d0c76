//! Many seeds.

use std::env;
use std::ops::Range;

use tidegate_core::Timestamp;

use crate::scenario::Scenario;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

fn seeds() -> Range<u64> {
    match number("SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIMULATION_SEEDS").unwrap_or(200),
    }
}

/// Runs a scenario and says which one it was if it fails.
fn run(scenario: Scenario, seed: u64) -> (crate::executor::Effort, Timestamp) {
    let run = std::panic::catch_unwind(|| scenario.run());
    run.unwrap_or_else(|_| panic!("SIMULATION_SEED={seed}: {scenario:?}"))
}

/// Whatever the conditions and the kinds of connection: every message arrives, once, in order, the end
/// is clean, and polls that come to nothing are rare: of all 200 seeds they are 4 in a hundred.
#[test]
fn what_is_sent_arrives() {
    let (mut polls, mut idle, mut progress) = (0, 0, 0);
    for seed in seeds() {
        let (effort, _) = run(Scenario::fair(seed), seed);
        assert!(effort.polls <= effort.progress * 3 / 2 + 40, "SIMULATION_SEED={seed}: {effort:?}");
        assert!(effort.idle <= effort.progress / 8 + 40, "SIMULATION_SEED={seed}: {effort:?}");
        polls += effort.polls;
        idle += effort.idle;
        progress += effort.progress;
    }
    println!("{polls} polls, {idle} of them idle, {progress} steps of progress");
}

/// Whatever fails, and wherever: both ends come to their end, in the time that their limits allow,
/// and what was received is what was sent, up to where it ends.
#[test]
fn what_fails_ends() {
    for seed in seeds() {
        let (effort, now) = run(Scenario::foul(seed), seed);
        assert!(effort.polls <= effort.progress * 3 / 2 + 40, "SIMULATION_SEED={seed}: {effort:?}");
        // Two thirds of a minute of sleep and as much of conditions at most, and then the limits.
        assert!(now < Timestamp::from_secs(300), "SIMULATION_SEED={seed}: {now:?}");
    }
}

/// The same seed is the same run, down to every poll.
#[test]
fn a_seed_is_a_run() {
    let mut traces = Vec::new();
    for seed in seeds().take(25) {
        let foul = Scenario::foul(seed);
        assert_eq!(run(foul, seed), run(foul, seed), "SIMULATION_SEED={seed}");
        let fair = run(Scenario::fair(seed), seed);
        assert_eq!(fair, run(Scenario::fair(seed), seed), "SIMULATION_SEED={seed}");
        traces.push(fair.0.trace);
    }
    traces.sort_unstable();
    let count = traces.len();
    traces.dedup();
    assert_eq!(traces.len(), count, "and another seed is another run");
}
