//! Those who wait, in the order in which they came.

use alloc::collections::VecDeque;
use core::task::Waker;

use crate::Event;

/// A line of waiting tasks. Everyone in it is a call that has not returned, so it is as long as
/// there are such calls, and no longer.
#[derive(Debug)]
pub(super) struct Line<T>(VecDeque<Place<T>>);

/// One who waits.
#[derive(Debug)]
pub(super) struct Place<T> {
    ticket: u64,
    /// What is waited for.
    pub(super) value: T,
    /// Taken when it is woken.
    pub(super) waker: Option<Waker>,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Line<T> {
    /// Goes to the end of the line. Tickets are given out in rising order.
    pub(super) fn join(&mut self, ticket: u64, value: T, waker: Option<Waker>) {
        self.0.push_back(Place { ticket, value, waker });
    }

    /// Leaves the line, from wherever.
    pub(super) fn leave(&mut self, ticket: u64) -> Option<Place<T>> {
        let index = self.index(ticket)?;
        self.remove(index)
    }

    /// The place in the line, if it is still there.
    pub(super) fn get_mut(&mut self, ticket: u64) -> Option<&mut Place<T>> {
        let index = self.index(ticket)?;
        self.0.get_mut(index)
    }

    /// Takes out one to serve it.
    pub(super) fn remove(&mut self, index: usize) -> Option<Place<T>> {
        let place = self.0.remove(index);
        if self.0.is_empty() {
            // A line that was long once does not keep its room for ever.
            self.0 = VecDeque::new();
        }
        place
    }

    /// Goes back to where it was in the line.
    pub(super) fn rejoin(&mut self, place: Place<T>) {
        let index = self.0.partition_point(|other| other.ticket < place.ticket);
        self.0.insert(index, place);
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Place<T>> {
        self.0.iter_mut()
    }

    pub(super) fn position(&self, mut is_wanted: impl FnMut(&T) -> bool) -> Option<usize> {
        self.0.iter().position(|place| is_wanted(&place.value))
    }

    pub(super) fn any(&self, is_wanted: impl FnMut(&T) -> bool) -> bool {
        self.position(is_wanted).is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn index(&self, ticket: u64) -> Option<usize> {
        self.0.binary_search_by_key(&ticket, |place| place.ticket).ok()
    }
}

/// Wakers that are to be woken, or dropped, and messages that are dropped when the lock is released:
/// each can run code of the executor and of the application, and that code may want the lock.
#[derive(Debug, Default)]
#[must_use = "somebody waits"]
pub(super) struct Wakes {
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
    pub(super) fn push(&mut self, waker: Option<Waker>) {
        let Some(waker) = waker else { return };
        if self.first.is_none() {
            self.first = Some(waker);
        } else {
            self.others.get_or_insert_default().woken.push(waker);
        }
    }

    /// Leaves this task's waker in a slot.
    pub(super) fn leave(&mut self, slot: &mut Option<Waker>, waker: &Waker) {
        if !slot.as_ref().is_some_and(|left| left.will_wake(waker)) {
            let left = slot.replace(waker.clone());
            self.discard(left);
        }
    }

    /// Nobody waits with this one any more.
    pub(super) fn discard(&mut self, waker: Option<Waker>) {
        if let Some(waker) = waker {
            self.others.get_or_insert_default().dropped.push(waker);
        }
    }

    /// Nobody wants this message: what it holds may be the application's, and so is its drop.
    pub(super) fn drop_later(&mut self, event: Event) {
        self.others.get_or_insert_default().events.push(event);
    }

    /// In most calls nobody is to be woken.
    #[inline(always)]
    pub(super) fn wake(self) {
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
