//! The time, and the timer that wakes a task at a deadline: what the driver needs of a runtime.

use std::task::{Context, Poll};
use std::time::Instant;

use tidegate_core::Timestamp;

/// A monotonic clock with one timer. A clone shows the same time and has a timer of its own.
///
/// [`TimerClock`] implements it for any runtime whose timer is a [`Timer`].
pub trait Clock: Clone + Unpin {
    /// The current time. It never goes backwards.
    fn now(&self) -> Timestamp;

    /// Registers the waker of `cx` with a timer that fires at `deadline` or soon after. Returns
    /// `Ready` if `deadline` has passed already. A later call moves the timer: there is only one.
    ///
    /// It may return `Ready` too early: the driver asks [`now`](Self::now) whether the deadline has
    /// passed.
    fn poll_deadline(&mut self, cx: &mut Context<'_>, deadline: Timestamp) -> Poll<()>;
}

/// One timer of a runtime. [`TimerClock`] turns it into a [`Clock`].
pub trait Timer: Unpin {
    /// The current time, by the clock that the timer follows.
    fn now() -> Instant;

    /// Creates a timer that fires at `deadline`.
    fn at(deadline: Instant) -> Self;

    /// The time at which the timer fires.
    fn deadline(&self) -> Instant;

    /// Moves the timer to another time, also after it has fired.
    fn reset(&mut self, deadline: Instant);

    /// Returns `Ready` once the timer has fired; before that, registers the waker of `cx`.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// The [`Clock`] of a runtime, made of its [`Timer`].
///
/// The timer is created when it is first needed. It is moved to an earlier time, never to a later
/// one: deadlines move with every message, and one needless wake-up costs less than that.
#[derive(Debug)]
pub struct TimerClock<T> {
    origin: Instant,
    timer: Option<T>,
}

impl<T: Timer> Default for TimerClock<T> {
    fn default() -> Self {
        Self { origin: T::now(), timer: None }
    }
}

/// The clone shows the same time and has a timer of its own.
impl<T> Clone for TimerClock<T> {
    fn clone(&self) -> Self {
        Self { origin: self.origin, timer: None }
    }
}

impl<T: Timer> Clock for TimerClock<T> {
    fn now(&self) -> Timestamp {
        Timestamp::from_duration(T::now().saturating_duration_since(self.origin))
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>, deadline: Timestamp) -> Poll<()> {
        let delay = deadline.saturating_duration_since(Timestamp::ZERO);
        // A deadline that no `Instant` can express is never reached.
        let Some(deadline) = self.origin.checked_add(delay) else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| T::at(deadline));
        if timer.deadline() > deadline {
            timer.reset(deadline);
        }
        // A loop, because only a poll registers the waker with a timer that was moved.
        while timer.poll(cx).is_ready() {
            if T::now() >= deadline {
                self.timer = None;
                return Poll::Ready(());
            }
            // The timer was set for an earlier deadline, which has moved since.
            timer.reset(deadline);
        }
        Poll::Pending
    }
}

/// A clock that a test sets. Its timer may be early: then it fires whatever the time is.
#[cfg(test)]
#[derive(Clone)]
pub(crate) struct ManualClock {
    pub(crate) now: std::rc::Rc<std::cell::Cell<Timestamp>>,
    pub(crate) is_early: bool,
}

#[cfg(test)]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.now.get()
    }

    fn poll_deadline(&mut self, _: &mut Context<'_>, deadline: Timestamp) -> Poll<()> {
        let is_due = self.is_early || deadline <= self.now.get();
        if is_due { Poll::Ready(()) } else { Poll::Pending }
    }
}
