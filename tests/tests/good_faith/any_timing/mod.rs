//! Every reasonable application over every link without loss, with pauses of all parts.

mod application;
mod connection;
mod scenario;

use std::env;
use std::ops::Range;
use std::panic::catch_unwind;

use scenario::{Mode, Scenario};

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

fn seeds() -> Range<u64> {
    match number("GOOD_FAITH_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("GOOD_FAITH_SEEDS").unwrap_or(60),
    }
}

/// Runs all seeds, and then reports how many failed and which.
fn run(scenario: impl Fn(u64) -> Scenario) {
    let mut failed = Vec::new();
    for seed in seeds() {
        let scenario = scenario(seed);
        if let Err(panic) = catch_unwind(|| scenario.run()) {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).into()));
            failed.push((seed, format!("{scenario:?}"), text.unwrap_or_default()));
        }
    }
    for (seed, scenario, text) in &failed {
        println!("GOOD_FAITH_SEED={seed}: {text}\n{scenario}");
    }
    let seeds: Vec<_> = failed.iter().map(|(seed, ..)| seed).collect();
    assert!(failed.is_empty(), "{} failed: {seeds:?}", failed.len());
}

#[test]
fn whole() {
    run(|seed| Scenario::new(seed, Mode::Whole));
}

#[test]
fn whole_with_other_settings() {
    run(|seed| Scenario::with_other_settings(seed, Mode::Whole));
}

#[test]
fn split() {
    run(|seed| Scenario::new(seed, Mode::Split));
}

#[test]
fn split_with_other_settings() {
    run(|seed| Scenario::with_other_settings(seed, Mode::Split));
}

/// Divided by `StreamExt::split`.
#[test]
fn halves() {
    run(|seed| Scenario::new(seed, Mode::Halves));
}

#[test]
fn halves_with_other_settings() {
    run(|seed| Scenario::with_other_settings(seed, Mode::Halves));
}
