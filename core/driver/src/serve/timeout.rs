//! Waiting with a time limit.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::io::Clock;

/// Polls until the result is ready, or returns `None` when this time has passed. `None` as the time
/// means no limit.
pub(crate) async fn with_timeout<T>(
    clock: &mut impl Clock,
    time: impl Into<Option<Duration>>,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Option<T> {
    let deadline = time.into().map(|time| clock.now() + time);
    poll_fn(|cx| {
        if let Poll::Ready(value) = poll(cx) {
            return Poll::Ready(Some(value));
        }
        let Some(deadline) = deadline else { return Poll::Pending };
        if clock.poll_deadline(cx, deadline).is_ready() {
            if clock.now() >= deadline {
                return Poll::Ready(None);
            }
            // The timer fired early and holds no waker any more: poll it again.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await
}
