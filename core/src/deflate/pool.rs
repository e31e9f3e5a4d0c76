//! Compressors and inflaters that connections share.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::deflate::context::{DeflateContext, DeflateSettings, InflateContext};

/// Compressors and inflaters that connections without context takeover borrow for one message each:
/// ten thousand idle connections then hold none. Connections with takeover give theirs back while
/// they rest. Clones are the same pool; it may be shared by
/// threads. At most as many contexts as it was made for are kept, each about 80 KiB for an inflater
/// with its history and 275 KiB for a compressor; when it is empty a context is made, when it is
/// full one is dropped.
#[derive(Clone)]
pub struct DeflatePool {
    shelves: alloc::sync::Arc<std::sync::Mutex<Shelves>>,
    capacity: usize,
}

impl DeflatePool {
    /// A pool that keeps at most `capacity` inflaters and as many compressors.
    pub fn new(capacity: usize) -> Self {
        Self { shelves: alloc::sync::Arc::default(), capacity }
    }

    pub(crate) fn inflater(&self, window_bits: u8) -> Option<Box<InflateContext>> {
        self.with(|shelves| {
            let window = 1 << window_bits;
            let mut inflaters = shelves.inflaters.iter();
            let index = inflaters.position(|context| context.history.window == window)?;
            Some(shelves.inflaters.swap_remove(index))
        })
    }

    pub(crate) fn compressor(&self, settings: DeflateSettings) -> Option<Box<DeflateContext>> {
        self.with(|shelves| {
            let mut compressors = shelves.compressors.iter();
            let index = compressors.position(|context| context.settings == settings)?;
            Some(shelves.compressors.swap_remove(index))
        })
    }

    pub(crate) fn return_inflater(&self, mut context: Box<InflateContext>) {
        context.clear();
        let capacity = self.capacity;
        self.with(|shelves| {
            if shelves.inflaters.len() < capacity {
                shelves.inflaters.push(context);
            }
            None::<()>
        });
    }

    pub(crate) fn return_compressor(&self, mut context: Box<DeflateContext>) {
        context.deflate.reset();
        let capacity = self.capacity;
        self.with(|shelves| {
            if shelves.compressors.len() < capacity {
                shelves.compressors.push(context);
            }
            None::<()>
        });
    }

    fn with<T>(&self, work: impl FnOnce(&mut Shelves) -> Option<T>) -> Option<T> {
        // Nothing under the lock can panic half-way, so a poisoned one is as good as new.
        let mut shelves = self.shelves.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        work(&mut shelves)
    }
}

/// Boxed, since they go from hand to hand.
#[derive(Default)]
#[allow(clippy::vec_box)]
struct Shelves {
    inflaters: Vec<Box<InflateContext>>,
    compressors: Vec<Box<DeflateContext>>,
}

impl PartialEq for DeflatePool {
    /// Whether this is the same pool.
    fn eq(&self, other: &Self) -> bool {
        alloc::sync::Arc::ptr_eq(&self.shelves, &other.shelves)
    }
}

impl Eq for DeflatePool {}

impl fmt::Debug for DeflatePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeflatePool").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}
