//! Shutting a server down from outside, and reading its counters.

use std::sync::Arc;
use std::time::Duration;

use crate::serve::counters::Counters;
use crate::serve::server_state::SharedServer;

/// Shuts a server down and reads its counters. Clones belong to the same server.
#[derive(Clone, Debug)]
pub struct ServerHandle(pub(crate) Arc<SharedServer>);

impl ServerHandle {
    /// Shuts the server down. It accepts no more streams, answers new requests with 503, and closes
    /// every open connection with 1001 (going away). A handler sees that as the end of the messages.
    /// Connections that are still open after `drain`, whole or split, are aborted, and their handlers
    /// are dropped where they wait.
    ///
    /// This returns at once; the [`Server`](crate::serve::Server) completes when all is done. Further
    /// calls can only shorten the time. A handler that blocks its thread cannot be dropped: the
    /// server waits one second for such handlers and then completes without them.
    pub fn shutdown(&self, drain: Duration) {
        self.0.stop(drain);
    }

    /// Returns whether the server was told to shut down.
    pub fn is_shutting_down(&self) -> bool {
        self.0.is_stopping()
    }

    /// Returns the counters.
    pub fn counters(&self) -> Counters {
        self.0.counters()
    }
}
