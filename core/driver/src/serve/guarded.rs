//! Futures that may panic, or be cut: a handshake, a handler, an end.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::serve::shared::Place;
use crate::trace::Span;

/// What became of a future.
#[derive(Debug)]
pub(crate) enum Done<T> {
    Value(T),
    Panicked,
    /// The connection was cut meanwhile.
    Cut,
}

/// Runs a future until it ends, panics or is cut, and drops it.
pub(crate) async fn guarded<F: Future>(place: &Place, future: F) -> Done<F::Output> {
    in_turns(place, future, |_| {}).await
}

/// As [`guarded`]. If parts of the connection were dropped while it was polled, tells that, with
/// what became of it in this poll.
pub(crate) async fn in_turns<F: Future>(
    place: &Place,
    future: F,
    parted: impl Fn(&Poll<Done<F::Output>>),
) -> Done<F::Output> {
    let mut future = Some(Box::pin(future));
    poll_fn(|cx| {
        let done = turn(place, &mut future, cx);
        if place.closer.end_turn() {
            parted(&done);
        }
        done
    })
    .await
}

fn turn<F: Future>(
    place: &Place,
    future: &mut Option<Pin<Box<F>>>,
    cx: &mut Context<'_>,
) -> Poll<Done<F::Output>> {
    let done = if place.closer.begin_turn(cx) {
        // Whatever state it is in after a panic, nobody looks at it again.
        let polled = catch_unwind(AssertUnwindSafe(|| match future {
            Some(future) => future.as_mut().poll(cx).map(Done::Value),
            None => Poll::Pending,
        }));
        match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(done)) => done,
            Err(_) => panicked(place),
        }
    } else {
        Span::cut();
        Done::Cut
    };
    match catch_unwind(AssertUnwindSafe(|| drop(future.take()))) {
        Ok(()) => Poll::Ready(done),
        Err(_) => Poll::Ready(panicked(place)),
    }
}

fn panicked<T>(place: &Place) -> Done<T> {
    Span::panicked();
    place.shared().count(|counters| counters.panicked += 1);
    Done::Panicked
}
