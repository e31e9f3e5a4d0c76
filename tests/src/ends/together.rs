//! Runs futures concurrently, with a time limit, or cancels them.

use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use super::runtimes::Adapter;

/// Runs a future, and panics if it hangs: nothing in a test takes this long.
pub async fn soon<A: Adapter, T>(future: impl Future<Output = T>) -> T {
    within::<A, T>(Duration::from_secs(30), future).await.expect("it takes too long")
}

/// Waits for a future for this long.
pub async fn within<A: Adapter, T>(
    duration: Duration,
    future: impl Future<Output = T>,
) -> Option<T> {
    match either(future, A::sleep(duration)).await {
        Either::First(value) => Some(value),
        Either::Second(()) => None,
    }
}

/// Which of two futures finished first.
#[derive(Debug)]
pub enum Either<F, S> {
    /// The first, with its result.
    First(F),
    /// The second, with its result.
    Second(S),
}

/// Runs two futures until one has finished.
pub async fn either<F, S>(
    first: impl Future<Output = F>,
    second: impl Future<Output = S>,
) -> Either<F, S> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    poll_fn(|cx| match first.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Either::First(value)),
        Poll::Pending => second.as_mut().poll(cx).map(Either::Second),
    })
    .await
}

/// Runs two futures until both have finished.
pub async fn both<F, S>(first: impl Future<Output = F>, second: impl Future<Output = S>) -> (F, S) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let (mut left, mut right) = (None, None);
    poll_fn(|cx| {
        if left.is_none()
            && let Poll::Ready(value) = first.as_mut().poll(cx)
        {
            left = Some(value);
        }
        if right.is_none()
            && let Poll::Ready(value) = second.as_mut().poll(cx)
        {
            right = Some(value);
        }
        if left.is_some() && right.is_some() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    (left.unwrap(), right.unwrap())
}

/// Polls a future this many times and drops it. `None` if it had not finished.
pub async fn cancel<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            // Poll again, whether it was woken or not.
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}
