//! The driver on streams and clocks that do what the test says.
#![cfg(feature = "driver")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::disallowed_types, reason = "the driver's tests wake")]

extern crate alloc;

mod batching;
mod closer;
mod ends;
mod errors;
mod invariants;
mod mock;
mod pair;
mod refusals;
mod split;
mod split_cancels;
mod split_ends;
mod split_pair;
mod split_streams;
mod split_wakers;
mod streams;
