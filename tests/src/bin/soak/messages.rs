//! The messages of the soak test. The content is computed from the sender and the number, so that the
//! receiver can check every byte.

use tidegate_core::{Message, MessageKind};
use tidegate_tests::random::Random;

/// The sender of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// The messages that one side of a connection sends: numbered, and then their count.
#[derive(Debug)]
pub(crate) struct Outgoing {
    connection: u64,
    side: Side,
    /// The number of the next message.
    pub(crate) number: u64,
    last: u64,
    pub(crate) has_ended: bool,
}

impl Outgoing {
    pub(crate) fn new(connection: u64, side: Side, last: u64) -> Self {
        Self { connection, side, number: 0, last, has_ended: false }
    }

    /// The next message. It stays the same until `accepted` is called.
    pub(crate) fn message(&self) -> Message {
        if self.number < self.last {
            compose(self.connection, self.side, self.number)
        } else {
            end(self.number)
        }
    }

    /// Records that the next message was accepted.
    pub(crate) fn accepted(&mut self) {
        if self.number < self.last {
            self.number += 1;
        } else {
            self.has_ended = true;
        }
    }

    /// Sends no more messages except the count.
    pub(crate) fn stop(&mut self) {
        self.last = self.last.min(self.number);
    }
}

/// The messages that one side of a connection has received.
#[derive(Debug)]
pub(crate) struct Incoming {
    connection: u64,
    peer: Side,
    pub(crate) number: u64,
    pub(crate) has_ended: bool,
}

impl Incoming {
    pub(crate) fn new(connection: u64, peer: Side) -> Self {
        Self { connection, peer, number: 0, has_ended: false }
    }

    /// Checks that this is the next message, byte for byte, or the count after the last one.
    pub(crate) fn take(&mut self, message: &Message) -> Result<(), String> {
        let (connection, number) = (self.connection, self.number);
        if !self.has_ended && *message == compose(connection, self.peer, number) {
            self.number += 1;
            return Ok(());
        }
        if !self.has_ended && *message == end(number) {
            self.has_ended = true;
            return Ok(());
        }
        let kind = message.kind();
        let begin: Vec<u8> = message.as_bytes().iter().take(24).copied().collect();
        Err(format!(
            "connection {connection:#x}: instead of number {number} of the {:?} came {kind:?} of {} \
             bytes, {begin:?}{}",
            self.peer,
            message.len(),
            if self.has_ended { ", after the end" } else { "" },
        ))
    }
}

/// The first message of a client: the number of its connection.
pub(crate) fn hello(connection: u64) -> Message {
    Message::text(format!("connection {connection}"))
}

/// Reads the number of the connection.
pub(crate) fn greeted(message: &Message) -> Option<u64> {
    message.as_text()?.strip_prefix("connection ")?.parse().ok()
}

fn end(number: u64) -> Message {
    Message::text(format!("end behind {number}"))
}

fn compose(connection: u64, side: Side, number: u64) -> Message {
    let mut random = Random::new(connection << 20 ^ number << 1 ^ u64::from(side == Side::Server));
    // Mixes the bits, because the numbers of neighbours differ in only a few.
    let mut random = Random::new(random.next());
    let size = match random.below(8) {
        0 => 0,
        1..4 => random.below(200),
        4..6 => random.below(8 * 1024),
        6 => random.below(70_000),
        _ => random.below(MOST + 1),
    };
    match random.below(3) {
        0 => Message::text(text(&mut random, size)),
        _ => Message::binary(bytes(&mut random, size)),
    }
}

/// Content of which half is compressible.
fn bytes(random: &mut Random, size: usize) -> Vec<u8> {
    let constant = random.next().to_le_bytes();
    let mut bytes = Vec::with_capacity(size + 64);
    while bytes.len() < size {
        for _ in 0..4 {
            bytes.extend(random.next().to_le_bytes());
            bytes.extend(constant);
        }
    }
    bytes.truncate(size);
    bytes
}

fn text(random: &mut Random, size: usize) -> String {
    let words = ["tide ", "gate ", "Wasser ", "größer ", "水門 ", "🌊"];
    let mut text = String::with_capacity(size + 16);
    while text.len() < size {
        text.push_str(random.pick(&words).unwrap_or_default());
    }
    text
}

/// Splits a message into pieces of any size, some of them empty, also within characters.
pub(crate) fn pieces(random: &mut Random, message: &Message) -> (MessageKind, Vec<Vec<u8>>) {
    let mut rest = message.as_bytes();
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let count = random.below(40_000).min(rest.len());
        let (piece, after) = rest.split_at(count);
        pieces.push(piece.to_vec());
        rest = after;
    }
    (message.kind(), pieces)
}

/// The longest message.
const MOST: usize = 256 * 1024;
