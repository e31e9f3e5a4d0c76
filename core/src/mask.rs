//! Masking (RFC 6455 §5.3): XOR with a four-byte key, from any offset, in place or while copying.
//!
//! Safe loops over fixed-size blocks that the compiler turns into vector instructions.

use alloc::vec::Vec;

/// Where in its four-byte key a payload stands: the key, turned so that the next byte of payload
/// meets the first byte of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Mask {
    pub(crate) key: [u8; 4],
}

impl Mask {
    /// The mask of a payload that begins here.
    pub const fn new(key: [u8; 4]) -> Self {
        Self { key }
    }

    /// XORs `bytes` in place and moves on behind them. Masking and unmasking are the same.
    ///
    /// ```
    /// use tidegate_core::frame::Mask;
    ///
    /// let mut hello = *b"Hello";
    /// let mut mask = Mask::new([0x37, 0xfa, 0x21, 0x3d]);
    /// let (first, second) = hello.split_at_mut(2); // in two pieces, as they arrive
    /// mask.apply(first);
    /// mask.apply(second);
    /// assert_eq!(hello, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    /// ```
    #[inline]
    pub fn apply(&mut self, bytes: &mut [u8]) {
        let (blocks, rest) = bytes.as_chunks_mut::<BLOCK>();
        if !blocks.is_empty() {
            let key = self.wide::<BLOCK>();
            for block in blocks {
                xor(block, &key);
            }
        }
        self.apply_short(rest);
        self.advance(bytes.len());
    }

    /// Appends `bytes`, XORed, to `out` and moves on behind them: one pass, each byte is read and
    /// written once.
    #[inline]
    pub fn append(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        out.reserve(bytes.len());
        let mut rest = bytes;
        if rest.len() >= LONG {
            rest = self.append_blocks::<{ 2 * BLOCK }>(rest, out);
        }
        rest = self.append_blocks::<BLOCK>(rest, out);
        let start = out.len();
        out.extend_from_slice(rest);
        self.apply_short(out.get_mut(start..).unwrap_or_default());
        self.advance(bytes.len());
    }

    /// Appends a short payload, XORed, with few instructions: what does not fill blocks goes as two
    /// words that overlap. To XOR it where it lies would read again what was just written, in other
    /// pieces, and a core has to wait for that.
    #[inline]
    pub(crate) fn append_short(self, bytes: &[u8], out: &mut Vec<u8>) {
        let end = out.len() + bytes.len();
        if let Some(last) = bytes.last_chunk::<16>() {
            let rest =
                if bytes.len() < BLOCK { bytes } else { self.append_blocks::<BLOCK>(bytes, out) };
            let (words, rest) = rest.as_chunks::<16>();
            for word in words {
                out.extend_from_slice(&self.word(*word));
            }
            if !rest.is_empty() {
                out.truncate(end - 16);
                out.extend_from_slice(&self.turned(bytes.len()).word(*last));
            }
        } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
            out.extend_from_slice(&self.half_word(*first));
            out.truncate(end - 8);
            out.extend_from_slice(&self.turned(bytes.len()).half_word(*last));
        } else {
            out.extend(bytes.iter().zip(self.key.iter().cycle()).map(|(byte, key)| byte ^ key));
        }
    }

    /// Appends a long payload, XORed, and moves on behind it. A few bytes go first, so that no store
    /// of the many behind them crosses a cache line: behind a header that would be one in four, and
    /// a third of the time.
    pub(crate) fn append_long(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        out.reserve(bytes.len());
        let before = (out.as_ptr().addr() + out.len()).wrapping_neg() % 16;
        let (first, rest) = bytes.split_at_checked(before).unwrap_or((bytes, &[]));
        self.append_short(first, out);
        let mask = self.turned(first.len());
        // Behind whole blocks the key stands as it stood before them.
        let last = mask.append_blocks::<{ 2 * BLOCK }>(rest, out);
        mask.append_short(last, out);
        *self = self.turned(bytes.len());
    }

    /// The mask of what stands this many bytes further on.
    #[inline]
    const fn turned(self, length: usize) -> Self {
        let bits = 8 * (length.to_le_bytes()[0] % 4) as u32;
        Self::new(u32::from_le_bytes(self.key).rotate_right(bits).to_le_bytes())
    }

    #[inline]
    const fn half_word(self, word: [u8; 8]) -> [u8; 8] {
        (u64::from_ne_bytes(word) ^ self.twice()).to_ne_bytes()
    }

    #[inline]
    const fn word(self, word: [u8; 16]) -> [u8; 16] {
        let key = self.twice() as u128;
        (u128::from_ne_bytes(word) ^ (key << 64 | key)).to_ne_bytes()
    }

    /// The key two times over: it lies the same way in whatever order of bytes.
    #[inline]
    const fn twice(self) -> u64 {
        let key = u32::from_ne_bytes(self.key) as u64;
        key << 32 | key
    }

    /// Appends the whole blocks of `bytes`, XORed, and gives what is left of them.
    #[inline]
    fn append_blocks<'b, const N: usize>(self, bytes: &'b [u8], out: &mut Vec<u8>) -> &'b [u8] {
        let (blocks, rest) = bytes.as_chunks::<N>();
        if !blocks.is_empty() {
            let key = self.wide::<N>();
            for block in blocks {
                let mut block = *block;
                xor(&mut block, &key);
                out.extend_from_slice(&block);
            }
        }
        rest
    }

    /// Writes `bytes`, XORed, over the first bytes of `out`, which must be as long at least, and
    /// moves on behind them.
    pub(crate) fn copy<'o>(&mut self, bytes: &[u8], out: &'o mut [u8]) -> &'o [u8] {
        let out = out.get_mut(..bytes.len()).unwrap_or_default();
        out.copy_from_slice(bytes);
        self.apply(out);
        out
    }

    /// Less than a block: eight bytes at a time, and the last ones one by one.
    #[inline]
    fn apply_short(self, bytes: &mut [u8]) {
        let [a, b, c, d] = self.key;
        let key = [a, b, c, d, a, b, c, d];
        let (words, rest) = bytes.as_chunks_mut::<8>();
        for word in words {
            *word = (u64::from_ne_bytes(*word) ^ u64::from_ne_bytes(key)).to_ne_bytes();
        }
        for (byte, key) in rest.iter_mut().zip(key) {
            *byte ^= key;
        }
    }

    /// A short payload and whatever follows it in the input, XORed together as one block: no loop
    /// and no branch on the length. Of the result only the payload means anything.
    #[inline]
    pub(crate) fn block<const N: usize>(self, mut block: [u8; N]) -> [u8; N] {
        let (keys, _) = block.as_chunks_mut::<4>();
        for bytes in keys {
            *bytes = (u32::from_ne_bytes(*bytes) ^ u32::from_ne_bytes(self.key)).to_ne_bytes();
        }
        block
    }

    /// Moves on by `length` bytes without touching any.
    pub(crate) fn advance(&mut self, length: usize) {
        self.key.rotate_left(length % 4);
    }

    /// The key, repeated over a block. A block is a multiple of the key, so that the key stands at
    /// the same place in each.
    fn wide<const N: usize>(self) -> [u8; N] {
        let mut wide = [0; N];
        let (keys, _) = wide.as_chunks_mut::<4>();
        keys.fill(self.key);
        wide
    }
}

fn xor<const N: usize>(block: &mut [u8; N], key: &[u8; N]) {
    for (byte, key) in block.iter_mut().zip(key) {
        *byte ^= key;
    }
}

/// Two vectors of AVX2, four of SSE2 or NEON: long enough to keep a core busy, short enough for
/// small messages.
pub(crate) const BLOCK: usize = 64;

/// From this length on a payload is copied in blocks of twice that.
const LONG: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    /// The definition in RFC 6455 §5.3, to the letter.
    fn naive(key: [u8; 4], payload: &[u8]) -> Vec<u8> {
        payload.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect()
    }

    /// Short, and around the length from which on blocks are longer.
    fn payload() -> impl Strategy<Value = Vec<u8>> {
        let length = prop_oneof![0..300usize, LONG - 5..LONG + 300];
        length.prop_flat_map(|length| proptest::collection::vec(any::<u8>(), length))
    }

    proptest! {
        #[test]
        fn any_split_gives_what_the_rfc_defines(
            key: [u8; 4],
            payload in payload(),
            cuts in proptest::collection::vec(0usize..5000, 0..4),
        ) {
            let expected = naive(key, &payload);
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(payload.len())).collect();
            cuts.extend([0, payload.len()]);
            cuts.sort_unstable();

            let (mut in_place, mut appended, mut copied) = (payload.clone(), Vec::new(), Vec::new());
            let mut masks = [Mask::new(key); 3];
            for piece in cuts.windows(2) {
                let range = piece[0]..piece[1];
                masks[0].apply(&mut in_place[range.clone()]);
                masks[1].append(&payload[range.clone()], &mut appended);
                let mut scratch = vec![0; range.len() + 7];
                copied.extend_from_slice(masks[2].copy(&payload[range], &mut scratch));
            }
            prop_assert_eq!(&in_place, &expected);
            prop_assert_eq!(&appended, &expected);
            prop_assert_eq!(&copied, &expected);
        }

        #[test]
        fn a_short_payload_is_what_the_rfc_defines(
            key: [u8; 4],
            before in 0usize..20,
            payload in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut out = vec![7; before];
            Mask::new(key).append_short(&payload, &mut out);
            prop_assert!(out[..before].iter().all(|byte| *byte == 7));
            prop_assert_eq!(&out[before..], &naive(key, &payload));
        }

        #[test]
        fn a_long_payload_is_what_the_rfc_defines_wherever_it_begins(
            key: [u8; 4],
            before in 0usize..40,
            room in 0usize..1000,
            cut in 0usize..5000,
            payload in payload(),
        ) {
            let mut out = Vec::with_capacity(before + room);
            out.resize(before, 7);
            let mut mask = Mask::new(key);
            let (first, second) = payload.split_at(cut.min(payload.len()));
            mask.append_long(first, &mut out);
            mask.append_long(second, &mut out);
            prop_assert!(out[..before].iter().all(|byte| *byte == 7));
            prop_assert_eq!(&out[before..], &naive(key, &payload));
        }
    }

    /// A block is the payload and what follows it: of all of it, the definition again.
    #[test]
    fn a_block_is_what_the_rfc_defines() {
        let input: [u8; BLOCK] =
            core::array::from_fn(|index| index.to_le_bytes()[0].wrapping_mul(7));
        for key in [[0; 4], [0xFF; 4], [0x37, 0xFA, 0x21, 0x3D]] {
            assert_eq!(Mask::new(key).block(input)[..], naive(key, &input)[..]);
        }
    }
}
