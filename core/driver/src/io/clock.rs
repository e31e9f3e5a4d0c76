//! What the driver asks of a runtime's timers.

use std::task::{Context, Poll};

use tidegate_core::Timestamp;

/// A monotonic clock and one alarm on it. A clone tells the same time and has an alarm of its own.
pub trait Clock: Clone + Unpin {
    /// The time. It never runs backwards.
    fn now(&self) -> Timestamp;

    /// Leaves the waker of `cx` with a timer that fires at `deadline` or soon after; `Ready` if
    /// that has passed. A later call moves the one alarm there is.
    ///
    /// It may wake too early: the driver asks [`now`](Self::now) whether the deadline has passed.
    fn poll_deadline(&mut self, cx: &mut Context<'_>, deadline: Timestamp) -> Poll<()>;
}
