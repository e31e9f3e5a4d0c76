//! Input that was handed over and not decoded, because the gate closed in the middle of it.

use alloc::boxed::Box;
use alloc::vec::Vec;

/// A queue of bytes. Holds no memory while it is empty.
#[derive(Debug, Default)]
pub(crate) struct Stash(Option<Box<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    decoded: usize,
}

impl Stash {
    pub(crate) fn push(&mut self, input: &[u8]) {
        // What was decoded is dropped when it is most of the buffer: each byte moves a bounded
        // number of times.
        let Kept { bytes, decoded } = &mut **self.0.get_or_insert_default();
        if *decoded > bytes.len() / 2 {
            bytes.drain(..*decoded);
            *decoded = 0;
        }
        if bytes.is_empty() {
            bytes.reserve_exact(input.len());
        }
        bytes.extend_from_slice(input);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.0 {
            Some(kept) => kept.bytes.get(kept.decoded..).unwrap_or_default(),
            None => &[],
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// All but the last `left` bytes were decoded.
    pub(crate) fn keep_last(mut self, left: usize) -> Self {
        if left == 0 {
            return Self::default();
        }
        if let Some(kept) = &mut self.0 {
            kept.decoded = kept.bytes.len().saturating_sub(left);
        }
        self
    }
}
