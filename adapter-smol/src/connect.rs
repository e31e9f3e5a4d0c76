//! Ways to a WebSocket on smol: an address, a stream to a server, a stream from a client.

use alloc::sync::Arc;
use core::net::SocketAddr;
use std::io;

use async_net::{TcpStream, resolve};
use futures_io::{AsyncRead, AsyncWrite};
use tidegate_core::Config;
use tidegate_core::driver::{self, Error, FuturesStream, Options, Url};
use tidegate_core::handshake::{ClientRequest, Limits};

use crate::{Incoming, SmolClock, WebSocket};

/// Connects to an address such as `ws://example.org/chat?room=1`.
///
/// All addresses of the host are tried in turn. `TCP_NODELAY` is set: messages go out when they are
/// sent.
///
/// # Errors
///
/// [`Error::Url`]: among others for `wss://`, which this version has no TLS for; hand a TLS stream to
/// [`client`]. [`Error::Io`]: no address could be connected to, in time. [`Error::Handshake`]: the
/// server refused.
///
/// # Cancel safety
///
/// Cancelled, everything is closed.
pub async fn connect(url: &str) -> Result<WebSocket, Error> {
    connect_with(url, Options::new()).await
}

/// Connects to an address, with subprotocols, headers, limits or a configuration.
///
/// ```no_run
/// use tidegate_smol::{Config, Options, Watermarks};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let config = Config::builder().message_marks(Watermarks::new(4, 1)?).build()?;
/// let options = Options::new().subprotocol("chat").config(config);
/// let socket = tidegate_smol::connect_with("ws://example.org/", options).await?;
/// assert_eq!(socket.subprotocol(), Some("chat"));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// As [`connect`], and [`Error::Request`]: the options cannot be sent.
///
/// # Cancel safety
///
/// As [`connect`].
pub async fn connect_with(url: &str, options: Options) -> Result<WebSocket, Error> {
    let url: Url = url.parse()?;
    let addresses = resolve((url.host(), url.port()));
    driver::connect(&url, options, SmolClock::new(), addresses, dial).await
}

async fn dial(address: SocketAddr) -> io::Result<FuturesStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(FuturesStream::new(stream))
}

/// Opens a WebSocket on a stream to a server: a TLS stream, a Unix socket, one through a proxy.
///
/// # Errors
///
/// [`Error::Handshake`] and [`Error::Io`].
///
/// # Cancel safety
///
/// Cancelled, the stream is closed.
pub async fn client<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    request: ClientRequest,
    config: impl Into<Arc<Config>>,
) -> Result<WebSocket<S>, Error> {
    let (stream, clock) = (FuturesStream::new(stream), SmolClock::new());
    driver::client(stream, clock, request, Limits::default(), config).await
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
pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> Result<Incoming<S>, Error> {
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
pub async fn accept_with<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    limits: Limits,
) -> Result<Incoming<S>, Error> {
    Incoming::receive(FuturesStream::new(stream), SmolClock::new(), limits).await
}
