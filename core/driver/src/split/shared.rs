//! The lock around the state of a split connection, and waking the driver after a change.

use std::sync::{Mutex, MutexGuard};

use crate::io::lock;
use crate::split::driver_task::DriverNeeds;
use crate::split::state::SplitState;
use crate::split::wakes::Wakes;

/// The state under its lock. The lock is held while one call of the core runs, and never while
/// something is awaited.
pub(crate) struct SharedConnection(Mutex<SplitState>);

impl SharedConnection {
    pub(crate) const fn new(state: SplitState) -> Self {
        Self(Mutex::new(state))
    }

    /// A lock that was poisoned is used all the same. Code of the application that panics under it,
    /// such as a stream or a waker, does so between two steps of the connection, so the state is
    /// consistent and the other parts can go on.
    pub(crate) fn lock(&self) -> MutexGuard<'_, SplitState> {
        lock(&self.0)
    }

    /// Changes the state, and wakes the driver if it must act on the change.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut SplitState, &mut Wakes) -> T) -> T {
        let mut wakes = Wakes::default();
        let mut state = self.lock();
        let before = state.needs_if_it_sleeps();
        let value = change(&mut state, &mut wakes);
        // A quiet call before this one may have left a change untold: this call tells the driver
        // of both.
        if state.is_untold || has_changed(before, &state) {
            state.notify(&mut wakes);
        }
        drop(state);
        // Without the lock: a waker runs code of the executor, which may take the lock.
        wakes.wake();
        value
    }

    /// Changes the state, and leaves it to a later call to wake the driver, unless `change` does so.
    pub(crate) fn with_quietly<T>(
        &self,
        change: impl FnOnce(&mut SplitState, &mut Wakes) -> T,
    ) -> T {
        let mut wakes = Wakes::default();
        let mut state = self.lock();
        let before = state.needs_if_it_sleeps();
        let value = change(&mut state, &mut wakes);
        state.is_untold |= has_changed(before, &state);
        drop(state);
        wakes.wake();
        value
    }
}

#[inline(always)]
fn has_changed(before: Option<DriverNeeds>, state: &SplitState) -> bool {
    before.is_some_and(|before| DriverNeeds::of(&state.connection) != before)
}
