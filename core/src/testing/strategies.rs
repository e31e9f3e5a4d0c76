//! Strategies for what a peer may legally send, for the pieces it may come in, and for settings.

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

use proptest::bool::weighted;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::frame::{FrameHeader, Mask, OpCode};
use crate::testing::frames::{Frame, opcode};
use crate::testing::model::Sent;
use crate::testing::pipe::Conditions;
use crate::{Config, Message, PongPolicy, Role, Watermarks};

/// What a peer sends in one go: frames, and what they mean.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "plain data that tests build and take apart")]
pub struct Session {
    /// The frames, each legal in its place.
    pub frames: Vec<Frame>,
    /// What they mean, each with the number of the frame that completes it.
    pub meaning: Vec<(usize, Sent)>,
}

impl Session {
    /// A session without frames.
    pub const EMPTY: Self = Self { frames: Vec::new(), meaning: Vec::new() };

    /// Adds what follows in the same session.
    pub fn append(&mut self, later: Self) {
        let count = self.frames.len();
        self.frames.extend(later.frames);
        self.meaning.extend(later.meaning.into_iter().map(|(frame, sent)| (count + frame, sent)));
    }

    /// All bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.frames.iter().flat_map(Frame::encode).collect()
    }

    /// The messages, in order.
    pub fn messages(&self) -> impl Iterator<Item = Message> {
        self.meaning.iter().filter_map(|(_, sent)| match sent {
            Sent::Message(message) => Some(message.clone()),
            Sent::Ping(_) | Sent::Pong(_) | Sent::Close => None,
        })
    }

    /// What was sent, each with the position in [`bytes`](Self::bytes) after its last byte.
    pub fn positions(&self) -> Vec<(usize, Sent)> {
        let ends: Vec<usize> = self
            .frames
            .iter()
            .scan(0, |end, frame| {
                *end += frame.encode().len();
                Some(*end)
            })
            .collect();
        let position = |frame: usize| ends.get(frame).copied().unwrap_or_default();
        self.meaning.iter().map(|(frame, sent)| (position(*frame), sent.clone())).collect()
    }
}

/// Client or server.
pub fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Client), Just(Role::Server)]
}

/// Lengths up to `longest`: mostly short ones, and those around which a header changes.
pub fn length(longest: usize) -> impl Strategy<Value = usize> {
    let edges = prop_oneof![124..128usize, 65_534..65_538usize];
    prop_oneof![3 => 0..4usize, 3 => 0..=40usize, 1 => edges, 2 => 0..=longest]
        .prop_map(move |length| length.min(longest))
}

/// Text of at most `longest` bytes, of characters of one to four bytes.
pub fn text(longest: usize) -> impl Strategy<Value = String> {
    let character =
        prop_oneof![2 => prop::char::range(' ', '~'), 2 => any::<char>(), 1 => Just('€')];
    (vec(character, 1..8), length(longest)).prop_map(|(characters, length)| {
        let mut text = String::new();
        for character in characters.into_iter().cycle() {
            if text.len() + character.len_utf8() > length {
                break;
            }
            text.push(character);
        }
        text
    })
}

/// At most `longest` bytes.
pub fn binary(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    // A few random bytes make a long payload that differs at every offset a mask could be off by.
    (vec(any::<u8>(), 1..8), length(longest)).prop_map(|(bytes, length)| {
        bytes
            .into_iter()
            .cycle()
            .take(length)
            .enumerate()
            .map(|(i, byte)| {
                let [low, middle, ..] = i.to_le_bytes();
                byte ^ low ^ middle
            })
            .collect()
    })
}

/// A message whose payload is at most `longest` bytes long.
pub fn message(longest: usize) -> impl Strategy<Value = Message> {
    prop_oneof![text(longest).prop_map(Message::text), binary(longest).prop_map(Message::binary),]
}

/// A header that is legal by itself, of frames of any length there is.
pub fn header(sender: Role) -> impl Strategy<Value = FrameHeader> {
    let opcode = prop::sample::select(
        &[
            OpCode::Continuation,
            OpCode::Text,
            OpCode::Binary,
            OpCode::Close,
            OpCode::Ping,
            OpCode::Pong,
        ][..],
    );
    let length = prop_oneof![
        4 => 0..200u64,
        1 => 0xFFF0..0x1_0010u64,
        1 => 0..1u64 << 63,
        1 => Just((1 << 63) - 1),
    ];
    (opcode, any::<bool>(), any::<[u8; 4]>(), length).prop_map(move |(opcode, fin, key, length)| {
        FrameHeader {
            fin: fin || opcode.is_control(),
            rsv1: false,
            opcode,
            mask: sender.masks().then(|| Mask::new(key)),
            length: if opcode.is_control() { length % 126 } else { length },
        }
    })
}

/// A frame that is legal by itself, of at most `longest` bytes of payload. In a row they rarely are:
/// for that, see [`session`].
pub fn frame(sender: Role, longest: usize) -> impl Strategy<Value = Frame> {
    let data = prop::sample::select(&[opcode::CONTINUATION, opcode::TEXT, opcode::BINARY][..]);
    let data = (data, binary(longest), any::<bool>()).prop_map(|(opcode, payload, fin)| {
        let frame = Frame::new(opcode, payload);
        if fin { frame } else { frame.unfinished() }
    });
    let frame = prop_oneof![
        4 => data,
        2 => control(),
        1 => close(),
    ];
    masked(frame, sender)
}

/// A Close with any code that may be sent and a reason, or empty.
pub fn close() -> impl Strategy<Value = Frame> {
    let code = prop_oneof![1000..=1003u16, 1007..=1014u16, 3000..=4999u16];
    let close = (code, text(123)).prop_map(|(code, reason)| Frame::close(Some(code), &reason));
    prop_oneof![4 => close, 1 => Just(Frame::close(None, ""))]
}

/// The message in frames: whole, or cut anywhere (in the middle of characters too), with empty
/// fragments, and with pings and pongs in between.
pub fn fragments(message: Message, sender: Role) -> impl Strategy<Value = Session> {
    let first = match message.kind() {
        crate::MessageKind::Text => opcode::TEXT,
        crate::MessageKind::Binary => opcode::BINARY,
    };
    let length = message.len();
    let cuts = prop_oneof![2 => Just(Vec::new()), 3 => vec(0..=length, 0..5)];
    let between = vec((weighted(0.3), control()), 5);
    let keys = vec(any::<[u8; 4]>(), 11);
    (cuts, between, keys).prop_map(move |(mut cuts, between, keys)| {
        cuts.sort_unstable();
        let mut session = Session::EMPTY;
        let mut keys = keys.into_iter().cycle();
        let mut push = |session: &mut Session, mut frame: Frame| {
            frame.key = keys.next().filter(|_| sender.masks());
            session.frames.push(frame);
        };
        let (mut opcode, mut from) = (first, 0);
        for (cut, (is_between, control)) in cuts.into_iter().zip(between) {
            let piece = message.as_bytes().get(from..cut).unwrap_or_default();
            push(&mut session, Frame::new(opcode, piece).unfinished());
            (opcode, from) = (opcode::CONTINUATION, cut);
            if is_between {
                session.meaning.push((session.frames.len(), meaning(&control)));
                push(&mut session, control);
            }
        }
        session.meaning.push((session.frames.len(), Sent::Message(message.clone())));
        let piece = message.as_bytes().get(from..).unwrap_or_default();
        push(&mut session, Frame::new(opcode, piece));
        session
    })
}

/// What a peer sends before it closes: at most `count` messages of at most `longest` bytes, in any
/// fragments, with pings and pongs everywhere.
pub fn session(sender: Role, count: usize, longest: usize) -> impl Strategy<Value = Session> {
    let message = message(longest).prop_flat_map(move |message| fragments(message, sender));
    let control = masked(control(), sender).prop_map(|frame| Session {
        meaning: [(0, meaning(&frame))].into(),
        frames: [frame].into(),
    });
    vec(prop_oneof![3 => message, 1 => control], 0..=count).prop_map(|parts| {
        let mut session = Session::EMPTY;
        parts.into_iter().for_each(|part| session.append(part));
        session
    })
}

/// How to cut bytes in pieces: whole, one by one, or anything in between. See [`pieces`].
pub fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        1 => Just([usize::MAX].into()),
        1 => Just([1].into()),
        2 => vec(1..8usize, 1..10),
        2 => vec(prop_oneof![1..8usize, 1..400usize, 1..80_000usize], 1..10),
    ]
}

/// The bytes in pieces of these sizes, again and again from the first.
pub fn pieces<'a>(bytes: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = bytes;
    let mut sizes = sizes.iter().copied().filter(|size| *size > 0).cycle();
    core::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, later) = rest.split_at(sizes.next().unwrap_or(usize::MAX).min(rest.len()));
        rest = later;
        Some(piece)
    })
}

/// Two marks, the high one in `high`.
///
/// # Panics
///
/// If the range begins at zero: nothing could ever pass.
pub fn marks(high: Range<usize>) -> impl Strategy<Value = Watermarks> {
    assert!(high.start > 0, "a high mark is at least 1");
    high.prop_flat_map(|high| (Just(high), 0..=high))
        .prop_map(|(high, low)| Watermarks::new(high, low))
}

/// Any configuration, with marks and limits so small that a short session reaches all of them.
///
/// Messages up to 400 bytes may be longer than it allows. Compression is off, and messages come
/// whole; [`Config::to_builder`] changes that.
pub fn config() -> impl Strategy<Value = Config> {
    let policy = prop_oneof![
        Just(PongPolicy::OnReceipt),
        Just(PongPolicy::InOrder),
        Just(PongPolicy::Manual)
    ];
    let time = || prop::option::of((1..5000u64).prop_map(Duration::from_millis));
    (
        (marks(1..8), marks(1..300), marks(1..1000)),
        (1..400usize, prop::option::of(1..200usize), prop::option::weighted(0.3, 1..200usize)),
        (any::<bool>(), any::<bool>(), policy),
        (time(), time(), time(), time()),
    )
        .prop_filter_map("a configuration that is legal", |(marks, sizes, switches, times)| {
            Config::builder()
                .message_marks(marks.0)
                .byte_marks(marks.1)
                .send_marks(marks.2)
                .max_message_size(sizes.0)
                .max_frame_size(sizes.1)
                .fragment_size(sizes.2)
                .validate_utf8(switches.0)
                .surface_control(switches.1)
                .pong_policy(switches.2)
                .ping_interval(times.0)
                .pong_timeout(times.1)
                .close_timeout(times.2)
                .write_timeout(times.3)
                .build()
                .ok()
        })
}

/// Any conditions in which everything arrives, sooner or later.
pub fn conditions() -> impl Strategy<Value = Conditions> {
    let millis = |most: u64| (0..most).prop_map(Duration::from_millis);
    let pieces = prop_oneof![Just(1usize), 1..80usize, 1..70_000usize];
    (pieces, 1..70_000usize, millis(80), prop_oneof![Just(0usize), 2..60usize], millis(500))
        .prop_map(|(longest_piece, capacity, delay, stall_one_in, stall)| Conditions {
            capacity,
            longest_piece,
            delay,
            stall_one_in,
            stall,
            cut_after: None,
        })
}

/// A ping or a pong, not masked.
fn control() -> impl Strategy<Value = Frame> {
    let opcode = prop_oneof![3 => Just(opcode::PING), 1 => Just(opcode::PONG)];
    (opcode, binary(125)).prop_map(|(opcode, payload)| Frame::new(opcode, payload))
}

fn masked(frame: impl Strategy<Value = Frame>, sender: Role) -> impl Strategy<Value = Frame> {
    (frame, any::<[u8; 4]>()).prop_map(move |(mut frame, key)| {
        frame.key = Some(key).filter(|_| sender.masks());
        frame
    })
}

fn meaning(control: &Frame) -> Sent {
    if control.opcode == opcode::PING {
        Sent::Ping(control.payload.clone())
    } else {
        Sent::Pong(control.payload.clone())
    }
}
