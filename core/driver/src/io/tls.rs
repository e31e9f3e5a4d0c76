//! What the adapters share of TLS by rustls: settings, names, and what goes without saying.
//!
//! The cryptography is `ring`'s, named explicitly: a process in which several providers are built,
//! or none is installed, does not panic.

use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::OnceLock;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, InvalidMessage};

use crate::error::Error;
use crate::io::Clock;
use crate::io::deadline::before_deadline;
use tidegate_core::Role;
use tidegate_core::handshake::Limits;

/// The settings of clients that were given none, made once: sessions are resumed across them.
///
/// The roots are the platform's with the feature `rustls-platform-verifier`, and otherwise Mozilla's
/// with `rustls-webpki-roots`.
///
/// # Errors
///
/// [`NoRoots`] within: neither feature is on. What the platform's verifier says.
pub fn client_config() -> io::Result<Arc<ClientConfig>> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(config.clone());
    }
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

/// These settings, with the protocol `http/1.1` (RFC 7301) if they name none: a server that speaks
/// HTTP/2 as well would be free to choose it.
pub fn with_http1(config: Arc<ClientConfig>) -> Arc<ClientConfig> {
    if !config.alpn_protocols.is_empty() {
        return config;
    }
    let mut config = ClientConfig::clone(&config);
    config.alpn_protocols.push(HTTP1.into());
    Arc::new(config)
}

/// These settings of a server, with the protocol `http/1.1` if they name none.
pub fn server_with_http1(config: Arc<rustls::ServerConfig>) -> Arc<rustls::ServerConfig> {
    if !config.alpn_protocols.is_empty() {
        return config;
    }
    let mut config = rustls::ServerConfig::clone(&config);
    config.alpn_protocols.push(HTTP1.into());
    Arc::new(config)
}

/// The name that a certificate must be for: a name or an IP address without brackets.
///
/// # Errors
///
/// [`ErrorKind::InvalidInput`]: no certificate can be for it.
pub fn server_name(host: &str) -> io::Result<ServerName<'static>> {
    let invalid = |error| io::Error::new(ErrorKind::InvalidInput, error);
    ServerName::try_from(String::from(host)).map_err(invalid)
}

/// Waits for TLS with a server. What a server says that speaks something else is told as such.
///
/// # Errors
///
/// Why it failed; [`NotTls`] within, if the server does not speak TLS.
///
/// # Cancel safety
///
/// Cancelled, the stream is closed.
pub async fn connect<S>(connecting: impl Future<Output = io::Result<S>>) -> io::Result<S> {
    connecting.await.map_err(|error| NotTls::told(error, Role::Server))
}

/// Waits for TLS with a client, as long as [`Limits::timeout`] allows.
///
/// # Errors
///
/// [`Error::Tls`]: why it failed, with [`NotTls`] within if the client does not speak TLS;
/// [`ErrorKind::TimedOut`].
///
/// # Cancel safety
///
/// Cancelled, the stream is closed.
pub async fn accept<S>(
    clock: &mut impl Clock,
    limits: &Limits,
    accepting: impl Future<Output = io::Result<S>>,
) -> Result<S, Error> {
    let deadline = limits.timeout().map(|timeout| clock.now() + timeout);
    match before_deadline(clock, deadline, accepting).await {
        Some(accepted) => accepted.map_err(|error| Error::Tls(NotTls::told(error, Role::Client))),
        None => Err(Error::Tls(ErrorKind::TimedOut.into())),
    }
}

/// The peer does not speak TLS where it should: as a rule it speaks plain HTTP. What rustls says of
/// what came is the source.
#[derive(Clone, Debug, PartialEq)]
pub struct NotTls {
    peer: Role,
    source: rustls::Error,
}

impl NotTls {
    /// Which side the peer is.
    pub fn peer(&self) -> Role {
        self.peer
    }

    /// The error in its place, if that is what it means: rustls looks at the kind of the first
    /// record before anything else.
    fn told(error: io::Error, peer: Role) -> io::Error {
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

/// There are no roots to check certificates by.
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
