//! permessage-deflate between two cores, and against the examples of RFC 7692.
#![cfg(feature = "deflate")]
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, missing_docs)]

mod frames;
mod options;
mod round_trip;
mod support;
mod windows;
