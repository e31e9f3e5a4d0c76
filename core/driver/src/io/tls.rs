//! TLS by rustls, as all adapters use it: default settings, handshakes with a time limit, and errors
//! for a peer that does not speak TLS.
//!
//! The cryptography provider is named explicitly (`ring`). rustls would panic if several providers
//! were compiled in and none was installed.

use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::OnceLock;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, InvalidMessage};

use crate::error::Error;
use crate::io::clock::Clock;
use crate::io::deadline::before_deadline;
use tidegate_core::Role;
use tidegate_core::handshake::Limits;

/// The default settings of clients. They are created once and shared, so that TLS sessions can be
/// resumed.
///
/// Root certificates are the platform's with the feature `rustls-platform-verifier`, and otherwise
/// Mozilla's with the feature `rustls-webpki-roots`.
///
/// # Errors
///
/// [`NoRoots`], inside of the `io::Error`, if neither feature is on; or an error of the platform's
/// verifier.
pub fn client_config() -> io::Result<Arc<ClientConfig>> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(config.clone());
    }
    // Made outside `get_or_init`, which cannot return an error. If two threads make settings at
    // the same time, both get those that were stored first.
    let config = with_http1(Arc::new(default_config()?));
    Ok(CONFIG.get_or_init(|| config).clone())
}

#[cfg(any(feature = "rustls-platform-verifier", feature = "rustls-webpki-roots"))]
fn default_config() -> io::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    #[cfg(feature = "rustls-platform-verifier")]
    let builder = {
        use rustls_platform_verifier::BuilderVerifierExt;
        builder.with_platform_verifier().map_err(io::Error::other)?
    };
    #[cfg(not(feature = "rustls-platform-verifier"))]
    let builder = {
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
        builder.with_root_certificates(rustls::RootCertStore { roots: roots.collect() })
    };
    Ok(builder.with_no_client_auth())
}

#[cfg(not(any(feature = "rustls-platform-verifier", feature = "rustls-webpki-roots")))]
fn default_config() -> io::Result<ClientConfig> {
    Err(io::Error::other(NoRoots))
}

/// Adds the protocol `http/1.1` (ALPN, RFC 7301) to client settings that name no protocol. Otherwise a
/// server that also speaks HTTP/2 could choose that.
pub fn with_http1(config: Arc<ClientConfig>) -> Arc<ClientConfig> {
    if !config.alpn_protocols.is_empty() {
        return config;
    }
    let mut config = ClientConfig::clone(&config);
    config.alpn_protocols.push(HTTP1.into());
    Arc::new(config)
}

/// Adds the protocol `http/1.1` (ALPN) to server settings that name no protocol.
pub fn server_with_http1(config: Arc<rustls::ServerConfig>) -> Arc<rustls::ServerConfig> {
    if !config.alpn_protocols.is_empty() {
        return config;
    }
    let mut config = rustls::ServerConfig::clone(&config);
    config.alpn_protocols.push(HTTP1.into());
    Arc::new(config)
}

/// Converts a host, a name or an IP address without brackets, into the name that the certificate must
/// have.
///
/// # Errors
///
/// [`ErrorKind::InvalidInput`]: no certificate can have this name.
pub fn server_name(host: &str) -> io::Result<ServerName<'static>> {
    let invalid = |error| io::Error::new(ErrorKind::InvalidInput, error);
    ServerName::try_from(String::from(host)).map_err(invalid)
}

/// Waits for the TLS handshake with a server.
///
/// # Errors
///
/// The reason of the failure: [`NotTls`], inside of the `io::Error`, if the server does not speak TLS.
///
/// # Cancel safety
///
/// If the future is dropped, the stream is closed.
pub async fn connect<S>(connecting: impl Future<Output = io::Result<S>>) -> io::Result<S> {
    connecting.await.map_err(|error| NotTls::explain(error, Role::Server))
}

/// Waits for the TLS handshake with a client, for at most [`Limits::timeout`].
///
/// # Errors
///
/// [`Error::Tls`] with the reason: [`NotTls`] if the client does not speak TLS,
/// [`ErrorKind::TimedOut`], or another error of rustls.
///
/// # Cancel safety
///
/// If the future is dropped, the stream is closed.
pub async fn accept<S>(
    clock: &mut impl Clock,
    limits: &Limits,
    accepting: impl Future<Output = io::Result<S>>,
) -> Result<S, Error> {
    let deadline = limits.timeout().map(|timeout| clock.now() + timeout);
    match before_deadline(clock, deadline, accepting).await {
        Some(accepted) => {
            accepted.map_err(|error| Error::Tls(NotTls::explain(error, Role::Client)))
        }
        None => Err(Error::Tls(ErrorKind::TimedOut.into())),
    }
}

/// The peer does not speak TLS, although it should; usually it speaks plain HTTP. The source is the
/// error of rustls.
#[derive(Clone, Debug, PartialEq)]
pub struct NotTls {
    peer: Role,
    source: rustls::Error,
}

impl NotTls {
    /// The role of the peer.
    pub fn peer(&self) -> Role {
        self.peer
    }

    /// Replaces an error of rustls that means "not TLS". rustls checks the type of the first record
    /// before anything else, so anything that is not TLS fails with `InvalidContentType`.
    fn explain(error: io::Error, peer: Role) -> io::Error {
        let source = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match source {
            Some(source @ rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
                let source = source.clone();
                io::Error::new(error.kind(), Self { peer, source })
            }
            _ => error,
        }
    }
}

impl fmt::Display for NotTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.peer {
            Role::Client => {
                "received something other than TLS on a TLS port: the client uses ws:// or \
                 http:// where wss:// is spoken"
            }
            Role::Server => "the server does not speak TLS: use ws://, or another port",
        })
    }
}

impl std::error::Error for NotTls {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// There are no root certificates to verify a server's certificate with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoRoots;

impl fmt::Display for NoRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "there are no root certificates: use the feature rustls-webpki-roots or \
             rustls-platform-verifier, or a ClientConfig of your own",
        )
    }
}

impl std::error::Error for NoRoots {}

const HTTP1: &[u8] = b"http/1.1";
