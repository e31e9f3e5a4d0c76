//! What the application wishes: messages, control frames, the end.

pub(crate) mod buffer;
pub(crate) mod chunks;
pub(crate) mod error;
pub(crate) mod fifo;
pub(crate) mod outgoing;
pub(crate) mod output;
pub(crate) mod prepared;
pub(crate) mod queue;

use bytes::Bytes;

use crate::close::CloseFrame;
use crate::connection::Connection;
use crate::connection::event::Failure;
use crate::connection::keepalive::PingPayload;
use crate::connection::phase::{Phase, Step};
use crate::connection::receive::PendingInput;
use crate::connection::send::error::{ChunkError, Refusal, SendError};
use crate::connection::send::outgoing::{Outgoing, OutgoingPayload};
use crate::connection::send::prepared::{Encoded, Prepared};
use crate::connection::send::queue::Frame;
use crate::deflate::session::{Compress, MaybeCompressed};
use crate::error::ControlError;
use crate::frame::{MAX_CONTROL_PAYLOAD, OpCode, first_byte};
use crate::message::MessageRef;
use crate::message::{Chunk, Message, MessageKind};
use crate::time::Timestamp;

impl Connection {
    /// Accepts a message, whole, whatever its size, if the outbox is open.
    ///
    /// [`Outgoing`] lists what can be given: text, bytes, a [`Message`], owned or borrowed, or a
    /// [`Prepared`] one. A short message is copied to where it goes out from, without an allocation
    /// of its own, also from a buffer that is used again:
    ///
    /// ```
    /// use std::fmt::Write;
    /// use tidegate_core::{Config, Connection, Timestamp};
    ///
    /// let mut connection = Connection::server(Timestamp::ZERO, Config::default());
    /// let mut text = String::new();
    /// for number in 1..=3 {
    ///     text.clear();
    ///     write!(text, "{{\"price\":{number}}}").unwrap();
    ///     connection.send(&text)?;
    /// }
    /// # Ok::<(), tidegate_core::SendError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SendError`], which gives the message back: the outbox is full, the connection is closing,
    /// or a message in chunks is not finished. A borrowed message is copied for that: ask
    /// [`can_send`](Self::can_send) first to avoid it.
    #[inline]
    pub fn send<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> Result<(), SendError> {
        // Taken apart here and not in a function of its own: where this is inlined the kind of
        // message is known, so that `Outgoing` costs nothing.
        let Outgoing { payload, compress } = message.into();
        match payload {
            OutgoingPayload::Owned(message) => {
                if self.push_plain(message.kind(), message.as_bytes()) {
                    return Ok(());
                }
                self.send_owned(message, compress)
            }
            OutgoingPayload::Borrowed(message) => {
                if self.push_plain(message.kind(), message.as_bytes()) {
                    return Ok(());
                }
                self.send_borrowed(message, compress)
            }
            OutgoingPayload::Prepared(prepared) => self.send_prepared(&prepared),
            OutgoingPayload::PreparedRef(prepared) => self.send_prepared(prepared),
        }
    }

    fn send_owned(&mut self, message: Message, compress: Compress) -> Result<(), SendError> {
        if let Some(refusal) = self.refusal() {
            return Err(SendError::new(refusal, message));
        }
        let opcode = OpCode::from(message.kind());
        let compressed = self.compression.message(message.as_bytes(), compress);
        let rsv1 = compressed.is_some();
        let payload = compressed.unwrap_or_else(|| message.into_bytes());
        self.output.outbox.push_data(Frame { fin: true, rsv1, opcode, payload });
        self.counters.messages_out += 1;
        self.watch_output();
        Ok(())
    }

    fn send_borrowed(
        &mut self,
        message: MessageRef<'_>,
        compress: Compress,
    ) -> Result<(), SendError> {
        if let Some(refusal) = self.refusal() {
            return Err(SendError::new(refusal, message.into()));
        }
        let opcode = OpCode::from(message.kind());
        match self.compression.message(message.as_bytes(), compress) {
            Some(payload) => {
                let frame = Frame { fin: true, rsv1: true, opcode, payload };
                self.output.outbox.push_data(frame);
            }
            None => self.output.outbox.push_copy(opcode, message.as_bytes()),
        }
        self.counters.messages_out += 1;
        self.watch_output();
        Ok(())
    }

    /// As [`send`](Self::send), with a say in whether the message is compressed.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    #[doc(hidden)]
    pub fn send_with(
        &mut self,
        message: impl Into<Message>,
        compress: Compress,
    ) -> Result<(), SendError> {
        self.send(Outgoing::from(message.into()).compress(compress))
    }

    /// As [`send`](Self::send), with a message that the caller keeps: from a buffer that is used
    /// again, say. A message of less than 8 KiB is copied to where it goes out from, without an
    /// allocation of its own; a longer one to a place of its own.
    ///
    /// ```
    /// use std::fmt::Write;
    /// use tidegate_core::{Config, Connection, Timestamp};
    ///
    /// let mut connection = Connection::server(Timestamp::ZERO, Config::default());
    /// let mut text = String::new();
    /// for number in 1..=3 {
    ///     text.clear();
    ///     write!(text, "{{\"price\":{number}}}").unwrap();
    ///     connection.send_ref(&text)?;
    /// }
    /// # Ok::<(), tidegate_core::Refusal>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Refusal`], as [`send`](Self::send).
    #[inline]
    pub fn send_ref<'m>(&mut self, message: impl Into<MessageRef<'m>>) -> Result<(), Refusal> {
        let message = message.into();
        if self.push_plain(message.kind(), message.as_bytes()) {
            return Ok(());
        }
        self.send_any_ref(message)
    }

    fn send_any_ref(&mut self, message: MessageRef<'_>) -> Result<(), Refusal> {
        if let Some(refusal) = self.refusal() {
            return Err(refusal);
        }
        let opcode = OpCode::from(message.kind());
        match self.compression.message(message.as_bytes(), Compress::Auto) {
            Some(payload) => {
                self.output.outbox.push_data(Frame { fin: true, rsv1: true, opcode, payload });
            }
            None => self.output.outbox.push_copy(opcode, message.as_bytes()),
        }
        self.counters.messages_out += 1;
        self.watch_output();
        Ok(())
    }

    /// Accepts a message that was prepared for many connections: it is not encoded or compressed
    /// again, and a server shares its bytes with all of them.
    ///
    /// With context takeover the window begins anew behind a prepared message that is compressed,
    /// since its peer saw what our compressor did not.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_prepared(&mut self, prepared: &Prepared) -> Result<(), SendError> {
        if let Some(refusal) = self.refusal() {
            return Err(SendError::new(refusal, prepared.message().clone()));
        }
        let Encoded { frame, payload, rsv1 } = self.compression.prepared(prepared);
        let is_fragmented = self.config.fragment_size.is_some_and(|size| payload.len() > size);
        if self.role.masks() || is_fragmented {
            let (rsv1, payload) = (*rsv1, payload.clone());
            let opcode = OpCode::from(prepared.message().kind());
            self.output.outbox.push_data(Frame { fin: true, rsv1, opcode, payload });
        } else {
            self.output.outbox.push_encoded(frame);
        }
        self.counters.messages_out += 1;
        self.watch_output();
        Ok(())
    }

    /// Accepts a part of a message, which goes out as a fragment. The message begins with the first
    /// chunk and ends with the one that is `last`; meanwhile only control frames go in between.
    ///
    /// # Errors
    ///
    /// [`ChunkError`], which gives the chunk back. Text is checked to be UTF-8 as it comes, and at
    /// the end to be complete.
    pub fn send_chunk(&mut self, chunk: Chunk) -> Result<(), ChunkError> {
        if self.phase != Phase::Open {
            return Err(ChunkError::Closed(chunk));
        }
        if self.output.outbox.is_full() {
            return Err(ChunkError::Full(chunk));
        }
        let chunk = self.sending.check(chunk, self.config.validate_utf8)?;
        self.counters.messages_out += u64::from(chunk.last);
        let first = chunk.opcode != OpCode::Continuation;
        let MaybeCompressed { compressed, payload } =
            self.compression.chunk(chunk.payload, first, chunk.last, Compress::Auto);
        let (fin, opcode) = (chunk.last, chunk.opcode);
        self.output.outbox.push_data(Frame { fin, rsv1: compressed, opcode, payload });
        self.watch_output();
        Ok(())
    }

    /// Sends a ping, and gives its number, for [`is_ping_answered`](Self::is_ping_answered). Its
    /// pong gives [`latency`](Self::latency), and is an event if control frames are surfaced.
    ///
    /// When the transport has taken the ping, the peer has `pong_timeout` for a sign of life,
    /// whether there is a keepalive or not.
    ///
    /// # Errors
    ///
    /// [`ControlError`]: over 125 bytes, too many pings waiting, or closing.
    pub fn ping(&mut self, now: Timestamp, payload: impl Into<Bytes>) -> Result<u32, ControlError> {
        let payload = Self::control_payload(payload.into())?;
        if self.phase != Phase::Open {
            return Err(ControlError::Closed);
        }
        self.tick(now);
        self.output.outbox.push_ping(payload.clone())?;
        self.watch_output();
        let number = self.keepalive.sent(PingPayload::Given(payload), self.now);
        self.timers.tick(self.now);
        Ok(number)
    }

    /// Sends a pong: the answer to a ping by [`PongPolicy::Manual`](crate::PongPolicy::Manual), or
    /// a heartbeat that nobody asked for (RFC 6455 §5.5.3). Of more than thirty-two that wait, the
    /// oldest give way. While the closing handshake that we began waits for the peer's Close, its
    /// pings can still be answered.
    ///
    /// # Errors
    ///
    /// [`ControlError`]: over 125 bytes, or the peer has sent its Close or broken the protocol.
    pub fn pong(&mut self, payload: impl Into<Bytes>) -> Result<(), ControlError> {
        let payload = Self::control_payload(payload.into())?;
        if !self.phase.answers_pings() {
            return Err(ControlError::Closed);
        }
        self.output.outbox.push_pong(payload);
        self.watch_output();
        Ok(())
    }

    /// Begins the closing handshake: a Close with this code and reason, or an empty one, goes out
    /// behind what was accepted before. Messages go on arriving; take events until
    /// [`Event::Closed`](crate::Event::Closed).
    ///
    /// # Errors
    ///
    /// [`ControlError`]: a code that must not be sent, a reason over 123 bytes, or closing already.
    pub fn close(
        &mut self,
        now: Timestamp,
        frame: impl Into<Option<CloseFrame>>,
    ) -> Result<(), ControlError> {
        let frame = frame.into();
        frame.as_ref().map_or(Ok(()), CloseFrame::check)?;
        if self.phase != Phase::Open {
            return Err(ControlError::Closed);
        }
        self.tick(now);
        self.step(Step::LocalClose, frame.unwrap_or(CloseFrame::EMPTY), None);
        self.release();
        self.timers.tick(self.now);
        Ok(())
    }

    /// The application waits until output is taken, and takes no messages meanwhile: from now on
    /// until the transport takes something, or the gate opens, `write_timeout` runs behind a closed
    /// gate, too. A full outbox says the same by itself.
    ///
    /// For a loop whose `send` waits until a message has left. Without it, a peer that floods and
    /// reads nothing would keep such an application for ever.
    pub fn await_output(&mut self) {
        self.output.outbox.set_awaited(self.wants_output());
    }

    /// Answers a Close of the peer, or a violation, before the messages before it are taken: for an
    /// application that takes none for long. They can still be taken; nothing can be sent any more.
    /// Whether there was one ([`is_end_queued`](Self::is_end_queued)).
    pub fn answer_end(&mut self, now: Timestamp) -> bool {
        self.tick(now);
        let is_queued = self.pending_input.end().is_some();
        self.release();
        self.timers.tick(self.now);
        is_queued
    }

    /// Gives the connection up: nothing more is sent or decoded, and the transport is to be closed
    /// at once. What was decoded can still be taken.
    pub fn abort(&mut self) {
        self.pending_input = PendingInput::default();
        self.data_frames.clear();
        self.cut(Failure::Aborted);
    }

    /// The way of short messages where nothing is in their way, and nothing is to be done but to
    /// copy them: tells whether this was one.
    #[inline]
    fn push_plain(&mut self, kind: MessageKind, payload: &[u8]) -> bool {
        // All of it together, since hardly ever one of it is not so.
        let is_plain = self.can_send() & !self.compression.is_negotiated();
        if !is_plain || !self.output.outbox.is_short(payload.len()) {
            return false;
        }
        self.output.outbox.push_short(first_byte(true, false, OpCode::from(kind)), payload);
        self.counters.messages_out += 1;
        self.watch_output();
        true
    }

    /// Why a message can't be sent now, if it can't.
    #[inline]
    fn refusal(&self) -> Option<Refusal> {
        if self.phase != Phase::Open {
            Some(Refusal::Closed)
        } else if self.sending.is_unfinished() {
            Some(Refusal::Unfinished)
        } else if self.output.outbox.is_full() {
            Some(Refusal::Full)
        } else {
            None
        }
    }

    fn control_payload(payload: Bytes) -> Result<Bytes, ControlError> {
        if payload.len() > MAX_CONTROL_PAYLOAD {
            return Err(ControlError::PayloadTooLong { length: payload.len() });
        }
        Ok(payload)
    }
}
