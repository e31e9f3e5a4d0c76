//! Calls that wait, in the order in which they came.

use std::collections::BTreeMap;
use std::task::Waker;

/// A queue of waiting tasks. Each entry is a call that has not returned, so the queue is never
/// longer than there are such calls.
///
/// A map by ticket, not a list: a call that is cancelled leaves from anywhere in the queue, while
/// the lock of the connection is held. At any length that takes logarithmic time.
#[derive(Debug)]
pub(crate) struct WaitQueue<T>(BTreeMap<u64, QueueEntry<T>>);

/// A call that waits.
#[derive(Debug)]
pub(crate) struct QueueEntry<T> {
    ticket: u64,
    /// The item that waits for room, or what the call waits for.
    pub(crate) value: T,
    /// Taken when it is woken.
    pub(crate) waker: Option<Waker>,
}

impl<T> Default for WaitQueue<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> WaitQueue<T> {
    /// Adds an entry at the end. Tickets are given out in rising order.
    pub(crate) fn join(&mut self, ticket: u64, value: T, waker: Option<Waker>) {
        self.rejoin(QueueEntry { ticket, value, waker });
    }

    /// Removes an entry from anywhere in the queue, because its call was cancelled or can go on.
    pub(crate) fn leave(&mut self, ticket: u64) -> Option<QueueEntry<T>> {
        self.0.remove(&ticket)
    }

    /// The entry, if it is still there.
    pub(crate) fn get_mut(&mut self, ticket: u64) -> Option<&mut QueueEntry<T>> {
        self.0.get_mut(&ticket)
    }

    /// Puts an entry back to where it was.
    pub(crate) fn rejoin(&mut self, entry: QueueEntry<T>) {
        self.0.insert(entry.ticket, entry);
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut QueueEntry<T>> {
        self.0.values_mut()
    }

    /// The ticket of the first entry for which `is_wanted` returns true.
    pub(crate) fn first(&self, mut is_wanted: impl FnMut(&T) -> bool) -> Option<u64> {
        self.0.values().find(|entry| is_wanted(&entry.value)).map(|entry| entry.ticket)
    }

    pub(crate) fn any(&self, is_wanted: impl FnMut(&T) -> bool) -> bool {
        self.first(is_wanted).is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
