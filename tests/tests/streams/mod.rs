//! Generates random streams of frames, with and without compression.

use bytes::{Buf, Bytes};
use proptest::collection::vec;
use proptest::prelude::*;

use tidegate_core::deflate::DeflateParams;
use tidegate_core::testing::{Frame, opcode};
use tidegate_core::{Chunk, Config, Connection, MessageKind, Role, Timestamp, Watermarks};

/// The negotiated compression parameters, if any.
pub(crate) fn deflate() -> impl Strategy<Value = Option<DeflateParams>> {
    // With 8 window bits the tests' peer cannot compress, so what it sends is not DEFLATE.
    let bits = || prop_oneof![3 => Just(15u8), 3 => 9u8..15, 1 => Just(8)];
    let params = (any::<bool>(), any::<bool>(), bits(), bits());
    prop::option::of(params.prop_map(|(server, client, server_bits, client_bits)| DeflateParams {
        server_no_context_takeover: server,
        client_no_context_takeover: client,
        server_max_window_bits: server_bits,
        client_max_window_bits: client_bits,
    }))
}

/// A frame that is legal by itself. [`compress`] then compresses those with RSV1.
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
        20 => (opcode, any::<(bool, bool)>(), payload).prop_map(|(opcode, (fin, rsv1), mut payload)| {
            let control = opcode >= 8;
            if control {
                payload.truncate(125);
            }
            let mut frame = Frame::new(opcode, payload);
            frame.reserved = if rsv1 && !control { 4 } else { 0 };
            if fin || control { frame } else { frame.unfinished() }
        }),
        1 => close.prop_map(|(code, reason)| Frame::close(code, &reason)),
    ]
}

/// A change to the bytes at a position.
pub(crate) type Mutation = (usize, u8, u8);

/// Puts these frames in a legal order, and compresses the messages that have RSV1.
fn tidy_up(frames: &mut [Frame], role: Role, params: Option<DeflateParams>) {
    let plenty = Config::builder().send_marks(Watermarks::UNLIMITED).build().unwrap();
    let mut peer = connection(role.peer(), &plenty, params);
    let (mut in_message, mut compressed) = (false, false);
    for frame in frames.iter_mut().filter(|frame| frame.opcode < 8) {
        frame.opcode = match (in_message, frame.opcode) {
            (true, _) => opcode::CONTINUATION,
            (false, opcode::CONTINUATION) => opcode::BINARY,
            (false, opcode) => opcode,
        };
        if !in_message {
            compressed = frame.reserved != 0 && params.is_some();
        }
        frame.reserved = if compressed && !in_message { 4 } else { 0 };
        in_message = !frame.fin;
        if compressed {
            // Some must be long, since compression is meant for them.
            let times = if frame.payload.len() % 4 == 3 { 100 } else { 1 };
            let payload = Bytes::from(frame.payload.repeat(times));
            let chunk = Chunk { kind: MessageKind::Binary, payload, last: frame.fin };
            peer.send_chunk(chunk).unwrap();
            let mut sent = Vec::new();
            drain(&mut peer, usize::MAX, &mut sent);
            frame.payload = Frame::parse_all(&sent).unwrap().remove(0).payload;
        }
    }
}

/// The bytes of these frames for this role, mostly in a legal order, and sometimes changed.
pub(crate) fn encode(
    mut frames: Vec<Frame>,
    role: Role,
    params: Option<DeflateParams>,
    tidy: bool,
    mutations: &[Mutation],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    if tidy {
        tidy_up(&mut frames, role, params);
    }
    for frame in frames {
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
pub(crate) fn connection(role: Role, config: &Config, params: Option<DeflateParams>) -> Connection {
    let connection = match role {
        Role::Client => Connection::client(Timestamp::ZERO, config.clone(), [4; 32]),
        Role::Server => Connection::server(Timestamp::ZERO, config.clone()),
    };
    match params {
        Some(params) => connection.with_deflate(params),
        None => connection,
    }
}

/// Takes this many bytes of the output.
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
