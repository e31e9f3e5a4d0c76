//! A future with a deadline.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use tidegate_core::Timestamp;

use crate::io::clock::Clock;

/// Waits for `future`, but not past `deadline`. Returns `None` if the deadline passed first.
pub(crate) async fn before_deadline<T>(
    clock: &mut impl Clock,
    deadline: Option<Timestamp>,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        // The future before the deadline: a result that is there counts, even if this poll comes
        // late.
        if let Poll::Ready(result) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(result));
        }
        let Some(deadline) = deadline else { return Poll::Pending };
        if clock.poll_deadline(cx, deadline).is_pending() {
            return Poll::Pending;
        }
        if clock.now() >= deadline {
            return Poll::Ready(None);
        }
        // The timer fired too early and holds no waker any more: poll it again.
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::ManualClock;
    use std::cell::Cell;
    use std::rc::Rc;
    use std::task::{Context, Waker};

    #[test]
    fn a_deadline_is_not_over_before_the_clock_says_so() {
        for is_early in [false, true] {
            let now = Rc::new(Cell::new(Timestamp::ZERO));
            let mut clock = ManualClock { now: now.clone(), is_early };
            let deadline = Some(Timestamp::from_millis(10));
            let never = std::future::pending::<()>();
            let mut waiting = Box::pin(before_deadline(&mut clock, deadline, never));
            let context = &mut Context::from_waker(Waker::noop());
            assert!(waiting.as_mut().poll(context).is_pending());
            now.set(Timestamp::from_millis(10));
            assert_eq!(waiting.as_mut().poll(context), Poll::Ready(None));
        }
    }
}
