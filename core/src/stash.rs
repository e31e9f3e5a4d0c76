//! Input that was handed over and not decoded, because the gate closed in the middle of it.

use alloc::vec::Vec;

/// A queue of bytes. Holds no memory while it is empty.
#[derive(Debug, Default)]
pub(crate) struct Stash {
    bytes: Vec<u8>,
    decoded: usize,
}

impl Stash {
    pub(crate) fn push(&mut self, input: &[u8]) {
        // What was decoded is dropped when it is most of the buffer: each byte moves a bounded
        // number of times.
        if self.decoded > self.bytes.len() / 2 {
            self.bytes.drain(..self.decoded);
            self.decoded = 0;
        }
        if self.bytes.is_empty() {
            self.bytes.reserve_exact(input.len());
        }
        self.bytes.extend_from_slice(input);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(self.decoded..).unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes().is_empty()
    }

    /// All but the last `left` bytes were decoded.
    pub(crate) fn keep_last(mut self, left: usize) -> Self {
        if left == 0 {
            return Self::default();
        }
        self.decoded = self.bytes.len().saturating_sub(left);
        self
    }
}
