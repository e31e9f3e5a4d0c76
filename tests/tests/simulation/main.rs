//! The driver on a simulated network, clock and executor: whatever a seed makes of them, the run
//! comes to its end, nothing is lost, and nobody is polled without a reason.
//!
//! `SIMULATION_SEEDS` says how many seeds are run (200 by default), `SIMULATION_SEED` runs one.
#![allow(clippy::unwrap_used, clippy::std_instead_of_alloc, clippy::wildcard_enum_match_arm)]

mod apps;
mod executor;
mod network;
mod scenario;
mod seeds;
mod threads;
mod times;
