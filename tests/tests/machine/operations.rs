//! Runs operations in any order on both the core and the reference.

use core::time::Duration;
use std::env;

use bytes::Buf;
use proptest::collection::vec;
use proptest::prelude::*;

use tidegate_core::testing::{Frame, Sent, Taken, opcode};
use tidegate_core::{
    Chunk, ChunkError, CloseFrame, Closed, Connection, ControlError, Message, MessageKind, Role,
    SendError, Timestamp, Transport,
};

use crate::reference::{End, Item, Reference, Stage, Times};
use crate::setup::{Operation, operation, setup};
use crate::writer::Written;

struct Both {
    core: Connection,
    reference: Reference,
    written: Written,
    input: Vec<u8>,
    fragment_size: Option<usize>,
    /// The kind of the unfinished message that is being sent in chunks.
    unfinished: Option<MessageKind>,
    is_full: bool,
    /// Whether the outbox was at its low watermark since the last comparison.
    was_low: bool,
    sent: usize,
}

impl Both {
    fn apply(&mut self, operation: &Operation) {
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

    fn take(&mut self) -> bool {
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

    /// The outbox's level must be between what certainly counts and what may count.
    fn outbox(&mut self) {
        let unwritten = &self.reference.unwritten;
        let data: usize = unwritten.data.iter().map(|part| part.payload.len()).sum();
        let least = data.saturating_sub(self.written.ahead() + self.written.within());
        // The header of each frame, at most 14 bytes, and control frames with their headers.
        let frames: usize = match self.fragment_size {
            Some(size) => unwritten.data.iter().map(|part| part.payload.len() / size + 1).sum(),
            None => unwritten.data.len(),
        };
        let control = unwritten.pings.len() + unwritten.pongs.len() + 1;
        let most = data.saturating_sub(self.written.ahead()) + 14 * frames + 139 * control;
        let level = self.core.queued_output();
        assert!((least..=most).contains(&level), "{level} is not in {least}..={most}");
        let marks = self.core.config().send_marks();
        let was_full = self.is_full;
        self.is_full = !self.core.can_send_chunk() && self.reference.stage == Stage::Open;
        let can_send = self.core.can_send_chunk() && self.unfinished.is_none();
        assert_eq!(self.core.can_send(), can_send);
        assert_eq!(self.core.is_message_unfinished(), self.unfinished.is_some());
        if self.reference.stage == Stage::Open {
            // If both watermarks are equal, rising to them stops sending, and falling to them allows it.
            let is_both = level == marks.high() && level == marks.low();
            let is_high = level >= marks.high() && !is_both;
            assert!(!is_high || self.is_full || control > 1, "no more at the high mark");
            let is_low = level <= marks.low() && !is_both;
            assert!(!is_low || !self.is_full, "more at the low mark");
            self.was_low |= level <= marks.low();
            assert!(!was_full || self.was_low || self.is_full, "and nothing in between");
        }
        self.was_low = level <= marks.low();
    }

    fn compare(&mut self) {
        let marks = self.core.config().send_marks();
        let level = self.core.queued_output();
        let is_full = match self.reference.stage {
            Stage::Open => (!self.core.can_send_chunk(), !self.core.can_send_chunk()),
            // Otherwise unknown: between the watermarks both are possible.
            _ => (level > marks.high(), level >= marks.low()),
        };
        self.reference.follow(&self.core);
        self.reference.settle(is_full.0, is_full.1);
        let (core, reference) = (&self.core, &self.reference);
        assert_eq!(core.queued_messages(), reference.queued_messages(), "messages");
        assert_eq!(core.queued_bytes(), reference.queued_bytes(), "bytes");
        assert_eq!(core.is_gate_open(), reference.is_gate_open(), "the gate");
        assert_eq!(core.wants_input(), reference.wants_input(), "wants_input");
        assert_eq!(core.wants_output(), !reference.unwritten.is_empty(), "wants_output");
        assert_eq!(core.transport(), reference.transport(), "transport");
        reference.check_timer(core.poll_timeout());
        assert_eq!(core.is_closing(), reference.stage != Stage::Open, "is_closing");
        compare_ends(core.closed(), reference.end.as_ref());
        reference.check_latency(core.latency());
        assert_eq!(core.is_ping_outstanding(), reference.is_ping_outstanding(), "outstanding");
        for (number, is_answered) in reference.answers() {
            assert_eq!(core.is_ping_answered(number), is_answered, "ping {number}");
        }
        let stats = core.stats();
        assert_eq!(stats.times_closed, reference.times_closed, "times closed");
        assert_eq!((stats.peak_messages, stats.peak_bytes), reference.peaks, "peaks");
        self.outbox();
    }
}

/// What `Closed` must contain according to its documentation.
fn compare_ends(closed: Option<&Closed>, end: Option<&End>) {
    let (closed, end) = match (closed, end) {
        (Some(closed), Some(end)) => (closed, end),
        (None, None) => return,
        other => panic!("one has ended: {other:?}"),
    };
    match end {
        End::Clean { received, sent, by_peer } => {
            assert_eq!((closed.failure(), closed.is_clean()), (None, true));
            assert_eq!((closed.received(), closed.sent()), (Some(received), Some(sent)));
            assert_eq!((closed.code(), closed.reason()), (received.code, &*received.reason));
            assert_eq!(closed.is_by_peer(), *by_peer, "who began");
            let is_farewell = matches!(received.code.as_u16(), 1000 | 1001 | 1005);
            assert_eq!(closed.is_normal(), is_farewell || !by_peer, "is_normal");
        }
        End::Failed { failure, by_peer } => {
            assert_eq!((closed.failure(), closed.is_clean()), (Some(*failure), false));
            assert_eq!((closed.code().as_u16(), closed.reason()), (1006, ""));
            assert_eq!((closed.received(), closed.is_normal()), (None, false));
            assert_eq!(closed.is_by_peer(), *by_peer, "who began");
        }
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

/// What the peer does in the end.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// Sends the rest, and ends the stream.
    Eof,
    /// Sends nothing more.
    Silent,
    /// Sends nothing more, and reads nothing.
    Stuck,
}

impl Both {
    /// Takes everything, and checks R5: every peer ends.
    fn end(&mut self, ending: Ending, times: Times) {
        match ending {
            Ending::Eof => {
                while !self.input.is_empty() {
                    self.apply(&Operation::Input(500));
                    self.compare();
                    while self.take() {}
                }
                self.apply(&Operation::Eof);
                self.compare();
                while self.take() {}
                self.apply(&Operation::Write(usize::MAX));
                self.compare();
                assert!(self.reference.end.is_some(), "it has ended");
            }
            Ending::Silent | Ending::Stuck => {
                for _ in 0..100 {
                    while self.take() {}
                    if matches!(ending, Ending::Silent) {
                        self.apply(&Operation::Write(usize::MAX));
                        self.compare();
                    }
                    self.apply(&Operation::Deadline);
                    self.compare();
                }
                while self.take() {}
                if !self.reference.is_waiting() {
                    assert_eq!(self.core.poll_timeout(), None, "nothing to wait for");
                }
                let limit = if matches!(ending, Ending::Silent) { times.pong } else { times.write };
                // Frequent pings fill their ring, and are written above.
                let are_pings_rare = times.ping >= limit.map(|limit| limit / 8);
                if times.ping.is_some()
                    && times.close.is_some()
                    && limit.is_some()
                    && are_pings_rare
                {
                    assert_eq!(self.core.transport(), Transport::Close, "every peer ends");
                }
            }
        }
    }
}
