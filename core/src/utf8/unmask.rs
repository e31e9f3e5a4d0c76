//! Unmasks and validates the payload of text messages.
//!
//! simdutf8 lends a `&str` of the bytes it validated, while a message owns its text, so there is one
//! copy between the two. (`String::from_utf8` copies nothing, but validates many times slower.) To keep
//! that copy cheap, bytes are unmasked in blocks that stay in the first-level cache, validated there,
//! and copied to their final place.

use alloc::string::String;
use alloc::vec::Vec;

use bytestring::ByteString;

use crate::frame::{Mask, Payload};
use crate::utf8::validate::{SIMD_FROM, Utf8, Utf8Error, from_utf8};

/// Unmasks the next payload of a text, validates it and appends it to `text`.
pub(crate) fn append(
    payload: Payload<'_>,
    text: &mut String,
    utf8: &mut Utf8,
) -> Result<(), Utf8Error> {
    let Some(mut mask) = payload.mask else { return utf8.append(payload.bytes, text) };
    let mut block = Vec::with_capacity(payload.bytes.len().min(BLOCK));
    for piece in payload.bytes.chunks(BLOCK) {
        block.clear();
        mask.append(piece, &mut block);
        utf8.append(&block, text)?;
    }
    Ok(())
}

/// Unmasks a whole message; `None` if it is not UTF-8.
#[inline]
pub(crate) fn unmask(mask: Mask, bytes: &[u8]) -> Option<ByteString> {
    if bytes.len() < SIMD_FROM {
        // The standard library validates short texts faster, and needs no copy.
        return ByteString::try_from(mask.to_vec(bytes)).ok();
    }
    unmask_long(mask, bytes)
}

fn unmask_long(mask: Mask, bytes: &[u8]) -> Option<ByteString> {
    if bytes.len() <= BLOCK {
        return from_utf8(&mask.to_vec(bytes)).map(ByteString::from).ok();
    }
    let (mut text, mut utf8) = (String::with_capacity(bytes.len()), Utf8::default());
    append(Payload { bytes, mask: Some(mask), last: true }, &mut text, &mut utf8).ok()?;
    utf8.is_complete().then(|| ByteString::from(text))
}

/// A block and its destination fit into the first-level cache together.
const BLOCK: usize = 4096;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// ASCII up to some place near the edges of blocks or not, then other text, then either; some
    /// of it with a byte that is wrong or cut.
    fn nearly_utf8() -> impl Strategy<Value = Vec<u8>> {
        let length = prop_oneof![0..90usize, BLOCK - 5..BLOCK + 5, 0..3 * BLOCK];
        let other = prop_oneof![
            1 => Just(Vec::new()),
            3 => any::<char>().prop_map(|c| String::from(c).into_bytes()),
            1 => proptest::collection::vec(any::<u8>(), 1..4),
            1 => Just(b"\xED\xA0\x80".to_vec()),
            1 => Just(b"\xE2\x82".to_vec()),
        ];
        let run = (length, other).prop_map(|(length, other)| {
            let mut run: Vec<u8> = b"tide, ".iter().copied().cycle().take(length).collect();
            run.extend(other);
            run
        });
        proptest::collection::vec(run, 0..4).prop_map(|runs| runs.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]
        #[test]
        fn it_is_what_the_standard_library_makes_of_it_in_any_pieces(
            bytes in nearly_utf8(),
            key: Option<[u8; 4]>,
            size in prop_oneof![1..9usize, 60..70usize, BLOCK - 2..BLOCK + 2, Just(usize::MAX)],
        ) {
            let mut mask = key.map(Mask::new);
            let mut wire = bytes.clone();
            if let Some(mut mask) = mask {
                mask.apply(&mut wire);
            }
            let (mut text, mut utf8) = (String::new(), Utf8::default());
            let (mut expected, mut reference) = (String::new(), Utf8::default());
            let mut plain = bytes.chunks(size);
            for piece in wire.chunks(size) {
                let payload = Payload { bytes: piece, mask, last: false };
                let result = append(payload, &mut text, &mut utf8);
                if let Some(mask) = &mut mask {
                    mask.advance(piece.len());
                }
                let naive = reference.append(plain.next().unwrap(), &mut expected);
                prop_assert_eq!(result, naive, "fails in the same piece, at the same place");
                if result.is_err() {
                    prop_assert!(core::str::from_utf8(&bytes).is_err());
                    return Ok(());
                }
                prop_assert_eq!(&text, &expected);
            }
            match core::str::from_utf8(&bytes) {
                Ok(expected) => prop_assert_eq!((&text[..], utf8.is_complete()), (expected, true)),
                Err(_) => prop_assert!(!utf8.is_complete()),
            }
        }

        #[test]
        fn what_is_there_whole_is_the_same(bytes in nearly_utf8(), key: [u8; 4]) {
            let mut wire = bytes.clone();
            Mask::new(key).apply(&mut wire);
            let expected = core::str::from_utf8(&bytes).ok().map(ByteString::from);
            prop_assert_eq!(unmask(Mask::new(key), &wire), expected);
        }
    }
}
