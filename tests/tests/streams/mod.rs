//! Random configurations and streams of frames, for the tests that take any.

use bytes::Buf;
use core::time::Duration;
use proptest::collection::vec;
use proptest::prelude::*;

use tidegate_core::{Config, Connection, PongPolicy, Role, Timestamp, Watermarks};
use tidegate_tests::frames::{Frame, opcode};

/// Any configuration, with small marks.
pub(crate) fn config() -> impl Strategy<Value = Config> {
    let marks = |most: usize| (1..most).prop_flat_map(|high| (Just(high), 0..=high));
    let policy = prop_oneof![
        Just(PongPolicy::OnReceipt),
        Just(PongPolicy::InOrder),
        Just(PongPolicy::Manual)
    ];
    let frame_limit = prop::option::of(1usize..200);
    let switches = (any::<bool>(), any::<bool>());
    let time = || prop::option::of((1u64..5000).prop_map(Duration::from_millis));
    (
        (marks(8), marks(300), marks(1000)),
        (1usize..400, frame_limit, switches, policy),
        (time(), time(), time(), time()),
    )
        .prop_map(
            |((messages, bytes, send), (size, frame, (utf8, surface), policy), times)| {
                let marks = |(high, low)| Watermarks::new(high, low).unwrap();
                Config::builder()
                    .message_marks(marks(messages))
                    .byte_marks(marks(bytes))
                    .send_marks(marks(send))
                    .max_message_size(size)
                    .max_frame_size(frame)
                    .validate_utf8(utf8)
                    .surface_control(surface)
                    .pong_policy(policy)
                    .ping_interval(times.0)
                    .pong_timeout(times.1)
                    .close_timeout(times.2)
                    .write_timeout(times.3)
                    .build()
                    .unwrap()
            },
        )
}

/// A frame that is legal by itself.
pub(crate) fn frame() -> impl Strategy<Value = Frame> {
    let opcode = prop_oneof![
        4 => Just(opcode::TEXT),
        4 => Just(opcode::BINARY),
        4 => Just(opcode::CONTINUATION),
        3 => Just(opcode::PING),
        1 => Just(opcode::PONG),
    ];
    let payload = prop_oneof![
        3 => vec(any::<u8>(), 0..4),
        3 => ".{0,20}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 120..300),
    ];
    let close = (prop::option::of(prop_oneof![Just(1000u16), 990u16..5010]), "[a-zß]{0,10}");
    prop_oneof![
        20 => (opcode, any::<bool>(), payload).prop_map(|(opcode, fin, mut payload)| {
            let control = opcode >= 8;
            if control {
                payload.truncate(125);
            }
            let frame = Frame::new(opcode, payload);
            if fin || control { frame } else { frame.unfinished() }
        }),
        1 => close.prop_map(|(code, reason)| Frame::close(code, &reason)),
    ]
}

/// A change to the bytes: at a position, what.
pub(crate) type Mutation = (usize, u8, u8);

/// The bytes of these frames for this role, mostly in a legal order, and perhaps changed.
pub(crate) fn encode(frames: &[Frame], role: Role, tidy: bool, mutations: &[Mutation]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut in_message = false;
    for frame in frames {
        let mut frame = frame.clone();
        if tidy && frame.opcode < 8 {
            frame.opcode = match (in_message, frame.opcode) {
                (true, _) => opcode::CONTINUATION,
                (false, opcode::CONTINUATION) => opcode::BINARY,
                (false, opcode) => opcode,
            };
            in_message = !frame.fin;
        }
        let frame = if role == Role::Server { frame.masked([9, 0, 200, 77]) } else { frame };
        bytes.extend(frame.encode());
    }
    for (position, kind, byte) in mutations {
        let position = position % (bytes.len() + 1);
        match kind % 4 {
            0 => bytes.insert(position, *byte),
            1 => bytes.truncate(position.max(bytes.len() / 2)),
            _ if position == bytes.len() => {}
            2 => bytes[position] ^= 1 << (byte % 8),
            _ => drop(bytes.remove(position)),
        }
    }
    bytes
}

/// An open connection.
pub(crate) fn connection(role: Role, config: &Config) -> Connection {
    match role {
        Role::Client => Connection::client(Timestamp::ZERO, config.clone(), [4; 32]),
        Role::Server => Connection::server(Timestamp::ZERO, config.clone()),
    }
}

/// Takes so many bytes of the output.
pub(crate) fn drain(connection: &mut Connection, most: usize, into: &mut Vec<u8>) {
    let output = connection.output();
    let mut left = most;
    while output.has_remaining() && left > 0 {
        let count = output.chunk().len().min(left);
        into.extend_from_slice(&output.chunk()[..count]);
        output.advance(count);
        left -= count;
    }
}
