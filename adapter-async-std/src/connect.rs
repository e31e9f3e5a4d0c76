//! Ways to a WebSocket on async-std: an address, a stream to a server, a stream from a client.

use alloc::sync::Arc;

use futures_io::{AsyncRead, AsyncWrite};
use tidegate_core::Config;
use tidegate_core::handshake::{ClientRequest, Limits};
use tidegate_driver::{Client, Error, Options};

use crate::{AsyncStdClock, AsyncStdNetwork, AsyncStdStream, ClientSocket, Incoming, WebSocket};

/// Connects to an address such as `wss://example.org/chat?room=1`. `wss://` needs the feature
/// `rustls`, and root certificates by one of the features `rustls-*`.
///
/// The addresses of the host are tried, 32 at most, the next one when one has failed or has not
/// answered for 250 ms. `TCP_NODELAY` is set: messages go out when they are sent. Who makes several connections,
/// or has settings of TLS, uses a [`Client`].
///
/// # Errors
///
/// [`Error::Url`]: it is no such address, or `wss://` without the feature. [`Error::Connect`]: the
/// stage, the peer and what went wrong. [`Error::Handshake`]: the server refused.
///
/// # Cancel safety
///
/// Cancelled, everything is closed.
pub async fn connect(url: &str) -> Result<ClientSocket, Error> {
    connect_with(url, Options::default()).await
}

/// Connects to an address, with subprotocols, headers, a proxy, limits or a configuration.
///
/// ```no_run
/// use tidegate_async_std::{Config, Options, Watermarks};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let config = Config::builder().message_marks(Watermarks::new(4, 1)).build()?;
/// let options = Options::builder().subprotocol("chat").config(config).build()?;
/// let socket = tidegate_async_std::connect_with("ws://example.org/", options).await?;
/// assert_eq!(socket.subprotocol(), Some("chat"));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// As [`connect`].
///
/// # Cancel safety
///
/// As [`connect`].
pub async fn connect_with(url: &str, options: Options) -> Result<ClientSocket, Error> {
    Client::new(AsyncStdNetwork::new(), options).connect(url).await
}

/// Opens a WebSocket on a stream to a server: a Unix socket, a TLS stream of your own.
///
/// # Errors
///
/// [`Error::Handshake`] and [`Error::Io`].
///
/// # Cancel safety
///
/// Cancelled, the stream is closed.
pub async fn client<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
    request: ClientRequest,
    config: impl Into<Arc<Config>>,
) -> Result<WebSocket<S>, Error> {
    let (stream, clock) = (AsyncStdStream::new(stream), AsyncStdClock::new());
    tidegate_driver::client(stream, clock, request, Limits::default(), config).await
}

/// Waits for the request of a client on a stream. A TCP stream should have `TCP_NODELAY` set.
///
/// # Errors
///
/// [`Error::Handshake`]: no valid request came, or not in time; it was answered with what is wrong.
/// [`Error::Io`].
///
/// # Cancel safety
///
/// Cancelled, the stream is closed.
pub async fn accept<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
) -> Result<Incoming<S>, Error> {
    accept_with(stream, Limits::default()).await
}

/// Waits for the request of a client on a stream, within other limits than the default ones.
///
/// # Errors
///
/// As [`accept`].
///
/// # Cancel safety
///
/// As [`accept`].
pub async fn accept_with<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
    limits: Limits,
) -> Result<Incoming<S>, Error> {
    Incoming::receive(AsyncStdStream::new(stream), AsyncStdClock::new(), limits).await
}
