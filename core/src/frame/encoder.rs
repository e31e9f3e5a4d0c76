//! Writes the header of a frame, with its length in the shortest form.

use alloc::vec::Vec;

use crate::frame::Mask;
use crate::frame::header::RSV1;
use crate::frame::{FrameHeader, MAX_HEADER, OpCode};

/// The bytes of a header, as [`encode_header`] returns them.
#[derive(Clone, Copy, Debug)]
pub struct EncodedHeader {
    bytes: [u8; MAX_HEADER],
    length: u8,
}

impl EncodedHeader {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// Encodes a header. The payload follows it, masked if the header has a mask.
///
/// ```
/// use tidegate_core::frame::{FrameHeader, OpCode, encode_header};
///
/// let header =
///     FrameHeader { fin: true, rsv1: false, opcode: OpCode::Binary, mask: None, length: 256 };
/// assert_eq!(encode_header(header).as_slice(), [0x82, 0x7E, 0x01, 0x00]);
/// ```
#[inline]
pub fn encode_header(header: FrameHeader) -> EncodedHeader {
    let mut encoded = EncodedHeader { bytes: [0; MAX_HEADER], length: 0 };
    let first = first_byte(header.fin, header.rsv1, header.opcode);
    let masked = if header.mask.is_some() { 0x80 } else { 0 };
    if let Ok(short @ 0..=125) = u8::try_from(header.length) {
        encoded.push([first, masked | short]);
    } else if let Ok(medium) = u16::try_from(header.length) {
        let [a, b] = medium.to_be_bytes();
        encoded.push([first, masked | 126, a, b]);
    } else {
        encoded.push([first, masked | 127]);
        encoded.push(header.length.to_be_bytes());
    }
    if let Some(mask) = header.mask {
        encoded.push(mask.key());
    }
    encoded
}

impl EncodedHeader {
    #[inline]
    fn push<const N: usize>(&mut self, bytes: [u8; N]) {
        let at = usize::from(self.length);
        if let Some(slots) = self.bytes.get_mut(at..at + N) {
            slots.copy_from_slice(&bytes);
            self.length += N.to_le_bytes()[0];
        }
    }
}

/// Appends the header of a frame of less than 64 KiB. The header is built in a register and appended
/// as eight bytes, which are then truncated to its length. This avoids a branch on the length.
#[inline]
pub(crate) fn append_short_header(first: u8, length: usize, mask: Option<Mask>, out: &mut Vec<u8>) {
    debug_assert!(u16::try_from(length).is_ok(), "longer ones have ten bytes and more");
    let length = length as u64;
    let (mut word, mut size) = match length {
        0..=125 => (length << 8, 2),
        // The length is big-endian in the frame, and `word` is stored as little-endian.
        _ => (126 << 8 | (length << 8 & 0xFF00 | length >> 8) << 16, 4),
    };
    if let Some(mask) = mask {
        // The mask bit is the top bit of the second byte. The key follows the length, so it moves
        // by the size so far.
        word |= 0x80 << 8 | u64::from(u32::from_le_bytes(mask.key())) << (8 * size);
        size += 4;
    }
    word |= u64::from(first);
    let end = out.len() + size;
    out.extend_from_slice(&word.to_le_bytes());
    out.truncate(end);
}

/// How many bytes [`append_short_header`] needs: the longest header of a frame of less than 64 KiB.
pub(crate) const SHORT_HEADER: usize = 8;

/// The first byte of a header.
#[inline]
pub(crate) const fn first_byte(fin: bool, rsv1: bool, opcode: OpCode) -> u8 {
    let fin = if fin { 0x80 } else { 0 };
    let rsv1 = if rsv1 { RSV1 } else { 0 };
    fin | rsv1 | opcode as u8
}

impl Mask {
    /// The key as it stands in a header. It is the key of RFC 6455 §5.3 as long as the mask has
    /// not moved on.
    pub const fn key(self) -> [u8; 4] {
        self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The way of short frames against the plain one, behind whatever is there already.
        #[test]
        fn a_short_header_is_the_header(
            before in 0usize..40,
            fin: bool,
            rsv1: bool,
            opcode in proptest::sample::select(&[OpCode::Continuation, OpCode::Text, OpCode::Binary][..]),
            key: Option<[u8; 4]>,
            length in prop_oneof![0..=130usize, 65_500..=65_535usize, 0..=65_535usize],
        ) {
            let mask = key.map(Mask::new);
            let header = FrameHeader { fin, rsv1, opcode, mask, length: length as u64 };
            let mut out = alloc::vec![7; before];
            append_short_header(first_byte(fin, rsv1, opcode), length, mask, &mut out);
            prop_assert!(out[..before].iter().all(|byte| *byte == 7));
            let expected = encode_header(header);
            prop_assert_eq!(&out[before..], expected.as_slice());
        }
    }
}
