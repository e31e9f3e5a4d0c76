//! The state of a compressor or of an inflater, and a pool to share it between connections.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use zlib_rs::{Deflate, Inflate};

/// An inflater and the last bytes that it gave out.
///
/// The window must live on over a block with BFINAL set (RFC 7692 §7.2.2), which ends the stream
/// for zlib: a new stream then gets the history as its dictionary.
pub(super) struct InflateContext {
    pub(super) inflate: Inflate,
    pub(super) history: History,
    /// A final block has just ended: the next byte begins a new stream.
    pub(super) ended: bool,
}

/// The last bytes of a stream, as many as a window holds.
#[derive(Debug)]
pub(super) struct History {
    bytes: Vec<u8>,
    oldest: usize,
    window: usize,
}

/// A compressor.
pub(super) struct DeflateContext {
    pub(super) deflate: Deflate,
    pub(super) settings: DeflateSettings,
}

/// What a compressor was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DeflateSettings {
    pub(super) level: u8,
    pub(super) mem_level: u8,
    pub(super) window_bits: u8,
}

impl InflateContext {
    pub(super) fn new(window_bits: u8) -> Self {
        Self {
            inflate: Inflate::new(false, window_bits),
            history: History::new(1 << window_bits),
            ended: false,
        }
    }

    /// Goes on behind a final block, with the window as it was.
    pub(super) fn restart(&mut self) -> Result<(), ()> {
        self.inflate.reset(false);
        self.ended = false;
        match self.history.contiguous() {
            [] => Ok(()),
            window => self.inflate.set_dictionary(window).map(|_| ()).map_err(|_| ()),
        }
    }

    /// Begins anew with an empty window.
    pub(super) fn clear(&mut self) {
        self.inflate.reset(false);
        self.history.clear();
        self.ended = false;
    }
}

impl History {
    const fn new(window: usize) -> Self {
        Self { bytes: Vec::new(), oldest: 0, window }
    }

    pub(super) fn push(&mut self, output: &[u8]) {
        let skipped = output.len().saturating_sub(self.window);
        let output = output.get(skipped..).unwrap_or_default();
        let room = self.window - self.bytes.len();
        let (fill, mut rest) = output.split_at(room.min(output.len()));
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
    fn contiguous(&mut self) -> &[u8] {
        self.bytes.rotate_left(self.oldest);
        self.oldest = 0;
        &self.bytes
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.oldest = 0;
    }
}

/// Compressors and inflaters that connections without context takeover borrow for one message each:
/// ten thousand idle connections then hold none. Clones are the same pool; it may be shared by
/// threads. At most as many contexts as it was made for are kept, each about 45 KiB for an inflater
/// with its history and 270 KiB for a compressor; when it is empty a context is made, when it is
/// full one is dropped.
#[derive(Clone)]
pub struct DeflatePool {
    #[cfg(feature = "std")]
    shelves: alloc::sync::Arc<std::sync::Mutex<Shelves>>,
    capacity: usize,
}

#[cfg(feature = "std")]
#[derive(Default)]
struct Shelves {
    inflaters: Vec<Box<InflateContext>>,
    compressors: Vec<Box<DeflateContext>>,
}

impl DeflatePool {
    /// A pool that keeps at most `capacity` inflaters and as many compressors.
    ///
    /// Without the feature `std` it keeps none, since sharing takes a lock.
    pub fn new(capacity: usize) -> Self {
        Self {
            #[cfg(feature = "std")]
            shelves: alloc::sync::Arc::default(),
            capacity,
        }
    }

    pub(super) fn inflater(&self, window_bits: u8) -> Option<Box<InflateContext>> {
        self.with(|shelves| {
            let fits = |context: &Box<InflateContext>| context.history.window == 1 << window_bits;
            let index = shelves.inflaters.iter().position(fits)?;
            Some(shelves.inflaters.swap_remove(index))
        })
    }

    pub(super) fn compressor(&self, settings: DeflateSettings) -> Option<Box<DeflateContext>> {
        self.with(|shelves| {
            let fits = |context: &Box<DeflateContext>| context.settings == settings;
            let index = shelves.compressors.iter().position(fits)?;
            Some(shelves.compressors.swap_remove(index))
        })
    }

    pub(super) fn return_inflater(&self, mut context: Box<InflateContext>) {
        context.clear();
        let capacity = self.capacity;
        self.with(|shelves| {
            if shelves.inflaters.len() < capacity {
                shelves.inflaters.push(context);
            }
            None::<()>
        });
    }

    pub(super) fn return_compressor(&self, mut context: Box<DeflateContext>) {
        context.deflate.reset();
        let capacity = self.capacity;
        self.with(|shelves| {
            if shelves.compressors.len() < capacity {
                shelves.compressors.push(context);
            }
            None::<()>
        });
    }

    #[cfg(feature = "std")]
    fn with<T>(&self, work: impl FnOnce(&mut Shelves) -> Option<T>) -> Option<T> {
        // Nothing under the lock can panic half-way, so a poisoned one is as good as new.
        let mut shelves = self.shelves.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        work(&mut shelves)
    }

    #[cfg(not(feature = "std"))]
    fn with<T>(&self, _work: impl FnOnce(&mut Shelves) -> Option<T>) -> Option<T> {
        None
    }
}

#[cfg(not(feature = "std"))]
#[derive(Default)]
struct Shelves {
    inflaters: Vec<Box<InflateContext>>,
    compressors: Vec<Box<DeflateContext>>,
}

impl PartialEq for DeflatePool {
    /// Whether this is the same pool.
    fn eq(&self, other: &Self) -> bool {
        #[cfg(feature = "std")]
        let same = alloc::sync::Arc::ptr_eq(&self.shelves, &other.shelves);
        #[cfg(not(feature = "std"))]
        let same = self.capacity == other.capacity;
        same
    }
}

impl Eq for DeflatePool {}

impl fmt::Debug for DeflatePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeflatePool").field("capacity", &self.capacity).finish_non_exhaustive()
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
