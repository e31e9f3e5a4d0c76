//! Accepts messages and chunks of messages for sending.

use crate::connection::Connection;
use crate::connection::phase::Phase;
use crate::connection::send::chunks::CheckedChunk;
use crate::connection::send::error::{ChunkError, SendError};
use crate::connection::send::outgoing::{Outgoing, OutgoingPayload};
use crate::connection::send::prepared::{EncodedFrame, Prepared};
use crate::connection::send::queue::queued_frame::DataFrame;
use crate::deflate::session::{Compress, MaybeCompressed};
use crate::frame::{OpCode, first_byte};
use crate::message::{Chunk, Message, MessageKind, MessageRef};

impl Connection {
    /// Whether [`send`](Self::send) would accept a message: the connection is open, the outbox is
    /// not full, and no message in chunks is unfinished.
    #[inline]
    pub fn can_send(&self) -> bool {
        self.can_send_chunk() & !self.is_message_unfinished()
    }

    /// Whether [`send_chunk`](Self::send_chunk) has room for a chunk.
    #[inline]
    pub fn can_send_chunk(&self) -> bool {
        (self.phase == Phase::Open) & !self.output.outbox.is_full()
    }

    /// Whether a message in chunks is begun and not finished: no other one can be sent.
    #[inline]
    pub fn is_message_unfinished(&self) -> bool {
        self.outgoing_chunks.is_unfinished()
    }

    /// Accepts a whole message of any size, if the outbox is not full.
    ///
    /// [`Outgoing`] lists what can be given: text, bytes, a [`Message`], owned or borrowed, or a
    /// [`Prepared`] one. A short message is copied straight into the outbox, without an allocation of
    /// its own, so it can be borrowed from a buffer that is reused:
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
        if !self.can_send() {
            return Err(self.not_accepted(message));
        }
        let opcode = OpCode::from(message.kind());
        // Compressed now and not when it is written: the window of the peer's inflater sees messages
        // in the order in which they were accepted.
        let compressed = self.compression.message(message.as_bytes(), compress);
        let rsv1 = compressed.is_some();
        let payload = compressed.unwrap_or_else(|| message.into_bytes());
        self.output.outbox.push_data(DataFrame { fin: true, rsv1, opcode, payload });
        self.note_message();
        Ok(())
    }

    fn send_borrowed(
        &mut self,
        message: MessageRef<'_>,
        compress: Compress,
    ) -> Result<(), SendError> {
        if !self.can_send() {
            return Err(self.not_accepted(message.into()));
        }
        let opcode = OpCode::from(message.kind());
        match self.compression.message(message.as_bytes(), compress) {
            Some(payload) => {
                let frame = DataFrame { fin: true, rsv1: true, opcode, payload };
                self.output.outbox.push_data(frame);
            }
            None => self.output.outbox.push_copy(opcode, message.as_bytes()),
        }
        self.note_message();
        Ok(())
    }

    fn send_prepared(&mut self, prepared: &Prepared) -> Result<(), SendError> {
        if !self.can_send() {
            return Err(self.not_accepted(prepared.message().clone()));
        }
        let EncodedFrame { frame, payload, rsv1 } = prepared.encoded_for(&mut self.compression);
        let is_fragmented = self.config.fragment_size.is_some_and(|size| payload.len() > size);
        // A client masks each frame with a key of its own, and fragments have headers of their own.
        // Then only the payload can be shared, not the encoded frame.
        if self.role.masks() || is_fragmented {
            let (rsv1, payload) = (*rsv1, payload.clone());
            let opcode = OpCode::from(prepared.message().kind());
            self.output.outbox.push_data(DataFrame { fin: true, rsv1, opcode, payload });
        } else {
            self.output.outbox.push_encoded(frame);
        }
        self.note_message();
        Ok(())
    }

    /// Accepts a part of a message, which goes out as a fragment. The message begins with the first
    /// chunk and ends with the one that is `last`. Only control frames can be sent in between.
    ///
    /// # Errors
    ///
    /// [`ChunkError`], which gives the chunk back. Text must be UTF-8, and complete at the end; a
    /// chunk may end within a character.
    pub fn send_chunk(&mut self, chunk: Chunk) -> Result<(), ChunkError> {
        if !self.can_send_chunk() {
            let is_open = self.phase == Phase::Open;
            return Err(if is_open { ChunkError::Full(chunk) } else { ChunkError::Closed(chunk) });
        }
        let CheckedChunk { opcode, payload, last: fin } =
            self.outgoing_chunks.check(chunk, self.config.validate_utf8)?;
        // The chunk is checked and counts as accepted, so nothing below may fail.
        self.counters.messages_out += u64::from(fin);
        let is_first = opcode != OpCode::Continuation;
        let MaybeCompressed { compressed, payload } =
            self.compression.chunk(payload, is_first, fin, Compress::Auto);
        self.output.outbox.push_data(DataFrame { fin, rsv1: compressed, opcode, payload });
        self.watch_output();
        Ok(())
    }

    /// Fast path of `send`: copies a short message into the outbox if nothing else is to be done
    /// with it. Returns whether it did.
    #[inline]
    fn push_plain(&mut self, kind: MessageKind, payload: &[u8]) -> bool {
        // `&`, not `&&`: all of these hold nearly always, and one branch is cheaper than four.
        let is_plain = self.can_send() & !self.compression.is_negotiated();
        if !is_plain || !self.output.outbox.is_short(payload.len()) {
            return false;
        }
        self.output.outbox.push_short(first_byte(true, false, OpCode::from(kind)), payload);
        self.note_message();
        true
    }

    /// Counts a message that is in the outbox now, and begins the wait for the transport.
    #[inline]
    fn note_message(&mut self) {
        self.counters.messages_out += 1;
        self.watch_output();
    }

    /// The error for a message while [`can_send`](Self::can_send) is false.
    #[cold]
    fn not_accepted(&self, message: Message) -> SendError {
        // The end first: a caller that waited for room, or finished its chunks, would only be told of
        // the end after that.
        if self.phase != Phase::Open {
            SendError::Closed(message)
        } else if self.is_message_unfinished() {
            SendError::Unfinished(message)
        } else {
            SendError::Full(message)
        }
    }
}
