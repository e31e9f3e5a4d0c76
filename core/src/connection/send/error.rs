//! The errors of `send` and `send_chunk`, which give back what was not accepted.

use core::fmt;

use crate::error::CLOSED;
use crate::message::{Chunk, Message};

/// A message that was not accepted. The error gives it back; nothing was sent, and the connection
/// has not changed.
///
/// A message that was borrowed is copied for this, and a prepared one is cloned, which is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The outbox is at its high mark: try again when
    /// [`can_send`](crate::Connection::can_send) is true.
    Full(Message),
    /// The connection is closing or closed: no data follows a Close (RFC 6455 §5.5.1).
    Closed(Message),
    /// A message in chunks is not finished: only control frames may come between its fragments
    /// (RFC 6455 §5.4).
    Unfinished(Message),
}

impl SendError {
    /// Whether the outbox is full, and the message can be accepted later.
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }

    /// Whether nothing can be sent any more.
    pub const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }

    /// Whether a message in chunks has to be finished first.
    pub const fn is_unfinished(&self) -> bool {
        matches!(self, Self::Unfinished(_))
    }

    /// The message, to be sent again or elsewhere.
    pub fn into_message(self) -> Message {
        match self {
            Self::Full(message) | Self::Closed(message) | Self::Unfinished(message) => message,
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => FULL,
            Self::Closed(_) => CLOSED,
            Self::Unfinished(_) => "a message in chunks is not finished yet",
        })
    }
}

impl core::error::Error for SendError {}

/// A chunk that was not accepted. The error gives it back; nothing was sent, and the connection has
/// not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChunkError {
    /// The outbox is at its high mark: try again when
    /// [`can_send`](crate::Connection::can_send) is true.
    Full(Chunk),
    /// The connection is closing or closed.
    Closed(Chunk),
    /// The message in progress is of the other kind, text or binary.
    WrongKind(Chunk),
    /// With this chunk the text message would not be UTF-8.
    InvalidUtf8(Chunk),
}

impl ChunkError {
    /// The chunk, to be sent again or elsewhere.
    pub fn into_chunk(self) -> Chunk {
        match self {
            Self::Full(chunk)
            | Self::Closed(chunk)
            | Self::WrongKind(chunk)
            | Self::InvalidUtf8(chunk) => chunk,
        }
    }
}

impl fmt::Display for ChunkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => FULL,
            Self::Closed(_) => CLOSED,
            Self::WrongKind(_) => "the message in progress is of the other kind",
            Self::InvalidUtf8(_) => "the chunk makes the text message something else than UTF-8",
        })
    }
}

impl core::error::Error for ChunkError {}

const FULL: &str = "the outbox is full: the peer, or the network, takes less than is sent";
