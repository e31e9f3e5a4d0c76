//! What is woken and dropped after the lock of a split connection is released.

use std::task::Waker;

use tidegate_core::Event;

/// Wakers to wake or to drop, and messages to drop, after the lock is released. Each of these can
/// run code of the executor or of the application, and that code may take the lock.
#[derive(Debug, Default)]
#[must_use = "the tasks in it must be woken"]
pub(crate) struct Wakes {
    /// Most calls wake one task or none.
    first: Option<Waker>,
    /// Boxed since it is rare, and every call makes a `Wakes` and drops it.
    others: Option<Box<OtherWakes>>,
}

#[derive(Debug, Default)]
struct OtherWakes {
    woken: Vec<Waker>,
    dropped: Vec<Waker>,
    events: Vec<Event>,
}

impl Wakes {
    /// Wakes a task later.
    pub(crate) fn push(&mut self, waker: Option<Waker>) {
        let Some(waker) = waker else { return };
        if self.first.is_none() {
            self.first = Some(waker);
        } else {
            self.others.get_or_insert_default().woken.push(waker);
        }
    }

    /// Leaves this task's waker in a slot, unless it is there already.
    pub(crate) fn leave(&mut self, slot: &mut Option<Waker>, waker: &Waker) {
        if !slot.as_ref().is_some_and(|left| left.will_wake(waker)) {
            let left = slot.replace(waker.clone());
            self.discard(left);
        }
    }

    /// Drops the waker of a task that has stopped waiting.
    pub(crate) fn discard(&mut self, waker: Option<Waker>) {
        if let Some(waker) = waker {
            self.others.get_or_insert_default().dropped.push(waker);
        }
    }

    /// Drops a message that nobody takes. Its buffer may be the application's, and so may the code
    /// that frees it.
    pub(crate) fn drop_later(&mut self, event: Event) {
        self.others.get_or_insert_default().events.push(event);
    }

    /// Wakes and drops everything in it. Usually there is nothing, so only that check is inlined.
    #[inline(always)]
    pub(crate) fn wake(self) {
        if self.first.is_some() || self.others.is_some() {
            self.wake_all();
        }
    }

    #[inline(never)]
    fn wake_all(self) {
        if let Some(first) = self.first {
            first.wake();
        }
        if let Some(others) = self.others {
            others.woken.into_iter().for_each(Waker::wake);
        }
    }
}
