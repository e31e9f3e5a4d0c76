//! What can go wrong in the driver, sorted by who is to blame.

pub(crate) mod connect;
mod io_copy;
pub(crate) mod url;

pub use self::connect::{ConnectError, ConnectFault, Peer, Stage};
pub(crate) use self::io_copy::copy;
pub use self::url::UrlError;

use std::fmt;
use std::io;

use tidegate_core::handshake::{AcceptError, HandshakeError, RequestError, Response};
use tidegate_core::{ChunkError, Closed, ConfigError, ControlError, SendError};

/// Why a call failed. The text says all that is known here; what the system said, or TLS, is the
/// [`source`](std::error::Error::source): print the chain.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The transport failed. What had arrived before was handed over first.
    Io(io::Error),
    /// The connection ended without a clean closing handshake, or it is over and something was to
    /// be sent on it. Says who ended it and why.
    Closed(Closed),
    /// Something was to be sent, but the closing handshake has begun.
    Closing,
    /// A message was to be sent, but one in chunks is not finished.
    Unfinished,
    /// There is no room for the message yet: a sink got it before its `poll_ready` was ready, or it
    /// is what `try_send` gave back.
    NotReady,
    /// The chunk does not continue the message that it is a part of.
    Chunk(ChunkError),
    /// A ping, pong or close that must not be sent.
    Control(ControlError),
    /// The address is not one that can be connected to.
    Url(UrlError),
    /// A setting of the options, or of the waits between attempts, cannot be used.
    Config(ConfigError),
    /// A client could not connect: says at which stage, to whom, and what went wrong.
    Connect(Box<ConnectError>),
    /// TLS with a client failed, before it could ask for anything.
    Tls(io::Error),
    /// The request cannot be made.
    Request(RequestError),
    /// The answer to a request cannot be given. The client was told that something went wrong.
    Accept(AcceptError),
    /// The opening handshake failed.
    Handshake {
        /// Why.
        error: HandshakeError,
        /// The server's answer, if it gave one: its status, its headers and the beginning of its
        /// body.
        response: Option<Box<Response>>,
        /// The server, if the client knows it.
        peer: Option<Box<Peer>>,
    },
    /// The operating system gave no random bytes for the masking keys.
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

/// What is known here is in the text, all of it. A source is what comes from elsewhere: an
/// [`io::Error`], and what is within it. So a chain that is printed says each thing once, and the
/// kind of a transport's fault is found by following it.
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
            // How it ended is part of what is displayed: what is behind that is next.
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

/// The operating system gave no random bytes. What it said instead is the source.
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

/// Lets `?` carry it out of functions that speak `std::io`.
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
