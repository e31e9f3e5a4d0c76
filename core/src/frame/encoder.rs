//! The header of a frame, written: always in the shortest form.

use alloc::vec::Vec;

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
    write_header(header, &mut encoded);
    encoded
}

/// Appends a header: its pieces have lengths that the compiler knows, and so it makes stores of
/// them.
#[inline]
pub(crate) fn append_header(header: FrameHeader, out: &mut Vec<u8>) {
    write_header(header, out);
}

/// Where the pieces of a header go.
trait Write {
    fn push_bytes<const N: usize>(&mut self, bytes: [u8; N]);
}

impl Write for EncodedHeader {
    #[inline]
    fn push_bytes<const N: usize>(&mut self, bytes: [u8; N]) {
        let at = usize::from(self.length);
        if let Some(slots) = self.bytes.get_mut(at..at + N) {
            slots.copy_from_slice(&bytes);
            self.length += N.to_le_bytes()[0];
        }
    }
}

impl Write for Vec<u8> {
    #[inline]
    fn push_bytes<const N: usize>(&mut self, bytes: [u8; N]) {
        self.extend_from_slice(&bytes);
    }
}

#[inline]
fn write_header(header: FrameHeader, out: &mut impl Write) {
    let fin = if header.fin { 0x80 } else { 0 };
    let rsv1 = if header.rsv1 { RSV1 } else { 0 };
    let first = fin | rsv1 | header.opcode as u8;
    let masked = if header.mask.is_some() { 0x80 } else { 0 };
    if let Ok(short @ 0..=125) = u8::try_from(header.length) {
        out.push_bytes([first, masked | short]);
    } else if let Ok(medium) = u16::try_from(header.length) {
        let [a, b] = medium.to_be_bytes();
        out.push_bytes([first, masked | 126, a, b]);
    } else {
        out.push_bytes([first, masked | 127]);
        out.push_bytes(header.length.to_be_bytes());
    }
    if let Some(mask) = header.mask {
        out.push_bytes(mask.key());
    }
}

impl Mask {
    /// The key as it stands in a header. It is the key of RFC 6455 §5.3 as long as the mask has
    /// not moved on.
    pub const fn key(self) -> [u8; 4] {
        self.key
    }
}
