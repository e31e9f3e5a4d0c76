//! The header of a frame, written: always in the shortest form.

use super::header::RSV1;
use super::{FrameHeader, MAX_HEADER};
use crate::mask::Mask;

/// The bytes of a header.
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

/// Writes a header; the payload, masked if there is a mask, goes behind it.
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
    let fin = if header.fin { 0x80 } else { 0 };
    let rsv1 = if header.rsv1 { RSV1 } else { 0 };
    let masked = if header.mask.is_some() { 0x80 } else { 0 };
    encoded.push([fin | rsv1 | header.opcode as u8]);
    if let Ok(short @ 0..=125) = u8::try_from(header.length) {
        encoded.push([masked | short]);
    } else if let Ok(medium) = u16::try_from(header.length) {
        encoded.push([masked | 126]);
        encoded.push(medium.to_be_bytes());
    } else {
        encoded.push([masked | 127]);
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

impl Mask {
    /// The key as it stands in a header. It is the key of RFC 6455 §5.3 as long as the mask has
    /// not moved on.
    pub const fn key(self) -> [u8; 4] {
        self.key
    }
}
