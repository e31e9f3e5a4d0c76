//! What a sender that is used as a `Sink` waits for between two polls.

/// What the sender waits for as a sink.
#[derive(Clone, Copy)]
pub(crate) enum SinkWait {
    Nothing,
    Room(u64),
    Written(SinkFlush),
}

/// A flush that waits, or was given up: which of the two is not known when the sink is polled.
#[derive(Clone, Copy)]
pub(crate) struct SinkFlush {
    pub(crate) ticket: u64,
    /// How many bytes had been accepted, which is what the ticket waits for.
    pub(crate) accepted: u64,
    /// How often it has begun anew for what was accepted since.
    pub(crate) rounds: u8,
}
