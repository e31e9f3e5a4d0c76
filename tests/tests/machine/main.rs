//! Compares the whole connection with a naive reference. `MACHINE_CASES` sets the number of cases
//! (2,000 by default).
#![allow(clippy::unwrap_used, clippy::std_instead_of_alloc, clippy::wildcard_enum_match_arm)]

mod comparison;
mod ending;
mod limits;
mod operations;
mod reference;
mod setup;
mod turns;
mod writer;
