//! Decodes input: frames to messages, answers to pings, and events.

pub(crate) mod assembler;
pub(crate) mod borrowed;
pub(crate) mod chunks;
pub(crate) mod data_frames;
pub(crate) mod direct;
pub(crate) mod fast_path;
pub(crate) mod fragments;
pub(crate) mod pending_input;
pub(crate) mod queue;

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::close::CloseFrame;
use crate::config::PongPolicy;
use crate::connection::event::Event;
use crate::connection::phase::Phase;
use crate::connection::receive::data_frames::Delivering;
use crate::connection::receive::pending_input::Held;
use crate::connection::{Connection, ControlFrame, Receiving};
use crate::error::ProtocolError;
use crate::frame::{FrameHeader, OpCode, Part, Payload};
use crate::message::Message;

impl Connection {
    /// Decodes input as far as the gate allows and keeps the rest.
    pub(crate) fn decode_input(&mut self, input: &[u8]) {
        let mut rest = input;
        if !self.stash.has_input() {
            self.decode(&mut rest);
            if rest.is_empty() && self.stash.is_empty() {
                // All of it is decoded, and nothing ends the connection.
                return;
            }
        }
        if self.decodes() && !rest.is_empty() {
            self.stash.push(rest);
        }
        if self.inbox.is_empty() || self.phase != Phase::Open {
            self.release();
        }
    }

    /// Whether input is decoded, now or when the gate opens.
    #[inline]
    pub(crate) fn decodes(&self) -> bool {
        self.phase.decodes() && self.stash.held().is_none()
    }

    fn decode(&mut self, input: &mut &[u8]) {
        while self.inbox.is_open() && self.decodes() {
            if self.is_between_messages() {
                while let Some(message) = self.short.take_message(input) {
                    self.received_message(message);
                    if !self.inbox.is_open() {
                        return;
                    }
                }
                if input.is_empty() {
                    return;
                }
            }
            match self.decode_step(input) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => self.hold(Held::Violation(error)),
            }
        }
    }

    /// Whether the stream stands between two messages that are to be delivered whole.
    #[inline]
    pub(crate) fn is_between_messages(&self) -> bool {
        matches!(&self.delivering, Delivering::Whole(assembler) if assembler.is_between_messages())
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
            // Without input too: the last frame may have an empty payload.
            match self.decode_step(input) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => self.hold(Held::Violation(error)),
            }
        }
    }

    /// Decodes a little more; false if more input is needed.
    #[inline]
    fn decode_step(&mut self, input: &mut &[u8]) -> Result<bool, ProtocolError> {
        if let Delivering::Whole(assembler) = &self.delivering {
            let whole = self.decoder.decode_whole(input, |header| assembler.is_whole(header))?;
            if let Some((header, input)) = whole {
                self.received_message(assembler::whole(&header, input, &self.config)?);
                return Ok(true);
            }
        } else if self.delivering.is_waiting() {
            let ended =
                self.delivering.resume(&self.config, &mut self.compression, &mut self.inbox)?;
            self.counters.messages_in += u64::from(ended);
            return Ok(true);
        }
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
        if header.opcode.is_control() {
            let (opcode, payload) = (header.opcode, Vec::new());
            self.receiving = Receiving::Control(Box::new(ControlFrame { opcode, payload }));
            Ok(())
        } else {
            self.receiving = Receiving::Data;
            self.delivering.begin(header, &self.config)
        }
    }

    fn frame_payload(&mut self, payload: Payload<'_>) -> Result<(), ProtocolError> {
        match &mut self.receiving {
            Receiving::Data => {
                let ended = self.delivering.push(
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
                self.hold(Held::Close { frame, trailing: 0 });
            }
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

    /// The next event, whatever there is.
    #[inline(never)]
    pub(crate) fn poll_any(&mut self) -> Option<Event> {
        match self.inbox.count_next(&self.config) {
            Some(false) => self.inbox.take_counted(),
            Some(true) => self.inbox.take_counted().map(|event| self.follow(event)),
            None => self.poll_end(),
        }
    }

    /// Does what is due behind an event. Seldom; the event comes along, so that it is handed over
    /// without a stop where nothing is.
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

    /// The gate opened: old input goes first.
    fn opened(&mut self) {
        let mut input = self.stash.take_input();
        let mut rest = input.bytes();
        self.decode(&mut rest);
        let left = rest.len();
        if left > 0 && self.decodes() {
            input.keep_last(left);
            self.stash = input;
        }
        if self.inbox.is_open() {
            self.output.outbox.set_awaited(false);
            self.timers.gate_opened();
        }
        // An event is on its way to the application, which may answer it: what ends the connection
        // behind it waits for the next one, unless nothing can be sent any more.
        if self.phase != Phase::Open {
            self.release();
        }
        if self.is_all_decoded() && (self.end_of_stream || self.phase == Phase::Cut) {
            self.end();
        }
    }
}
