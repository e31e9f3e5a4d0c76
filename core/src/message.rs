//! Messages: owned, borrowed, and in chunks.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use bytestring::ByteString;

/// A message. Cheap to clone: clones share the payload.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Message {
    /// Text, known to be UTF-8.
    Text(ByteString),
    /// Bytes.
    Binary(Bytes),
    /// Text that nobody has checked. It arrives only if `ConfigBuilder::validate_utf8` is off; sent,
    /// it goes out as text as it is, and the caller vouches for it (for proxies).
    UncheckedText(Bytes),
}

impl Message {
    /// A text message.
    pub fn text(text: impl Into<ByteString>) -> Self {
        Self::Text(text.into())
    }

    /// A binary message.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::Binary(bytes.into())
    }

    /// Whether this goes over the wire as text or as binary.
    pub const fn kind(&self) -> MessageKind {
        match self {
            Self::Text(_) | Self::UncheckedText(_) => MessageKind::Text,
            Self::Binary(_) => MessageKind::Binary,
        }
    }

    /// The text, if this is text that is known to be UTF-8.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) | Self::UncheckedText(_) => None,
        }
    }

    /// The payload, whatever the kind.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) | Self::UncheckedText(bytes) => bytes,
        }
    }

    /// The payload, whatever the kind, without a copy.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Binary(bytes) | Self::UncheckedText(bytes) => bytes,
        }
    }

    /// The length of the payload in bytes.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the payload is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

macro_rules! message_from {
    ($variant:ident: $($source:ty),+) => {$(
        impl From<$source> for Message {
            fn from(payload: $source) -> Self {
                Self::$variant(payload.into())
            }
        }
    )+};
}
message_from!(Text: &str, String, ByteString);
message_from!(Binary: Vec<u8>, Bytes, &'static [u8]);

/// Text or binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "RFC 6455 knows two kinds of message")]
pub enum MessageKind {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

/// A part of a message, in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_structs, reason = "plain data that callers build and take apart")]
pub struct Chunk {
    /// What the message is; the same in all its chunks.
    pub kind: MessageKind,
    /// The payload of this part. Received text is cut between characters, unless its validation is
    /// off; text to be sent may be cut anywhere.
    pub payload: Bytes,
    /// Whether the message ends here.
    pub last: bool,
}

/// A message whose payload is borrowed.
///
/// To send: [`Connection::send`](crate::Connection::send) takes it, and the caller keeps the
/// payload, in a buffer that is filled again and again, for example. A short one is copied straight
/// into the outbox, without an allocation of its own.
///
/// Received: the payload is in the caller's read buffer. See
/// [`Connection::receive_ref`](crate::Connection::receive_ref).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MessageRef<'m> {
    /// Text.
    Text(&'m str),
    /// Bytes.
    Binary(&'m [u8]),
    /// Text that nobody has checked, as [`Message::UncheckedText`].
    UncheckedText(&'m [u8]),
}

impl<'m> MessageRef<'m> {
    /// Whether this goes over the wire as text or as binary.
    pub const fn kind(self) -> MessageKind {
        match self {
            Self::Text(_) | Self::UncheckedText(_) => MessageKind::Text,
            Self::Binary(_) => MessageKind::Binary,
        }
    }

    /// The text, if this is text that is known to be UTF-8.
    pub const fn as_text(self) -> Option<&'m str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) | Self::UncheckedText(_) => None,
        }
    }

    /// The payload, whatever the kind.
    pub const fn as_bytes(self) -> &'m [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) | Self::UncheckedText(bytes) => bytes,
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
            MessageRef::UncheckedText(bytes) => Self::UncheckedText(Bytes::copy_from_slice(bytes)),
        }
    }
}

impl<'m> From<&'m Message> for MessageRef<'m> {
    fn from(message: &'m Message) -> Self {
        match message {
            Message::Text(text) => Self::Text(text),
            Message::Binary(bytes) => Self::Binary(bytes),
            Message::UncheckedText(bytes) => Self::UncheckedText(bytes),
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
