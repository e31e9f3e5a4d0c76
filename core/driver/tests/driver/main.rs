//! Tests of the driver with streams and clocks that each test controls.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod addresses;
mod closer;
mod connecting;
mod ends;
mod errors;
mod invariants;
mod mock;
mod pair;
mod reconnecting;
mod refusals;
mod secrets;
mod sending;
mod split;
mod split_cancels;
mod split_ends;
mod split_pair;
mod split_streams;
mod split_wakers;
mod streams;
mod world;
