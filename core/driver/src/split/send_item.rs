//! What a sender of a split connection sends, and what remains of it if it is not accepted.

use crate::error::Error;
use tidegate_core::{Chunk, Outgoing};

/// What a sender wants to send.
pub(crate) enum SendItem<'m> {
    Message(Outgoing<'m>),
    /// A part of a message. `begins` if it must be the first part: it then must not continue a message
    /// that another sender left unfinished.
    Chunk {
        chunk: Chunk,
        begins: bool,
    },
    /// It was the first in the queue and could not be sent. The error stays in the queue until the
    /// task that sent it polls again.
    Failed(Error),
}

/// An item that waits for room.
pub(crate) struct WaitingItem {
    pub(crate) sender: u64,
    pub(crate) item: SendItem<'static>,
}

/// Why an item is not in the outbox.
pub(crate) enum NotAccepted<'m> {
    HasToWait(SendItem<'m>),
    Failed(Error),
}

impl SendItem<'_> {
    /// Makes the item independent of the caller's borrow, because it may wait for longer than one poll:
    /// a borrowed message is copied.
    pub(crate) fn into_owned(self) -> SendItem<'static> {
        match self {
            Self::Message(message) => SendItem::Message(message.into_owned()),
            Self::Chunk { chunk, begins } => SendItem::Chunk { chunk, begins },
            Self::Failed(error) => SendItem::Failed(error),
        }
    }
}
