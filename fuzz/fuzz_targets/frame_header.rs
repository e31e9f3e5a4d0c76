//! Headers: every prefix agrees on what it is, and what is parsed is written back byte for byte.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tidegate_core::Role;
use tidegate_core::frame::{FrameHeader, HeaderRules, Mask, OpCode, encode_header, parse_header};
use tidegate_core::testing;

#[derive(Arbitrary, Debug)]
struct Case<'b> {
    flags: u8,
    length: u64,
    shift: u8,
    bytes: &'b [u8],
}

fuzz_target!(|case: Case<'_>| {
    let sender = if case.flags & 0x01 != 0 { Role::Client } else { Role::Server };
    let rules = HeaderRules { sender, allow_rsv1: case.flags & 0x02 != 0 };
    parse(case.bytes, rules);
    emit(&case, rules);
});

fn parse(bytes: &[u8], rules: HeaderRules) {
    let mut decided = None;
    for end in 0..=bytes.len().min(20) {
        let prefix = &bytes[..end];
        let parsed = parse_header(prefix, rules);
        match &decided {
            None if parsed != Ok(None) => decided = Some(parsed),
            None => {}
            Some(decided) => assert_eq!(decided, &parsed, "more bytes change nothing"),
        }
    }
    if let Some(Ok(Some((header, length)))) = decided {
        assert_eq!(encode_header(header).as_slice(), &bytes[..length], "the shortest form");
        assert!(is_legal(bytes, rules), "accepted");
    } else if bytes.len() >= 14 {
        assert!(decided.is_some(), "a header has 14 bytes at most");
        assert!(!is_legal(bytes, rules), "refused");
    }
}

/// The rules of RFC 6455 §5.1, §5.2 and §5.5, a second time, for a header that is there whole.
fn is_legal(bytes: &[u8], rules: HeaderRules) -> bool {
    let (first, second) = (bytes[0], bytes[1]);
    let opcode = first & 0x0F;
    let length = match second & 0x7F {
        126 => u64::from(bytes[2]) << 8 | u64::from(bytes[3]),
        127 => bytes[2..10].iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
        short => short.into(),
    };
    let is_shortest = match second & 0x7F {
        126 => (126..=0xFFFF).contains(&length),
        127 => (0x1_0000..1 << 63).contains(&length),
        _ => true,
    };
    let may_compress = rules.allow_rsv1 && (opcode == 1 || opcode == 2);
    let is_control_legal = opcode < 8 || (first & 0x80 != 0 && length <= 125);
    matches!(opcode, 0..=2 | 8..=10)
        && first & 0x30 == 0
        && (first & 0x40 == 0 || may_compress)
        && (second & 0x80 != 0) == (rules.sender == Role::Client)
        && is_shortest
        && is_control_legal
}

/// The other way round: what is written is parsed as it was.
fn emit(case: &Case<'_>, rules: HeaderRules) {
    let opcodes = [
        OpCode::Continuation,
        OpCode::Text,
        OpCode::Binary,
        OpCode::Close,
        OpCode::Ping,
        OpCode::Pong,
    ];
    let opcode = opcodes[usize::from(case.flags >> 4) % opcodes.len()];
    let length = case.length >> 1 >> (case.shift % 63);
    let length = if opcode.is_control() { length % 126 } else { length };
    let key = case.length.to_le_bytes();
    let key = [key[0], key[1], key[2], key[3]];
    let is_masked = rules.sender == Role::Client;
    let begins = matches!(opcode, OpCode::Text | OpCode::Binary);
    let header = FrameHeader {
        fin: opcode.is_control() || case.flags & 0x04 != 0,
        rsv1: case.flags & 0x08 != 0 && rules.allow_rsv1 && begins,
        opcode,
        mask: is_masked.then(|| Mask::new(key)),
        length,
    };
    let encoded = encode_header(header);
    let encoded = encoded.as_slice();
    assert_eq!(parse_header(encoded, rules), Ok(Some((header, encoded.len()))));
    for end in 0..encoded.len() {
        assert_eq!(parse_header(&encoded[..end], rules), Ok(None), "more is needed");
    }
    if let Ok(length) = usize::try_from(length) {
        let reserved = if header.rsv1 { 4 } else { 0 };
        let opcode = opcode as u8;
        let naive = testing::header(header.fin, reserved, opcode, is_masked.then_some(key), length);
        assert_eq!(encoded, naive);
    }
}
