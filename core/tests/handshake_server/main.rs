//! The server's side of the opening handshake: each rule is tested with a literal request.
#![allow(clippy::unwrap_used)]

mod ends;
mod requests;
mod responses;
mod support;
