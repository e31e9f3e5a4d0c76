//! From an accepted stream to an open WebSocket: the request, the decision, the response.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;

use crate::handshake::Incoming;
use crate::io::{ByteStream, Clock, before_deadline};
use crate::serve::decision::{Accept, Arrival, Decision};
use crate::serve::listener::Remote;
use crate::serve::options::ServeOptions;
use crate::serve::refused_client::RefusedClient;
use crate::serve::server_state::Permit;
use crate::trace::Span;
use crate::websocket::{Closer, WebSocket};
use tidegate_core::handshake::Rejection;

/// What became of a stream.
pub(crate) enum Opened<S, C> {
    Socket(Box<WebSocket<S, C>>, Arrival),
    /// The client has its response, and may close the stream.
    Refused(RefusedClient<S, C>),
    Nothing,
}

/// Runs the opening handshake of one stream, whose `opening` makes it usable.
pub(crate) async fn open<S: ByteStream, C: Clock>(
    opening: impl Future<Output = io::Result<S>>,
    peer: Remote,
    clock: C,
    permit: &Permit,
    options: &ServeOptions,
) -> Opened<S, C> {
    let mut incoming = match receive_request(opening, clock, permit, options).await {
        Ok(incoming) => incoming,
        Err(opened) => return opened,
    };
    permit.request_arrived();

    let arrival = Arrival::new(incoming.request().clone(), peer);
    let Some(decision) = decide(incoming.clock(), &arrival, options).await else {
        count_failed(permit);
        return Opened::Refused(incoming.refuse(service_unavailable()).await);
    };
    let accept = match decision {
        Decision::Accept(accept) if !permit.shared().is_stopping() => {
            options.complete(accept, &arrival)
        }
        Decision::Accept(_) => {
            count_refused(permit);
            return Opened::Refused(incoming.refuse(service_unavailable()).await);
        }
        Decision::Reject(rejection) => {
            count_refused(permit);
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
            socket.closer = Some(permit.closer.clone());
            Opened::Socket(Box::new(socket), arrival)
        }
        Err(client) => {
            count_failed(permit);
            client.map_or(Opened::Nothing, Opened::Refused)
        }
    }
}

/// Makes the stream usable and waits for a valid request on it.
///
/// # Errors
///
/// What became of a stream without one.
async fn receive_request<S: ByteStream, C: Clock>(
    opening: impl Future<Output = io::Result<S>>,
    mut clock: C,
    permit: &Permit,
    options: &ServeOptions,
) -> Result<Incoming<S, C>, Opened<S, C>> {
    let limits = &options.limits;
    let received = unless_called_off(&permit.closer, async {
        let deadline = limits.timeout().map(|timeout| clock.now() + timeout);
        let stream = before_deadline(&mut clock, deadline, opening).await?;
        Some(Incoming::receive_or_refuse(stream.ok()?, clock, limits.clone()).await)
    });
    match received.await.flatten() {
        Some(Ok(incoming)) => Ok(incoming),
        Some(Err(client)) => {
            count_failed(permit);
            Err(Opened::Refused(client))
        }
        None if permit.closer.is_displaced() => {
            Span::displaced();
            permit.shared().count(|counters| counters.displaced += 1);
            Err(Opened::Nothing)
        }
        None => {
            count_failed(permit);
            Err(Opened::Nothing)
        }
    }
}

fn count_failed(permit: &Permit) {
    Span::handshake_failed();
    permit.shared().count(|counters| counters.failed_handshakes += 1);
}

fn count_refused(permit: &Permit) {
    Span::refused();
    permit.shared().count(|counters| counters.refused += 1);
}

/// The decision of the options and the application; `None` if the application takes too long.
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
            let deciding = decide(arrival.clone());
            let deadline = options.limits.timeout().map(|timeout| clock.now() + timeout);
            before_deadline(clock, deadline, deciding).await
        }
        None => Some(Decision::Accept(Accept::new())),
    }
}

/// Waits for a client's request. Gives up when the server stops, or when newer clients need the room.
async fn unless_called_off<T>(closer: &Closer, receiving: impl Future<Output = T>) -> Option<T> {
    let mut receiving = pin!(receiving);
    poll_fn(|cx| {
        if closer.was_called() {
            return Poll::Ready(None);
        }
        // A displaced client is polled once more: its request may have arrived just now, and a
        // complete request does not give way.
        match receiving.as_mut().poll(cx) {
            Poll::Ready(received) => Poll::Ready(Some(received)),
            Poll::Pending if closer.is_displaced() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

fn service_unavailable() -> Rejection {
    Rejection::new(503).body("not now\n")
}
