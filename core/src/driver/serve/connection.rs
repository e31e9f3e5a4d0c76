//! One connection of a server: its handshake, the decision, its handler.

use alloc::sync::Arc;
use core::future::poll_fn;
use core::panic::AssertUnwindSafe;
use core::pin::{Pin, pin};
use core::task::Poll;
use std::io;
use std::panic::catch_unwind;

use super::accept::until;
use super::decision::{Arrival, Decision};
use super::listener::Remote;
use super::options::ServeOptions;
use super::shared::Place;
use crate::driver::clock::Clock;
use crate::driver::closer::Closer;
use crate::driver::error::Error;
use crate::driver::handshake::Incoming;
use crate::driver::stream::ByteStream;
use crate::driver::trace::Span;
use crate::driver::websocket::WebSocket;
use crate::handshake::Rejection;

/// Runs a connection to its end, which may come from outside at any time. The place is given back
/// when everything else is dropped.
pub(super) async fn run<S, C, O, H, F>(
    opening: O,
    peer: Remote,
    clock: C,
    mut place: Place,
    options: Arc<ServeOptions>,
    handler: Arc<H>,
) where
    S: ByteStream,
    C: Clock,
    O: Future<Output = io::Result<S>>,
    H: Fn(WebSocket<S, C>, Arrival) -> F,
    F: Future<Output = Result<(), Error>>,
{
    // Behind pointers: the handshake takes no memory when it is over, and the task is small.
    let opened =
        guarded(&place, || Box::pin(open(opening, peer, clock, &place, &options))).await.flatten();
    drop(options);
    let Some((socket, arrival)) = opened else { return };
    place.open();
    let done = guarded(&place, || Box::pin(handler(socket, arrival))).await;
    if let Some(Err(error)) = done {
        Span::handler_failed(&error);
        place.shared().count(|counters| counters.failed += 1);
    }
}

/// Makes and runs a future, until it ends, panics or is cut.
async fn guarded<F: Future>(
    place: &Place,
    make: impl FnOnce() -> Pin<Box<F>>,
) -> Option<F::Output> {
    let panicked = || {
        Span::panicked();
        place.shared().count(|counters| counters.panicked += 1);
    };
    let Ok(mut future) = catch_unwind(AssertUnwindSafe(make)) else {
        panicked();
        return None;
    };
    poll_fn(|cx| {
        if place.closer.poll_cut(cx) {
            Span::cut();
            place.shared().count(|counters| counters.cut += 1);
            return Poll::Ready(None);
        }
        // Whatever state it is in, nobody looks at it again.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Some),
            Err(_) => {
                panicked();
                Poll::Ready(None)
            }
        }
    })
    .await
}

/// From a stream to a WebSocket, if that is what becomes of it.
async fn open<S: ByteStream, C: Clock>(
    opening: impl Future<Output = io::Result<S>>,
    peer: Remote,
    mut clock: C,
    place: &Place,
    options: &ServeOptions,
) -> Option<(WebSocket<S, C>, Arrival)> {
    let failed = || {
        Span::handshake_failed();
        place.shared().count(|counters| counters.failed_handshakes += 1);
    };
    let refused = || {
        Span::refused();
        place.shared().count(|counters| counters.refused += 1);
    };
    let limits = &options.limits;

    // Who has not asked for anything when the server stops is not waited for.
    let received = unless_asked(&place.closer, async {
        let mut opening = pin!(opening);
        let stream = until(&mut clock, limits.timeout(), |cx| opening.as_mut().poll(cx)).await?;
        Incoming::receive(stream.ok()?, clock, limits.clone()).await.ok()
    });
    let Some(mut incoming) = received.await.flatten() else {
        failed();
        return None;
    };

    let arrival = Arrival::new(incoming.request().clone(), peer);
    let Some(decision) = decide(incoming.clock(), &arrival, options).await else {
        failed();
        let _ = incoming.reject(503, NOT_NOW).await;
        return None;
    };
    let accept = match decision {
        Decision::Accept(accept) if !place.shared().is_stopping() => {
            options.complete(accept, &arrival)
        }
        Decision::Accept(_) => {
            refused();
            let _ = incoming.reject(503, NOT_NOW).await;
            return None;
        }
        Decision::Reject(rejection) => {
            refused();
            // Whether the client took the answer changes nothing here.
            let _ = incoming.reject_with(rejection).await;
            return None;
        }
    };
    for (name, value) in accept.headers {
        incoming = incoming.header(name, value);
    }
    if let Some(name) = accept.subprotocol {
        incoming = incoming.subprotocol(name);
    }
    if let Some(config) = accept.config {
        incoming = incoming.config(config);
    }
    let Ok(mut socket) = incoming.accept().await else {
        failed();
        return None;
    };
    socket.closer = Some(place.closer.clone());
    Some((socket, arrival))
}

/// What the options and the application say; `None` if that takes too long.
async fn decide(
    clock: &mut impl Clock,
    arrival: &Arrival,
    options: &ServeOptions,
) -> Option<Decision> {
    if let Some(origins) = &options.origins
        && !origins.allow_request(arrival.request())
    {
        return Some(Rejection::new(403).body("the origin is not one that may connect\n").into());
    }
    match &options.decide {
        Some(decide) => {
            let mut deciding = decide(arrival.clone());
            until(clock, options.limits.timeout(), |cx| deciding.as_mut().poll(cx)).await
        }
        None => Some(Decision::Accept(super::Accept::new())),
    }
}

/// Runs a future, unless the connection is to end.
async fn unless_asked<T>(closer: &Closer, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if closer.poll_asked(cx) {
            return Poll::Ready(None);
        }
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

const NOT_NOW: &str = "not now\n";
