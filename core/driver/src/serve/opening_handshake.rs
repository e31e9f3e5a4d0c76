//! From an accepted stream to an open WebSocket: the request, the decision, the response.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;

use crate::handshake::Incoming;
use crate::io::{ByteStream, Clock};
use crate::serve::decision::{ClientInfo, Decision};
use crate::serve::listener::Remote;
use crate::serve::options::ServeOptions;
use crate::serve::refused_client::RefusedClient;
use crate::serve::server_state::Permit;
use crate::serve::timeout::with_timeout;
use crate::trace::Span;
use crate::websocket::{Closer, WebSocket};
use tidegate_core::handshake::{Acceptance, Rejection};

/// What became of a stream.
pub(crate) enum Opened<S, C> {
    Socket(Box<WebSocket<S, C>>, ClientInfo),
    /// The client has its response, and may close the stream.
    Refused(RefusedClient<S, C>),
    Nothing,
}

pub(crate) async fn open<S: ByteStream, C: Clock>(
    opening: impl Future<Output = io::Result<S>>,
    peer: Remote,
    mut clock: C,
    permit: &Permit,
    options: &ServeOptions,
) -> Opened<S, C> {
    let failed = || {
        Span::handshake_failed();
        permit.shared().count(|counters| counters.failed_handshakes += 1);
    };
    let refused = || {
        Span::refused();
        permit.shared().count(|counters| counters.refused += 1);
    };
    let limits = &options.limits;

    let received = unless_called_off(&permit.closer, async {
        let mut opening = pin!(opening);
        let stream =
            with_timeout(&mut clock, limits.timeout(), |cx| opening.as_mut().poll(cx)).await?;
        Some(Incoming::receive_or_refuse(stream.ok()?, clock, limits.clone()).await)
    });
    let mut incoming = match received.await.flatten() {
        Some(Ok(incoming)) => incoming,
        Some(Err(client)) => {
            failed();
            return Opened::Refused(client);
        }
        None if permit.closer.is_displaced() => {
            Span::displaced();
            permit.shared().count(|counters| counters.displaced += 1);
            return Opened::Nothing;
        }
        None => {
            failed();
            return Opened::Nothing;
        }
    };
    permit.request_arrived();

    let client = ClientInfo::new(incoming.request().clone(), peer);
    let Some(decision) = decide(incoming.clock(), &client, options).await else {
        failed();
        return Opened::Refused(incoming.refuse(service_unavailable()).await);
    };
    let acceptance = match decision {
        Decision::Accept(acceptance) if !permit.shared().is_stopping() => {
            options.complete(acceptance, client.request())
        }
        Decision::Accept(_) => {
            refused();
            return Opened::Refused(incoming.refuse(service_unavailable()).await);
        }
        Decision::Reject(rejection) => {
            refused();
            return Opened::Refused(incoming.refuse(rejection).await);
        }
    };
    match incoming.acceptance(acceptance).accept_or_refuse().await {
        Ok(mut socket) => {
            socket.closer = Some(permit.closer.clone());
            Opened::Socket(Box::new(socket), client)
        }
        Err(refused) => {
            failed();
            refused.map_or(Opened::Nothing, Opened::Refused)
        }
    }
}

/// The decision of the options and the application; `None` if the application takes too long.
async fn decide(
    clock: &mut impl Clock,
    client: &ClientInfo,
    options: &ServeOptions,
) -> Option<Decision> {
    if let Some(origins) = &options.origins
        && !origins.allow_request(client.request())
    {
        return Some(Rejection::new(403).body("the origin is not one that may connect\n").into());
    }
    match &options.decide {
        Some(decide) => {
            let mut deciding = decide(client.clone());
            with_timeout(clock, options.limits.timeout(), |cx| deciding.as_mut().poll(cx)).await
        }
        None => Some(Decision::Accept(Acceptance::new())),
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
