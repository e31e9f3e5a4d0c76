//! Random sends and writes: the output contains exactly the messages, pings and pongs sent.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};
use proptest::prelude::*;
use tidegate_core::frame::{HeaderRules, OpCode, parse_header};
use tidegate_core::{
    Chunk, Config, Connection, Message, MessageKind, Prepared, Role, Timestamp, Watermarks,
};

const NOW: Timestamp = Timestamp::ZERO;

#[derive(Clone, Debug)]
enum Step {
    Send(usize),
    SendText(usize),
    SendRef(usize),
    SendPrepared(usize),
    /// A message in this many chunks of this length.
    SendChunks(usize, usize),
    Ping(usize),
    /// Sends a pong.
    Answer(usize),
    /// The transport takes this many bytes of the first slice, or (vectored) of all slices.
    Take(usize),
    TakeVectored(usize),
    TakeAll,
}

fn step() -> impl Strategy<Value = Step> {
    let length = || {
        prop_oneof![
            4 => 0usize..40,
            2 => 60usize..70,
            2 => 120usize..132,
            2 => 500usize..530,
            2 => 1_000usize..1_100,
            2 => 8_170usize..8_210,
            1 => 16_360usize..16_400,
            1 => 60_000usize..70_000,
            1 => 130_000usize..200_000,
        ]
    };
    prop_oneof![
        6 => length().prop_map(Step::Send),
        1 => length().prop_map(Step::SendText),
        3 => length().prop_map(Step::SendRef),
        2 => length().prop_map(Step::SendPrepared),
        1 => (1usize..4, length()).prop_map(|(count, length)| Step::SendChunks(count, length)),
        1 => (0usize..126).prop_map(Step::Ping),
        1 => (0usize..126).prop_map(Step::Answer),
        2 => (0usize..20).prop_map(Step::Take),
        2 => (0usize..100_000).prop_map(Step::Take),
        2 => (0usize..100_000).prop_map(Step::TakeVectored),
        2 => Just(Step::TakeAll),
    ]
}

fn pattern(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|index| ((index * 7 + seed) % 127).to_le_bytes()[0]).collect()
}

/// A connection, its output so far, and the frames that the output must contain.
struct Sender {
    connection: Connection,
    bytes: Vec<u8>,
    messages: Vec<(OpCode, Vec<u8>)>,
    pings: Vec<Vec<u8>>,
    pongs: VecDeque<Vec<u8>>,
}

impl Sender {
    fn new(role: Role, fragment_size: Option<usize>) -> Self {
        let config = Config::builder()
            .ping_interval(None)
            .send_marks(Watermarks::UNLIMITED)
            .fragment_size(fragment_size)
            .build()
            .unwrap();
        let connection = match role {
            Role::Server => Connection::server(NOW, config),
            Role::Client => Connection::client(NOW, config, [9; 32]),
        };
        let (messages, pings, pongs) = Default::default();
        Self { connection, bytes: Vec::new(), messages, pings, pongs }
    }

    fn run(&mut self, step: &Step, number: usize) {
        let connection = &mut self.connection;
        let mut data = |opcode, payload| self.messages.push((opcode, payload));
        match *step {
            Step::Send(length) => {
                connection.send(Message::binary(pattern(length, number))).unwrap();
                data(OpCode::Binary, pattern(length, number));
            }
            Step::SendText(length) => {
                let text = String::from_utf8(pattern(length, number)).unwrap();
                connection.send(text).unwrap();
                data(OpCode::Text, pattern(length, number));
            }
            Step::SendRef(length) => {
                connection.send(pattern(length, number).as_slice()).unwrap();
                data(OpCode::Binary, pattern(length, number));
            }
            Step::SendPrepared(length) => {
                let prepared = Prepared::new(Message::binary(pattern(length, number)));
                connection.send(&prepared).unwrap();
                data(OpCode::Binary, pattern(length, number));
            }
            Step::SendChunks(count, length) => {
                for index in 1..=count {
                    let payload = Bytes::from(pattern(length, number));
                    let last = index == count;
                    let chunk = Chunk { kind: MessageKind::Binary, payload, last };
                    connection.send_chunk(chunk).unwrap();
                }
                data(OpCode::Binary, pattern(length, number).repeat(count));
            }
            Step::Ping(length) => {
                if connection.ping(NOW, pattern(length, number)).is_ok() {
                    self.pings.push(pattern(length, number));
                }
            }
            Step::Answer(length) => {
                connection.pong(pattern(length, number)).unwrap();
                self.pongs.push_back(pattern(length, number));
            }
            Step::Take(most) => self.take(most, 1),
            Step::TakeVectored(most) => self.take(most, 16),
            Step::TakeAll => {
                while self.connection.wants_output() {
                    self.take(usize::MAX, 16);
                }
            }
        }
    }

    /// Looks at up to `slices` slices of output, and takes up to `most` bytes of them.
    fn take(&mut self, most: usize, slices: usize) {
        let before = self.connection.queued_output();
        let output = self.connection.output();
        let mut shown = [IoSlice::new(&[]); 16];
        let count = output.chunks_vectored(&mut shown[..slices]);
        let mut left = most;
        for slice in &shown[..count] {
            assert!(!slice.is_empty(), "no slice is empty");
            let taken = slice.len().min(left);
            self.bytes.extend_from_slice(&slice[..taken]);
            left -= taken;
        }
        let taken = most - left;
        let queued = output.remaining();
        output.advance(taken);
        assert!(queued > 0 || before == 0, "queued bytes are shown");
    }

    /// Compares the output, frame by frame, with what was sent.
    fn check(&self) -> Result<(), TestCaseError> {
        let rules = HeaderRules { sender: self.connection.role(), allow_rsv1: false };
        let (mut messages, mut pings, mut pongs) =
            (Vec::<(OpCode, Vec<u8>)>::new(), Vec::new(), Vec::new());
        let (mut rest, mut is_begun, mut keys) = (&self.bytes[..], false, Vec::new());
        while !rest.is_empty() {
            let (header, length) = parse_header(rest, rules).unwrap().expect("whole frames");
            let (payload, next) = rest[length..].split_at(header.length.try_into().unwrap());
            let mut payload = payload.to_vec();
            if let Some(mut mask) = header.mask {
                keys.push(mask);
                mask.apply(&mut payload);
            }
            match header.opcode {
                OpCode::Ping => pings.push(payload),
                OpCode::Pong => pongs.push(payload),
                OpCode::Continuation => {
                    prop_assert!(is_begun);
                    messages.last_mut().unwrap().1.extend(payload);
                    is_begun = !header.fin;
                }
                opcode @ (OpCode::Text | OpCode::Binary | OpCode::Close) => {
                    prop_assert!(!is_begun);
                    messages.push((opcode, payload));
                    is_begun = !header.fin;
                }
            }
            rest = next;
        }
        prop_assert_eq!(messages.len(), self.messages.len());
        for (number, (seen, sent)) in messages.iter().zip(&self.messages).enumerate() {
            prop_assert!(seen == sent, "message {} differs", number);
        }
        prop_assert_eq!(&pings, &self.pings);
        prop_assert!(self.pongs.len() > 32 || pongs.iter().eq(&self.pongs));
        let distinct: std::collections::BTreeSet<_> = keys.iter().map(|mask| mask.key()).collect();
        prop_assert_eq!(distinct.len(), keys.len(), "each frame has its own masking key");
        prop_assert_eq!(self.connection.stats().bytes_out, self.bytes.len() as u64);
        prop_assert_eq!(self.connection.queued_output(), 0);
        Ok(())
    }
}

proptest! {
    #[test]
    fn the_output_contains_exactly_the_sent_messages(
        steps in proptest::collection::vec(step(), 1..40),
        fragment_size in proptest::option::of(prop_oneof![100usize..2_000, 9_000usize..90_000]),
    ) {
        for role in [Role::Server, Role::Client] {
            let mut sender = Sender::new(role, fragment_size);
            for (number, step) in steps.iter().enumerate() {
                sender.run(step, number);
            }
            sender.run(&Step::TakeAll, 0);
            sender.check()?;
        }
    }
}
