//! The loop of `event_loop`, on a virtual network and on streams that fail.
#![allow(
    clippy::disallowed_types,
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic, and knows its input"
)]

mod budget;
mod completion;
mod echo;
mod ends;
mod opening;
mod script;
mod time;
mod world;
