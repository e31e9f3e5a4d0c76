//! Builds connections, takes their output, and reads the frames in it.

use bytes::Buf;
use tidegate_core::frame::{HeaderRules, OpCode, parse_header};
use tidegate_core::{Config, ConfigBuilder, Connection, Role, Timestamp, Watermarks};

pub(crate) const NOW: Timestamp = Timestamp::ZERO;
pub(crate) const ROLES: [Role; 2] = [Role::Server, Role::Client];

pub(crate) fn base() -> ConfigBuilder {
    Config::builder().ping_interval(None).send_marks(Watermarks::UNLIMITED)
}

pub(crate) fn connection(role: Role, config: ConfigBuilder) -> Connection {
    let config = config.build().unwrap();
    match role {
        Role::Server => Connection::server(NOW, config),
        Role::Client => Connection::client(NOW, config, [9; 32]),
    }
}

/// Takes at most `most` bytes of output, as a transport does.
pub(crate) fn take(connection: &mut Connection, most: usize) -> Vec<u8> {
    let mut taken = Vec::new();
    while taken.len() < most && connection.wants_output() {
        let output = connection.output();
        let length = output.chunk().len().min(most - taken.len());
        assert!(length > 0, "wants_output() promised output");
        taken.extend_from_slice(&output.chunk()[..length]);
        output.advance(length);
    }
    taken
}

/// Parses whole frames: opcode, FIN bit, unmasked payload.
pub(crate) fn frames(role: Role, mut bytes: &[u8]) -> Vec<(OpCode, bool, Vec<u8>)> {
    let rules = HeaderRules { sender: role, allow_rsv1: false };
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (header, length) = parse_header(bytes, rules).unwrap().expect("whole frames");
        let (payload, rest) = bytes[length..].split_at(usize::try_from(header.length).unwrap());
        let mut payload = payload.to_vec();
        if let Some(mut mask) = header.mask {
            mask.apply(&mut payload);
        }
        frames.push((header.opcode, header.fin, payload));
        bytes = rest;
    }
    frames
}

pub(crate) fn take_frames(connection: &mut Connection) -> Vec<(OpCode, bool, Vec<u8>)> {
    let bytes = take(connection, usize::MAX);
    frames(connection.role(), &bytes)
}

pub(crate) fn opcodes(frames: &[(OpCode, bool, Vec<u8>)]) -> Vec<OpCode> {
    frames.iter().map(|(opcode, ..)| *opcode).collect()
}

pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251).to_le_bytes()[0]).collect()
}

pub(crate) fn ping(connection: &mut Connection, payload: &[u8]) {
    let mut frame = vec![0x89, payload.len().to_le_bytes()[0]];
    if connection.role() == Role::Server {
        frame[1] |= 0x80;
        frame.extend([0; 4]);
    }
    frame.extend(payload);
    connection.handle_input(NOW, &frame);
}

/// Sizes around every threshold: the forms of the length, and the sizes above which a payload is
/// shared or masked in several steps.
pub(crate) const SIZES: [usize; 20] = [
    0, 1, 125, 126, 511, 512, 1_000, 4_095, 4_096, 8_178, 8_191, 8_192, 8_193, 16_384, 65_522,
    65_535, 65_536, 65_537, 131_072, 300_001,
];
