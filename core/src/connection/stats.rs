//! Counters of a connection.

/// What a connection has done so far, as one cheap snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Messages decoded.
    pub messages_in: u64,
    /// Messages accepted for sending; one in chunks counts when its last chunk is.
    pub messages_out: u64,
    /// Bytes handed over by the caller.
    pub bytes_in: u64,
    /// Bytes taken by the transport.
    pub bytes_out: u64,
    /// How often the gate closed, `u32::MAX` at most.
    pub times_closed: u64,
    /// The most messages that were queued at once.
    pub peak_messages: usize,
    /// The most payload bytes that were queued at once.
    pub peak_bytes: usize,
    /// The most bytes of output that waited at once.
    pub peak_output: usize,
    /// Pings decoded, `u32::MAX` at most.
    pub pings_in: u64,
    /// Pongs decoded, `u32::MAX` at most.
    pub pongs_in: u64,
}

/// What is counted here; the rest is counted where it happens. What takes 25 GB of traffic at least
/// to reach the end of 32 bits stays there, for the sake of a million idle connections.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) messages_in: u64,
    pub(crate) messages_out: u64,
    pub(crate) bytes_in: u64,
    pub(crate) pings_in: u32,
    pub(crate) pongs_in: u32,
}
