//! The frame decoder: the same frames in whatever pieces the bytes come, and the ones that a naive
//! parser finds.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tidegate_core::frame::{Decoder, FrameHeader, HeaderRules, Part};
use tidegate_core::testing::Frame;
use tidegate_core::{ProtocolError, Role};
use tidegate_fuzz::cut;

#[derive(Arbitrary, Debug)]
struct Case<'b> {
    flags: u8,
    seed: u8,
    bytes: &'b [u8],
}

/// A frame as far as it came: header, payload, whether it ended.
type Found = (FrameHeader, Vec<u8>, bool);

fuzz_target!(|case: Case<'_>| {
    let sender = if case.flags & 0x01 != 0 { Role::Client } else { Role::Server };
    let rules = HeaderRules { sender, allow_rsv1: case.flags & 0x02 != 0 };
    let whole = decode(rules, &[case.bytes]);
    assert_eq!(whole, decode(rules, &cut(case.bytes, 0, 1)), "byte by byte");
    let longest = 1 + usize::from(case.seed % 40);
    assert_eq!(whole, decode(rules, &cut(case.bytes, case.seed.into(), longest)), "in pieces");

    let (found, error) = whole;
    let mut rest = case.bytes;
    for (header, payload, is_whole) in found {
        let naive = Frame::parse(rest).expect("the naive parser accepts it too");
        assert_eq!(naive.is_some(), is_whole);
        let Some((frame, taken)) = naive else { return };
        assert_eq!(frame.payload, payload);
        assert_eq!((frame.fin, frame.opcode), (header.fin, header.opcode as u8));
        assert_eq!(frame.reserved == 4, header.rsv1);
        assert_eq!(frame.key, header.mask.map(|mask| mask.key()));
        rest = &rest[taken..];
    }
    if error.is_none() && rest.len() >= 14 {
        panic!("a header is in {} bytes", rest.len());
    }
});

fn decode(rules: HeaderRules, pieces: &[&[u8]]) -> (Vec<Found>, Option<ProtocolError>) {
    let mut decoder = Decoder::new(rules);
    let mut frames: Vec<Found> = Vec::new();
    for piece in pieces {
        let mut input = *piece;
        loop {
            let before = input.len();
            match decoder.decode(&mut input) {
                Err(error) => return (frames, Some(error)),
                Ok(None) => {
                    assert!(input.is_empty(), "all is taken");
                    break;
                }
                Ok(Some(Part::Header(header))) => frames.push((header, Vec::new(), false)),
                Ok(Some(Part::Payload(payload))) => {
                    let (_, bytes, is_whole) = frames.last_mut().expect("a header came first");
                    assert!(!*is_whole, "the last part is the last");
                    let start = bytes.len();
                    bytes.extend_from_slice(payload.bytes);
                    if let Some(mut mask) = payload.mask {
                        mask.apply(&mut bytes[start..]);
                    }
                    *is_whole = payload.last;
                    assert!(payload.last || input.len() < before, "every part makes progress");
                }
            }
            let is_in_frame = frames.last().is_some_and(|(.., is_whole)| !*is_whole);
            assert!(!(is_in_frame && decoder.is_between_frames()), "it knows where it is");
        }
    }
    (frames, None)
}
