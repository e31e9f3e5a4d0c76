//! From a stream to a WebSocket: the request, the decision, the answer.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;

use crate::handshake::Incoming;
use crate::io::ByteStream;
use crate::io::Clock;
use crate::serve::accept::until;
use crate::serve::decision::{Arrival, Decision};
use crate::serve::leaving::Leaving;
use crate::serve::listener::Remote;
use crate::serve::options::ServeOptions;
use crate::serve::shared::Place;
use crate::trace::Span;
use crate::websocket::WebSocket;
use crate::websocket::closer::Closer;
use tidegate_core::handshake::Rejection;

/// What becomes of a stream.
pub(crate) enum Opened<S, C> {
    Socket(Box<WebSocket<S, C>>, Arrival),
    /// The client has its answer, and may close the stream.
    Refused(Leaving<S, C>),
    Nothing,
}

pub(crate) async fn open<S: ByteStream, C: Clock>(
    opening: impl Future<Output = io::Result<S>>,
    peer: Remote,
    mut clock: C,
    place: &Place,
    options: &ServeOptions,
) -> Opened<S, C> {
    let failed = || {
        Span::handshake_failed();
        place.shared().count(|counters| counters.failed_handshakes += 1);
    };
    let refused = || {
        Span::refused();
        place.shared().count(|counters| counters.refused += 1);
    };
    let limits = &options.limits;

    let received = unless_called(&place.closer, async {
        let mut opening = pin!(opening);
        let stream = until(&mut clock, limits.timeout(), |cx| opening.as_mut().poll(cx)).await?;
        Some(Incoming::receive_or_refuse(stream.ok()?, clock, limits.clone()).await)
    });
    let mut incoming = match received.await.flatten() {
        Some(Ok(incoming)) => incoming,
        Some(Err(leaving)) => {
            failed();
            return Opened::Refused(leaving);
        }
        None if place.closer.is_displaced() => {
            Span::displaced();
            place.shared().count(|counters| counters.displaced += 1);
            return Opened::Nothing;
        }
        None => {
            failed();
            return Opened::Nothing;
        }
    };
    place.has_asked();

    let arrival = Arrival::new(incoming.request().clone(), peer);
    let Some(decision) = decide(incoming.clock(), &arrival, options).await else {
        failed();
        return Opened::Refused(incoming.refuse(not_now()).await);
    };
    let accept = match decision {
        Decision::Accept(accept) if !place.shared().is_stopping() => {
            options.complete(accept, &arrival)
        }
        Decision::Accept(_) => {
            refused();
            return Opened::Refused(incoming.refuse(not_now()).await);
        }
        Decision::Reject(rejection) => {
            refused();
            return Opened::Refused(incoming.refuse(rejection).await);
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
    match incoming.accept_or_refuse().await {
        Ok(mut socket) => {
            socket.closer = Some(place.closer.clone());
            Opened::Socket(Box::new(socket), arrival)
        }
        Err(leaving) => {
            failed();
            leaving.map_or(Opened::Nothing, Opened::Refused)
        }
    }
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
        None => Some(Decision::Accept(crate::serve::Accept::new())),
    }
}

/// Waits for what a client asks. Who has not asked for anything when the server stops is not waited
/// for, and who has not when others want its place gives way: after one more look at what has come.
async fn unless_called<T>(closer: &Closer, asking: impl Future<Output = T>) -> Option<T> {
    let mut asking = pin!(asking);
    poll_fn(|cx| {
        if closer.is_asked() {
            return Poll::Ready(None);
        }
        match asking.as_mut().poll(cx) {
            Poll::Ready(asked) => Poll::Ready(Some(asked)),
            Poll::Pending if closer.is_displaced() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

fn not_now() -> Rejection {
    Rejection::new(503).body("not now\n")
}
