//! What the process allocates while it is attacked.

use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;

use peak_alloc::PeakAlloc;
use tidegate_core::READ_SIZE;
use tidegate_tests::ends::Adapter;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Keeps other tests out: they would be counted, too.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the process has allocated since this began.
pub(crate) struct Growth {
    before: usize,
}

impl Growth {
    /// Begins when what was before has been released: tasks end on other threads.
    pub(crate) async fn begin<A: Adapter>() -> Self {
        let mut before = usize::MAX;
        while before != MEMORY.current_usage() {
            before = MEMORY.current_usage();
            A::sleep(Duration::from_millis(20)).await;
        }
        MEMORY.reset_peak_usage();
        Self { before }
    }

    /// The most it ever was, in bytes, without the buffers for reading that belong to the threads of
    /// the runtime, whatever the number of connections.
    pub(crate) fn peak(&self) -> usize {
        let threads = 2 + available_parallelism().map_or(1, usize::from);
        MEMORY.peak_usage().saturating_sub(self.before + threads * READ_SIZE)
    }

    /// What is left of it when all is released, as [`peak`](Self::peak) counts.
    pub(crate) async fn left<A: Adapter>(&self) -> usize {
        let mut left = usize::MAX;
        while left != MEMORY.current_usage() {
            left = MEMORY.current_usage();
            A::sleep(Duration::from_millis(20)).await;
        }
        let threads = 2 + available_parallelism().map_or(1, usize::from);
        left.saturating_sub(self.before + threads * READ_SIZE)
    }

    /// The most it ever was with these buffers, in bytes: for what must not be small.
    pub(crate) fn gross_peak(&self) -> usize {
        MEMORY.peak_usage().saturating_sub(self.before)
    }
}

/// What is nearly nothing: no input of an attacker is kept in so little, and a task and its timer
/// fit.
pub(crate) const FLAT: usize = 16 * 1024;
