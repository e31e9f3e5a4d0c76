//! What the calls `flush`, `ping` and `close` of a sender wait for.

use std::time::Duration;

use tidegate_core::Timestamp;

/// What one call waits for.
#[derive(Debug)]
pub(crate) enum WaitFor {
    /// The first `accepted` bytes that the outbox has accepted are written.
    Written { accepted: u64 },
    /// A ping is sent, and then answered.
    Ping,
    /// The ping with this number is answered before the limit.
    Pong { number: u32, limit: Option<Timestamp>, has_read: bool },
    /// Nothing more: the ping was answered, or will not be.
    Answered(Option<Duration>),
    /// The connection ends.
    End,
}
