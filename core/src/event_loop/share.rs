//! How much a connection may do in one call, so that the others have their turn.

/// What is left of a connection's share of a call, in bytes.
#[derive(Debug)]
pub(crate) struct Share(usize);

impl Share {
    pub(crate) const fn new() -> Self {
        Self(SHARE)
    }

    /// A call of the stream, which moved so many bytes.
    pub(crate) fn take_call(&mut self, bytes: usize) {
        self.0 = self.0.saturating_sub(bytes.max(CALL));
    }

    /// An event with so much payload was handed over.
    pub(crate) fn take_event(&mut self, bytes: usize) {
        self.0 = self.0.saturating_sub(bytes.saturating_add(EVENT));
    }

    pub(crate) const fn is_used_up(&self) -> bool {
        self.0 == 0
    }
}

/// Sixteen full reads, or one message of the default limit: some hundred microseconds.
const SHARE: usize = 1024 * 1024;

/// The least that a call costs. A peer that sends single bytes gets 256 reads.
const CALL: usize = 4 * 1024;

/// What an event costs beside its payload. A flood of empty messages gets 16,384.
const EVENT: usize = 64;
