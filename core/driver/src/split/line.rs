//! Those who wait, in the order in which they came.

use std::collections::BTreeMap;
use std::task::Waker;

use tidegate_core::Event;

/// A line of waiting tasks. Everyone in it is a call that has not returned, so it is as long as
/// there are such calls, and no longer.
///
/// By ticket: a call that is cancelled leaves from anywhere in the line, and the lock of the
/// connection is held meanwhile. Whatever the length, that takes logarithmic time.
#[derive(Debug)]
pub(crate) struct Line<T>(BTreeMap<u64, Place<T>>);

/// One who waits.
#[derive(Debug)]
pub(crate) struct Place<T> {
    ticket: u64,
    /// What is waited for.
    pub(crate) value: T,
    /// Taken when it is woken.
    pub(crate) waker: Option<Waker>,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Line<T> {
    /// Goes to the end of the line. Tickets are given out in rising order.
    pub(crate) fn join(&mut self, ticket: u64, value: T, waker: Option<Waker>) {
        self.rejoin(Place { ticket, value, waker });
    }

    /// Leaves the line, from wherever: cancelled, or to be served.
    pub(crate) fn leave(&mut self, ticket: u64) -> Option<Place<T>> {
        self.0.remove(&ticket)
    }

    /// The place in the line, if it is still there.
    pub(crate) fn get_mut(&mut self, ticket: u64) -> Option<&mut Place<T>> {
        self.0.get_mut(&ticket)
    }

    /// Goes back to where it was in the line.
    pub(crate) fn rejoin(&mut self, place: Place<T>) {
        self.0.insert(place.ticket, place);
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Place<T>> {
        self.0.values_mut()
    }

    /// The ticket of the first that is wanted.
    pub(crate) fn first(&self, mut is_wanted: impl FnMut(&T) -> bool) -> Option<u64> {
        self.0.values().find(|place| is_wanted(&place.value)).map(|place| place.ticket)
    }

    pub(crate) fn any(&self, is_wanted: impl FnMut(&T) -> bool) -> bool {
        self.first(is_wanted).is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Wakers that are to be woken, or dropped, and messages that are dropped when the lock is released:
/// each can run code of the executor and of the application, and that code may want the lock.
#[derive(Debug, Default)]
#[must_use = "somebody waits"]
pub(crate) struct Wakes {
    /// One is the usual number.
    first: Option<Waker>,
    /// Seldom there: every call makes one of these and drops it.
    others: Option<Box<Others>>,
}

#[derive(Debug, Default)]
struct Others {
    woken: Vec<Waker>,
    dropped: Vec<Waker>,
    events: Vec<Event>,
}

impl Wakes {
    pub(crate) fn push(&mut self, waker: Option<Waker>) {
        let Some(waker) = waker else { return };
        if self.first.is_none() {
            self.first = Some(waker);
        } else {
            self.others.get_or_insert_default().woken.push(waker);
        }
    }

    /// Leaves this task's waker in a slot.
    pub(crate) fn leave(&mut self, slot: &mut Option<Waker>, waker: &Waker) {
        if !slot.as_ref().is_some_and(|left| left.will_wake(waker)) {
            let left = slot.replace(waker.clone());
            self.discard(left);
        }
    }

    /// Nobody waits with this one any more.
    pub(crate) fn discard(&mut self, waker: Option<Waker>) {
        if let Some(waker) = waker {
            self.others.get_or_insert_default().dropped.push(waker);
        }
    }

    /// Nobody wants this message: what it holds may be the application's, and so is its drop.
    pub(crate) fn drop_later(&mut self, event: Event) {
        self.others.get_or_insert_default().events.push(event);
    }

    /// In most calls nobody is to be woken.
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
