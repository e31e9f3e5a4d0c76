//! The counters of a server.

/// What a server has done so far, and how many clients it has now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Streams that the listener accepted.
    pub accepted: u64,
    /// Errors of the listener: it ran out of file descriptors, for example, or a connection was reset
    /// before it was accepted.
    pub accept_errors: u64,
    /// Opening handshakes in progress now.
    pub handshakes: usize,
    /// Connections open now. A connection counts until its stream is closed, wherever its socket or
    /// its parts are, and its handler has returned.
    pub open: usize,
    /// Clients now that were refused, have their response, and have not closed the stream yet.
    pub lingering: usize,
    /// Connections that were opened.
    pub opened: u64,
    /// Requests that were rejected: by the application, by the list of origins, or because the server
    /// was shutting down.
    pub refused: u64,
    /// Handshakes that failed in another way: the request was invalid or too slow, the client went
    /// away, or the decision took too long.
    pub failed_handshakes: u64,
    /// Handshakes that were closed in favour of newer ones, because there were too many and their
    /// request was not complete.
    pub displaced: u64,
    /// Streams that were closed at once, because their address had too many connections.
    pub too_many_of_address: u64,
    /// Handlers that returned an error.
    pub failed: u64,
    /// Handlers and decisions that panicked.
    pub panicked: u64,
    /// Connections and handshakes that the shutdown aborted.
    pub cut: u64,
}
