//! Messages that go from the input to the caller without the queue: the fast path of
//! [`receive`](Connection::receive) and [`receive_ref`](Connection::receive_ref).

use core::mem;

use crate::connection::Connection;
use crate::connection::event::Event;
use crate::connection::phase::Phase;
use crate::connection::receive::assembler::append_bytes;
use crate::connection::receive::fast_path::WholeMessage;
use crate::connection::timers::Timer;
use crate::frame::{Mask, Payload};
use crate::message::MessageRef;
use crate::time::Timestamp;
use crate::utf8::validate::from_utf8;

/// What [`Connection::receive_ref`] returns.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "it is lent or it is not")]
pub enum EventRef<'i> {
    /// A message in the caller's input.
    Lent(MessageRef<'i>),
    /// Any other event, and a message that could not be lent: what [`Connection::receive`] returns.
    Owned(Event),
}

impl EventRef<'_> {
    /// The message, lent or owned, if this is one.
    pub fn message(&self) -> Option<MessageRef<'_>> {
        match self {
            Self::Lent(message) => Some(*message),
            Self::Owned(Event::Message(message)) => Some(message.into()),
            Self::Owned(_) => None,
        }
    }

    /// The event without the borrow. Copies a lent message.
    pub fn into_event(self) -> Event {
        match self {
            Self::Lent(message) => Event::Message(message.into()),
            Self::Owned(event) => event,
        }
    }
}

impl Connection {
    /// Like [`receive`](Self::receive), but lends messages out of the input where it can: those that
    /// are whole in it, in one uncompressed frame. Such a message is unmasked in
    /// place, without a copy or an allocation. Other messages are returned as [`EventRef::Owned`].
    /// For a caller that finishes with each message before the next one, such as a relay, a parser or
    /// a game.
    ///
    /// The part of the input that is taken may be changed. The bytes after the event are unchanged and
    /// stay in `input`, as with `receive`. Returns `None` if there is no event; `input` is empty then.
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
        if !self.can_skip_queue() {
            return self.receive_owned(now, input);
        }
        let Some(WholeMessage { is_text, is_validated, mask, payload, rest }) =
            self.fast_path.find(input)
        else {
            return self.receive_owned(now, input);
        };
        let (length, end) = (payload.len(), input.len() - rest.len());
        let (frame, rest) = mem::take(input).split_at_mut(end);
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
            *input = rest;
            return self.receive_invalid(now, header, mask, payload, input);
        };
        *input = rest;
        self.now = self.now.max(now);
        self.count_unqueued(end);
        Some(EventRef::Lent(message))
    }

    /// General path of `receive_ref`: the general path of [`receive`](Self::receive).
    #[inline(never)]
    fn receive_owned<'i>(
        &mut self,
        now: Timestamp,
        input: &mut &'i mut [u8],
    ) -> Option<EventRef<'i>> {
        let mut rest = &**input;
        let event = self.receive_general(now, &mut rest);
        let taken = input.len() - rest.len();
        *input = mem::take(input).split_at_mut(taken).1;
        event.map(EventRef::Owned)
    }

    /// Passes a text frame that is not valid UTF-8 to the general path, which reports what is wrong
    /// and where. The payload was unmasked in place already, so the frame is masked again first.
    #[cold]
    fn receive_invalid<'i>(
        &mut self,
        now: Timestamp,
        header: &[u8],
        mask: Option<Mask>,
        payload: &[u8],
        rest: &mut &'i mut [u8],
    ) -> Option<EventRef<'i>> {
        let mut frame = header.to_vec();
        append_bytes(Payload { bytes: payload, mask, last: true }, &mut frame);
        match self.receive_general(now, &mut &frame[..]) {
            Some(event) => Some(EventRef::Owned(event)),
            None => self.receive_owned(now, rest),
        }
    }

    /// Whether the next message may skip the queue: no earlier event is queued, nothing that ends the
    /// connection has arrived, and no deadline needs the time of this call. This holds between two
    /// messages of an open connection whose events are taken as they come.
    #[inline(always)]
    pub(crate) fn can_skip_queue(&self) -> bool {
        self.phase == Phase::Open
            && self.inbox.is_empty()
            && self.pending_input.is_empty()
            && !self.end_of_stream
            && !self.timers.is_unsettled()
            && self.is_between_messages()
    }

    /// Takes the next message, if the fast path applies.
    #[inline(always)]
    pub(crate) fn take_unqueued(&mut self, input: &mut &[u8]) -> Option<Event> {
        let before = input.len();
        let message = self.fast_path.take_message(input)?;
        self.count_unqueued(before - input.len());
        Some(Event::Message(message))
    }

    /// Counts a message that skipped the queue, in a frame of this length.
    #[inline(always)]
    pub(crate) fn count_unqueued(&mut self, length: usize) {
        self.counters.bytes_in += length as u64;
        self.counters.messages_in += 1;
        self.timers.stop(Timer::Pong);
    }

    /// General path of [`receive`](Self::receive), used when the fast path does not apply.
    #[inline(never)]
    pub(crate) fn receive_general(&mut self, now: Timestamp, input: &mut &[u8]) -> Option<Event> {
        self.tick(now);
        let unqueued = if self.can_skip_queue() { self.take_unqueued(input) } else { None };
        if unqueued.is_some() {
            return unqueued;
        }
        let before = input.len();
        let event = self.decode_event(input);
        let taken = before - input.len();
        if taken > 0 {
            self.note_input(taken);
            self.note_gate();
        }
        self.timers.tick(self.now);
        event
    }
}
