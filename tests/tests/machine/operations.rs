//! Runs operations in any order on both the core and the reference.

use core::time::Duration;
use std::env;

use bytes::Buf;
use proptest::collection::vec;
use proptest::prelude::*;

use tidegate_core::testing::{Frame, Sent, Taken, opcode};
use tidegate_core::{
    Chunk, ChunkError, CloseFrame, Connection, ControlError, Message, MessageKind, Role, SendError,
    Timestamp,
};

use crate::ending::Ending;
use crate::reference::{Item, Reference, Stage};
use crate::setup::{Operation, operation, setup};
use crate::writer::Written;

/// The core and the reference, with what the test itself must remember.
pub(crate) struct Both {
    pub(crate) core: Connection,
    pub(crate) reference: Reference,
    pub(crate) written: Written,
    pub(crate) input: Vec<u8>,
    pub(crate) fragment_size: Option<usize>,
    /// The kind of the unfinished message that is being sent in chunks.
    pub(crate) unfinished: Option<MessageKind>,
    pub(crate) is_full: bool,
    /// Whether the outbox was at its low watermark since the last comparison.
    pub(crate) was_low: bool,
    pub(crate) sent: usize,
}

impl Both {
    pub(crate) fn apply(&mut self, operation: &Operation) {
        let now = self.reference.clock;
        match operation {
            Operation::Input(count) => {
                let count = (*count).min(self.input.len());
                let piece: Vec<u8> = self.input.drain(..count).collect();
                self.core.handle_input(now, &piece);
                self.reference.input(count);
            }
            Operation::Eof => {
                self.core.handle_eof(now);
                self.reference.eof();
            }
            Operation::Wait(millis) => self.timeout(now + Duration::from_millis(*millis)),
            Operation::Pause(millis) => {
                self.reference.clock = now + Duration::from_millis(*millis);
            }
            Operation::Deadline => {
                if let Some(deadline) = self.core.poll_timeout() {
                    self.timeout(deadline.max(now));
                }
            }
            Operation::Answer(back) => self.answer(*back),
            Operation::Flood => {
                if self.reference.stage == Stage::Closed && self.input.is_empty() {
                    self.core.handle_input(now, &[0; FLOOD]);
                    self.reference.input(FLOOD);
                }
            }
            Operation::Take(count) => {
                for _ in 0..*count {
                    self.take();
                }
            }
            Operation::Send(length) => self.send(*length),
            Operation::Chunk(kind, length, last) => self.send_chunk(*kind, *length, *last),
            Operation::Ping => {
                self.sent += 1;
                let payload = format!("p{}", self.sent).into_bytes();
                match self.core.ping(now, payload.clone()) {
                    Ok(number) => self.reference.ping(payload, number),
                    Err(ControlError::Full) => {
                        assert!(self.reference.unwritten.pings.len() >= 16, "there was room");
                    }
                    Err(error) => {
                        assert_eq!(error, ControlError::Closed);
                        assert_ne!(self.reference.stage, Stage::Open);
                    }
                }
            }
            Operation::Pong(length) => {
                // All payloads differ, so that a written ping is recognised by its payload.
                self.sent += 1;
                let mut payload = format!("o{}", self.sent).into_bytes();
                payload.resize(payload.len().max(*length), b'.');
                let sent = self.core.pong(payload.clone()).is_ok();
                assert_eq!(sent, self.reference.pong(payload), "pong");
            }
            Operation::Close(frame) => {
                let is_empty = *frame == CloseFrame::EMPTY && self.sent.is_multiple_of(2);
                let closed = self.core.close(now, (!is_empty).then(|| frame.clone())).is_ok();
                assert_eq!(closed, self.reference.close(frame.clone()), "close");
            }
            Operation::Abort => {
                self.core.abort();
                self.reference.abort();
            }
            Operation::Write(most) => self.write(*most),
        }
    }

    fn timeout(&mut self, now: Timestamp) {
        if self.reference.unwritten.pings.len() >= 16 {
            // Whether there is room for the next keepalive ping cannot be observed, so make room.
            self.write(usize::MAX);
        }
        self.core.handle_timeout(now);
        self.reference.clock = now;
        self.reference.timeout(&self.core);
        // A loop that waits until then must not run for nothing.
        let next = self.core.poll_timeout();
        assert!(next.is_none_or(|next| next > now), "{next:?} at {now:?}");
    }

    /// The peer answers one of the pings that have reached it, the latest first, after the frame that
    /// it is sending.
    fn answer(&mut self, back: usize) {
        let is_over = self.has_ended();
        if !self.reference.counts_input() {
            return;
        }
        let reference = &mut self.reference;
        let written = reference.pings.iter().filter(|ping| ping.is_written);
        let Some(payload) = written.rev().nth(back).and_then(|ping| ping.payload.clone()) else {
            return;
        };
        let is_next = |(position, _): &&(usize, Item)| *position > reference.received;
        let at = match reference.items.iter().find(is_next) {
            Some((position, Item::Sent(_))) => *position,
            None if self.input.is_empty() && !is_over => reference.received,
            _ => return,
        };
        let key = self.core.role().peer().masks().then_some([1, 2, 3, 4]);
        let bytes = Frame { key, ..Frame::new(opcode::PONG, payload.clone()) }.encode();
        for (position, _) in &mut reference.items {
            *position += if *position > at { bytes.len() } else { 0 };
        }
        let index = reference.items.iter().take_while(|(position, _)| *position <= at).count();
        reference.items.insert(index, (at + bytes.len(), Item::Sent(Sent::Pong(payload))));
        let from = at - reference.received;
        self.input.splice(from..from, bytes);
    }

    fn has_ended(&self) -> bool {
        let last = self.reference.items.last();
        last.is_some_and(|(_, item)| !matches!(item, Item::Sent(_)))
    }

    pub(crate) fn take(&mut self) -> bool {
        let taken = self.core.poll_event().map(|event| Taken::from_event(event).unwrap());
        assert_eq!(taken, self.reference.take());
        self.compare();
        taken.is_some()
    }

    fn send(&mut self, length: usize) {
        self.sent += 1;
        let mut payload = format!("m{}", self.sent).into_bytes();
        payload.resize(payload.len().max(length), b'.');
        let message = if length.is_multiple_of(2) {
            Message::binary(payload.clone())
        } else {
            Message::text(String::from_utf8(payload.clone()).unwrap())
        };
        match self.core.send(message.clone()) {
            Ok(()) => {
                assert!(!self.is_full && self.reference.stage == Stage::Open);
                assert_eq!(self.unfinished, None);
                self.reference.sent(payload, true);
            }
            Err(SendError::Unfinished(back)) => {
                assert!(self.unfinished.is_some() && self.reference.stage == Stage::Open);
                assert_eq!(back, message);
            }
            Err(SendError::Full(back)) => {
                assert!(self.is_full && self.reference.stage == Stage::Open);
                assert_eq!(back, message);
            }
            Err(error) => {
                assert_eq!(error, SendError::Closed(message));
                assert_ne!(self.reference.stage, Stage::Open);
            }
        }
    }

    fn send_chunk(&mut self, kind: MessageKind, length: usize, last: bool) {
        self.sent += 1;
        let mut payload = format!("c{}", self.sent).into_bytes();
        payload.resize(length, b'.');
        let chunk = Chunk { kind, payload: payload.clone().into(), last };
        let is_open = self.reference.stage == Stage::Open;
        let is_wrong = self.unfinished.is_some_and(|begun| begun != kind);
        match self.core.send_chunk(chunk.clone()) {
            Ok(()) => {
                assert!(is_open && !self.is_full && !is_wrong);
                self.reference.sent(payload, last);
                self.unfinished = (!last).then_some(kind);
            }
            Err(ChunkError::Full(back)) => assert!(is_open && self.is_full && back == chunk),
            Err(ChunkError::WrongKind(back)) => assert!(is_open && is_wrong && back == chunk),
            Err(error) => assert!(!is_open && error == ChunkError::Closed(chunk)),
        }
    }

    fn write(&mut self, most: usize) {
        let (role, fragment_size) = (self.core.role(), self.fragment_size);
        let low = self.core.config().send_marks().low();
        let (mut bytes, mut left) = (Vec::new(), most);
        while self.core.output().has_remaining() && left > 0 {
            let output = self.core.output();
            let count = output.chunk().len().min(left);
            bytes.extend_from_slice(&output.chunk()[..count]);
            left -= count;
            // Queued output is committed when the write buffer is empty, and counts more from then
            // on: with headers of fragments, and control frames.
            self.was_low |= self.core.queued_output() - count <= low;
            self.core.output().advance(count);
        }
        self.written.take(&bytes, &mut self.reference, role, fragment_size);
    }
}

/// Four of these exceed the 1 MiB that is read after a Close, three do not.
const FLOOD: usize = 300_000;

fn cases() -> u32 {
    env::var("MACHINE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..Default::default() })]

    /// After every operation, everything observable of the two must be equal.
    #[test]
    fn the_connection_agrees_with_the_reference(
        (role, config, times, items, input) in setup(),
        fragment_size in prop::option::weighted(0.3, 1..200usize),
        operations in vec(operation(), 0..80),
        ending in prop::sample::select(&[Ending::Eof, Ending::Silent, Ending::Stuck][..]),
    ) {
        let config = config.to_builder().fragment_size(fragment_size).build().unwrap();
        let reference = Reference::new(role, &config, times, items);
        let core = match role {
            Role::Client => Connection::client(Timestamp::ZERO, config, [9; 32]),
            Role::Server => Connection::server(Timestamp::ZERO, config),
        };
        let mut both = Both {
            core,
            reference,
            written: Written::default(),
            input,
            fragment_size,
            unfinished: None,
            is_full: false,
            was_low: true,
            sent: 0,
        };
        both.compare();
        for operation in &operations {
            both.apply(operation);
            both.compare();
        }
        both.end(ending, times);
        prop_assert_eq!(both.core.poll_event(), None);
    }
}
