//! How far the application is in the message that it receives in chunks.

use bytes::Bytes;
use bytestring::ByteString;

use tidegate_core::{Chunk, Event, Message, MessageKind};

/// Where the next chunk belongs. It is kept beside the connection and not in the call that takes
/// chunks, so that a call that is cancelled, or a reader that is forgotten, leaves nothing behind.
#[derive(Debug, Default)]
pub(crate) enum Intake {
    /// To a new message.
    #[default]
    Between,
    /// To a message that is being put together, for those who want whole ones.
    Assembling { kind: MessageKind, bytes: Vec<u8> },
    /// To a message that a reader has begun.
    Reading,
    /// To a message whose chunks are taken as events.
    Passing,
    /// To a message of which nobody wants the rest.
    Skipping,
}

impl Intake {
    /// Somebody wants the next message: nobody wants the rest of one that is taken in chunks.
    pub(crate) fn begin(&mut self) {
        if matches!(self, Self::Reading | Self::Passing) {
            *self = Self::Skipping;
        }
    }

    /// The beginning of a message that was to be put together, for somebody who wants chunks.
    pub(crate) fn take_assembled(&mut self, next: Self) -> Option<Chunk> {
        let Self::Assembling { kind, bytes } = self else { return None };
        let (kind, payload) = (*kind, std::mem::take(bytes).into());
        *self = next;
        Some(Chunk { kind, payload, last: false })
    }

    /// For those who want whole messages: one, if this completes it.
    #[inline]
    pub(crate) fn message(&mut self, event: Event) -> Option<Message> {
        match event {
            Event::Message(message) => Some(message),
            Event::Chunk(chunk) => self.assemble(chunk),
            // `Ping`, `Pong` and `Closed` are no messages.
            _ => None,
        }
    }

    /// For a reader: the next chunk of its message; a whole message is one chunk.
    pub(crate) fn chunk(&mut self, event: Event) -> Option<Chunk> {
        match event {
            Event::Message(message) => {
                let kind = message.kind();
                Some(Chunk { kind, payload: message.into_bytes(), last: true })
            }
            Event::Chunk(chunk) => self.pass(chunk, Self::Reading),
            // `Ping`, `Pong` and `Closed` are no messages.
            _ => None,
        }
    }

    /// For those who want events.
    pub(crate) fn event(&mut self, event: Event) -> Option<Event> {
        let Event::Chunk(chunk) = event else { return Some(event) };
        if matches!(self, Self::Reading) {
            *self = Self::Skipping;
        }
        self.pass(chunk, Self::Passing).map(Event::Chunk)
    }

    /// For nobody.
    pub(crate) fn discard(&mut self, event: &Event) {
        if let Event::Chunk(chunk) = event {
            *self = if chunk.last { Self::Between } else { Self::Skipping };
        }
    }

    fn pass(&mut self, chunk: Chunk, next: Self) -> Option<Chunk> {
        let is_wanted = !matches!(self, Self::Skipping);
        *self = match (chunk.last, is_wanted) {
            (true, _) => Self::Between,
            (false, true) => next,
            (false, false) => Self::Skipping,
        };
        is_wanted.then_some(chunk)
    }

    /// The connection has checked that the message is not longer than it may be.
    fn assemble(&mut self, chunk: Chunk) -> Option<Message> {
        self.begin();
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
            Self::Between | Self::Reading | Self::Passing if last => Some(message(kind, payload)),
            Self::Between | Self::Reading | Self::Passing => {
                *self = Self::Assembling { kind, bytes: payload.into() };
                None
            }
        }
    }
}

/// Text that is no UTF-8 comes this far only if its validation is off.
fn message(kind: MessageKind, payload: Bytes) -> Message {
    match kind {
        MessageKind::Text => ByteString::try_from(payload.clone())
            .map_or_else(|_| Message::UncheckedText(payload), Message::Text),
        MessageKind::Binary => Message::Binary(payload),
    }
}
