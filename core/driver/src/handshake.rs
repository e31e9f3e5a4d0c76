//! The opening handshakes on a stream.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::LazyLock;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::error::{EntropyError, Error, copy};
use crate::event_loop::{Attempt, Endpoint, EventLoop, ProtocolMachine};
use crate::io::ByteStream;
use crate::io::Clock;
use crate::trace::{Span, within};
use crate::websocket::WebSocket;
use tidegate_core::Config;
use tidegate_core::handshake::{
    Acceptance, ClientHandshake, ClientRequest, HandshakeError, Limits, Rejection, Request,
    Response, ServerHandshake,
};

/// Opens a WebSocket on a stream to a server: sends the request and checks the answer. Offers
/// permessage-deflate if the configuration has options for it.
///
/// # Errors
///
/// [`Error::Handshake`]: the server refused, answered wrongly, or took longer than the limits allow.
/// [`Error::Io`]: the transport failed. [`Error::Entropy`].
///
/// # Cancel safety
///
/// Cancelled, the stream is closed.
pub async fn client<S: ByteStream, C: Clock>(
    stream: S,
    clock: C,
    request: ClientRequest,
    limits: Limits,
    config: impl Into<Arc<Config>>,
) -> Result<WebSocket<S, C>, Error> {
    let span = Span::connect(request.host(), request.target());
    let opening = async {
        let opened = open(stream, clock, request, limits, config.into()).await;
        Span::opened(&opened);
        opened
    };
    within(span, Box::pin(opening)).await
}

async fn open<S: ByteStream, C: Clock>(
    stream: S,
    clock: C,
    request: ClientRequest,
    limits: Limits,
    config: Arc<Config>,
) -> Result<WebSocket<S, C>, Error> {
    #[cfg(feature = "deflate")]
    let request = match config.deflate() {
        Some(options) => request.deflate(options.offer()).map_err(Error::Request)?,
        None => request,
    };
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| Error::Entropy(EntropyError::new(error)))?;
    let handshake = ClientHandshake::new(clock.now(), request, limits, seed);
    let mut opening = Opening { endpoint: Endpoint::new(stream, clock), handshake };
    poll_fn(|cx| opening.poll_until(cx, |opening| opening.decided(ClientHandshake::is_open)))
        .await?;

    let Opening { endpoint, handshake } = opening;
    let subprotocol = handshake.response().and_then(Response::subprotocol).map(String::from);
    match handshake.into_connection(endpoint.clock.now(), config) {
        Ok(connection) => {
            Ok(WebSocket::from_endpoint(endpoint, connection, subprotocol.as_deref()))
        }
        Err(handshake) => Err(failed(&endpoint, &handshake)),
    }
}

/// A request on a stream, for the application to decide about.
///
/// Dropping it closes the stream without an answer.
#[derive(Debug)]
#[must_use = "it waits to be accepted or rejected"]
pub struct Incoming<S, C> {
    // Boxed, so that the task of a connection is not for ever as large as its opening handshake.
    pub(crate) opening: Box<Opening<S, C, ServerHandshake>>,
    request: Box<Request>,
    acceptance: Acceptance,
    subprotocol: Option<String>,
    config: Arc<Config>,
}

impl<S: ByteStream, C: Clock> Incoming<S, C> {
    /// Waits for a client's request. What is not a valid request is answered here.
    ///
    /// # Errors
    ///
    /// [`Error::Handshake`]: the request is not valid, or took longer than the limits allow; the
    /// stream is closed behind the answer. [`Error::Io`]: the transport failed.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, the stream is closed.
    pub async fn receive(stream: S, clock: C, limits: Limits) -> Result<Self, Error> {
        let receiving = async {
            let received = match Self::wait(stream, clock, limits).await {
                Ok(incoming) => Ok(incoming),
                Err(mut opening) => {
                    opening.finish().await;
                    Err(failed(&opening.endpoint, &opening.handshake))
                }
            };
            Span::opened(&received);
            received
        };
        within(Span::accept(), Box::pin(receiving)).await
    }

    /// Waits for a request, or until one that is not valid was answered.
    pub(crate) async fn wait(
        stream: S,
        clock: C,
        limits: Limits,
    ) -> Result<Self, Box<Opening<S, C, ServerHandshake>>> {
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
            Some(request) if opening.handshake.failure().is_none() => Ok(Self {
                opening,
                request: Box::new(request),
                acceptance: Acceptance::new(),
                subprotocol: None,
                config: Arc::clone(&DEFAULT_CONFIG),
            }),
            _ => Err(opening),
        }
    }

    /// What the client asks for.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Chooses a subprotocol: one that the client offered, such as
    /// [`Request::select_subprotocol`] gives.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.acceptance = self.acceptance.subprotocol(name.clone());
        self.subprotocol = Some(name);
        self
    }

    /// The clock, while nobody else needs it.
    pub(crate) fn clock(&mut self) -> &mut C {
        &mut self.opening.endpoint.clock
    }

    /// Adds a header field to the answer.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.acceptance = self.acceptance.header(name, value);
        self
    }

    /// Sets up the connection. Share one `Arc` between connections.
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = config.into();
        self
    }

    /// Accepts the request, and permessage-deflate if the configuration has options for it and the
    /// client offers it.
    ///
    /// # Errors
    ///
    /// [`Error::Accept`]: the client did not offer the subprotocol, or a header cannot be added; the
    /// client gets a 500. [`Error::Handshake`] and [`Error::Io`]: it did not take the answer.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, the stream is closed.
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

    pub(crate) async fn answer(self) -> Result<WebSocket<S, C>, (Error, Option<Refused<S, C>>)> {
        let Self { mut opening, acceptance, subprotocol, config, .. } = self;
        let acceptance = acceptance.configured(&config);
        if let Err(error) = opening.handshake.accept(acceptance) {
            // The client is not left without an answer for a mistake of ours.
            let _ = opening.handshake.reject(Rejection::new(500));
            opening.answered().await;
            return Err((Error::Accept(error), Some(opening)));
        }
        poll_fn(|cx| {
            opening.poll_until(cx, |opening| {
                let is_flushed = opening.endpoint.is_flushed();
                opening.decided(|handshake| is_flushed && !handshake.wants_output())
            })
        })
        .await
        .map_err(|error| (error, None))?;
        let Opening { endpoint, handshake } = *opening;
        match handshake.into_connection(endpoint.clock.now(), config) {
            Ok(connection) => {
                Ok(WebSocket::from_endpoint(endpoint, connection, subprotocol.as_deref()))
            }
            Err(handshake) => Err((failed(&endpoint, &handshake), None)),
        }
    }

    /// Rejects the request with this status, 300 to 599, and this body. Returns when the client has
    /// closed the stream, or when time is up.
    ///
    /// # Errors
    ///
    /// [`Error::Accept`]: the status is none to reject with. [`Error::Io`]: the transport failed.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, the stream is closed, and the client may miss the answer.
    pub async fn reject(self, status: u16, body: impl Into<Bytes>) -> Result<(), Error> {
        self.reject_with(Rejection::new(status).body(body)).await
    }

    /// Rejects the request, with headers too. See [`reject`](Self::reject).
    ///
    /// # Errors
    ///
    /// As [`reject`](Self::reject), and a header that cannot be added.
    ///
    /// # Cancel safety
    ///
    /// As [`reject`](Self::reject).
    pub async fn reject_with(mut self, rejection: Rejection) -> Result<(), Error> {
        self.opening.reject(rejection).await
    }
}

/// The opening handshake with a client that was refused and has its response.
type Refused<S, C> = Box<Opening<S, C, ServerHandshake>>;

/// An opening handshake on a stream.
#[derive(Debug)]
pub(crate) struct Opening<S, C, M> {
    pub(crate) endpoint: Endpoint<S, C>,
    pub(crate) handshake: M,
}

impl<S: ByteStream, C: Clock, M: Handshake> Opening<S, C, M> {
    /// Whether it has come as far as it should, or to its end: with a failure, that is behind the
    /// answer and the end of the stream.
    fn decided(&self, is_done: impl FnOnce(&M) -> bool) -> Attempt<Result<(), Error>> {
        // A server that cannot write has nothing to wait for; a client may have an answer to read.
        let is_mute = self.endpoint.has_write_failed() && !self.handshake.wants_input();
        if self.endpoint.stream.is_none() || is_mute {
            Attempt::Done(Err(failed(&self.endpoint, &self.handshake)))
        } else if self.handshake.failure().is_none() && is_done(&self.handshake) {
            Attempt::Done(Ok(()))
        } else {
            Attempt::Wait
        }
    }
}

impl<S: ByteStream, C: Clock> Opening<S, C, ServerHandshake> {
    async fn reject(&mut self, rejection: Rejection) -> Result<(), Error> {
        if let Err(error) = self.handshake.reject(rejection) {
            // The client is not left without an answer for a mistake of ours.
            let mistake = self.handshake.reject(Rejection::new(500));
            if mistake.is_ok() {
                self.finish().await;
            }
            return Err(Error::Accept(error));
        }
        self.finish().await;
        match self.endpoint.fault.take() {
            Some(fault) if self.endpoint.has_write_failed() => Err(Error::Io(fault)),
            _ => Ok(()),
        }
    }

    /// Waits until the answer is written, or cannot be.
    pub(crate) async fn answered(&mut self) {
        poll_fn(|cx| {
            self.poll_until(cx, |opening| {
                if opening.is_refused() { Attempt::Done(()) } else { Attempt::Wait }
            })
        })
        .await;
    }

    /// Whether all is said to a client that is refused.
    fn is_refused(&self) -> bool {
        let is_written = self.handshake.failure().is_some()
            && self.endpoint.is_flushed()
            && !self.handshake.wants_output();
        is_written || self.endpoint.stream.is_none() || self.endpoint.has_write_failed()
    }

    /// Waits until the answer is written and the client has closed the stream.
    async fn finish(&mut self) {
        poll_fn(|cx| self.poll_finish(cx)).await;
    }

    pub(crate) fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_until(cx, |opening| match opening.endpoint.stream {
            Some(_) if !opening.endpoint.has_write_failed() => Attempt::Wait,
            _ => Attempt::Done(()),
        })
    }
}

impl<S: ByteStream, C: Clock, M: ProtocolMachine> EventLoop for Opening<S, C, M> {
    type Stream = S;
    type Clock = C;
    type Machine = M;

    fn parts(&mut self) -> (&mut Endpoint<S, C>, &mut M) {
        (&mut self.endpoint, &mut self.handshake)
    }
}

/// What both handshakes tell about a failure.
pub(crate) trait Handshake: ProtocolMachine {
    fn failure(&self) -> Option<&HandshakeError>;
    fn response(&self) -> Option<&Response>;
}

impl Handshake for ClientHandshake {
    fn failure(&self) -> Option<&HandshakeError> {
        self.failure()
    }

    fn response(&self) -> Option<&Response> {
        self.response()
    }
}

impl Handshake for ServerHandshake {
    fn failure(&self) -> Option<&HandshakeError> {
        self.failure()
    }

    fn response(&self) -> Option<&Response> {
        None
    }
}

/// Why there is no connection. What the peer said counts for more than how the transport ended.
pub(crate) fn failed<S, C>(endpoint: &Endpoint<S, C>, handshake: &impl Handshake) -> Error {
    let error = handshake.failure().copied().unwrap_or(HandshakeError::EndOfStream);
    match &endpoint.fault {
        Some(fault) if error == HandshakeError::EndOfStream => Error::Io(copy(fault)),
        _ => Error::Handshake {
            error,
            response: handshake.response().cloned().map(Box::new),
            peer: None,
        },
    }
}

/// What all connections share that are not set up otherwise.
static DEFAULT_CONFIG: LazyLock<Arc<Config>> = LazyLock::new(Arc::default);
