//! What a sender of a split connection sends, and what remains of it if it is not accepted.

use crate::error::Error;
use tidegate_core::{Chunk, Outgoing};

/// What a sender wants to send.
pub(crate) enum SendItem<'m> {
    Message(Outgoing<'m>),
    /// A part of a message. `begins` if it must be the first one: it then must not continue a
    /// message that somebody else left unfinished.
    Chunk {
        chunk: Chunk,
        begins: bool,
    },
    /// Its turn came, and it could not be sent. Stays in the queue until its sender asks.
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
    /// What waits has to outlive the call that sends it: a borrowed message is copied.
    pub(crate) fn into_owned(self) -> SendItem<'static> {
        match self {
            Self::Message(message) => SendItem::Message(message.into_owned()),
            Self::Chunk { chunk, begins } => SendItem::Chunk { chunk, begins },
            Self::Failed(error) => SendItem::Failed(error),
        }
    }
}
