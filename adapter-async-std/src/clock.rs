//! The time of async-std as a `Clock`.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::time::Instant;

use async_io::Timer;
use tidegate_core::Timestamp;
use tidegate_driver::Clock;

/// The clock of the system and a timer of async-io, which async-std runs on.
///
/// The timer is made when it is first needed. It is set to an earlier time, never to a later one:
/// deadlines move on with every message, and one needless wake-up costs less than that.
#[derive(Debug)]
pub struct AsyncStdClock {
    origin: Instant,
    timer: Option<(Instant, Timer)>,
}

impl AsyncStdClock {
    /// A clock that begins now.
    pub fn new() -> Self {
        Self { origin: Instant::now(), timer: None }
    }
}

impl Default for AsyncStdClock {
    fn default() -> Self {
        Self::new()
    }
}

/// The same time, and a timer of its own.
impl Clone for AsyncStdClock {
    fn clone(&self) -> Self {
        Self { origin: self.origin, timer: None }
    }
}

impl Clock for AsyncStdClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_duration(self.origin.elapsed())
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>, deadline: Timestamp) -> Poll<()> {
        let delay = deadline.saturating_duration_since(Timestamp::ZERO);
        // Out of range: as good as never.
        let Some(deadline) = self.origin.checked_add(delay) else { return Poll::Pending };
        let (set, timer) = self.timer.get_or_insert_with(|| (deadline, Timer::at(deadline)));
        if *set > deadline {
            (*set, _) = (deadline, timer.set_at(deadline));
        }
        while Pin::new(&mut *timer).poll(cx).is_ready() {
            if Instant::now() >= deadline {
                self.timer = None;
                return Poll::Ready(());
            }
            // It was set for an earlier deadline, which was put off.
            (*set, _) = (deadline, timer.set_at(deadline));
        }
        Poll::Pending
    }
}
