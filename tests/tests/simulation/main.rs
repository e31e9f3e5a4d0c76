//! The driver on a simulated network, clock and executor: for every seed the run ends, nothing is
//! lost, and no task is polled without a reason.
//!
//! `SIMULATION_SEEDS` sets how many seeds run (200 by default), `SIMULATION_SEED` runs one.
#![allow(clippy::unwrap_used, clippy::std_instead_of_alloc, clippy::wildcard_enum_match_arm)]

mod apps;
mod executor;
mod network;
mod scenario;
mod seeds;
mod threads;
mod times;
