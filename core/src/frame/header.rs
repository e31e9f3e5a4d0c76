//! Parses and checks the header of a frame.
//!
//! The checks follow the order of the bytes. So the same bytes give the same error however they are
//! split, and as early as possible.

use crate::error::ProtocolError;
use crate::frame::{Mask, OpCode};
use crate::role::Role;

/// The header of a frame that [`parse_header`] has checked, or that is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "RFC 6455 §5.2 gives a header these parts")]
pub struct FrameHeader {
    /// Whether this is the last frame of its message.
    pub fin: bool,
    /// Whether RSV1 is set: the first frame of a compressed message (RFC 7692 §6).
    pub rsv1: bool,
    /// The kind of the frame.
    pub opcode: OpCode,
    /// The mask, if the payload is masked.
    pub mask: Option<Mask>,
    /// The length of the payload in bytes.
    pub length: u64,
}

/// What the headers that are received on a connection must satisfy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "small, and built by callers")]
pub struct HeaderRules {
    /// The role of the sender. A client must mask its frames, a server must not (RFC 6455 §5.1).
    pub sender: Role,
    /// Whether RSV1 may be set on text and binary frames, because permessage-deflate was negotiated.
    pub allow_rsv1: bool,
}

/// Parses the header at the beginning of `bytes`. Returns it and its own length in bytes, or `None` if
/// more bytes are needed.
///
/// An error is returned as soon as a byte shows it, even if the header is not complete yet.
///
/// ```
/// use tidegate_core::frame::{HeaderRules, OpCode, parse_header};
/// use tidegate_core::Role;
///
/// let rules = HeaderRules { sender: Role::Server, allow_rsv1: false };
/// let (header, length) = parse_header(b"\x81\x05Hello", rules)?.expect("complete");
/// assert_eq!((header.opcode, header.length, length), (OpCode::Text, 5, 2));
/// assert_eq!(parse_header(b"\x81", rules)?, None);
/// assert!(parse_header(b"\x83", rules).is_err(), "opcode 3 is reserved");
/// # Ok::<(), tidegate_core::ProtocolError>(())
/// ```
///
/// # Errors
///
/// Every violation of RFC 6455 §5.1, §5.2 and §5.5 that can be seen in a header.
#[inline]
pub fn parse_header(
    bytes: &[u8],
    rules: HeaderRules,
) -> Result<Option<(FrameHeader, usize)>, ProtocolError> {
    let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
    let opcode = check_first(first, rules)?;
    // The first byte is judged before the second has arrived: a peer that sends one bad byte and
    // then waits is told at once, and the same bytes give the same error in any pieces.
    let Some((&second, rest)) = rest.split_first() else { return Ok(None) };
    check_second(second, opcode, rules)?;

    let masked = second & 0x80 != 0;
    let (length, rest, form) = match second & 0x7F {
        126 => match rest.split_first_chunk::<2>() {
            Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest, 2),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk::<8>() {
            Some((length, rest)) => (u64::from_be_bytes(*length), rest, 8),
            None => return check_top_bit(rest).map(|()| None),
        },
        short => (u64::from(short), rest, 0),
    };
    // Before the masking key: a bad length must not wait for four more bytes.
    check_length(length, form)?;

    let (mask, key) = if masked {
        let Some((key, _)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        (Some(Mask::new(*key)), 4)
    } else {
        (None, 0)
    };
    let header =
        FrameHeader { fin: first & 0x80 != 0, rsv1: first & RSV1 != 0, opcode, mask, length };
    Ok(Some((header, 2 + form + key)))
}

/// "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values" (§5.2);
/// permessage-deflate sets RSV1 in the first frame of a compressed message (RFC 7692 §6).
fn check_first(first: u8, rules: HeaderRules) -> Result<OpCode, ProtocolError> {
    let opcode = OpCode::from_bits(first & 0x0F);
    let begins_message = matches!(opcode, Some(OpCode::Text | OpCode::Binary));
    let allowed = if rules.allow_rsv1 && begins_message { RSV1 } else { 0 };
    let reserved = first & 0x70 & !allowed;
    if reserved != 0 {
        return Err(ProtocolError::ReservedBits { bits: reserved });
    }
    let opcode = opcode.ok_or(ProtocolError::UnknownOpcode { opcode: first & 0x0F })?;
    // "All control frames … MUST NOT be fragmented" (§5.5).
    if opcode.is_control() && first & 0x80 == 0 {
        return Err(ProtocolError::FragmentedControl { opcode });
    }
    Ok(opcode)
}

/// "A server MUST close the connection upon receiving a frame that is not masked", and a client
/// upon one that is (§5.1).
fn check_second(second: u8, opcode: OpCode, rules: HeaderRules) -> Result<(), ProtocolError> {
    let masked = second & 0x80 != 0;
    if masked != rules.sender.masks() {
        return Err(if masked { ProtocolError::Masked } else { ProtocolError::Unmasked });
    }
    if opcode.is_control() && second & 0x7F > 125 {
        return Err(ProtocolError::OversizedControl { opcode });
    }
    Ok(())
}

/// "The minimal number of bytes MUST be used to encode the length", and "the most significant bit
/// MUST be 0" (§5.2).
fn check_length(length: u64, form: usize) -> Result<(), ProtocolError> {
    let least = match form {
        2 => 126,
        8 => 0x1_0000,
        _ => 0,
    };
    if length >> 63 != 0 {
        Err(ProtocolError::LengthOverflow)
    } else if length < least {
        Err(ProtocolError::NonMinimalLength { length })
    } else {
        Ok(())
    }
}

/// Checks an incomplete 64-bit length. Its top bit is in the first byte, so the error need not wait for
/// the other seven.
fn check_top_bit(length: &[u8]) -> Result<(), ProtocolError> {
    match length.first() {
        Some(first) if first & 0x80 != 0 => Err(ProtocolError::LengthOverflow),
        _ => Ok(()),
    }
}

pub(crate) const RSV1: u8 = 0x40;

/// The longest header: two bytes, a 64-bit length, a masking key.
pub const MAX_HEADER: usize = 14;
