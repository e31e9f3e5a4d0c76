//! Registers wakers under a lock, without running foreign code while the lock is held.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

/// Locks the state, stores the waker of `cx` in `slot`, and calls `look` on the state.
///
/// Cloning and dropping a waker run code of the executor, which may need the same lock. So the waker
/// is cloned before the lock is taken, and only if the slot has another one. The old waker is dropped
/// after the lock is released.
pub(crate) fn look_and_leave<T, R>(
    state: &Mutex<T>,
    cx: &Context<'_>,
    slot: impl Fn(&mut T) -> &mut Option<Waker>,
    look: impl FnOnce(&mut T) -> R,
) -> R {
    let is_left =
        |state: &mut T| slot(state).as_ref().is_some_and(|left| left.will_wake(cx.waker()));
    let mut locked = lock(state);
    if is_left(&mut locked) {
        return look(&mut locked);
    }
    drop(locked);
    let waker = cx.waker().clone();
    let mut locked = lock(state);
    let before = slot(&mut locked).replace(waker);
    // Under the lock under which the waker was left: whoever changes the state after this look
    // finds the waker.
    let seen = look(&mut locked);
    drop(locked);
    drop(before);
    seen
}

/// Locks `state`, also after a panic: only the owner's own code runs under these locks, and it leaves
/// the state consistent.
pub(crate) fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
