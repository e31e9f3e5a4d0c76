//! The decode loop: from input to frames, messages, answers to pings, and events.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::close::CloseFrame;
use crate::config::PongPolicy;
use crate::connection::event::Event;
use crate::connection::phase::Phase;
use crate::connection::receive::data_frames::DataFrames;
use crate::connection::receive::pending_input::PendingEnd;
use crate::connection::timers::Timer;
use crate::connection::{Connection, ControlFrame, Receiving};
use crate::error::ProtocolError;
use crate::frame::{FrameHeader, OpCode, Part, Payload};
use crate::message::Message;

impl Connection {
    /// Counts input of this length. Any byte shows that the peer is alive, not only a pong.
    #[inline]
    pub(crate) fn note_input(&mut self, length: usize) {
        self.counters.bytes_in += length as u64;
        self.timers.clear(Timer::Pong);
        self.timers.hear(length);
    }

    /// Decodes input until the gate closes, and keeps the rest.
    pub(crate) fn decode_input(&mut self, input: &[u8]) {
        let mut rest = input;
        // Input that waits for the gate comes first. What arrives now is kept after it, so that
        // the order stays.
        if !self.pending_input.has_input() {
            self.decode(&mut rest);
            if rest.is_empty() && self.pending_input.is_empty() {
                // Everything is decoded, and nothing ends the connection.
                return;
            }
        }
        if self.decodes() && !rest.is_empty() {
            self.pending_input.push(rest);
        }
        // What ends the connection waits while there are messages that the application may still
        // answer.
        if self.inbox.is_empty() || self.phase != Phase::Open {
            self.release();
        }
    }

    /// Whether input is decoded, now or when the gate opens.
    #[inline]
    pub(crate) fn decodes(&self) -> bool {
        self.phase.decodes() && self.pending_input.end().is_none()
    }

    /// Decodes frames until the gate closes, the connection ends or more input is needed.
    fn decode(&mut self, input: &mut &[u8]) {
        while self.inbox.is_open() && self.decodes() {
            if self.is_between_messages() {
                // A loop of its own: of many messages in one read, each costs only these comparisons.
                while let Some(message) = self.fast_path.take_message(input) {
                    self.received_message(message);
                    // Checked after each message: one read of 64 KiB can hold nine thousand tiny
                    // ones.
                    if !self.inbox.is_open() {
                        return;
                    }
                }
                if input.is_empty() {
                    return;
                }
            }
            if !self.decode_part(input) {
                return;
            }
        }
    }

    /// Whether the stream is between two messages that are to be delivered whole: where the fast path
    /// may look for one.
    #[inline]
    pub(crate) fn is_between_messages(&self) -> bool {
        matches!(&self.data_frames, DataFrames::Whole(assembler) if assembler.is_between_messages())
            && self.decoder.is_between_frames()
    }

    /// Decodes until there is an event, or more input is needed.
    pub(crate) fn decode_event(&mut self, input: &mut &[u8]) -> Option<Event> {
        loop {
            let event = self.poll_event();
            if event.is_some() {
                return event;
            }
            if !self.decodes() || self.end_of_stream {
                *input = &[];
                return None;
            }
            if self.is_between_messages()
                && let Some(message) = self.fast_path.take_message(input)
            {
                self.received_message(message);
            } else if !self.decode_part(input) {
                return None;
            }
        }
    }

    /// General path: decodes the next header, or the next piece of payload. Returns false if more
    /// input is needed. A violation of the protocol takes effect after the events before it.
    fn decode_part(&mut self, input: &mut &[u8]) -> bool {
        let decoded = self.try_decode_part(input);
        decoded.unwrap_or_else(|error| {
            self.hold(PendingEnd::Violation(error));
            true
        })
    }

    fn try_decode_part(&mut self, input: &mut &[u8]) -> Result<bool, ProtocolError> {
        if self.data_frames.has_compressed_input() {
            let ended =
                self.data_frames.resume(&self.config, &mut self.compression, &mut self.inbox)?;
            self.counters.messages_in += u64::from(ended);
            return Ok(true);
        }
        // Also without input: a header may have been the last of it, and an empty payload follows.
        match self.decoder.decode(input)? {
            None => return Ok(false),
            Some(Part::Header(header)) => self.begin_frame(&header)?,
            Some(Part::Payload(payload)) => self.frame_payload(payload)?,
        }
        Ok(true)
    }

    #[inline(always)]
    fn received_message(&mut self, message: Message) {
        self.counters.messages_in += 1;
        self.inbox.push(message.len(), Event::Message(message), &self.config);
    }

    fn begin_frame(&mut self, header: &FrameHeader) -> Result<(), ProtocolError> {
        // Collected apart from the message, because control frames may come between its fragments
        // (RFC 6455 §5.4). They have 125 bytes at most, so the buffer may grow as they arrive.
        if header.opcode.is_control() {
            let (opcode, payload) = (header.opcode, Vec::new());
            self.receiving = Receiving::Control(Box::new(ControlFrame { opcode, payload }));
            Ok(())
        } else {
            self.receiving = Receiving::Data;
            self.data_frames.begin(header, &self.config)
        }
    }

    fn frame_payload(&mut self, payload: Payload<'_>) -> Result<(), ProtocolError> {
        match &mut self.receiving {
            Receiving::Data => {
                let ended = self.data_frames.push(
                    payload,
                    &self.config,
                    &mut self.compression,
                    &mut self.inbox,
                )?;
                self.counters.messages_in += u64::from(ended);
                Ok(())
            }
            Receiving::Control(frame) => {
                match payload.mask {
                    Some(mut mask) => mask.append(payload.bytes, &mut frame.payload),
                    None => frame.payload.extend_from_slice(payload.bytes),
                }
                if !payload.last {
                    return Ok(());
                }
                // Control frames take effect when they are complete, at their place in the stream.
                let (opcode, received) = (frame.opcode, core::mem::take(&mut frame.payload));
                self.receiving = Receiving::Data;
                self.control_frame(opcode, received)
            }
        }
    }

    fn control_frame(&mut self, opcode: OpCode, payload: Vec<u8>) -> Result<(), ProtocolError> {
        match opcode {
            OpCode::Ping => self.received_ping(payload.into()),
            OpCode::Pong => self.received_pong(payload.into()),
            OpCode::Close => {
                let frame = CloseFrame::parse(&payload)?;
                self.hold(PendingEnd::Close { frame, trailing: 0 });
            }
            // Not expected here: `begin_frame` collects only control frames.
            OpCode::Continuation | OpCode::Text | OpCode::Binary => {}
        }
        Ok(())
    }

    fn received_ping(&mut self, payload: Bytes) {
        self.counters.pings_in = self.counters.pings_in.saturating_add(1);
        let policy = self.config.pong_policy;
        if self.phase.answers_pings() {
            match policy {
                PongPolicy::OnReceipt => self.answer(payload.clone()),
                PongPolicy::InOrder if self.inbox.is_empty() => self.answer(payload.clone()),
                PongPolicy::InOrder => self.inbox.push_answer(payload.clone()),
                PongPolicy::Manual => {}
            }
        }
        if self.config.surface_control || policy == PongPolicy::Manual {
            self.inbox.push(payload.len(), Event::Ping(payload), &self.config);
        }
    }

    fn received_pong(&mut self, payload: Bytes) {
        self.counters.pongs_in = self.counters.pongs_in.saturating_add(1);
        self.keepalive.received(&payload, self.now);
        if self.config.surface_control {
            self.inbox.push(payload.len(), Event::Pong(payload), &self.config);
        }
    }

    fn answer(&mut self, payload: Bytes) {
        self.output.outbox.push_pong(payload);
        self.watch_output();
    }

    /// General path of [`poll_event`](Self::poll_event): the next of several events, or the end.
    #[inline(never)]
    pub(crate) fn poll_any(&mut self) -> Option<Event> {
        match self.inbox.count_next(&self.config) {
            Some(false) => self.inbox.take_counted(),
            Some(true) => self.inbox.take_counted().map(|event| self.follow(event)),
            None => self.poll_end(),
        }
    }

    /// Does what is due after an event: answers pings, and opens the gate. Rare, so it is a function of
    /// its own; the event is passed through it, so that the common case above moves it only once.
    #[inline(never)]
    fn follow(&mut self, event: Event) -> Event {
        while let Some(answer) = self.inbox.pop_answer() {
            if self.phase.answers_pings() {
                self.answer(answer);
            }
        }
        if self.inbox.reopen(&self.config) {
            self.opened();
        }
        event
    }

    /// The gate has opened: decodes the input that was kept.
    fn opened(&mut self) {
        // Taken out of the connection while it is decoded, and put back if the gate closes again.
        let mut input = self.pending_input.take_input();
        let mut rest = input.bytes();
        self.decode(&mut rest);
        let left = rest.len();
        if left > 0 && self.decodes() {
            input.keep_last(left);
            self.pending_input = input;
        }
        if self.inbox.is_open() {
            self.output.outbox.set_awaited(false);
            self.timers.gate_opened();
        }
        // The application is about to get an event, and may answer it. So what ends the connection
        // waits until the next event is asked for, unless nothing can be sent any more.
        if self.phase != Phase::Open {
            self.release();
        }
        if self.is_all_decoded() && (self.end_of_stream || self.phase == Phase::Cut) {
            self.end();
        }
    }
}
