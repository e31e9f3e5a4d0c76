//! The whole connection against a naive reference.
#![allow(clippy::unwrap_used, clippy::std_instead_of_alloc)]

mod turns;
