//! Servers over TLS, by futures-rustls.

use alloc::sync::Arc;

use futures_io::{AsyncRead, AsyncWrite};
use futures_rustls::TlsAcceptor;
use futures_rustls::rustls::ServerConfig;
use futures_rustls::server::TlsStream;
use tidegate_core::handshake::Limits;
use tidegate_driver::{Error, tls};

use crate::{Incoming, SmolClock};

/// Waits for TLS with a client and for its request. If the settings name no protocol (ALPN),
/// `http/1.1` is added.
///
/// # Errors
///
/// [`Error::Tls`]: why there is no TLS, or that it took too long. [`Error::Handshake`] and
/// [`Error::Io`] as [`accept`](crate::accept).
///
/// # Cancel safety
///
/// Cancelled, the stream is closed.
pub async fn accept_tls<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    config: Arc<ServerConfig>,
) -> Result<Incoming<TlsStream<S>>, Error> {
    accept_tls_with(stream, config, Limits::default()).await
}

/// Waits for TLS with a client and for its request, each as long as these limits allow.
///
/// # Errors
///
/// As [`accept_tls`].
///
/// # Cancel safety
///
/// As [`accept_tls`].
pub async fn accept_tls_with<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    config: Arc<ServerConfig>,
    limits: Limits,
) -> Result<Incoming<TlsStream<S>>, Error> {
    let accepting = TlsAcceptor::from(tls::server_with_http1(config)).accept(stream);
    let stream = tls::accept(&mut SmolClock::new(), &limits, accepting).await?;
    crate::accept_with(stream, limits).await
}
