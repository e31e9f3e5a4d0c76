//! Tests the core's frame encoder and decoder against each other and against a second, simple
//! implementation.
#![allow(clippy::unwrap_used, clippy::std_instead_of_alloc)]

use proptest::collection::vec;
use proptest::prelude::*;

use tidegate_core::frame::{
    Decoder, FrameHeader, HeaderRules, Mask, OpCode, Part, encode_header, parse_header,
};
use tidegate_core::testing::{Frame, hostile, strategies};
use tidegate_core::{Connection, Event, Failure, Role, Timestamp};

const OPCODES: [OpCode; 6] =
    [OpCode::Continuation, OpCode::Text, OpCode::Binary, OpCode::Close, OpCode::Ping, OpCode::Pong];

/// A frame that its sender may send.
fn frames() -> impl Strategy<Value = (OpCode, bool, [u8; 4], Vec<u8>)> {
    let length = prop_oneof![0usize..130, 120usize..130, 65_530usize..65_540, Just(125), Just(126)];
    (prop::sample::select(&OPCODES[..]), any::<bool>(), any::<[u8; 4]>(), length, any::<u8>())
        .prop_map(|(opcode, fin, key, length, first)| {
            let control = opcode.is_control();
            let length = if control { length.min(125) } else { length };
            let payload = (0..length).map(|index| first ^ index.to_le_bytes()[0]).collect();
            (opcode, fin || control, key, payload)
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn encoded_frames_are_decoded_for_any_split(
        frames in vec(frames(), 1..5),
        is_client: bool,
        sizes in vec(1usize..3000, 1..20),
    ) {
        let sender = if is_client { Role::Client } else { Role::Server };
        let mut wire = Vec::new();
        for (opcode, fin, key, payload) in &frames {
            let mask = is_client.then_some(Mask::new(*key));
            let header = FrameHeader {
                fin: *fin,
                rsv1: false,
                opcode: *opcode,
                mask,
                length: payload.len() as u64,
            };
            wire.extend_from_slice(encode_header(header).as_slice());
            match mask {
                Some(mut mask) => mask.append(payload, &mut wire),
                None => wire.extend_from_slice(payload),
            }
        }

        // The simple implementation decodes the same.
        let plain = Frame::parse_all(&wire).unwrap();
        prop_assert_eq!(plain.len(), frames.len());
        for (seen, (opcode, fin, key, payload)) in plain.iter().zip(&frames) {
            prop_assert_eq!((seen.opcode, seen.fin, seen.reserved), (*opcode as u8, *fin, 0));
            prop_assert_eq!(seen.key, is_client.then_some(*key));
            prop_assert_eq!(&seen.payload, payload);
            prop_assert_eq!(Frame::parse(&seen.encode()), Ok(Some((seen.clone(), seen.encode().len()))));
        }

        let mut decoder = Decoder::new(HeaderRules { sender, allow_rsv1: false });
        let mut decoded: Vec<(OpCode, bool, Vec<u8>, bool)> = Vec::new();
        let (mut rest, mut sizes) = (&wire[..], sizes.iter().cycle());
        while !rest.is_empty() {
            let (mut piece, later) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
            rest = later;
            while let Some(part) = decoder.decode(&mut piece).unwrap() {
                match part {
                    Part::Header(header) => {
                        prop_assert!(decoded.last().is_none_or(|frame| frame.3), "frames end");
                        decoded.push((header.opcode, header.fin, Vec::new(), false));
                    }
                    Part::Payload(payload) => {
                        let frame = decoded.last_mut().unwrap();
                        prop_assert!(!frame.3, "nothing comes after the last piece");
                        match payload.mask {
                            Some(mut mask) => mask.append(payload.bytes, &mut frame.2),
                            None => frame.2.extend_from_slice(payload.bytes),
                        }
                        frame.3 = payload.last;
                    }
                }
            }
            prop_assert!(piece.is_empty(), "it takes everything");
        }
        prop_assert!(decoder.is_between_frames());
        let expected: Vec<_> = frames
            .iter()
            .map(|(opcode, fin, _, payload)| (*opcode, *fin, payload.clone(), true))
            .collect();
        prop_assert_eq!(decoded, expected);
    }

    /// The decoder and the header parser agree about any bytes, and neither panics.
    #[test]
    fn any_bytes_are_a_header_an_error_or_too_few(
        mut bytes in vec(any::<u8>(), 0..20),
        first in prop::sample::select(&[0x00u8, 0x01, 0x81, 0x82, 0x88, 0x89, 0x8A, 0xC1][..]),
        is_client: bool,
        allow_rsv1: bool,
        keep_first: bool,
    ) {
        if let Some(byte) = bytes.first_mut().filter(|_| !keep_first) {
            *byte = first;
        }
        let sender = if is_client { Role::Client } else { Role::Server };
        let rules = HeaderRules { sender, allow_rsv1 };
        let parsed = parse_header(&bytes, rules);
        let mut decoder = Decoder::new(rules);
        let mut bytewise = Ok(None);
        for byte in &bytes {
            bytewise = decoder.decode(&mut core::slice::from_ref(byte));
            if !matches!(bytewise, Ok(None)) {
                break;
            }
        }
        match (parsed, bytewise) {
            (Ok(None), Ok(None)) => {}
            (Ok(Some((header, _))), Ok(Some(Part::Header(seen)))) => {
                prop_assert_eq!(header, seen);
                let again = encode_header(header);
                prop_assert_eq!(parse_header(again.as_slice(), rules), Ok(Some((header, again.as_slice().len()))));
            }
            (Err(error), Err(seen)) => prop_assert_eq!(error, seen),
            (parsed, bytewise) => prop_assert!(false, "{parsed:?} {bytewise:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

    /// Any legal header, even of a frame larger than memory, is read as it was written, at its last
    /// byte and not before.
    #[test]
    fn headers_of_any_length_round_trip(
        (sender, header) in strategies::role()
            .prop_flat_map(|role| (Just(role), strategies::header(role))),
    ) {
        let rules = HeaderRules { sender, allow_rsv1: false };
        let encoded = encode_header(header);
        let bytes = encoded.as_slice();
        prop_assert_eq!(parse_header(bytes, rules), Ok(Some((header, bytes.len()))));
        for length in 0..bytes.len() {
            prop_assert_eq!(parse_header(&bytes[..length], rules), Ok(None));
        }
    }

    /// Each violation, with any configuration, is detected exactly at the byte that shows it.
    #[test]
    fn violations_are_detected_at_the_byte_that_shows_them(
        (sender, config, hostile) in (strategies::role(), strategies::config()).prop_flat_map(
            |(sender, config)| (Just(sender), Just(config.clone()), hostile(sender, &config)),
        ),
        cut in any::<prop::sample::Index>(),
    ) {
        let now = Timestamp::ZERO;
        let mut receiver = match sender {
            Role::Client => Connection::server(now, config),
            Role::Server => Connection::client(now, config, [1; 32]),
        };
        let (last, before) = hostile.bytes.split_last().unwrap();
        let (first, second) = before.split_at(cut.index(before.len() + 1));
        receiver.handle_input(now, first);
        receiver.handle_input(now, second);
        prop_assert_eq!(receiver.poll_event(), None);
        receiver.handle_input(now, &[*last]);
        let Some(Event::Closed(closed)) = receiver.poll_event() else { panic!("it is seen") };
        prop_assert_eq!(closed.failure(), Some(Failure::Protocol(hostile.error)));
        prop_assert_eq!(closed.sent().unwrap().code, hostile.code());
    }
}
