//! A server from outside: how it stands, and its end.

use std::sync::Arc;
use std::time::Duration;

use crate::serve::shared::Shared;

/// Shuts a server down, and tells how it stands. Clones are for the same server.
#[derive(Clone, Debug)]
pub struct ServerHandle(pub(crate) Arc<Shared>);

impl ServerHandle {
    /// Shuts the server down: nothing more is accepted, requests that come in get a 503, and every
    /// open connection is closed with 1001 (going away), which its handler sees as the end of the
    /// messages. What is still open after `drain` is cut, whole or in parts, wherever it is: its
    /// handler is dropped where it waits.
    ///
    /// Returns at once; the [`Server`](crate::serve::Server) ends when all is done. Later calls can only
    /// shorten the time. A handler that blocks its thread cannot be cut; the server waits one
    /// second for those and ends without them.
    pub fn shutdown(&self, drain: Duration) {
        self.0.stop(drain);
    }

    /// Whether it was told to shut down.
    pub fn is_shutting_down(&self) -> bool {
        self.0.is_stopping()
    }

    /// How it stands.
    pub fn counters(&self) -> Counters {
        self.0.counters()
    }
}

/// What a server has done so far, and does now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Streams that the listener gave.
    pub accepted: u64,
    /// Errors of the listener: file descriptors that ran out, connections reset before they were
    /// accepted.
    pub accept_errors: u64,
    /// Handshakes under way now.
    pub handshakes: usize,
    /// Connections open now: each until its stream is closed, wherever its socket or its parts are,
    /// and its handler has returned.
    pub open: usize,
    /// Refused clients that have their answer and have not closed the stream yet.
    pub lingering: usize,
    /// Connections that were opened.
    pub opened: u64,
    /// Requests that the application or the list of origins rejected, or the shutdown.
    pub refused: u64,
    /// Handshakes that came to nothing otherwise: not valid, too slow, gone, decided too slowly.
    pub failed_handshakes: u64,
    /// Handshakes without a complete request that gave way to newer ones, since there were too many.
    pub displaced: u64,
    /// Streams that were closed at once, since their address had as many connections as it may have.
    pub too_many_of_address: u64,
    /// Handlers that returned an error.
    pub failed: u64,
    /// Handlers and decisions that panicked.
    pub panicked: u64,
    /// Connections and handshakes that the shutdown cut.
    pub cut: u64,
}
