//! A request on a stream, which the application accepts or rejects.

use std::future::poll_fn;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;

use crate::error::Error;
use crate::event_loop::{Attempt, Endpoint, EventLoop};
use crate::handshake::opening::{Opening, opening_error};
use crate::io::{ByteStream, Clock};
use crate::trace::{Span, within};
use crate::websocket::WebSocket;
use tidegate_core::Config;
use tidegate_core::handshake::{
    Acceptance, Limits, Rejection, Request, ServerHandshake, ServerSteps,
};

/// A connection whose request waits for the application to accept or reject it.
///
/// If it is dropped, the stream is closed without an answer.
#[derive(Debug)]
#[must_use = "it waits to be accepted or rejected"]
pub struct Incoming<S, C> {
    // Boxed, so that the future that serves the connection does not stay as large as the opening
    // handshake.
    pub(crate) opening: Box<Opening<S, C, ServerSteps>>,
    request: Box<Request>,
    acceptance: Acceptance,
}

impl<S: ByteStream, C: Clock> Incoming<S, C> {
    /// Waits for a client's request. A request that is not valid is answered here.
    ///
    /// # Errors
    ///
    /// [`Error::Handshake`]: the request is not valid, or took longer than the limits allow. The
    /// answer has been written, and the stream is closed. [`Error::Io`]: the transport failed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the stream is closed.
    pub async fn receive(stream: S, clock: C, limits: Limits) -> Result<Self, Error> {
        let receiving = async {
            let received = match Self::wait(stream, clock, limits).await {
                Ok(incoming) => Ok(incoming),
                Err(mut opening) => {
                    opening.finish().await;
                    Err(opening.error())
                }
            };
            Span::opened(&received);
            received
        };
        within(Span::accept(), Box::pin(receiving)).await
    }

    /// Waits for a request. A request that is not valid is answered, and its opening is returned.
    pub(crate) async fn wait(
        stream: S,
        clock: C,
        limits: Limits,
    ) -> Result<Self, Box<Opening<S, C, ServerSteps>>> {
        let handshake = ServerHandshake::new(clock.now(), limits);
        let mut opening = Box::new(Opening { endpoint: Endpoint::new(stream, clock), handshake });
        poll_fn(|cx| {
            opening.poll_until(cx, |opening| {
                let has_request = opening.handshake.request().is_some();
                if has_request || opening.is_refused() { Attempt::Done(()) } else { Attempt::Wait }
            })
        })
        .await;
        match opening.handshake.request().cloned() {
            Some(request) if opening.handshake.failure().is_none() => {
                Ok(Self { opening, request: Box::new(request), acceptance: Acceptance::new() })
            }
            _ => Err(opening),
        }
    }

    /// The client's request.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Chooses a subprotocol: one that the client offered, such as
    /// [`Request::select_subprotocol`] gives.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.acceptance = self.acceptance.subprotocol(name);
        self
    }

    /// The clock, to wait for the application's decision.
    pub(crate) fn clock(&mut self) -> &mut C {
        &mut self.opening.endpoint.clock
    }

    /// Adds a header field to the answer.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.acceptance = self.acceptance.header(name, value);
        self
    }

    /// Sets the configuration of the connection. Share one `Arc` between connections.
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.acceptance = self.acceptance.config(config);
        self
    }

    /// Sets everything at once.
    pub(crate) fn acceptance(mut self, acceptance: Acceptance) -> Self {
        self.acceptance = acceptance;
        self
    }

    /// Accepts the request, and permessage-deflate if the configuration has options for it and the
    /// client offers it.
    ///
    /// # Errors
    ///
    /// [`Error::Accept`]: the client did not offer the subprotocol, or a header cannot be added; the
    /// client gets a 500. [`Error::Handshake`] and [`Error::Io`]: the answer could not be written.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the stream is closed.
    pub async fn accept(self) -> Result<WebSocket<S, C>, Error> {
        let answering = async {
            match self.answer().await {
                Ok(socket) => Ok(socket),
                Err((error, opening)) => {
                    if let Some(mut opening) = opening {
                        opening.finish().await;
                    }
                    Err(error)
                }
            }
        };
        Box::pin(answering).await
    }

    /// Writes the answer that accepts. If the acceptance is not valid, the client gets a 500, and its
    /// opening is returned with the error.
    pub(crate) async fn answer(self) -> Result<WebSocket<S, C>, (Error, Option<Refused<S, C>>)> {
        let Self { mut opening, acceptance, .. } = self;
        let subprotocol = acceptance.chosen_subprotocol().map(String::from);
        let config = Arc::clone(acceptance.chosen_config().unwrap_or(&DEFAULT_CONFIG));
        if let Err(error) = opening.handshake.accept(acceptance) {
            // The client gets an answer although ours is wrong.
            let _ = opening.handshake.reject(Rejection::new(500));
            opening.answered().await;
            return Err((Error::Accept(error), Some(opening)));
        }
        let is_written = poll_fn(|cx| {
            opening.poll_until(cx, |opening| {
                // The time limit of the handshake covers the response too: a client that does not
                // read it gets no connection.
                let is_flushed = opening.endpoint.is_flushed();
                opening.decided(|handshake| is_flushed && !handshake.wants_output())
            })
        })
        .await;
        if !is_written {
            return Err((opening.error(), None));
        }
        let Opening { endpoint, handshake } = *opening;
        match handshake.into_connection(endpoint.clock.now(), config) {
            Ok(connection) => {
                Ok(WebSocket::from_endpoint(endpoint, connection, subprotocol.as_deref()))
            }
            Err(handshake) => Err((opening_error(&endpoint, handshake.failure(), None), None)),
        }
    }

    /// Rejects the request with this status, 300 to 599, and this body. Returns when the client has
    /// closed the stream, or when time is up.
    ///
    /// # Errors
    ///
    /// [`Error::Accept`]: the status is not in this range. [`Error::Io`]: the transport failed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the stream is closed, and the client may miss the answer.
    pub async fn reject(self, status: u16, body: impl Into<Bytes>) -> Result<(), Error> {
        self.reject_with(Rejection::new(status).body(body)).await
    }

    /// Rejects the request with an answer that may have headers. See [`reject`](Self::reject).
    ///
    /// # Errors
    ///
    /// As [`reject`](Self::reject), and [`Error::Accept`] for a header that cannot be added.
    ///
    /// # Cancel safety
    ///
    /// As [`reject`](Self::reject).
    pub async fn reject_with(mut self, rejection: Rejection) -> Result<(), Error> {
        self.opening.reject(rejection).await
    }
}

/// An opening whose client was refused and has its answer.
type Refused<S, C> = Box<Opening<S, C, ServerSteps>>;

/// One configuration for all connections that get no other.
static DEFAULT_CONFIG: LazyLock<Arc<Config>> = LazyLock::new(Arc::default);
