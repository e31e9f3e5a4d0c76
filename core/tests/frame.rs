//! Headers, masks and the frame decoder, byte by byte: which input is valid, and which byte is not.
#![allow(clippy::unwrap_used, missing_docs)]

use tidegate_core::frame::{
    Decoder, FrameHeader, HeaderRules, MAX_CONTROL_PAYLOAD, MAX_HEADER, Mask, OpCode, Part,
    Payload, encode_header, parse_header,
};
use tidegate_core::{MessageKind, ProtocolError, Role};

const SERVER: HeaderRules = HeaderRules { sender: Role::Server, allow_rsv1: false };
const CLIENT: HeaderRules = HeaderRules { sender: Role::Client, allow_rsv1: false };
const DEFLATE: HeaderRules = HeaderRules { sender: Role::Server, allow_rsv1: true };

const OPCODES: [(u8, OpCode, &str); 6] = [
    (0x0, OpCode::Continuation, "continuation"),
    (0x1, OpCode::Text, "text"),
    (0x2, OpCode::Binary, "binary"),
    (0x8, OpCode::Close, "close"),
    (0x9, OpCode::Ping, "ping"),
    (0xA, OpCode::Pong, "pong"),
];

#[test]
fn opcodes_are_their_numbers_and_their_names() {
    for bits in 0..=u8::MAX {
        let known = OPCODES.iter().find(|(number, ..)| *number == bits);
        assert_eq!(OpCode::from_bits(bits), known.map(|(_, opcode, _)| *opcode), "{bits:#x}");
    }
    for (bits, opcode, name) in OPCODES {
        assert_eq!(opcode.to_string(), name);
        assert_eq!(opcode.is_control(), bits >= 0x8, "{name}");
    }
    assert_eq!(OpCode::from(MessageKind::Text), OpCode::Text);
    assert_eq!(OpCode::from(MessageKind::Binary), OpCode::Binary);
    assert_eq!((MAX_CONTROL_PAYLOAD, MAX_HEADER), (125, 14));
}

/// The shortest encoding of a length, written independently of the library.
fn length_bytes(length: u64) -> Vec<u8> {
    match length {
        0..=125 => vec![length.to_le_bytes()[0]],
        126..=0xFFFF => [&[126][..], &length.to_be_bytes()[6..]].concat(),
        _ => [&[127][..], &length.to_be_bytes()].concat(),
    }
}

#[test]
fn every_valid_header_is_written_and_parsed_as_in_the_rfc() {
    let lengths =
        [0, 1, 125, 126, 127, 255, 256, 65_535, 65_536, 1 << 32, (1 << 62) + 5, (1 << 63) - 1];
    for (bits, opcode, _) in OPCODES {
        for fin in [true, false] {
            for rsv1 in [true, false] {
                for key in [None, Some([0x37, 0xFA, 0x21, 0x3D])] {
                    for length in lengths {
                        if opcode.is_control() && (!fin || length > 125) {
                            continue;
                        }
                        let begins = matches!(opcode, OpCode::Text | OpCode::Binary);
                        if rsv1 && !begins {
                            continue;
                        }
                        let first = u8::from(fin) << 7 | u8::from(rsv1) << 6 | bits;
                        let mut bytes = vec![first];
                        bytes.extend(length_bytes(length));
                        if let Some(key) = key {
                            bytes[1] |= 0x80;
                            bytes.extend(key);
                        }
                        let mask = key.map(Mask::new);
                        let header = FrameHeader { fin, rsv1, opcode, mask, length };
                        assert_eq!(encode_header(header).as_slice(), bytes);

                        let sender = if key.is_some() { Role::Client } else { Role::Server };
                        let rules = HeaderRules { sender, allow_rsv1: rsv1 };
                        let expected = Ok(Some((header, bytes.len())));
                        assert_eq!(parse_header(&bytes, rules), expected);
                        let followed = [&bytes[..], b"payload"].concat();
                        assert_eq!(parse_header(&followed, rules), expected);
                        for end in 0..bytes.len() {
                            assert_eq!(parse_header(&bytes[..end], rules), Ok(None), "{end}");
                        }
                    }
                }
            }
        }
    }
}

/// Without its last byte, each input is still valid; with it, the input fails, whatever follows.
#[test]
fn an_invalid_header_fails_at_its_first_invalid_byte() {
    use ProtocolError as E;
    let mut cases = vec![
        (SERVER, vec![0xC1], E::ReservedBits { bits: 0x40 }),
        (SERVER, vec![0xA1], E::ReservedBits { bits: 0x20 }),
        (SERVER, vec![0x91], E::ReservedBits { bits: 0x10 }),
        (SERVER, vec![0xF2], E::ReservedBits { bits: 0x70 }),
        // Negotiated, RSV1 belongs to the first frame of a message; the others to nothing.
        (DEFLATE, vec![0xC0], E::ReservedBits { bits: 0x40 }),
        (DEFLATE, vec![0xC8], E::ReservedBits { bits: 0x40 }),
        (DEFLATE, vec![0xC9], E::ReservedBits { bits: 0x40 }),
        (DEFLATE, vec![0xCA], E::ReservedBits { bits: 0x40 }),
        (DEFLATE, vec![0xF1], E::ReservedBits { bits: 0x30 }),
        (DEFLATE, vec![0xC3], E::ReservedBits { bits: 0x40 }),
        // A client's frame without a mask, a server's with one.
        (CLIENT, vec![0x81, 0x05], E::Unmasked),
        (CLIENT, vec![0x89, 0x7E], E::Unmasked),
        (SERVER, vec![0x81, 0x85], E::Masked),
        (SERVER, vec![0x02, 0xFF], E::Masked),
        // A longer form than the length needs.
        (SERVER, vec![0x82, 126, 0, 0], E::NonMinimalLength { length: 0 }),
        (SERVER, vec![0x82, 126, 0, 125], E::NonMinimalLength { length: 125 }),
        (CLIENT, vec![0x82, 254, 0, 125], E::NonMinimalLength { length: 125 }),
        (SERVER, vec![0x82, 127, 0, 0, 0, 0, 0, 0, 0, 5], E::NonMinimalLength { length: 5 }),
        (
            SERVER,
            vec![0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF],
            E::NonMinimalLength { length: 0xFFFF },
        ),
        // The top bit is in the first of the eight bytes.
        (SERVER, vec![0x82, 127, 0x80], E::LengthOverflow),
        (SERVER, vec![0x82, 127, 0xFF], E::LengthOverflow),
        (CLIENT, vec![0x02, 255, 0x80], E::LengthOverflow),
    ];
    for opcode in [3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF] {
        cases.push((SERVER, vec![0x80 | opcode], E::UnknownOpcode { opcode }));
        cases.push((CLIENT, vec![opcode], E::UnknownOpcode { opcode }));
    }
    for (bits, opcode, _) in &OPCODES[3..] {
        let opcode = *opcode;
        cases.push((SERVER, vec![*bits], E::FragmentedControl { opcode }));
        cases.push((SERVER, vec![0x80 | bits, 126], E::OversizedControl { opcode }));
        cases.push((CLIENT, vec![0x80 | bits, 255], E::OversizedControl { opcode }));
    }
    for (rules, bytes, error) in cases {
        let before = &bytes[..bytes.len() - 1];
        assert_eq!(parse_header(before, rules), Ok(None), "{bytes:x?}");
        assert_eq!(parse_header(&bytes, rules), Err(error), "{bytes:x?}");
        for behind in [0x00, 0xFF] {
            let more = [&bytes[..], &[behind; 20]].concat();
            assert_eq!(parse_header(&more, rules), Err(error), "{more:x?}");
        }
    }
    // What the neighbours of those may be.
    for (rules, bytes) in [
        (DEFLATE, &[0xC1, 0x00][..]),
        (DEFLATE, &[0x42, 0x00]),
        (CLIENT, &[0x89, 0xFD, 1, 2, 3, 4]),
        (SERVER, &[0x82, 126, 0, 126]),
        (SERVER, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        (SERVER, &[0x82, 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
    ] {
        let (_, length) = parse_header(bytes, rules).unwrap().unwrap();
        assert_eq!(length, bytes.len(), "{bytes:x?}");
    }
    assert_eq!(parse_header(&[0x82, 127, 0x7F, 0xFF], SERVER), Ok(None));
}

/// The parts that a decoder returns for one piece of input.
fn parts<'i>(decoder: &mut Decoder, mut input: &'i [u8]) -> Vec<Part<'i>> {
    let mut parts = Vec::new();
    while let Some(part) = decoder.decode(&mut input).unwrap() {
        parts.push(part);
    }
    assert!(input.is_empty(), "all input is consumed");
    parts
}

fn header(opcode: OpCode, mask: Option<Mask>, length: u64) -> Part<'static> {
    Part::Header(FrameHeader { fin: true, rsv1: false, opcode, mask, length })
}

fn payload(bytes: &[u8], mask: Option<Mask>, last: bool) -> Part<'_> {
    Part::Payload(Payload { bytes, mask, last })
}

#[test]
fn a_frame_is_a_header_and_pieces_of_payload_of_which_one_is_the_last() {
    let mut decoder = Decoder::new(CLIENT);
    assert!(decoder.is_between_frames());
    assert_eq!(parts(&mut decoder, &[0x82]), []);
    assert!(!decoder.is_between_frames(), "a header has begun");
    assert_eq!(parts(&mut decoder, &[0x85, 1, 2, 3]), []);
    let mask = |key| Some(Mask::new(key));
    assert_eq!(
        parts(&mut decoder, &[4, 10]),
        [header(OpCode::Binary, mask([1, 2, 3, 4]), 5), payload(&[10], mask([1, 2, 3, 4]), false)]
    );
    assert!(!decoder.is_between_frames(), "payload is to come");
    assert_eq!(parts(&mut decoder, &[]), []);
    // The mask is rotated to the position in the payload.
    assert_eq!(parts(&mut decoder, &[11, 12]), [payload(&[11, 12], mask([2, 3, 4, 1]), false)]);
    assert_eq!(
        parts(&mut decoder, &[13, 14, 0x89, 0x80, 5, 6, 7, 8, 0x8A]),
        [
            payload(&[13, 14], mask([4, 1, 2, 3]), true),
            header(OpCode::Ping, mask([5, 6, 7, 8]), 0),
            payload(&[], mask([5, 6, 7, 8]), true),
        ]
    );
    assert!(!decoder.is_between_frames());
    assert_eq!(
        parts(&mut decoder, &[0x80, 9, 9, 9, 9]),
        [header(OpCode::Pong, mask([9; 4]), 0), payload(&[], mask([9; 4]), true)]
    );
    assert!(decoder.is_between_frames());
}

/// The decoder neither waits for the declared length nor allocates memory for it.
#[test]
fn payload_is_returned_as_it_arrives_whatever_length_is_declared() {
    let mut decoder = Decoder::new(SERVER);
    let announced = (1 << 63) - 1;
    let mut bytes = encode_header(FrameHeader {
        fin: true,
        rsv1: false,
        opcode: OpCode::Binary,
        mask: None,
        length: announced,
    })
    .as_slice()
    .to_vec();
    bytes.extend([7; 100]);
    assert_eq!(
        parts(&mut decoder, &bytes),
        [header(OpCode::Binary, None, announced), payload(&[7; 100], None, false)]
    );
    assert!(size_of::<Decoder>() <= 40, "{}", size_of::<Decoder>());
}

#[test]
fn an_invalid_header_in_pieces_fails_with_the_same_error() {
    let bad = [0x81, 0x02, b'h', b'i', 0x82, 127, 0, 0, 0, 0, 0, 0, 0, 5];
    for cut in 0..=bad.len() {
        let mut decoder = Decoder::new(SERVER);
        let mut seen = Vec::new();
        let mut error = None;
        for mut piece in [&bad[..cut], &bad[cut..]] {
            while error.is_none() {
                match decoder.decode(&mut piece) {
                    Ok(Some(Part::Payload(payload))) => seen.extend_from_slice(payload.bytes),
                    Ok(Some(Part::Header(_))) => {}
                    Ok(None) => break,
                    Err(fault) => error = Some(fault),
                }
            }
        }
        assert_eq!(seen, b"hi", "cut at {cut}");
        assert_eq!(error, Some(ProtocolError::NonMinimalLength { length: 5 }), "cut at {cut}");
    }
}

/// The example of RFC 6455 §5.7, from every offset, with each function that masks.
#[test]
fn masking_continues_across_pieces() {
    let key = [0x37, 0xFA, 0x21, 0x3D];
    let plain: Vec<u8> = (0..200).collect();
    let masked: Vec<u8> = plain.iter().zip(key.iter().cycle()).map(|(a, b)| a ^ b).collect();
    for cut in 0..plain.len() {
        let (first, second) = plain.split_at(cut);
        let mut mask = Mask::new(key);
        assert_eq!(mask.key(), key);
        let mut out = Vec::new();
        mask.append(first, &mut out);
        let mut turned = key;
        turned.rotate_left(cut % 4);
        assert_eq!(mask.key(), turned);
        let mut rest = second.to_vec();
        mask.apply(&mut rest);
        out.extend(rest);
        assert_eq!(out, masked, "cut at {cut}");
    }
}
