//! Running the futures of one connection so that a panic, or an abort from outside, ends only that
//! connection.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::serve::server_state::Permit;
use crate::trace::Span;

/// What became of a future.
#[derive(Debug)]
pub(crate) enum RunResult<T> {
    Returned(T),
    Panicked,
    /// The connection was aborted meanwhile.
    Aborted,
}

/// Runs a future until it returns, panics or is aborted, and then drops it.
pub(crate) async fn run_abortable<F: Future>(permit: &Permit, future: F) -> RunResult<F::Output> {
    run_handler(permit, future, |_| {}).await
}

/// As [`run_abortable`]. If the future has dropped parts of a split connection in a poll, calls
/// `parts_dropped` with the result of that poll.
pub(crate) async fn run_handler<F: Future>(
    permit: &Permit,
    future: F,
    parts_dropped: impl Fn(&Poll<RunResult<F::Output>>),
) -> RunResult<F::Output> {
    let mut future = Some(Box::pin(future));
    poll_fn(|cx| {
        let poll = poll_once(permit, &mut future, cx);
        // Asked after the future was dropped, so that parts which it held to its end count too.
        // Then the result is known, and with it the code of the Close.
        if permit.closer.end_handler_poll() {
            parts_dropped(&poll);
        }
        poll
    })
    .await
}

fn poll_once<F: Future>(
    permit: &Permit,
    future: &mut Option<Pin<Box<F>>>,
    cx: &mut Context<'_>,
) -> Poll<RunResult<F::Output>> {
    // The waker is left before the future is polled. So an abort that comes during the poll is not
    // missed: it wakes this task again.
    let outcome = if permit.closer.begin_handler_poll(cx) {
        // The future may be in any state after a panic. That is harmless, since it is only dropped.
        let polled = catch_unwind(AssertUnwindSafe(|| match future {
            Some(future) => future.as_mut().poll(cx).map(RunResult::Returned),
            // Reached only if this is polled again after it was ready, which `await` never does.
            None => Poll::Pending,
        }));
        match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(outcome)) => outcome,
            Err(_) => panicked(permit),
        }
    } else {
        Span::cut();
        RunResult::Aborted
    };
    // Dropping the future runs code of the application, which may panic too.
    match catch_unwind(AssertUnwindSafe(|| drop(future.take()))) {
        Ok(()) => Poll::Ready(outcome),
        Err(_) => Poll::Ready(panicked(permit)),
    }
}

fn panicked<T>(permit: &Permit) -> RunResult<T> {
    Span::panicked();
    permit.shared().count(|counters| counters.panicked += 1);
    RunResult::Panicked
}
