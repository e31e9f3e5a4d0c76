//! The outbox, tested through the connection: what is sent, in which order, and how much is queued.
#![allow(clippy::unwrap_used, missing_docs)]

mod control;
mod copies;
mod fragments;
mod order;
mod support;
mod watermarks;
