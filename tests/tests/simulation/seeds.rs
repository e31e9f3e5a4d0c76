//! Runs the simulation for many seeds.

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

/// Runs a scenario, and prints its seed if it fails.
fn run(scenario: Scenario, seed: u64) -> (crate::executor::Effort, Timestamp) {
    let run = std::panic::catch_unwind(|| scenario.run());
    run.unwrap_or_else(|_| panic!("SIMULATION_SEED={seed}: {scenario:?}"))
}

/// For any conditions and kinds of connection, every message arrives once and in order, the end is
/// clean, and polls without progress are rare: 4 % over all 200 seeds.
#[test]
fn every_message_arrives() {
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

/// Whatever fails, and wherever: both connections end within their time limits, and what was received
/// is the beginning of what was sent.
#[test]
fn every_failure_ends_both_connections() {
    for seed in seeds() {
        let (effort, now) = run(Scenario::foul(seed), seed);
        assert!(effort.polls <= effort.progress * 3 / 2 + 40, "SIMULATION_SEED={seed}: {effort:?}");
        // At most two thirds of a minute of sleep, as much of network delay, and then the limits.
        assert!(now < Timestamp::from_secs(300), "SIMULATION_SEED={seed}: {now:?}");
    }
}

/// The same seed is the same run, down to every poll.
#[test]
fn the_same_seed_gives_the_same_run() {
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
