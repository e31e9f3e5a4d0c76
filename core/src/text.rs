//! Text of messages: unmasked, validated, and put together.
//!
//! What is all ASCII needs no validation that looks at characters, and it is told while the bytes
//! are unmasked anyway. It goes straight to its place, and is looked at once more there, because
//! that is what it takes to call it text. Other text cannot be called that without a copy: none but
//! the standard library's validation, which takes many times as long, makes a string of a vector.

use alloc::string::String;
use alloc::vec::Vec;

use bytestring::ByteString;

use crate::error::ProtocolError;
use crate::frame::{Mask, Payload};
use crate::utf8::{SIMD_FROM, Utf8, Utf8Error, from_utf8};

/// The text of one message so far.
#[derive(Debug)]
pub(crate) enum Text {
    Ascii(Vec<u8>),
    Mixed { text: String, utf8: Utf8 },
}

impl Text {
    /// Unmasks and validates the next payload.
    pub(crate) fn append(&mut self, payload: Payload<'_>) -> Result<(), Utf8Error> {
        let Payload { mut bytes, mut mask, .. } = payload;
        if let Self::Ascii(ascii) = self {
            let first = loop {
                if bytes.is_empty() {
                    return Ok(());
                }
                let (piece, rest) = bytes.split_at(bytes.len().min(BLOCK));
                let begin = ascii.len();
                append_bytes(piece, &mut mask, ascii);
                bytes = rest;
                if !ascii.get(begin..).unwrap_or_default().is_ascii() {
                    break ascii.split_off(begin);
                }
            };
            let mut utf8 = Utf8::behind(ascii.len());
            let ascii = core::mem::take(ascii);
            let mut text = String::from_utf8(ascii).expect("ASCII is UTF-8");
            let result = utf8.append(&first, &mut text);
            *self = Self::Mixed { text, utf8 };
            result?;
        }
        let Self::Mixed { text, utf8 } = self else { return Ok(()) };
        let Some(mut mask) = mask else { return utf8.append(bytes, text) };
        // In blocks that stay in the first-level cache from one step to the next.
        let mut block = Vec::with_capacity(bytes.len().min(BLOCK));
        for piece in bytes.chunks(BLOCK) {
            block.clear();
            mask.append(piece, &mut block);
            utf8.append(&block, text)?;
        }
        Ok(())
    }

    /// The message is complete: its text, in memory that is exactly as long.
    pub(crate) fn finish(self) -> Result<ByteString, ProtocolError> {
        match self {
            Self::Ascii(mut ascii) => {
                ascii.shrink_to_fit();
                Ok(ByteString::try_from(ascii).expect("ASCII is UTF-8"))
            }
            Self::Mixed { utf8, .. } if !utf8.is_complete() => Err(ProtocolError::TruncatedUtf8),
            Self::Mixed { mut text, .. } => {
                text.shrink_to_fit();
                Ok(ByteString::from(text))
            }
        }
    }

    pub(crate) fn reserve_exact(&mut self, additional: usize) {
        match self {
            Self::Ascii(ascii) => ascii.reserve_exact(additional),
            Self::Mixed { text, .. } => text.reserve_exact(additional),
        }
    }

    /// What is in its place; the beginning of a character is not.
    pub(crate) const fn len(&self) -> usize {
        match self {
            Self::Ascii(ascii) => ascii.len(),
            Self::Mixed { text, .. } => text.len(),
        }
    }

    /// How many bytes of an incomplete character there are besides.
    pub(crate) const fn pending(&self) -> usize {
        match self {
            Self::Ascii(_) => 0,
            Self::Mixed { utf8, .. } => utf8.pending(),
        }
    }

    pub(crate) const fn capacity(&self) -> usize {
        match self {
            Self::Ascii(ascii) => ascii.capacity(),
            Self::Mixed { text, .. } => text.capacity(),
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::Ascii(Vec::new())
    }
}

/// The text of a message that is there whole, if it is UTF-8.
#[inline]
pub(crate) fn unmask(mask: Mask, bytes: &[u8]) -> Option<ByteString> {
    if bytes.len() > BLOCK {
        return unmask_long(mask, bytes);
    }
    let payload = mask.to_vec(bytes);
    if payload.len() < SIMD_FROM || payload.is_ascii() {
        ByteString::try_from(payload).ok()
    } else {
        from_utf8(&payload).map(ByteString::from).ok()
    }
}

fn unmask_long(mask: Mask, bytes: &[u8]) -> Option<ByteString> {
    let mut text = Text::Ascii(Vec::with_capacity(bytes.len()));
    text.append(Payload { bytes, mask: Some(mask), last: true }).ok()?;
    text.finish().ok()
}

fn append_bytes(bytes: &[u8], mask: &mut Option<Mask>, out: &mut Vec<u8>) {
    match mask {
        Some(mask) => mask.append(bytes, out),
        None => out.extend_from_slice(bytes),
    }
}

/// What stays in the first-level cache along with where it goes.
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
            let (mut text, mut reference, mut expected) =
                (Text::default(), Utf8::default(), String::new());
            let mut plain = bytes.chunks(size);
            for piece in wire.chunks(size) {
                let result = text.append(Payload { bytes: piece, mask, last: false });
                if let Some(mask) = &mut mask {
                    mask.advance(piece.len());
                }
                let naive = reference.append(plain.next().unwrap(), &mut expected);
                prop_assert_eq!(result, naive, "fails in the same piece, at the same place");
                if result.is_err() {
                    prop_assert!(core::str::from_utf8(&bytes).is_err());
                    return Ok(());
                }
                prop_assert_eq!(text.len() + text.pending(), expected.len() + reference.pending());
            }
            match core::str::from_utf8(&bytes) {
                Ok(expected) => prop_assert_eq!(text.finish().unwrap(), expected),
                Err(_) => prop_assert_eq!(text.finish(), Err(ProtocolError::TruncatedUtf8)),
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
