//! UTF-8 validation of a text that arrives in pieces. Fails at the first byte that no further input
//! could make valid (RFC 6455 §8.1).

use alloc::string::String;

use crate::error::ProtocolError;

/// Validates one text in pieces, and counts what is valid, so that an error can say where it is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Utf8 {
    cut: Cut,
    /// How many bytes of the text are known to be valid.
    validated: u64,
}

/// The first bytes of a character, if the last piece ended inside one. Enough for a caller that does
/// not need the position of an error.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cut {
    partial: [u8; 4],
    length: u8,
}

/// The text is not UTF-8, whatever follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Utf8Error {
    /// The position in the text at which the invalid sequence begins.
    pub(crate) offset: u64,
}

impl From<Utf8Error> for ProtocolError {
    fn from(Utf8Error { offset }: Utf8Error) -> Self {
        Self::InvalidUtf8 { offset }
    }
}

impl Utf8 {
    /// Validates the next piece and appends its whole characters to `out`. The first bytes of an
    /// incomplete character are kept for the next piece.
    pub(crate) fn append(&mut self, piece: &[u8], out: &mut String) -> Result<(), Utf8Error> {
        self.cut
            .validate(piece, &mut self.validated, |text| out.push_str(text))
            .map_err(|valid| Utf8Error { offset: self.validated + valid as u64 })
    }

    /// Whether the text so far ends with a whole character.
    pub(crate) const fn is_complete(&self) -> bool {
        self.cut.is_complete()
    }

    /// Checks that the text, which ends here, does not end inside a character.
    pub(crate) const fn finish(&self) -> Result<(), ProtocolError> {
        if self.is_complete() { Ok(()) } else { Err(ProtocolError::TruncatedUtf8) }
    }

    /// How many bytes of an incomplete character are kept.
    pub(crate) const fn pending(&self) -> usize {
        self.cut.length as usize
    }
}

impl Cut {
    /// Validates the next piece.
    pub(crate) fn check(&mut self, piece: &[u8]) -> Result<(), ()> {
        self.validate(piece, &mut 0, |_| ()).map_err(|_| ())
    }

    /// Whether the text so far ends with a whole character.
    pub(crate) const fn is_complete(&self) -> bool {
        self.length == 0
    }

    /// Adds the number of valid bytes to `validated`. An error says how many more bytes of this piece
    /// are valid before the invalid one.
    fn validate(
        &mut self,
        mut piece: &[u8],
        validated: &mut u64,
        mut accept: impl FnMut(&str),
    ) -> Result<(), usize> {
        while self.length > 0 {
            let Some((&byte, rest)) = piece.split_first() else { return Ok(()) };
            piece = rest;
            let length = usize::from(self.length);
            let Some(slot) = self.partial.get_mut(length) else { return Err(0) };
            *slot = byte;
            self.length += 1;
            let character = self.partial.get(..=length).unwrap_or_default();
            match core::str::from_utf8(character) {
                Ok(text) => {
                    accept(text);
                    *validated += u64::from(self.length);
                    self.length = 0;
                }
                Err(error) if error.error_len().is_some() => return Err(0),
                Err(_) => {}
            }
        }

        let (whole, tail) = split_at_last_character(piece);
        match from_utf8(whole) {
            Ok(text) => accept(text),
            Err(()) => {
                // The part before the invalid byte is valid.
                let valid = core::str::from_utf8(whole).map_or_else(|e| e.valid_up_to(), str::len);
                let good = whole.get(..valid).unwrap_or_default();
                accept(core::str::from_utf8(good).unwrap_or_default());
                return Err(valid);
            }
        }
        *validated += whole.len() as u64;
        // The tail begins with a lead byte and is shorter than the lead byte says. It can be invalid
        // already: ED A0 begins a surrogate.
        if core::str::from_utf8(tail).is_err_and(|error| error.error_len().is_some()) {
            return Err(0);
        }
        self.length = 0;
        for (slot, byte) in self.partial.iter_mut().zip(tail) {
            *slot = *byte;
            self.length += 1;
        }
        Ok(())
    }
}

/// The text, if it is UTF-8.
///
/// Short input goes to the standard library, which is faster below [`SIMD_FROM`] bytes.
pub(crate) fn from_utf8(bytes: &[u8]) -> Result<&str, ()> {
    if bytes.len() < SIMD_FROM {
        core::str::from_utf8(bytes).map_err(|_| ())
    } else {
        simdutf8::basic::from_utf8(bytes).map_err(|_| ())
    }
}

/// Splits the bytes before an incomplete character at their end. The tail has at most three bytes.
fn split_at_last_character(bytes: &[u8]) -> (&[u8], &[u8]) {
    for (back, byte) in bytes.iter().rev().take(3).enumerate() {
        let needed = match byte {
            0x80..=0xBF => continue,
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xFF => 4,
            0x00..=0x7F => 1,
        };
        return if needed > back + 1 {
            bytes.split_at(bytes.len() - back - 1)
        } else {
            (bytes, &[])
        };
    }
    (bytes, &[])
}

/// From this length on, vector instructions are faster than the standard library.
pub(crate) const SIMD_FROM: usize = 64;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// Byte by byte by the standard library: fails at the first byte after which nothing helps.
    fn naive(bytes: &[u8]) -> Result<String, usize> {
        for end in 1..=bytes.len() {
            if let Err(error) = core::str::from_utf8(&bytes[..end])
                && error.error_len().is_some()
            {
                return Err(end);
            }
        }
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    fn nearly_utf8() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            8 => any::<char>().prop_map(|c| String::from(c).into_bytes()),
            4 => "[ -~]{0,80}".prop_map(String::into_bytes),
            1 => proptest::collection::vec(any::<u8>(), 1..4),
            1 => prop_oneof![
                Just(b"\xED\xA0\x80".to_vec()),
                Just(b"\xF4\x90".to_vec()),
                Just(b"\xE2\x82".to_vec()),
                Just(b"\xC0\x80".to_vec()),
                Just(b"\xF8\x88".to_vec()),
            ],
        ];
        proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn agrees_with_the_standard_library_in_any_pieces(
            bytes in nearly_utf8(),
            size in 1usize..90,
        ) {
            let mut text = String::new();
            let mut utf8 = Utf8::default();
            let mut taken = 0;
            let mut failed = false;
            for piece in bytes.chunks(size) {
                taken += piece.len();
                if utf8.append(piece, &mut text).is_err() {
                    failed = true;
                    break;
                }
            }
            match naive(&bytes) {
                Ok(expected) => {
                    prop_assert!(!failed);
                    prop_assert_eq!(utf8.is_complete(), core::str::from_utf8(&bytes).is_ok());
                    if utf8.is_complete() {
                        prop_assert_eq!(text, expected);
                    }
                }
                Err(end) => {
                    prop_assert!(failed);
                    prop_assert!(end <= taken && taken - end < size, "fails in the piece with the bad byte");
                }
            }
        }
    }

    /// Where in the whole text the bad sequence begins, wherever the pieces were cut.
    #[test]
    fn a_fault_is_reported_where_its_sequence_begins() {
        let long = "é".repeat(40); // long enough for vector instructions
        let texts: [(&[u8], u64); 6] = [
            (b"\xFF", 0),
            (b"ab\xC3\xA9\xE2\x82(", 4),
            (b"ab\xC3\xA9cd\xED\xA0\x80", 6),
            (b"a\xF0\x9F\x8C\x8A\x80", 5),
            (b"a\xF0\x9F\x8C\x8A\xF4\x90", 5),
            (&[long.as_bytes(), b"\xC0\x80"].concat(), 80),
        ];
        for (text, offset) in texts {
            for size in 1..=text.len() {
                let (mut utf8, mut checked, mut out) =
                    (Utf8::default(), Cut::default(), String::new());
                let found = text.chunks(size).find_map(|piece| {
                    let found = utf8.append(piece, &mut out).err();
                    assert_eq!(checked.check(piece).is_err(), found.is_some(), "both say the same");
                    assert!(found.is_some() || checked.is_complete() == utf8.is_complete());
                    found
                });
                assert_eq!(found, Some(Utf8Error { offset }), "{text:x?} in pieces of {size}");
                assert_eq!(out.len() as u64, offset, "what comes before the fault is good");
            }
        }
    }

    #[test]
    fn the_beginning_of_a_character_is_pending() {
        let mut utf8 = Utf8::default();
        let mut out = String::new();
        for (byte, pending) in "aé🌊b".bytes().zip([0, 1, 0, 1, 2, 3, 0, 0]) {
            utf8.append(&[byte], &mut out).unwrap();
            assert_eq!((utf8.pending(), utf8.is_complete()), (pending, pending == 0));
        }
        assert_eq!(out, "aé🌊b");
    }

    /// The slow way is for the one character that a cut goes through.
    #[test]
    fn a_piece_is_accepted_at_once() {
        let mut cut = Cut::default();
        let mut accepted = Vec::new();
        for piece in [&b"whole"[..], b"cut \xC3", b"\xA9 and on"] {
            cut.validate(piece, &mut 0, |text| accepted.push(String::from(text))).unwrap();
        }
        assert_eq!(accepted, ["whole", "cut ", "é", " and on"]);
    }
}
