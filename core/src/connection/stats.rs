//! ConnectionCounters of a connection: messages, bytes, pings and peaks.

/// What a connection has done so far: a snapshot that is cheap to take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Messages received.
    pub messages_in: u64,
    /// Messages accepted for sending. A message in chunks counts when its last chunk is accepted.
    pub messages_out: u64,
    /// Bytes that the caller passed in from the transport.
    pub bytes_in: u64,
    /// Bytes that the transport has taken.
    pub bytes_out: u64,
    /// How often the gate closed. Stops at `u32::MAX`.
    pub times_closed: u64,
    /// The most received messages that were queued at once.
    pub peak_messages: usize,
    /// The most received payload bytes that were queued at once.
    pub peak_bytes: usize,
    /// The most bytes of output that waited at once.
    pub peak_output: usize,
    /// Pings received. Stops at `u32::MAX`.
    pub pings_in: u64,
    /// Pongs received. Stops at `u32::MAX`.
    pub pongs_in: u64,
}

/// The counters that no other part of a connection keeps. Pings and pongs get 32 bits, to keep
/// connections small: it takes at least 8 GB of pings to reach that limit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ConnectionCounters {
    pub(crate) messages_in: u64,
    pub(crate) messages_out: u64,
    pub(crate) bytes_in: u64,
    pub(crate) pings_in: u32,
    pub(crate) pongs_in: u32,
}
