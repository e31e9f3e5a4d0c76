//! Waiting with a time limit.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::io::{Clock, before_deadline};

/// Polls until the result is ready, or returns `None` when this time has passed. `None` as the time
/// means no limit.
pub(crate) async fn with_timeout<T>(
    clock: &mut impl Clock,
    time: impl Into<Option<Duration>>,
    poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Option<T> {
    let deadline = time.into().map(|time| clock.now() + time);
    before_deadline(clock, deadline, poll_fn(poll)).await
}
