//! Every violation of the protocol that frames can show, each with the error it must yield.

use alloc::vec::Vec;

use proptest::prelude::*;
use proptest::strategy::BoxedStrategy;

use crate::frame::OpCode;
use crate::testing::frames::{Frame, header, opcode};
use crate::{CloseCode, Config, ProtocolError, Role};

/// Bytes that no peer may send, after whole messages.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "plain data that tests build and take apart")]
pub struct Hostile {
    /// The bytes. Without the last of them nothing is wrong; with it, the error is certain, whatever
    /// follows.
    pub bytes: Vec<u8>,
    /// What the connection must fail with.
    pub error: ProtocolError,
}

impl Hostile {
    /// What the connection must close with.
    pub fn code(&self) -> CloseCode {
        self.error.close_code()
    }
}

/// Any violation that a peer in the role of `sender` can commit against a connection with these
/// settings, between two messages. Compression is not negotiated: with it, there is
/// [`hostile_compressed()`](crate::testing::hostile_compressed()).
///
/// ```
/// use proptest::prelude::*;
/// use tidegate_core::testing::{hostile, proptest};
/// use tidegate_core::{Config, Connection, Event, Failure, Role, Timestamp};
///
/// # fn main() {
/// let config = Config::default();
/// proptest!(|(hostile in hostile(Role::Client, &config))| {
///     let mut server = Connection::server(Timestamp::ZERO, config.clone());
///     server.handle_input(Timestamp::ZERO, &hostile.bytes);
///     let Some(Event::Closed(closed)) = server.poll_event() else { panic!("{hostile:?}") };
///     prop_assert_eq!(closed.failure(), Some(Failure::Protocol(hostile.error)));
///     prop_assert_eq!(closed.sent().map(|close| close.code), Some(hostile.code()));
/// });
/// # }
/// ```
pub fn hostile(sender: Role, config: &Config) -> impl Strategy<Value = Hostile> + use<> {
    let mut violations = vec![
        first_byte(sender),
        wrong_mask(sender),
        lengths(sender),
        control(sender),
        continuation(sender),
        close(sender),
        too_large(sender, config),
    ];
    if config.validate_utf8 {
        violations.extend(utf8(sender, config));
    }
    proptest::strategy::Union::new(violations)
}

type Violations = BoxedStrategy<Hostile>;

/// What the first byte of a header shows.
fn first_byte(sender: Role) -> Violations {
    let key = key(sender);
    let reserved = (1..8u8, any::<u8>()).prop_map(|(bits, first)| Hostile {
        bytes: vec![first & 0x8F | bits << 4],
        error: ProtocolError::ReservedBits { bits: bits << 4 },
    });
    // Also where an extension that was not agreed on would have its bits.
    let within = (any::<bool>(), 1..8u8).prop_map(move |(fin, bits)| {
        let mut bytes = header(false, 0, opcode::BINARY, key, 0);
        bytes.push(u8::from(fin) << 7 | bits << 4 | opcode::CONTINUATION);
        Hostile { bytes, error: ProtocolError::ReservedBits { bits: bits << 4 } }
    });
    let unknown =
        (prop_oneof![0x3..=0x7u8, 0xB..=0xFu8], any::<bool>()).prop_map(|(opcode, fin)| Hostile {
            bytes: vec![u8::from(fin) << 7 | opcode],
            error: ProtocolError::UnknownOpcode { opcode },
        });
    let fragmented = prop::sample::select(&[OpCode::Close, OpCode::Ping, OpCode::Pong][..])
        .prop_map(|opcode| Hostile {
            bytes: vec![opcode as u8],
            error: ProtocolError::FragmentedControl { opcode },
        });
    prop_oneof![reserved, within, unknown, fragmented].boxed()
}

/// "A client MUST mask all frames", "a server MUST NOT mask any" (RFC 6455 §5.1).
fn wrong_mask(sender: Role) -> Violations {
    (0..128u8)
        .prop_map(move |length| Hostile {
            bytes: vec![0x82, if sender.masks() { length } else { 0x80 | length }],
            error: if sender.masks() { ProtocolError::Unmasked } else { ProtocolError::Masked },
        })
        .boxed()
}

/// Lengths that are not in their shortest form, or over 63 bits.
fn lengths(sender: Role) -> Violations {
    let mask = mask(sender);
    let medium = (0..126u16).prop_map(move |length| Hostile {
        bytes: [&[0x82, mask | 126], &length.to_be_bytes()[..]].concat(),
        error: ProtocolError::NonMinimalLength { length: length.into() },
    });
    let long = (0..0x1_0000u64).prop_map(move |length| Hostile {
        bytes: [&[0x82, mask | 127], &length.to_be_bytes()[..]].concat(),
        error: ProtocolError::NonMinimalLength { length },
    });
    let overflow = (0x80..=0xFFu8).prop_map(move |top| Hostile {
        bytes: vec![0x82, mask | 127, top],
        error: ProtocolError::LengthOverflow,
    });
    prop_oneof![medium, long, overflow].boxed()
}

/// Control frames of more than 125 bytes.
fn control(sender: Role) -> Violations {
    let opcode = prop::sample::select(&[OpCode::Close, OpCode::Ping, OpCode::Pong][..]);
    let mask = mask(sender);
    (opcode, 126..128u8)
        .prop_map(move |(opcode, length)| Hostile {
            bytes: vec![0x80 | opcode as u8, mask | length],
            error: ProtocolError::OversizedControl { opcode },
        })
        .boxed()
}

/// Fragments of nothing, and a message inside a message.
fn continuation(sender: Role) -> Violations {
    let key = key(sender);
    let unexpected = any::<bool>().prop_map(move |fin| Hostile {
        bytes: header(fin, 0, opcode::CONTINUATION, key, 0),
        error: ProtocolError::UnexpectedContinuation,
    });
    let kind = || prop_oneof![Just(OpCode::Text), Just(OpCode::Binary)];
    let expected = (kind(), kind(), any::<bool>()).prop_map(move |(first, opcode, fin)| {
        let begin = header(false, 0, first as u8, key, 0);
        Hostile {
            bytes: [begin, header(fin, 0, opcode as u8, key, 0)].concat(),
            error: ProtocolError::ExpectedContinuation { opcode },
        }
    });
    prop_oneof![unexpected, expected].boxed()
}

/// A Close of one byte, with a code that must not be sent, or with a reason that is not text.
fn close(sender: Role) -> Violations {
    let key = key(sender);
    let encode = move |body: &[u8]| Frame { key, ..Frame::new(opcode::CLOSE, body) }.encode();
    let truncated = any::<u8>().prop_map(move |byte| Hostile {
        bytes: encode(&[byte]),
        error: ProtocolError::TruncatedCloseCode,
    });
    let code = prop_oneof![
        0..1000u16,
        prop::sample::select(&[1004u16, 1005, 1006, 1015][..]),
        1016..3000u16,
        5000..=u16::MAX,
    ];
    let invalid = code.prop_map(move |code| Hostile {
        bytes: encode(&code.to_be_bytes()),
        error: ProtocolError::InvalidCloseCode { code },
    });
    let reason = "[a-z]{0,20}".prop_map(move |reason| Hostile {
        bytes: encode(&[&1000u16.to_be_bytes()[..], reason.as_bytes(), &[0xC3]].concat()),
        error: ProtocolError::InvalidCloseReason,
    });
    prop_oneof![truncated, invalid, reason].boxed()
}

/// What is longer than the configuration allows.
fn too_large(sender: Role, config: &Config) -> Violations {
    let (key, limit, frame) = (key(sender), config.max_message_size, config.max_frame_size);
    let least = frame.map_or(limit, |frame| frame.min(limit)) as u64 + 1;
    let error = move |length: u64| match frame {
        Some(frame) if length > frame as u64 => {
            ProtocolError::FrameTooLarge { length, limit: frame }
        }
        _ => ProtocolError::MessageTooLarge { length, limit },
    };
    let length = prop_oneof![Just(least), least..=least + 200, least..1 << 63];
    length
        .prop_map(move |length| Hostile {
            bytes: header(
                true,
                0,
                opcode::BINARY,
                key,
                usize::try_from(length).unwrap_or(usize::MAX >> 1),
            ),
            error: error(length),
        })
        .boxed()
}

/// Text that is not UTF-8: fails at the first byte that no text continues with.
fn utf8(sender: Role, config: &Config) -> Option<Violations> {
    let key = key(sender);
    let longest = config.max_frame_size.unwrap_or(usize::MAX).min(config.max_message_size);
    let sequence = prop::sample::select(NOT_TEXT);
    let room = longest.saturating_sub(3).min(200);
    let invalid = (sequence, 0..=room, 0..200usize).prop_map(move |(sequence, before, behind)| {
        // The frame announces more than comes: the bytes end where the error is certain.
        let text = [&vec![b'a'; before][..], sequence].concat();
        let length = (text.len() + behind).min(longest);
        let frame = Frame { key, ..Frame::new(opcode::TEXT, text) };
        let head = header(true, 0, opcode::TEXT, key, frame.payload.len());
        let payload = frame.encode().split_off(head.len());
        Hostile {
            bytes: [header(true, 0, opcode::TEXT, key, length), payload].concat(),
            error: ProtocolError::InvalidUtf8 { offset: before as u64 },
        }
    });
    let truncated = (0..=room).prop_map(move |before| {
        let text = [&vec![b'a'; before][..], b"\xC3"].concat();
        Hostile {
            bytes: Frame { key, ..Frame::new(opcode::TEXT, text) }.encode(),
            error: ProtocolError::TruncatedUtf8,
        }
    });
    match longest {
        0..3 => None,
        _ => Some(prop_oneof![3 => invalid, 1 => truncated].boxed()),
    }
}

fn mask(sender: Role) -> u8 {
    if sender.masks() { 0x80 } else { 0 }
}

pub(crate) fn key(sender: Role) -> Option<[u8; 4]> {
    sender.masks().then_some([0x37, 0xFA, 0x21, 0x3D])
}

/// Each is certain with its last byte, and not before.
const NOT_TEXT: &[&[u8]] = &[
    b"\xFF",
    b"\xC0",         // overlong
    b"\x80",         // a continuation of nothing
    b"\xC3\x28",     // no continuation
    b"\xED\xA0",     // a surrogate
    b"\xF4\x90",     // beyond the last character
    b"\xE2\x82\x41", // two of three
];
