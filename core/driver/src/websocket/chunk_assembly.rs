//! Messages that arrive in chunks: put together, passed on chunk by chunk, or skipped.

use bytes::Bytes;
use bytestring::ByteString;

use tidegate_core::{Chunk, Event, Message, MessageKind};

/// What is done with the rest of the message of which a chunk came last.
///
/// It is kept beside the connection and not in the call that takes chunks. So a call that is
/// cancelled loses no chunk, and a reader that is leaked with `mem::forget` leaves a valid state.
#[derive(Debug, Default)]
pub(crate) enum ChunkAssembly {
    /// The next chunk begins a message.
    #[default]
    BetweenMessages,
    /// The chunks are put together for a call that wants whole messages.
    Assembling { kind: MessageKind, bytes: Vec<u8> },
    /// A [`MessageReader`](crate::MessageReader) takes the chunks.
    InReader,
    /// The application takes the chunks as events.
    AsEvents,
    /// Nobody wants the rest of the message.
    Skipping,
}

impl ChunkAssembly {
    /// Called when the application asks for a new message: the unread rest of the current one is
    /// skipped.
    pub(crate) fn begin_message(&mut self) {
        if matches!(self, Self::InReader | Self::AsEvents) {
            *self = Self::Skipping;
        }
    }

    /// Gives the part that was put together already to a call that wants chunks. `next` says who
    /// takes the rest.
    pub(crate) fn take_assembled(&mut self, next: Self) -> Option<Chunk> {
        let Self::Assembling { kind, bytes } = self else { return None };
        let (kind, payload) = (*kind, std::mem::take(bytes).into());
        *self = next;
        // Not the last one: a message whose last chunk has come is given out at once and is never
        // kept here.
        Some(Chunk { kind, payload, last: false })
    }

    /// For a call that wants whole messages: gives the message if this event completes one.
    #[inline]
    pub(crate) fn message(&mut self, event: Event) -> Option<Message> {
        match event {
            Event::Message(message) => Some(message),
            Event::Chunk(chunk) => self.assemble(chunk),
            // `Ping`, `Pong` and `Closed` are not messages.
            _ => None,
        }
    }

    /// For a [`MessageReader`](crate::MessageReader): gives the next chunk of its message. A whole
    /// message counts as one chunk.
    pub(crate) fn chunk(&mut self, event: Event) -> Option<Chunk> {
        match event {
            Event::Message(message) => {
                let kind = message.kind();
                Some(Chunk { kind, payload: message.into_bytes(), last: true })
            }
            Event::Chunk(chunk) => self.pass(chunk, Self::InReader),
            // `Ping`, `Pong` and `Closed` are not messages.
            _ => None,
        }
    }

    /// For a call that wants events.
    pub(crate) fn event(&mut self, event: Event) -> Option<Event> {
        let Event::Chunk(chunk) = event else { return Some(event) };
        // A reader that was dropped has taken the beginning of this message. A rest without its
        // beginning is not passed on.
        if matches!(self, Self::InReader) {
            *self = Self::Skipping;
        }
        self.pass(chunk, Self::AsEvents).map(Event::Chunk)
    }

    /// For a call that drops what arrives.
    pub(crate) fn discard(&mut self, event: &Event) {
        if let Event::Chunk(chunk) = event {
            *self = if chunk.last { Self::BetweenMessages } else { Self::Skipping };
        }
    }

    fn pass(&mut self, chunk: Chunk, next: Self) -> Option<Chunk> {
        let is_wanted = !matches!(self, Self::Skipping);
        *self = match (chunk.last, is_wanted) {
            (true, _) => Self::BetweenMessages,
            (false, true) => next,
            (false, false) => Self::Skipping,
        };
        is_wanted.then_some(chunk)
    }

    /// Needs no limit of its own: the core has checked the size of the whole message.
    fn assemble(&mut self, chunk: Chunk) -> Option<Message> {
        self.begin_message();
        let Chunk { kind, payload, last } = chunk;
        match std::mem::take(self) {
            Self::Skipping => {
                if !last {
                    *self = Self::Skipping;
                }
                None
            }
            Self::Assembling { kind, mut bytes } => {
                bytes.extend_from_slice(&payload);
                if last {
                    return Some(message(kind, bytes.into()));
                }
                *self = Self::Assembling { kind, bytes };
                None
            }
            // `InReader` and `AsEvents` do not get here, since `begin_message` has turned them
            // into `Skipping`.
            Self::BetweenMessages | Self::InReader | Self::AsEvents if last => {
                Some(message(kind, payload))
            }
            Self::BetweenMessages | Self::InReader | Self::AsEvents => {
                *self = Self::Assembling { kind, bytes: payload.into() };
                None
            }
        }
    }
}

/// Text that is not UTF-8 gets here only if its validation is off.
fn message(kind: MessageKind, payload: Bytes) -> Message {
    match kind {
        MessageKind::Text => ByteString::try_from(payload.clone())
            .map_or_else(|_| Message::UncheckedText(payload), Message::Text),
        MessageKind::Binary => Message::Binary(payload),
    }
}
