//! Measures what the process allocates during an attack.

use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;

use peak_alloc::PeakAlloc;
use tidegate_core::READ_SIZE;
use tidegate_tests::ends::Adapter;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Excludes other tests, whose memory would be counted too.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the process has allocated since the measurement began.
pub(crate) struct Growth {
    before: usize,
}

impl Growth {
    /// Begins when earlier memory has been freed, since tasks end on other threads.
    pub(crate) async fn begin<A: Adapter>() -> Self {
        let mut before = usize::MAX;
        while before != MEMORY.current_usage() {
            before = MEMORY.current_usage();
            A::sleep(Duration::from_millis(20)).await;
        }
        MEMORY.reset_peak_usage();
        Self { before }
    }

    /// The peak in bytes, without the read buffers. Those belong to the runtime's threads and do not
    /// depend on the number of connections.
    pub(crate) fn peak(&self) -> usize {
        let threads = 2 + available_parallelism().map_or(1, usize::from);
        MEMORY.peak_usage().saturating_sub(self.before + threads * READ_SIZE)
    }

    /// What is left when everything is freed, counted as in [`peak`](Self::peak).
    pub(crate) async fn left<A: Adapter>(&self) -> usize {
        let mut left = usize::MAX;
        while left != MEMORY.current_usage() {
            left = MEMORY.current_usage();
            A::sleep(Duration::from_millis(20)).await;
        }
        let threads = 2 + available_parallelism().map_or(1, usize::from);
        left.saturating_sub(self.before + threads * READ_SIZE)
    }

    /// The peak in bytes including these buffers, for tests that expect a minimum.
    pub(crate) fn gross_peak(&self) -> usize {
        MEMORY.peak_usage().saturating_sub(self.before)
    }
}

/// An amount that counts as nothing: enough for a task and its timer, but too little to store an
/// attacker's input.
pub(crate) const FLAT: usize = 16 * 1024;
