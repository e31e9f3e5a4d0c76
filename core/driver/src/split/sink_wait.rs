//! What a sender that is used as a `Sink` waits for between two polls.

/// What the sender waits for as a sink.
#[derive(Clone, Copy)]
pub(crate) enum SinkWait {
    Nothing,
    /// For room, with this ticket.
    Room(u64),
    /// For everything to be written.
    Written(SinkFlush),
}

/// A flush that waits, or one that was cancelled: a sink learns of neither, it is only polled or not.
#[derive(Clone, Copy)]
pub(crate) struct SinkFlush {
    pub(crate) ticket: u64,
    /// How many bytes had been accepted, which is what the ticket waits for.
    pub(crate) accepted: u64,
    /// How often it has started again for what was accepted since.
    pub(crate) rounds: u8,
}
