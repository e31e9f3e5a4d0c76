//! How much work one call does for a connection before it lets the caller serve others.

/// What is left of the work that a call may do, in bytes. Reads, writes and events that move few
/// bytes cost a minimum, because each of them takes time.
#[derive(Debug)]
pub(crate) struct Budget(usize);

impl Budget {
    pub(crate) const fn new() -> Self {
        Self(BYTES)
    }

    /// Charges one read or write of the stream that moved so many bytes.
    pub(crate) fn charge_io(&mut self, bytes: usize) {
        self.0 = self.0.saturating_sub(bytes.max(IO_MINIMUM));
    }

    /// Charges one event with so many bytes of payload.
    pub(crate) fn charge_event(&mut self, bytes: usize) {
        self.0 = self.0.saturating_sub(bytes.saturating_add(EVENT));
    }

    pub(crate) const fn is_used_up(&self) -> bool {
        self.0 == 0
    }
}

/// Sixteen full reads, or one message of the default limit: some hundred microseconds of work.
const BYTES: usize = 1024 * 1024;

/// A peer that sends single bytes gets 256 reads in a call.
const IO_MINIMUM: usize = 4 * 1024;

/// A peer that floods us with empty messages gets 16,384 of them handed over in a call.
const EVENT: usize = 64;
