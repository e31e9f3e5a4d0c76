//! Wake-ups for the two halves of a `StreamExt::split`, which may be in two tasks.

use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use crate::io::{lock, look_and_leave};

/// The tasks that poll the `Stream` half and the `Sink` half.
///
/// Each half runs the whole connection, and a byte stream keeps one waker for each direction. The
/// half that was polled last would take the wake-ups of the other one away. So the byte stream gets
/// a waker that wakes both tasks. It is allocated only when the traits are used.
#[derive(Debug, Default)]
pub(crate) struct HalfWakers(Option<Arc<BothHalves>>);

#[derive(Debug, Default)]
struct BothHalves {
    stream: Mutex<Option<Waker>>,
    sink: Mutex<Option<Waker>>,
}

impl HalfWakers {
    pub(crate) fn stream(&mut self, cx: &Context<'_>) -> Waker {
        let both = self.0.get_or_insert_default();
        both.waker(&both.stream, cx)
    }

    pub(crate) fn sink(&mut self, cx: &Context<'_>) -> Waker {
        let both = self.0.get_or_insert_default();
        both.waker(&both.sink, cx)
    }
}

impl BothHalves {
    /// Remembers the task before it polls, so that no wake-up in between is lost.
    fn waker(self: &Arc<Self>, half: &Mutex<Option<Waker>>, cx: &Context<'_>) -> Waker {
        look_and_leave(half, cx, |task| task, |_| ());
        Waker::from(Arc::clone(self))
    }
}

impl Wake for BothHalves {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        for half in [&self.stream, &self.sink] {
            // A statement of its own, so that the lock is released before `wake` runs code of the
            // executor.
            let task = lock(half).take();
            if let Some(task) = task {
                task.wake();
            }
        }
    }
}
