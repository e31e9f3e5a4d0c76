//! From an accepted stream to an open WebSocket: the request, the decision, the response.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;

use crate::handshake::Incoming;
use crate::io::{ByteStream, Clock, before_deadline};
use crate::serve::decision::{ClientInfo, Decision};
use crate::serve::listener::Remote;
use crate::serve::options::ServeOptions;
use crate::serve::refused_client::RefusedClient;
use crate::serve::server_state::Permit;
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
    // Before the decision, which may take long: a client that has sent its request does not give
    // way.
    permit.request_arrived();

    let client = ClientInfo::new(incoming.request().clone(), peer);
    let Some(decision) = decide(incoming.clock(), &client, options).await else {
        count_failed(permit);
        return Opened::Refused(incoming.refuse(service_unavailable()).await);
    };
    let acceptance = match decision {
        // The server may have been told to stop while the application decided.
        Decision::Accept(acceptance) if !permit.shared().is_stopping() => {
            options.complete(acceptance, client.request())
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
    match incoming.acceptance(acceptance).accept_or_refuse().await {
        Ok(mut socket) => {
            // A stop that came after the check above has used this closer already. The socket finds
            // the Close there and sends it.
            socket.closer = Some(permit.closer.clone());
            Opened::Socket(Box::new(socket), client)
        }
        Err(refused) => {
            count_failed(permit);
            refused.map_or(Opened::Nothing, Opened::Refused)
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
    // Only this part is called off. From the request on, a client gets a response, even if the
    // server is to stop.
    let received = unless_called_off(&permit.closer, async {
        // The limit of the request begins when the stream is usable. A client that sends half a TLS
        // hello never comes so far, so TLS has a limit of its own.
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
    client: &ClientInfo,
    options: &ServeOptions,
) -> Option<Decision> {
    if let Some(origins) = &options.origins
        // Against pages of other sites that use the cookies of a browser (RFC 6455 §10.2). The
        // application is not even asked about them.
        && !origins.allow_request(client.request())
    {
        return Some(Rejection::new(403).body("the origin is not one that may connect\n").into());
    }
    match &options.decide {
        Some(decide) => {
            let deciding = decide(client.clone());
            let deadline = options.limits.timeout().map(|timeout| clock.now() + timeout);
            before_deadline(clock, deadline, deciding).await
        }
        None => Some(Decision::Accept(Acceptance::new())),
    }
}

/// Waits for a client's request. Gives up when the server stops, or when newer clients need the room.
async fn unless_called_off<T>(closer: &Closer, receiving: impl Future<Output = T>) -> Option<T> {
    let mut receiving = pin!(receiving);
    poll_fn(|cx| {
        // This leaves no waker. `run_abortable` has left it before this poll.
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
