//! The events of a connection: messages, control frames if asked for, and how it ended.

use alloc::sync::Arc;
use core::error::Error;
use core::fmt;

use bytes::Bytes;

use crate::close::{CloseCode, CloseFrame};
use crate::error::ProtocolError;
use crate::message::{Chunk, Message};

/// What a connection tells the application. Events come in the order in which things happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A whole message.
    Message(Message),
    /// The next part of a message, instead of [`Event::Message`]. Only with
    /// [`Delivery::Chunks`](crate::Delivery::Chunks).
    Chunk(Chunk),
    /// The peer sent a ping with this payload. Only with
    /// [`surface_control`](crate::ConfigBuilder::surface_control) or
    /// [`PongPolicy::Manual`](crate::PongPolicy::Manual).
    Ping(Bytes),
    /// The peer sent a pong with this payload. Only with
    /// [`surface_control`](crate::ConfigBuilder::surface_control).
    Pong(Bytes),
    /// The connection is over. This event comes exactly once, and is the last one.
    Closed(Closed),
}

/// How a connection ended. Cheap to clone.
///
/// This is also an error type: calls that need an open connection fail with it. Its source is the
/// error of the transport, if one is known.
#[derive(Clone)]
pub struct Closed(Arc<ClosedInner>);

#[derive(Clone, Debug)]
struct ClosedInner {
    received: Option<CloseFrame>,
    sent: Option<CloseFrame>,
    by_peer: bool,
    failure: Option<Failure>,
    transport: Option<Arc<dyn Error + Send + Sync>>,
}

impl Closed {
    pub(crate) fn clean(received: CloseFrame, sent: CloseFrame, by_peer: bool) -> Self {
        Self(Arc::new(ClosedInner {
            received: Some(received),
            sent: Some(sent),
            by_peer,
            failure: None,
            transport: None,
        }))
    }

    pub(crate) fn failed(failure: Failure, sent: Option<CloseFrame>, by_peer: bool) -> Self {
        let is_peers = matches!(failure, Failure::EndOfStream | Failure::Protocol(_));
        Self(Arc::new(ClosedInner {
            received: None,
            sent,
            by_peer: by_peer && is_peers,
            failure: Some(failure),
            transport: None,
        }))
    }

    /// Adds the error of the transport as the [`source`](Error::source), for a loop that knows it.
    /// Equality ignores it.
    #[must_use]
    pub fn with_transport_error(self, error: Arc<dyn Error + Send + Sync>) -> Self {
        Self(Arc::new(ClosedInner { transport: Some(error), ..ClosedInner::clone(&self.0) }))
    }

    /// The close code that was received (RFC 6455 §7.1.5). [`CloseCode::NO_STATUS`] if the peer's
    /// Close had none, [`CloseCode::ABNORMAL`] if no Close was received.
    pub fn code(&self) -> CloseCode {
        self.0.received.as_ref().map_or(CloseCode::ABNORMAL, |frame| frame.code)
    }

    /// The reason that was received, or an empty text.
    pub fn reason(&self) -> &str {
        self.0.received.as_ref().map_or("", |frame| &frame.reason)
    }

    /// Whether the closing handshake was completed: both sides sent a Close. The codes do not matter.
    pub fn is_clean(&self) -> bool {
        self.0.failure.is_none()
    }

    /// Whether the connection ended normally: the closing handshake was completed, and either we began
    /// it, or the peer's Close had the code 1000 or 1001 or no code. An adapter's `recv` returns
    /// `None` then, and an error after any other end.
    pub fn is_normal(&self) -> bool {
        let is_farewell =
            matches!(self.code(), CloseCode::NORMAL | CloseCode::GOING_AWAY | CloseCode::NO_STATUS);
        self.is_clean() && (is_farewell || !self.is_by_peer())
    }

    /// Whether the peer began to end the connection, before we sent a Close: by its own Close, by
    /// ending the stream, or by breaking the protocol.
    pub fn is_by_peer(&self) -> bool {
        self.0.by_peer
    }

    /// The Close that the peer sent.
    pub fn received(&self) -> Option<&CloseFrame> {
        self.0.received.as_ref()
    }

    /// The Close that we sent or queued.
    pub fn sent(&self) -> Option<&CloseFrame> {
        self.0.sent.as_ref()
    }

    /// What went wrong. `None` after a completed closing handshake.
    pub fn failure(&self) -> Option<Failure> {
        self.0.failure
    }
}

impl PartialEq for Closed {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (&*self.0, &*other.0);
        a.received == b.received
            && a.sent == b.sent
            && a.by_peer == b.by_peer
            && a.failure == b.failure
    }
}

impl Eq for Closed {}

impl fmt::Debug for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ClosedInner { received, sent, by_peer, failure, transport } = &*self.0;
        f.debug_struct("Closed")
            .field("received", received)
            .field("sent", sent)
            .field("by_peer", by_peer)
            .field("failure", failure)
            .field("transport", transport)
            .finish()
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.failure() {
            Some(failure) => failure.fmt(f),
            None if self.reason().is_empty() => write!(f, "closed with code {}", self.code()),
            None => write!(f, "closed with code {}: {}", self.code(), self.reason()),
        }
    }
}

impl Error for Closed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.transport.as_deref().map(|error| error as _)
    }
}

/// Why a connection ended without a clean closing handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// The peer broke the protocol.
    Protocol(ProtocolError),
    /// The stream ended before the peer sent a Close.
    EndOfStream,
    /// The peer sent nothing within `pong_timeout` after a ping.
    KeepaliveTimeout,
    /// The peer took no output within `write_timeout`.
    WriteTimeout,
    /// The closing handshake was not finished within `close_timeout`.
    CloseTimeout,
    /// The application called [`abort`](crate::Connection::abort).
    Aborted,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(error) => error.fmt(f),
            Self::EndOfStream => f.write_str("the stream ended without a closing handshake"),
            Self::KeepaliveTimeout => {
                f.write_str("the peer sent nothing within pong_timeout after a ping")
            }
            Self::WriteTimeout => f.write_str("the peer took no output within write_timeout"),
            Self::CloseTimeout => {
                f.write_str("the closing handshake was not finished within close_timeout")
            }
            Self::Aborted => f.write_str("the application aborted the connection"),
        }
    }
}

/// Has no source: `Display` shows the text of a [`ProtocolError`] already.
impl Error for Failure {}
