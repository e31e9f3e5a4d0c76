//! All errors of the driver. They say who is to blame: the peer, the caller or the transport.

mod connect;
mod environment;
mod io_copy;
mod redirect;
mod temporary;
mod url;

pub use self::connect::{ConnectError, ConnectFault, Peer, Stage};
pub use self::environment::EnvironmentError;
pub(crate) use self::io_copy::copy;
pub use self::redirect::RedirectError;
pub use self::url::UrlError;

use std::fmt;
use std::io;

use tidegate_core::handshake::{AcceptError, HandshakeError, RequestError, Response};
use tidegate_core::{ChunkError, Closed, ConfigError, ControlError, SendError};

/// Why a call failed. The text says everything that the driver knows. What the system or the TLS
/// library said is the [`source`](std::error::Error::source): print the whole chain.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The transport failed. Everything that had arrived before was delivered first.
    Io(io::Error),
    /// The connection is over: it ended without a clean closing handshake, or the call would have
    /// sent something after the end. Says who ended it and why.
    Closed(Closed),
    /// The call would have sent something, but the closing handshake has begun.
    Closing,
    /// The call would have sent a message, but a message in chunks is unfinished.
    Unfinished,
    /// There is no room for the message yet: a sink got it before its `poll_ready` was ready, or it
    /// is what `try_send` gave back.
    NotReady,
    /// The chunk does not continue its message.
    Chunk(ChunkError),
    /// A ping, a pong or a Close that must not be sent.
    Control(ControlError),
    /// The address is not one to connect to.
    Url(UrlError),
    /// A value of the options or of the backoff is not allowed.
    Config(ConfigError),
    /// A client could not connect. Says which step failed, with which peer, and why.
    Connect(Box<ConnectError>),
    /// The TLS handshake with a client failed, before the client could send a request.
    Tls(io::Error),
    /// The request cannot be built.
    Request(RequestError),
    /// The application's answer to a request cannot be sent. The client received an error status.
    Accept(AcceptError),
    /// The opening handshake failed.
    #[non_exhaustive]
    Handshake {
        /// Why it failed.
        error: HandshakeError,
        /// The response of the server, if it sent one: its status, its headers and the beginning of
        /// its body.
        response: Option<Box<Response>>,
        /// The server, if a [`Client`](crate::Client) connected to it.
        peer: Option<Box<Peer>>,
    },
    /// The operating system returned no random bytes for the masking keys.
    Entropy(EntropyError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(_) => f.write_str("the transport failed"),
            Self::Closed(closed) => write!(f, "the connection is over: {closed}"),
            Self::Closing => f.write_str("the closing handshake has begun"),
            Self::Unfinished => f.write_str("a message in chunks is not finished"),
            Self::NotReady => f.write_str(
                "the outbox is full: send waits for room, and so does the poll_ready of a sink",
            ),
            Self::Chunk(error) => error.fmt(f),
            Self::Control(error) => error.fmt(f),
            Self::Url(error) => error.fmt(f),
            Self::Config(error) => error.fmt(f),
            Self::Request(error) => error.fmt(f),
            Self::Accept(error) => error.fmt(f),
            Self::Connect(error) => error.fmt(f),
            Self::Tls(_) => f.write_str("TLS with the client failed"),
            Self::Handshake { error, peer: Some(peer), .. } => {
                write!(f, "the opening handshake with {peer} failed: {error}")
            }
            Self::Handshake { error, .. } => write!(f, "the opening handshake failed: {error}"),
            Self::Entropy(error) => error.fmt(f),
        }
    }
}

/// The errors of this workspace are part of the text already, so only foreign errors are sources: an
/// [`io::Error`] and its own sources. A printed chain says everything once, and following it leads
/// to the kind of a transport error.
impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) | Self::Tls(error) => Some(error),
            Self::Connect(error) => error.source(),
            Self::Chunk(error) => error.source(),
            Self::Control(error) => error.source(),
            Self::Url(error) => error.source(),
            Self::Config(error) => error.source(),
            Self::Request(error) => error.source(),
            Self::Accept(error) => error.source(),
            Self::Handshake { error, .. } => error.source(),
            Self::Entropy(error) => error.source(),
            // `closed` itself is part of the text, so the next error is its source.
            Self::Closed(closed) => closed.source(),
            Self::Closing | Self::Unfinished | Self::NotReady => None,
        }
    }
}

/// Without the message. Of a connection that is closed it says no more than that: why it ended is
/// what the calls of a `WebSocket` or a `Sender` say.
impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Full(_) => Self::NotReady,
            SendError::Unfinished(_) => Self::Unfinished,
            // `Closed`, and none that is known to be added.
            _ => Self::Closing,
        }
    }
}

impl From<ControlError> for Error {
    fn from(error: ControlError) -> Self {
        Self::Control(error)
    }
}

/// The operating system returned no random bytes. Its own error is the source.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EntropyError(getrandom::Error);

impl EntropyError {
    pub(crate) const fn new(error: getrandom::Error) -> Self {
        Self(error)
    }
}

impl fmt::Debug for EntropyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntropyError({:?})", self.0)
    }
}

impl fmt::Display for EntropyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the operating system gave no random bytes")
    }
}

impl std::error::Error for EntropyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<UrlError> for Error {
    fn from(error: UrlError) -> Self {
        Self::Url(error)
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

/// For code that runs the handshake of `tidegate-core` itself: no response and no peer.
impl From<HandshakeError> for Error {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake { error, response: None, peer: None }
    }
}

impl From<RequestError> for Error {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl From<ConnectError> for Error {
    fn from(error: ConnectError) -> Self {
        Self::Connect(Box::new(error))
    }
}

/// Lets `?` convert it in functions that return `std::io::Result`.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        if let Error::Io(error) = error { error } else { Self::other(error) }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn no_random_bytes_are_told_once() {
        let error = Error::Entropy(EntropyError::new(getrandom::Error::UNSUPPORTED));
        let source = error.source().expect("what the system said").to_string();
        assert!(error.to_string().contains("random bytes"));
        assert!(!error.to_string().contains(&source), "{error} <- {source}");
        assert_eq!(source, getrandom::Error::UNSUPPORTED.to_string());
    }
}
