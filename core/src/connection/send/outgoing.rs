//! What `send` takes: a message that is owned, borrowed or prepared, and whether to compress it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use bytestring::ByteString;

use crate::connection::send::prepared::Prepared;
use crate::deflate::session::Compress;
use crate::message::{Message, MessageKind, MessageRef};

/// A message to be sent: the argument of [`Connection::send`](crate::Connection::send), which
/// converts everything below into it.
///
/// | given | what happens to the payload |
/// |---|---|
/// | `&str`, `&String`, `&[u8]`, `&[u8; N]`, `&Vec<u8>`, [`MessageRef`], `&Message` | borrowed. Less than 8 KiB is copied straight into the send queue, without an allocation of its own; more is copied once |
/// | `String`, `ByteString`, `Vec<u8>`, `Bytes`, [`Message`] | owned. Less than 8 KiB is copied in the same way; more goes out without a copy |
/// | [`Prepared`], `&Prepared` | encoded already, and shared with other connections |
///
/// ```
/// use tidegate_core::{
///     Compress, Config, Connection, Message, MessageRef, Outgoing, Prepared, Timestamp,
/// };
///
/// let mut connection = Connection::server(Timestamp::ZERO, Config::default());
/// let message = Message::text("hello");
/// let prepared = Prepared::new("tide is high");
///
/// connection.send("hello")?;
/// connection.send(String::from("hello"))?;
/// connection.send(b"\x01\x02")?;
/// connection.send(vec![1, 2, 3])?;
/// connection.send(&message)?;
/// connection.send(MessageRef::Text("hello"))?;
/// connection.send(&prepared)?;
/// connection.send(prepared)?;
/// connection.send(Outgoing::from(message).compress(Compress::Never))?;
/// # Ok::<(), tidegate_core::SendError>(())
/// ```
///
/// A `&Message` is copied, since nothing is known of its owner. For a long message prefer
/// `send(message.clone())`, which shares the payload.
#[derive(Clone)]
#[must_use = "nothing is sent until this is given to `send`"]
pub struct Outgoing<'m> {
    pub(crate) payload: OutgoingPayload<'m>,
    pub(crate) compress: Compress,
}

/// With a tag of its own (`repr`). Otherwise the tag shares a place with that of [`Message`], and the
/// compiler can't see any more, where a message becomes one of these, which one it is.
#[derive(Clone)]
#[repr(u8)]
pub(crate) enum OutgoingPayload<'m> {
    Owned(Message),
    Borrowed(MessageRef<'m>),
    Prepared(Prepared),
    /// Apart from `Prepared`, so that a message to a thousand connections is counted as shared
    /// only where it has to wait.
    PreparedRef(&'m Prepared),
}

impl<'m> Outgoing<'m> {
    #[inline]
    const fn new(payload: OutgoingPayload<'m>) -> Self {
        Self { payload, compress: Compress::Auto }
    }

    /// Chooses whether the message is compressed; the default is [`Compress::Auto`]. No effect
    /// unless permessage-deflate was negotiated, nor on a [`Prepared`] message, whose options were
    /// chosen when it was made.
    #[inline]
    pub fn compress(mut self, compress: Compress) -> Self {
        self.compress = compress;
        self
    }

    /// Whether this goes over the wire as text or as binary.
    #[inline]
    pub fn kind(&self) -> MessageKind {
        self.message().kind()
    }

    /// The length of the payload in bytes, before compression.
    #[inline]
    pub fn len(&self) -> usize {
        self.message().len()
    }

    /// Whether the payload is empty.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same without the borrow: to be kept in a queue, for example. Copies a borrowed payload,
    /// and nothing else.
    pub fn into_owned(self) -> Outgoing<'static> {
        let payload = match self.payload {
            OutgoingPayload::Owned(message) => OutgoingPayload::Owned(message),
            OutgoingPayload::Borrowed(message) => OutgoingPayload::Owned(message.into()),
            OutgoingPayload::Prepared(prepared) => OutgoingPayload::Prepared(prepared),
            OutgoingPayload::PreparedRef(prepared) => OutgoingPayload::Prepared(prepared.clone()),
        };
        Outgoing { payload, compress: self.compress }
    }

    /// The message alone. Copies a borrowed payload; a prepared message is a cheap clone.
    pub fn into_message(self) -> Message {
        match self.payload {
            OutgoingPayload::Owned(message) => message,
            OutgoingPayload::Borrowed(message) => message.into(),
            OutgoingPayload::Prepared(prepared) => prepared.message().clone(),
            OutgoingPayload::PreparedRef(prepared) => prepared.message().clone(),
        }
    }

    /// A view of the message.
    #[inline]
    fn message(&self) -> MessageRef<'_> {
        match &self.payload {
            OutgoingPayload::Owned(message) => message.into(),
            OutgoingPayload::Borrowed(message) => *message,
            OutgoingPayload::Prepared(prepared) => prepared.message().into(),
            OutgoingPayload::PreparedRef(prepared) => prepared.message().into(),
        }
    }
}

/// The kind and the length, and not the payload: that may be secret.
impl fmt::Debug for Outgoing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("kind", &self.kind())
            .field("length", &self.len())
            .field("compress", &self.compress)
            .finish_non_exhaustive()
    }
}

macro_rules! outgoing_from {
    ($variant:ident: $($source:ty),+) => {$(
        impl<'m> From<$source> for Outgoing<'m> {
            #[inline]
            fn from(payload: $source) -> Self {
                Self::new(OutgoingPayload::$variant(payload.into()))
            }
        }
    )+};
}
outgoing_from!(Owned: Message, String, ByteString, Vec<u8>, Bytes);
outgoing_from!(Borrowed: MessageRef<'m>, &'m Message, &'m str, &'m String, &'m [u8], &'m Vec<u8>);
outgoing_from!(Prepared: Prepared);
outgoing_from!(PreparedRef: &'m Prepared);

impl<'m, const N: usize> From<&'m [u8; N]> for Outgoing<'m> {
    #[inline]
    fn from(payload: &'m [u8; N]) -> Self {
        Self::new(OutgoingPayload::Borrowed(payload.into()))
    }
}
