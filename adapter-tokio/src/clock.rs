//! The time of tokio as a `Clock`.

use core::pin::Pin;
use core::task::{Context, Poll};

use tidegate_core::Timestamp;
use tidegate_driver::Clock;
use tokio::time::{Instant, Sleep, sleep_until};

/// The clock and the timer of tokio. Stands still and jumps with `tokio::time::pause` in a test.
///
/// The timer is made when it is first needed. It is set to an earlier time, never to a later one:
/// deadlines move on with every message, and one needless wake-up costs less than that.
#[derive(Debug)]
pub struct TokioClock {
    origin: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl TokioClock {
    /// A clock that begins now.
    pub fn new() -> Self {
        Self { origin: Instant::now(), timer: None }
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

/// The same time, and a timer of its own.
impl Clone for TokioClock {
    fn clone(&self) -> Self {
        Self { origin: self.origin, timer: None }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_duration(self.origin.elapsed())
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>, deadline: Timestamp) -> Poll<()> {
        let delay = deadline.saturating_duration_since(Timestamp::ZERO);
        // Out of range: as good as never.
        let Some(deadline) = self.origin.checked_add(delay) else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= deadline {
                self.timer = None;
                return Poll::Ready(());
            }
            // It was set for an earlier deadline, which was put off.
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}
