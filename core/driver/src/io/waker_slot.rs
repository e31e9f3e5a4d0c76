//! Leaving a waker under a lock, so that nothing of the application runs while it is held.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

/// Locks the state, leaves the waker of `cx` in its slot, and looks at it.
///
/// Cloning and dropping a waker runs code of the executor, which may want the same lock: it is
/// cloned before the lock is taken, and only if another one is there; that one is dropped after it
/// is released.
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
    let seen = look(&mut locked);
    drop(locked);
    drop(before);
    seen
}

/// Nothing that can panic runs under these locks but what the state's owner does itself.
pub(crate) fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
