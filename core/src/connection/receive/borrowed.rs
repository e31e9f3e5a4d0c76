//! Messages lent from the caller's read buffer, without a copy.

use core::mem;

use crate::connection::Connection;
use crate::connection::event::Event;
use crate::connection::receive::assembler::append_bytes;
use crate::connection::receive::fast_path::Found;
use crate::frame::{Mask, Payload};
use crate::message::MessageRef;
use crate::time::Timestamp;
use crate::utf8::validate::from_utf8;

/// What [`Connection::receive_ref`] gives.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "it is lent or it is not")]
pub enum EventRef<'i> {
    /// A message that stands in the input.
    Lent(MessageRef<'i>),
    /// Everything else, and messages that could not be lent: what [`Connection::receive`] gives.
    Owned(Event),
}

impl EventRef<'_> {
    /// The message, if it is one, lent or not.
    pub fn message(&self) -> Option<MessageRef<'_>> {
        match self {
            Self::Lent(message) => Some(*message),
            Self::Owned(Event::Message(message)) => Some(message.into()),
            Self::Owned(_) => None,
        }
    }

    /// The event, which lives as long as one likes: a lent message is copied.
    pub fn into_event(self) -> Event {
        match self {
            Self::Lent(message) => Event::Message(message.into()),
            Self::Owned(event) => event,
        }
    }
}

impl Connection {
    /// As [`receive`](Self::receive), but lends the messages that stand whole in the input, each in
    /// one frame of less than 64 KiB and not compressed: they are unmasked where they are, and
    /// neither copied nor given memory of their own. All others are put together and given as
    /// [`EventRef::Owned`]. For a caller that is done with each message before the next one: a
    /// relay, a parser, a game.
    ///
    /// What is taken of the input may be changed; what is behind the event is not, and stays in
    /// `input` as for `receive`. `None` if there is no event; nothing is left of the input then.
    ///
    /// ```
    /// use tidegate_core::{Config, Connection, Event, EventRef, MessageRef, Timestamp};
    ///
    /// let now = Timestamp::ZERO;
    /// let mut server = Connection::server(now, Config::default());
    /// let mut upstream = Connection::client(now, Config::default(), [7; 32]);
    ///
    /// let mut buffer = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"; // a read of the socket
    /// let mut input = &mut buffer[..];
    /// while let Some(event) = server.receive_ref(now, &mut input) {
    ///     if let Some(message) = event.message() {
    ///         assert_eq!(message, MessageRef::Text("Hello"));
    ///         upstream.send(message)?; // from buffer to buffer
    ///     }
    ///     if let EventRef::Owned(Event::Closed(closed)) = event {
    ///         println!("{closed}");
    ///     }
    /// }
    /// assert!(input.is_empty());
    /// # Ok::<(), tidegate_core::SendError>(())
    /// ```
    #[inline]
    pub fn receive_ref<'i>(
        &mut self,
        now: Timestamp,
        input: &mut &'i mut [u8],
    ) -> Option<EventRef<'i>> {
        if !self.takes_straight() {
            return self.receive_owned(now, input);
        }
        let Some(Found { is_text, is_validated, mask, payload, behind }) = self.short.find(input)
        else {
            return self.receive_owned(now, input);
        };
        let (length, end) = (payload.len(), input.len() - behind.len());
        let (frame, behind) = mem::take(input).split_at_mut(end);
        let (header, payload) = frame.split_at_mut(end - length);
        if let Some(mut mask) = mask {
            mask.apply(payload);
        }
        let payload = &*payload;
        let message = if !is_text {
            MessageRef::Binary(payload)
        } else if !is_validated {
            MessageRef::UncheckedText(payload)
        } else if let Ok(text) = from_utf8(payload) {
            MessageRef::Text(text)
        } else {
            *input = behind;
            return self.receive_fault(now, header, mask, payload, input);
        };
        *input = behind;
        self.now = self.now.max(now);
        self.received_straight(end);
        Some(EventRef::Lent(message))
    }

    /// What [`receive`](Self::receive) does.
    #[inline(never)]
    fn receive_owned<'i>(
        &mut self,
        now: Timestamp,
        input: &mut &'i mut [u8],
    ) -> Option<EventRef<'i>> {
        let mut rest = &**input;
        let event = self.receive_any(now, &mut rest);
        let taken = input.len() - rest.len();
        *input = mem::take(input).split_at_mut(taken).1;
        event.map(EventRef::Owned)
    }

    /// A frame with which something is wrong, its payload unmasked, and what is behind it. It goes
    /// as it was to the general path, which says what is wrong, and where.
    #[cold]
    fn receive_fault<'i>(
        &mut self,
        now: Timestamp,
        header: &[u8],
        mask: Option<Mask>,
        payload: &[u8],
        behind: &mut &'i mut [u8],
    ) -> Option<EventRef<'i>> {
        let mut frame = header.to_vec();
        append_bytes(Payload { bytes: payload, mask, last: true }, &mut frame);
        match self.receive_any(now, &mut &frame[..]) {
            Some(event) => Some(EventRef::Owned(event)),
            None => self.receive_owned(now, behind),
        }
    }
}
