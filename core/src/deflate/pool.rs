//! A pool of compressors and inflaters that connections share to save memory.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::deflate::context::{DeflateContext, DeflateSettings, InflateContext};

/// A pool of compressors and inflaters for many connections.
///
/// A connection without context takeover borrows one for each message, so an idle connection holds none.
/// A connection with context takeover returns its own when it has been idle for a while.
///
/// An inflater takes about 80 KiB with its history, a compressor about 275 KiB. The pool keeps at most as
/// many of each as [`new`](Self::new) says. If it is empty a new one is created; if it is full, a returned
/// one is freed. Clones share the same pool, also between threads.
#[derive(Clone)]
pub struct DeflatePool {
    pooled: alloc::sync::Arc<std::sync::Mutex<Pooled>>,
    capacity: usize,
}

impl DeflatePool {
    /// Creates a pool that keeps at most `capacity` inflaters and as many compressors.
    pub fn new(capacity: usize) -> Self {
        Self { pooled: alloc::sync::Arc::default(), capacity }
    }

    pub(crate) fn inflater(&self, window_bits: u8) -> Option<Box<InflateContext>> {
        self.with(|pooled| {
            let window = 1 << window_bits;
            let mut inflaters = pooled.inflaters.iter();
            let index = inflaters.position(|context| context.history.window == window)?;
            Some(pooled.inflaters.swap_remove(index))
        })
    }

    pub(crate) fn compressor(&self, settings: DeflateSettings) -> Option<Box<DeflateContext>> {
        self.with(|pooled| {
            let mut compressors = pooled.compressors.iter();
            let index = compressors.position(|context| context.settings == settings)?;
            Some(pooled.compressors.swap_remove(index))
        })
    }

    pub(crate) fn return_inflater(&self, mut context: Box<InflateContext>) {
        // Before the context is shared: the next connection must not see what this one's peer sent.
        context.clear();
        let capacity = self.capacity;
        self.with(|pooled| {
            if pooled.inflaters.len() < capacity {
                pooled.inflaters.push(context);
            }
            None::<()>
        });
    }

    pub(crate) fn return_compressor(&self, mut context: Box<DeflateContext>) {
        // The next connection must not refer to text of this one in its window.
        context.deflate.reset();
        let capacity = self.capacity;
        self.with(|pooled| {
            if pooled.compressors.len() < capacity {
                pooled.compressors.push(context);
            }
            None::<()>
        });
    }

    fn with<T>(&self, work: impl FnOnce(&mut Pooled) -> Option<T>) -> Option<T> {
        // No panic can leave the vectors half changed, so a poisoned lock may be used.
        let mut pooled = self.pooled.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        work(&mut pooled)
    }
}

/// The contexts are boxed, so that borrowing one moves only a pointer.
#[derive(Default)]
#[allow(clippy::vec_box)]
struct Pooled {
    inflaters: Vec<Box<InflateContext>>,
    compressors: Vec<Box<DeflateContext>>,
}

impl PartialEq for DeflatePool {
    /// Whether this is the same pool.
    fn eq(&self, other: &Self) -> bool {
        alloc::sync::Arc::ptr_eq(&self.pooled, &other.pooled)
    }
}

impl Eq for DeflatePool {}

impl fmt::Debug for DeflatePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeflatePool").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}
