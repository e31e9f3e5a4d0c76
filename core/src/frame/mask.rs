//! Masks and unmasks payload (RFC 6455 §5.3): XOR with a four-byte key, in place or while copying.
//!
//! The loops go over blocks of a fixed size, which the compiler turns into vector instructions.

use alloc::vec::Vec;

/// The key that masks a payload, and the position in it: the key is kept rotated, so that its first
/// byte belongs to the next byte of the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Mask {
    pub(crate) key: [u8; 4],
}

impl Mask {
    /// Creates the mask for the beginning of a payload.
    pub const fn new(key: [u8; 4]) -> Self {
        Self { key }
    }

    /// XORs `bytes` in place and advances the mask by their length. Masking and unmasking are the same
    /// operation.
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
        let length = bytes.len();
        let mut mask = *self;
        let mut rest = bytes;
        if length >= WORTH_ALIGNING {
            // A few bytes first, so that no later load or store crosses a cache line.
            let before = rest.as_ptr().addr().wrapping_neg() % VECTOR;
            let (first, behind) = rest.split_at_mut(before);
            mask.apply_short(first);
            mask.advance(before);
            rest = behind;
        }
        // A block is a multiple of four bytes, so `mask` needs no rotation between blocks or before
        // the rest.
        let (blocks, rest) = rest.as_chunks_mut::<BLOCK>();
        for block in blocks {
            *block = xor(*block, mask.key);
        }
        mask.apply_short(rest);
        self.advance(length);
    }

    /// Appends `bytes`, XORed, to `out` and advances the mask by their length. One pass: each byte is
    /// read once and written once.
    #[inline]
    pub fn append(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if bytes.len() >= LONG {
            return self.append_long(bytes, out);
        }
        out.reserve(bytes.len());
        // In a local variable the compiler keeps the vector's pointer and length in registers.
        let mut taken = core::mem::take(out);
        self.fill(bytes, &mut taken);
        *out = taken;
        self.advance(bytes.len());
    }

    /// Returns a copy of `bytes`, XORed, in one allocation of exactly their length.
    #[inline(always)]
    pub(crate) fn to_vec(self, bytes: &[u8]) -> Vec<u8> {
        if bytes.len() >= LONG {
            return self.long_to_vec(bytes);
        }
        let mut out = Vec::with_capacity(bytes.len());
        self.fill(bytes, &mut out);
        out
    }

    #[inline(never)]
    fn long_to_vec(mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        self.append_long(bytes, &mut out);
        out
    }

    /// Appends `bytes`, XORed, to `out`, which must have room for them. The pieces have lengths that the
    /// compiler knows, so it emits plain stores and no calls of `memcpy`.
    #[inline(always)]
    fn fill(self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut rest = bytes;
        if rest.len() >= BLOCK {
            rest = self.fill_blocks::<BLOCK>(rest, out);
        }
        rest = self.fill_blocks::<VECTOR>(rest, out);
        if let Some((word, behind)) = rest.split_first_chunk::<8>() {
            push(out, xor(*word, self.key));
            rest = behind;
        }
        if let Some((word, behind)) = rest.split_first_chunk::<4>() {
            push(out, xor(*word, self.key));
            rest = behind;
        }
        let [a, b, c, _] = self.key;
        match *rest {
            [x] => push(out, [x ^ a]),
            [x, y] => push(out, [x ^ a, y ^ b]),
            [x, y, z] => push(out, [x ^ a, y ^ b, z ^ c]),
            _ => {}
        }
    }

    /// Appends the whole blocks of `bytes`, XORed, and returns the remaining bytes.
    #[inline(always)]
    fn fill_blocks<'b, const N: usize>(self, bytes: &'b [u8], out: &mut Vec<u8>) -> &'b [u8] {
        let (blocks, rest) = bytes.as_chunks::<N>();
        for block in blocks {
            push(out, xor(*block, self.key));
        }
        rest
    }

    /// Appends a short payload, XORed, with few instructions: the bytes after the whole blocks are written
    /// as two words that overlap.
    ///
    /// Copying first and XORing in place would be slower: it loads bytes that were just stored with
    /// another width, which the processor cannot forward from its store buffer, so it waits.
    #[inline]
    pub(crate) fn append_short(self, bytes: &[u8], out: &mut Vec<u8>) {
        let end = out.len() + bytes.len();
        if let Some(last) = bytes.last_chunk::<16>() {
            let rest =
                if bytes.len() < BLOCK { bytes } else { self.append_blocks::<BLOCK>(bytes, out) };
            let (words, rest) = rest.as_chunks::<16>();
            for word in words {
                out.extend_from_slice(&xor(*word, self.key));
            }
            if !rest.is_empty() {
                // The last 16 bytes begin inside what is already written. Cut that part off and
                // write it again: the same bytes, since the key is rotated to their position.
                out.truncate(end - 16);
                out.extend_from_slice(&xor(*last, self.turned(bytes.len()).key));
            }
        } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
            out.extend_from_slice(&xor::<8>(*first, self.key));
            out.truncate(end - 8);
            out.extend_from_slice(&xor::<8>(*last, self.turned(bytes.len()).key));
        } else {
            out.extend(bytes.iter().zip(self.key.iter().cycle()).map(|(byte, key)| byte ^ key));
        }
    }

    /// Appends a long payload, XORed, and advances the mask. A few bytes go first, so that no later
    /// store crosses a cache line. After a frame header one store in four would, which costs a third of
    /// the time.
    ///
    /// This function is not inlined and works on the caller's vector, because then the compiler loads a
    /// whole block before it stores one. When loads and stores alternate, 1 MiB in reads of 64 KiB takes
    /// 65 µs instead of 51.
    #[inline(never)]
    pub(crate) fn append_long(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        out.reserve(bytes.len());
        let before = (out.as_ptr().addr() + out.len()).wrapping_neg() % VECTOR;
        let (first, rest) = bytes.split_at_checked(before).unwrap_or((bytes, &[]));
        self.append_short(first, out);
        let mask = self.turned(first.len());
        // A block is a multiple of the key, so the rotation after whole blocks is the same as before.
        let last = mask.fill_blocks::<{ 2 * BLOCK }>(rest, out);
        mask.append_short(last, out);
        *self = self.turned(bytes.len());
    }

    /// The mask for the bytes `length` further on.
    #[inline]
    const fn turned(self, length: usize) -> Self {
        let bits = 8 * (length.to_le_bytes()[0] % 4) as u32;
        Self::new(u32::from_le_bytes(self.key).rotate_right(bits).to_le_bytes())
    }

    /// Like `fill_blocks`, but `out` may have to grow.
    #[inline]
    fn append_blocks<'b, const N: usize>(self, bytes: &'b [u8], out: &mut Vec<u8>) -> &'b [u8] {
        let (blocks, rest) = bytes.as_chunks::<N>();
        for block in blocks {
            out.extend_from_slice(&xor(*block, self.key));
        }
        rest
    }

    /// Writes `bytes`, XORed, over the first bytes of `out`, which must be at least as long. Advances the
    /// mask, and returns the bytes that were written.
    pub(crate) fn copy<'o>(&mut self, bytes: &[u8], out: &'o mut [u8]) -> &'o [u8] {
        let out = out.get_mut(..bytes.len()).unwrap_or_default();
        out.copy_from_slice(bytes);
        self.apply(out);
        out
    }

    /// XORs less than a block in place: eight bytes at a time, and the last ones one by one.
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

    /// Advances the mask by `length` bytes.
    pub(crate) fn advance(&mut self, length: usize) {
        *self = self.turned(length);
    }
}

/// XORs a block. `N` is a multiple of the key's length, so the same rotation fits every block.
#[inline(always)]
fn xor<const N: usize>(mut block: [u8; N], key: [u8; 4]) -> [u8; N] {
    let (words, _) = block.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(key)).to_ne_bytes();
    }
    block
}

/// Appends where there is room. The assertion tells the compiler that `out` does not have to grow.
#[inline(always)]
fn push<const N: usize>(out: &mut Vec<u8>, bytes: [u8; N]) {
    assert!(out.capacity().wrapping_sub(out.len()) >= N, "room is made before");
    out.extend_from_slice(&bytes);
}

/// Two vectors of AVX2, four of SSE2 or NEON: long enough to keep a core busy, short enough for
/// small messages.
pub(crate) const BLOCK: usize = 64;

/// From this length on, the alignment of a copy decides how long it takes.
const LONG: usize = 4096;

/// From this length on, aligning pays for a payload that is masked in place, too.
const WORTH_ALIGNING: usize = 512;

/// One vector of SSE2 or NEON.
const VECTOR: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    /// The definition in RFC 6455 §5.3, to the letter.
    fn naive(key: [u8; 4], payload: &[u8]) -> Vec<u8> {
        payload.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect()
    }

    /// Mostly short, so that every tail behind the blocks comes.
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

            prop_assert_eq!(&Mask::new(key).to_vec(&payload), &expected);
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
}
