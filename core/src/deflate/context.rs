//! The state of a compressor or of an inflater.

use alloc::vec::Vec;

use zlib_rs::{Deflate, Inflate};

/// An inflater and the last bytes that it gave out.
///
/// The window must live on over a block with BFINAL set (RFC 7692 §7.2.2), which ends the stream
/// for zlib: a new stream then gets the history as its dictionary.
pub(crate) struct InflateContext {
    pub(crate) inflate: Inflate,
    pub(crate) history: History,
    /// A final block has just ended: the next byte begins a new stream.
    pub(crate) ended: bool,
}

/// The last bytes of a stream, as many as a window holds: all that the next message may refer to.
/// `zlib-rs` does not show its own.
#[derive(Debug)]
pub(crate) struct History {
    bytes: Vec<u8>,
    oldest: usize,
    pub(crate) window: usize,
}

/// A compressor.
pub(crate) struct DeflateContext {
    pub(crate) deflate: Deflate,
    pub(crate) settings: DeflateSettings,
}

/// What a compressor was made for.
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

    /// Goes on behind a final block, with the window as it was.
    pub(crate) fn restart(&mut self) -> Result<(), ()> {
        self.inflate.reset(false);
        self.ended = false;
        match self.history.contiguous() {
            [] => Ok(()),
            window => self.inflate.set_dictionary(window).map(|_| ()).map_err(|_| ()),
        }
    }

    /// Goes on where another one stopped at the end of a message.
    pub(crate) fn resume(&mut self, history: History) -> Result<(), ()> {
        self.history = history;
        self.restart()
    }

    /// The window, for a later [`resume`](Self::resume); this one is empty then.
    pub(crate) fn rest(&mut self) -> History {
        let window = self.history.window;
        let mut history = core::mem::replace(&mut self.history, History::new(window));
        history.shrink();
        history
    }

    /// Begins anew with an empty window.
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
        let skipped = output.len().saturating_sub(self.window);
        let output = output.get(skipped..).unwrap_or_default();
        let room = self.window - self.bytes.len();
        let (fill, mut rest) = output.split_at(room.min(output.len()));
        let (length, capacity) = (self.bytes.len(), self.bytes.capacity());
        if length + fill.len() > capacity {
            // Twice as much, but never more than a window.
            let more = (2 * capacity).min(self.window).max(length + fill.len()) - length;
            self.bytes.reserve_exact(more);
        }
        self.bytes.extend_from_slice(fill);
        while !rest.is_empty() {
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
