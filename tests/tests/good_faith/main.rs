//! Good faith: a correct peer, a reasonable application, any timing. Tests what users expect: no
//! connection is cut, no call waits without reason, and every reported cause is true.
//!
//! Time is virtual, and the settings are the defaults unless a test says otherwise. The peer shares
//! no code with Tidegate, and nothing here is derived from how the library works.
//!
//! `GOOD_FAITH_SEEDS` sets how many seeds of `any_timing` run (60 by default), and `GOOD_FAITH_SEED`
//! runs one.
#![allow(clippy::unwrap_used, clippy::std_instead_of_alloc, clippy::wildcard_enum_match_arm)]

mod any_timing;
mod closing;
mod codes;
mod core_calls;
mod errors;
mod executor;
mod frames;
mod keepalive;
mod link;
mod peer;
mod pings;
mod reunite;
mod scene;
mod sending;
mod slow_links;
mod told;
mod world;
