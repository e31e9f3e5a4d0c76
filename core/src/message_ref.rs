//! A message that stays with its owner.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::event::{Message, MessageKind};

/// A message that the caller keeps: what is sent is a copy of it.
///
/// For messages that are written into a buffer of the application's own, again and again:
/// [`Connection::send_ref`](crate::Connection::send_ref) copies a short one to where it goes out
/// from, without an allocation of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MessageRef<'m> {
    /// Text.
    Text(&'m str),
    /// Bytes.
    Binary(&'m [u8]),
}

impl<'m> MessageRef<'m> {
    /// Whether this goes over the wire as text or as binary.
    pub const fn kind(self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Binary(_) => MessageKind::Binary,
        }
    }

    /// The payload, whatever the kind.
    pub const fn as_bytes(self) -> &'m [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The length of the payload in bytes.
    pub const fn len(self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the payload is empty.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

impl From<MessageRef<'_>> for Message {
    /// Copies the payload.
    fn from(message: MessageRef<'_>) -> Self {
        match message {
            MessageRef::Text(text) => Self::Text(text.into()),
            MessageRef::Binary(bytes) => Self::Binary(Bytes::copy_from_slice(bytes)),
        }
    }
}

macro_rules! message_ref_from {
    ($variant:ident: $($source:ty),+) => {$(
        impl<'m> From<&'m $source> for MessageRef<'m> {
            fn from(payload: &'m $source) -> Self {
                Self::$variant(payload)
            }
        }
    )+};
}
message_ref_from!(Text: str, String);
message_ref_from!(Binary: [u8], Vec<u8>);

impl<'m, const N: usize> From<&'m [u8; N]> for MessageRef<'m> {
    fn from(payload: &'m [u8; N]) -> Self {
        Self::Binary(payload)
    }
}
