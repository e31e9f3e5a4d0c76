//! The state of a zlib compressor or inflater, which a connection keeps or borrows from a pool.

use alloc::vec::Vec;

use zlib_rs::{Deflate, Inflate};

/// An inflater and the last bytes of its output.
///
/// The history is needed after a block with BFINAL set. It ends the stream for zlib, but later messages
/// may still refer to the window (RFC 7692 §7.2.2). So a new stream gets the history as its dictionary.
pub(crate) struct InflateContext {
    pub(crate) inflate: Inflate,
    pub(crate) history: History,
    /// Whether a final block has just ended, so that the next byte begins a new stream.
    pub(crate) ended: bool,
}

/// The last bytes of a stream, up to the size of the window: all that the next message may refer to.
/// `zlib-rs` has a window of its own but no access to it.
#[derive(Debug)]
pub(crate) struct History {
    bytes: Vec<u8>,
    oldest: usize,
    pub(crate) window: usize,
}

/// A compressor and its settings.
pub(crate) struct DeflateContext {
    pub(crate) deflate: Deflate,
    pub(crate) settings: DeflateSettings,
}

/// The settings of a compressor. A pooled compressor fits only a connection with the same ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeflateSettings {
    pub(crate) level: u8,
    pub(crate) mem_level: u8,
    pub(crate) window_bits: u8,
}

impl InflateContext {
    pub(crate) fn new(window_bits: u8) -> Self {
        Self {
            inflate: Inflate::new(false, window_bits),
            history: History::new(1 << window_bits),
            ended: false,
        }
    }

    /// Starts a new stream after a final block, with the same window.
    pub(crate) fn restart(&mut self) -> Result<(), ()> {
        self.inflate.reset(false);
        self.ended = false;
        match self.history.contiguous() {
            [] => Ok(()),
            window => self.inflate.set_dictionary(window).map(|_| ()).map_err(|_| ()),
        }
    }

    /// Continues after a message whose window was kept by [`rest`](Self::rest).
    pub(crate) fn resume(&mut self, history: History) -> Result<(), ()> {
        self.history = history;
        self.restart()
    }

    /// Takes the window out, for a later [`resume`](Self::resume).
    pub(crate) fn rest(&mut self) -> History {
        let window = self.history.window;
        let mut history = core::mem::replace(&mut self.history, History::new(window));
        history.shrink();
        history
    }

    /// Resets the inflater, with an empty window.
    pub(crate) fn clear(&mut self) {
        self.inflate.reset(false);
        self.history.clear();
        self.ended = false;
    }
}

impl History {
    pub(crate) const fn new(window: usize) -> Self {
        Self { bytes: Vec::new(), oldest: 0, window }
    }

    pub(crate) fn push(&mut self, output: &[u8]) {
        // Only the last bytes of a long output can be referred to. Without this, `rest` would go
        // around the ring more than once.
        let skipped = output.len().saturating_sub(self.window);
        let output = output.get(skipped..).unwrap_or_default();
        let room = self.window - self.bytes.len();
        let (fill, mut rest) = output.split_at(room.min(output.len()));
        let (length, capacity) = (self.bytes.len(), self.bytes.capacity());
        if length + fill.len() > capacity {
            // Doubles the capacity, up to the size of the window.
            let more = (2 * capacity).min(self.window).max(length + fill.len()) - length;
            self.bytes.reserve_exact(more);
        }
        self.bytes.extend_from_slice(fill);
        while !rest.is_empty() {
            // The ring is full here, so the oldest bytes are overwritten.
            let free = self.bytes.get_mut(self.oldest..).unwrap_or_default();
            let (now, later) = rest.split_at(rest.len().min(free.len()));
            for (slot, byte) in free.iter_mut().zip(now) {
                *slot = *byte;
            }
            self.oldest = (self.oldest + now.len()) % self.window;
            rest = later;
        }
    }

    /// The bytes, oldest first.
    pub(crate) fn contiguous(&mut self) -> &[u8] {
        self.bytes.rotate_left(self.oldest);
        self.oldest = 0;
        &self.bytes
    }

    pub(crate) fn shrink(&mut self) {
        self.contiguous();
        self.bytes.shrink_to_fit();
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.oldest = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_keeps_the_last_window_in_order() {
        for size in [1, 3, 7, 16, 40] {
            let mut history = History::new(16);
            let all: Vec<u8> = (0..200).collect();
            for piece in all.chunks(size) {
                history.push(piece);
            }
            assert_eq!(history.contiguous(), &all[184..], "in pieces of {size}");
            history.push(b"more");
            assert_eq!(history.contiguous(), [&all[188..], b"more"].concat());
        }
    }
}
