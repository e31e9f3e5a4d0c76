//! WebSocket in a server of [hyper]: the upgrade of HTTP/1.1, and the extended CONNECT of HTTP/2
//! (RFC 8441), for which the server must be set up by [`enable_websockets`].
//!
//! ```
//! use bytes::Bytes;
//! use hyper::{Request, Response};
//! use tidegate_tokio::hyper::{Socket, upgrade};
//!
//! // The body of the answer may be of any type.
//! fn service<B>(mut request: Request<B>) -> Response<Bytes> {
//!     let upgrade = match upgrade(&mut request) {
//!         Ok(upgrade) => upgrade,
//!         Err(error) => return error.into_response(),
//!     };
//!     match upgrade.accept() {
//!         Ok((response, opening)) => {
//!             tokio::spawn(async move { echo(opening.await?).await });
//!             response.map(|()| Bytes::new())
//!         }
//!         Err(error) => error.into_response(),
//!     }
//! }
//!
//! async fn echo(mut socket: Socket) -> Result<(), tidegate_tokio::Error> {
//!     while let Some(message) = socket.recv().await? {
//!         socket.send(message).await?;
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # HTTP/2
//!
//! The sockets of an HTTP/2 connection share it with each other and with ordinary requests. A
//! socket whose handler takes no messages leaves what its peer sent in two windows: its own, and
//! the one of the connection. By hyper's defaults both are 1 MiB, and two such sockets stop
//! everything that the client sends on that connection. [`enable_websockets`] makes the window of a
//! stream small and that of the connection large, so that they stop nobody else.
//!
//! What hyper holds for a stream comes on top of [`Config::memory_bound`]:
//!
//! | what | at most | by hyper's defaults |
//! |---|---|---|
//! | received, and not read behind a closed gate | [`STREAM_WINDOW`], 64 KiB | 1 MiB |
//! | sent, and not admitted by the peer's window | 64 KiB | 64 KiB |
//! | admitted, and not taken by TCP | [`SEND_BUFFER`], 64 KiB | 400 KiB |
//!
//! When a socket is dropped while its peer takes nothing, hyper keeps what was sent until the peer
//! takes it, resets the stream, or the connection ends. A connection has 200 streams at a time,
//! unless the server allows more.
//!
//! [hyper]: https://hyper.rs

use alloc::sync::Arc;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io::{self, IoSlice};

use hyper::body::Bytes;
use hyper::ext::Protocol;
use hyper::http::{Request as HttpRequest, Response, StatusCode, Version};
use hyper::rt::{Read, ReadBuf, Write};
use hyper::upgrade::{OnUpgrade, Upgraded};
use tidegate_core::Config;
use tidegate_core::handshake::{
    AcceptError, Acceptance, HandshakeError, HttpUpgrade, Request, error_response,
};
use tidegate_driver::{ByteStream, Clock, Error};

mod settings;

pub use self::settings::{CONNECTION_WINDOW, SEND_BUFFER, STREAM_WINDOW, enable_websockets};
use crate::TokioClock;

/// A WebSocket on a connection of hyper, or on a stream of one.
pub type Socket = tidegate_driver::WebSocket<HyperStream, TokioClock>;

/// Checks a request, and takes its upgrade out of it if it is valid.
///
/// # Errors
///
/// [`UpgradeError`]: the request is not one for a WebSocket, or its connection cannot be upgraded.
pub fn upgrade<B>(request: &mut HttpRequest<B>) -> Result<Upgrade, UpgradeError> {
    let protocol = request.extensions().get::<Protocol>().map(Protocol::as_str);
    let checked = HttpUpgrade::check(request, protocol);
    let version = request.version();
    let checked =
        checked.map_err(|error| UpgradeError { cause: Cause::Request(error), version })?;
    let on_upgrade = request.extensions_mut().remove::<OnUpgrade>();
    Upgrade::new(checked, on_upgrade, version)
}

/// A valid request, for the application to decide about. Whoever rejects it answers something else.
#[derive(Debug)]
#[must_use = "it waits to be accepted"]
pub struct Upgrade {
    checked: HttpUpgrade,
    acceptance: Acceptance,
    on_upgrade: OnUpgrade,
    version: Version,
}

impl Upgrade {
    pub(crate) fn new(
        checked: HttpUpgrade,
        on_upgrade: Option<OnUpgrade>,
        version: Version,
    ) -> Result<Self, UpgradeError> {
        let on_upgrade = on_upgrade.ok_or(UpgradeError { cause: Cause::NotUpgradable, version })?;
        Ok(Self { checked, acceptance: Acceptance::new(), on_upgrade, version })
    }

    /// What the client asks for.
    pub fn request(&self) -> &Request {
        self.checked.request()
    }

    /// Chooses a subprotocol: one that the client offered, such as
    /// [`Request::select_subprotocol`] gives.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.acceptance = self.acceptance.subprotocol(name);
        self
    }

    /// Adds a header field to the answer.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.acceptance = self.acceptance.header(name, value);
        self
    }

    /// Sets up the connection. With options for permessage-deflate, that is negotiated.
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.acceptance = self.acceptance.config(config);
        self
    }

    /// Gives the answer, and what becomes the WebSocket when hyper has sent it: to be awaited in
    /// another task, since hyper sends nothing before the service has returned the answer.
    ///
    /// That future gives [`Error::Io`] if the answer could not be sent. Cancelled, it closes the
    /// stream.
    ///
    /// # Errors
    ///
    /// [`UpgradeError`], a 500: the client did not offer the subprotocol, or a header cannot be added.
    pub fn accept(
        self,
    ) -> Result<
        (Response<()>, impl Future<Output = Result<Socket, Error>> + Send + 'static),
        UpgradeError,
    > {
        let Self { checked, acceptance, on_upgrade, version } = self;
        let config = acceptance.chosen_config().cloned().unwrap_or_default();
        let accepted = checked.accept(acceptance);
        let (response, accepted) =
            accepted.map_err(|error| UpgradeError { cause: Cause::Answer(error), version })?;
        let opening = async move {
            let upgraded = on_upgrade.await.map_err(io::Error::other)?;
            let stream = HyperStream::new(upgraded, version);
            let clock = TokioClock::new();
            let subprotocol = accepted.subprotocol().map(String::from);
            let connection = accepted.into_connection(clock.now(), config);
            let socket = Socket::from_connection(stream, clock, connection);
            Ok(socket.with_subprotocol(subprotocol))
        };
        Ok((response, opening))
    }
}

/// Why there is no upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpgradeError {
    cause: Cause,
    version: Version,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Request(HandshakeError),
    NotUpgradable,
    Answer(AcceptError),
}

impl UpgradeError {
    #[cfg(feature = "axum")]
    pub(crate) fn request(error: HandshakeError, version: Version) -> Self {
        Self { cause: Cause::Request(error), version }
    }

    /// What is wrong with the request, if it is the request.
    pub fn handshake_error(&self) -> Option<HandshakeError> {
        match self.cause {
            Cause::Request(error) => Some(error),
            Cause::NotUpgradable | Cause::Answer(_) => None,
        }
    }

    /// The answer: 405, 426 or 400 for a request that is not valid, 500 for a mistake of the
    /// application.
    pub fn into_response(self) -> Response<Bytes> {
        match self.cause {
            Cause::Request(error) => error_response(error, self.version),
            Cause::NotUpgradable => error_response(HandshakeError::Upgrade, self.version),
            Cause::Answer(_) => {
                let mut response = Response::new(Bytes::new());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            }
        }
    }
}

impl fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Request(error) => error.fmt(f),
            Cause::NotUpgradable => f.write_str("the connection of the request cannot be upgraded"),
            Cause::Answer(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for UpgradeError {}

/// What hyper gives for an upgraded connection, as a stream.
#[derive(Debug)]
pub struct HyperStream {
    upgraded: Upgraded,
    /// Whether output goes to hyper in pieces of [`PIECE`].
    in_pieces: bool,
}

impl HyperStream {
    fn new(upgraded: Upgraded, version: Version) -> Self {
        // Where hyper cannot write several slices at once, it writes the first: a frame's header.
        let in_pieces = version == Version::HTTP_2 || !upgraded.is_write_vectored();
        Self { upgraded, in_pieces }
    }
}

impl ByteStream for HyperStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(&mut self.upgraded).poll_read(cx, buffer.unfilled()))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let upgraded = Pin::new(&mut self.upgraded);
        match slices {
            [first, ..] if self.in_pieces && first.len() >= PIECE => {
                upgraded.poll_write(cx, first.get(..PIECE).unwrap_or(first))
            }
            [slice] => upgraded.poll_write(cx, slice),
            slices if self.in_pieces => upgraded.poll_write(cx, &join(slices)),
            slices => upgraded.poll_write_vectored(cx, slices),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.upgraded).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.upgraded).poll_shutdown(cx)
    }
}

/// The first [`PIECE`] bytes of these slices: a frame's header goes with what follows it, and not
/// as a DATA frame of its own.
fn join(slices: &[IoSlice<'_>]) -> Vec<u8> {
    let length = slices.iter().map(|slice| slice.len()).sum::<usize>().min(PIECE);
    let mut joined = Vec::with_capacity(length);
    for slice in slices {
        let count = slice.len().min(length - joined.len());
        joined.extend_from_slice(slice.get(..count).unwrap_or_default());
    }
    joined
}

/// How much is handed to a stream of HTTP/2 at a time: a DATA frame (RFC 9113 §4.2: 16,384 bytes
/// unless the peer allows more). hyper takes up to four such pieces that the window does not admit,
/// and copies each whole, whatever its length: larger ones would only wait there.
const PIECE: usize = 16 * 1024;
