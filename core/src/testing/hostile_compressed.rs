//! Violations of permessage-deflate, each with the error it must yield. Written by hand, bit by bit:
//! no compressor makes them.

use alloc::vec::Vec;

use proptest::prelude::*;
use proptest::strategy::{BoxedStrategy, Union};

use crate::frame::OpCode;
use crate::testing::frames::{header, opcode};
use crate::testing::hostile::{Hostile, key};
use crate::{Config, ProtocolError, Role};

/// Any violation of RFC 7692 that a peer in the role of `sender` can commit between two messages,
/// against a connection with these settings on which permessage-deflate was agreed on, with any
/// parameters.
///
/// What is inflated before the fault is no message; with
/// [`Delivery::Chunks`](crate::Delivery::Chunks) it comes in chunks, and then the fault.
///
/// ```
/// # #[cfg(feature = "deflate")]
/// # fn main() {
/// use proptest::prelude::*;
/// use tidegate_core::deflate::DeflateParams;
/// use tidegate_core::testing::{hostile_compressed, proptest};
/// use tidegate_core::{Config, Connection, Event, Failure, Role, Timestamp};
///
/// let config = Config::default();
/// proptest!(|(hostile in hostile_compressed(Role::Client, &config))| {
///     let mut server = Connection::server(Timestamp::ZERO, config.clone())
///         .with_deflate(DeflateParams::default());
///     server.handle_input(Timestamp::ZERO, &hostile.bytes);
///     let Some(Event::Closed(closed)) = server.poll_event() else { panic!("{hostile:?}") };
///     prop_assert_eq!(closed.failure(), Some(Failure::Protocol(hostile.error)));
///     prop_assert_eq!(closed.sent().map(|close| close.code), Some(hostile.code()));
/// });
/// # }
/// # #[cfg(not(feature = "deflate"))]
/// # fn main() {}
/// ```
pub fn hostile_compressed(sender: Role, config: &Config) -> impl Strategy<Value = Hostile> + use<> {
    let message = Message { sender, frame: config.max_frame_size.unwrap_or(usize::MAX) };
    let mut violations = vec![reserved(sender)];
    let longest = config.max_message_size;
    if longest >= BROKEN_BYTES {
        violations.push(broken(message, longest));
    }
    if longest >= OPEN_BYTES {
        violations.push(truncated(message, longest));
    }
    if longest <= MOST_INFLATED {
        violations.extend(bomb(message, longest));
    }
    Union::new(violations)
}

/// A compressed message that is sent whole, in frames that are not too large.
#[derive(Clone, Copy)]
struct Message {
    sender: Role,
    frame: usize,
}

impl Message {
    /// The message, or all but its end: the last frame announces a byte more than comes.
    fn encode(self, payload: &[u8], whole: bool) -> Vec<u8> {
        let key = key(self.sender);
        let mut bytes = Vec::new();
        let frames = payload.chunks(self.frame).len();
        for (index, piece) in payload.chunks(self.frame).enumerate() {
            let kind = if index == 0 { opcode::BINARY } else { opcode::CONTINUATION };
            let reserved = if index == 0 { RSV1 } else { 0 };
            let fin = whole && index + 1 == frames;
            bytes.extend(header(fin, reserved, kind, key, piece.len()));
            let mask = key.unwrap_or_default();
            bytes.extend(piece.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        }
        bytes
    }
}

/// "An endpoint MUST NOT set the RSV1 bit of control frames and non-first fragments" (§6.1), and
/// nobody has agreed on the others.
fn reserved(sender: Role) -> BoxedStrategy<Hostile> {
    let key = key(sender);
    let error = |bits: u8| ProtocolError::ReservedBits { bits: bits << 4 };
    let opcode = prop::sample::select(&[OpCode::Close, OpCode::Ping, OpCode::Pong][..]);
    let control = (opcode, 1..8u8).prop_map(move |(opcode, bits)| Hostile {
        bytes: vec![0x80 | bits << 4 | opcode as u8],
        error: error(bits),
    });
    let text = prop_oneof![Just(opcode::TEXT), Just(opcode::BINARY)];
    let fragment = (text.clone(), any::<bool>(), any::<bool>(), 1..8u8).prop_map(
        move |(kind, compressed, fin, bits)| {
            let reserved = if compressed { RSV1 } else { 0 };
            let mut bytes = header(false, reserved, kind, key, 0);
            bytes.push(u8::from(fin) << 7 | bits << 4 | opcode::CONTINUATION);
            Hostile { bytes, error: error(bits) }
        },
    );
    let others = (text, any::<bool>(), 1..8u8).prop_filter_map(
        "not RSV1 alone",
        move |(kind, fin, bits)| {
            let others = bits & !RSV1;
            (others != 0).then(|| Hostile {
                bytes: vec![u8::from(fin) << 7 | bits << 4 | kind],
                error: error(others),
            })
        },
    );
    prop_oneof![control, fragment, others].boxed()
}

/// Invalid DEFLATE data (RFC 1951) after some valid data.
fn broken(message: Message, longest: usize) -> BoxedStrategy<Hostile> {
    let sequence = prop::sample::select(BROKEN);
    let before = longest.saturating_sub(BROKEN_BYTES).min(200);
    (sequence, 0..=before)
        .prop_map(move |(sequence, before)| {
            let payload = [stored(before), sequence.to_vec()].concat();
            Hostile { bytes: message.encode(&payload, false), error: ProtocolError::InvalidDeflate }
        })
        .boxed()
}

/// A message that ends within a block, also with the four bytes that the receiver appends
/// (§7.2.2).
fn truncated(message: Message, longest: usize) -> BoxedStrategy<Hostile> {
    let before = longest.saturating_sub(OPEN_BYTES).min(200);
    (0..=before, any::<u8>())
        .prop_map(move |(before, byte)| {
            // A stored block of a thousand bytes, of which one comes.
            let open = [0x00, 0xE8, 0x03, 0x17, 0xFC, byte];
            let payload = [stored(before), open.to_vec()].concat();
            Hostile {
                bytes: message.encode(&payload, true),
                error: ProtocolError::TruncatedDeflate,
            }
        })
        .boxed()
}

/// A thousand bytes for each that comes, one more in the end than a message may have.
fn bomb(message: Message, limit: usize) -> Option<BoxedStrategy<Hostile>> {
    let payload = run(limit + 1);
    // Longer than it may be already on the wire: that is another fault.
    (payload.len() <= limit).then(|| {
        let length = limit as u64 + 1;
        let error = ProtocolError::MessageTooLarge { length, limit };
        Just(Hostile { bytes: message.encode(&payload, false), error }).boxed()
    })
}

/// A stored block of so many bytes, or nothing.
fn stored(length: usize) -> Vec<u8> {
    let Ok(short @ 1..) = u16::try_from(length) else { return Vec::new() };
    let [low, high] = short.to_le_bytes();
    let mut block = vec![0x00, low, high, !low, !high];
    block.resize(5 + length, b'a');
    block
}

/// The beginning of a block with fixed codes: the letter `a`, and repetitions of it until there are
/// at least so many. It ends with the byte that completes the last one.
fn run(least: usize) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.low_first(0b010, 3); // not the last block, fixed codes
    bits.high_first(0x30 + u16::from(b'a'), 8);
    for _ in 0..(least - 1).div_ceil(258) {
        bits.high_first(0b1100_0101, 8); // length code 285: 258 bytes
        bits.high_first(0, 5); // distance code 0: one byte back
    }
    bits.bytes
}

/// Bits as DEFLATE packs them (RFC 1951 §3.1.1): from the lowest of each byte, numbers with their
/// lowest bit first, codes with their highest.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    count: usize,
}

impl Bits {
    fn push(&mut self, bit: bool) {
        if self.count.is_multiple_of(8) {
            self.bytes.push(0);
        }
        if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(bit) << (self.count % 8);
        }
        self.count += 1;
    }

    fn low_first(&mut self, number: u16, length: u32) {
        (0..length).for_each(|bit| self.push(number >> bit & 1 != 0));
    }

    fn high_first(&mut self, code: u16, length: u32) {
        (0..length).rev().for_each(|bit| self.push(code >> bit & 1 != 0));
    }
}

/// RSV1 among the reserved bits.
const RSV1: u8 = 4;

/// Bytes on the wire of what is broken, at most, with the head of a stored block before it.
const BROKEN_BYTES: usize = 10;
/// Bytes on the wire of a message that is not finished, likewise.
const OPEN_BYTES: usize = 11;
/// The longest message that a bomb is made for.
const MOST_INFLATED: usize = 64 << 20;

/// Each is certain with its last byte, and not before.
const BROKEN: &[&[u8]] = &[
    b"\x06",                 // a block of the fourth type, which there is not
    b"\x07",                 // likewise, and the last one
    b"\x00\x05\x00\xFA\x00", // the length of a stored block and not its complement
    b"\x1A\x03",             // the code of length 286, which there is not
    b"\x02\x3E",             // the code of distance 30, which there is not
];
