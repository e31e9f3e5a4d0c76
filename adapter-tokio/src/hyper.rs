//! WebSocket in a [hyper] server: the upgrade of HTTP/1.1, and the extended CONNECT of HTTP/2
//! (RFC 8441), which [`enable_websockets`] allows.
//!
//! ```
//! use bytes::Bytes;
//! use hyper::{Request, Response};
//! use tidegate_tokio::hyper::{Socket, upgrade};
//!
//! // The body of the response may be of any type.
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
//! All sockets on an HTTP/2 connection share it with each other and with ordinary requests. If a
//! handler takes no messages, the data of its peer fills two flow-control windows: that of the
//! stream and that of the whole connection. In hyper both are 1 MiB by default, so two such sockets
//! block everything that the client sends on that connection. [`enable_websockets`] makes the
//! window of a stream small and that of the connection large, so that slow sockets block nobody
//! else.
//!
//! hyper's own memory for a stream comes on top of [`Config::memory_bound`]:
//!
//! | data | at most | with hyper's defaults |
//! |---|---|---|
//! | received, but not read because the receive queue is full | [`STREAM_WINDOW`], 64 KiB | 1 MiB |
//! | sent, but not yet admitted by the peer's window | 64 KiB | 64 KiB |
//! | admitted, but not yet accepted by TCP | [`SEND_BUFFER`], 64 KiB | 400 KiB |
//!
//! If a socket is dropped while its peer reads nothing, hyper keeps the sent data until the peer
//! reads it or resets the stream, or until the connection ends. A connection has 200 streams at a
//! time, unless the server allows more.
//!
//! [hyper]: https://hyper.rs

use alloc::sync::Arc;
use core::fmt;
use std::io;

use hyper::body::Bytes;
use hyper::ext::Protocol;
use hyper::http::{Request as HttpRequest, Response, StatusCode, Version};
use hyper::upgrade::OnUpgrade;
use tidegate_core::Config;
use tidegate_core::handshake::{
    AcceptError, Acceptance, HandshakeError, HttpUpgrade, Request, error_response,
};
use tidegate_driver::{Clock, Error};

mod settings;
mod stream;

pub use self::settings::{CONNECTION_WINDOW, SEND_BUFFER, STREAM_WINDOW, enable_websockets};
pub use self::stream::HyperStream;
use crate::TokioClock;

/// A WebSocket on an upgraded connection of HTTP/1.1, or on a stream of HTTP/2.
pub type Socket = tidegate_driver::WebSocket<HyperStream, TokioClock>;

/// Checks a request. If it is valid, takes the upgrade out of its extensions.
///
/// # Errors
///
/// [`UpgradeError`]: the request does not ask for a WebSocket, or its connection cannot be upgraded.
pub fn upgrade<B>(request: &mut HttpRequest<B>) -> Result<Upgrade, UpgradeError> {
    let protocol = request.extensions().get::<Protocol>().map(Protocol::as_str);
    let checked = HttpUpgrade::check(request, protocol);
    let version = request.version();
    let checked =
        checked.map_err(|error| UpgradeError { cause: Cause::Request(error), version })?;
    let on_upgrade = request.extensions_mut().remove::<OnUpgrade>();
    Upgrade::new(checked, on_upgrade, version)
}

/// A valid request, for the application to accept. To reject it, return any other response.
#[derive(Debug)]
#[must_use = "the client waits for it to be accepted"]
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

    /// The request of the client.
    pub fn request(&self) -> &Request {
        self.checked.request()
    }

    /// Chooses a subprotocol. The client must have offered it: see
    /// [`Request::select_subprotocol`].
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.acceptance = self.acceptance.subprotocol(name);
        self
    }

    /// Adds a header to the response.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.acceptance = self.acceptance.header(name, value);
        self
    }

    /// Sets the configuration of the connection. If it enables permessage-deflate, that is negotiated.
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.acceptance = self.acceptance.config(config);
        self
    }

    /// Accepts the request. Returns the response, and a future that becomes the WebSocket once hyper
    /// has sent the response. Await it in another task: hyper sends nothing before the service has
    /// returned the response.
    ///
    /// The future returns [`Error::Io`] if the response could not be sent. If it is dropped, the
    /// stream is closed.
    ///
    /// # Errors
    ///
    /// [`UpgradeError`] with the status 500: the client did not offer the subprotocol, or a header
    /// cannot be added.
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

/// Why a request is not upgraded.
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

    /// What is wrong with the request. `None` if the request is valid.
    pub fn handshake_error(&self) -> Option<HandshakeError> {
        match self.cause {
            Cause::Request(error) => Some(error),
            Cause::NotUpgradable | Cause::Answer(_) => None,
        }
    }

    /// Converts it into a response: 405, 426 or 400 for a request that is not valid, 500 for a mistake
    /// of the application.
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
