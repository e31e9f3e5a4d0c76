//! Violations of the protocol by the peer, each with the close code that answers it.

use core::fmt;

use crate::close::CloseCode;
use crate::opcode::OpCode;

/// How the peer broke the protocol. [`close_code`](Self::close_code) is the code of the Close that
/// answers it.
///
/// An error never depends on how the input was split: the same bytes always lead to the same error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A reserved bit is set that no negotiated extension uses here (RFC 6455 §5.2).
    ReservedBits {
        /// The three bits as they are in the first byte of the header: 0x40, 0x20, 0x10.
        bits: u8,
    },
    /// The opcode is one of the reserved ones (RFC 6455 §5.2).
    UnknownOpcode {
        /// 0x3 to 0x7 or 0xB to 0xF.
        opcode: u8,
    },
    /// A client's frame is not masked (RFC 6455 §5.1).
    Unmasked,
    /// A server's frame is masked (RFC 6455 §5.1).
    Masked,
    /// The payload length is not in its shortest form (RFC 6455 §5.2).
    NonMinimalLength {
        /// The length.
        length: u64,
    },
    /// The most significant bit of a 64-bit length is set (RFC 6455 §5.2).
    LengthOverflow,
    /// A control frame is fragmented (RFC 6455 §5.5).
    FragmentedControl {
        /// Its opcode.
        opcode: OpCode,
    },
    /// A control frame announces more than 125 bytes (RFC 6455 §5.5).
    OversizedControl {
        /// Its opcode.
        opcode: OpCode,
    },
    /// A continuation frame came outside of a message (RFC 6455 §5.4).
    UnexpectedContinuation,
    /// A new message began before the previous one was finished (RFC 6455 §5.4).
    ExpectedContinuation {
        /// The opcode of the frame that came instead.
        opcode: OpCode,
    },
    /// A data frame is longer than `max_frame_size`.
    FrameTooLarge {
        /// The length that its header announces.
        length: u64,
        /// The limit: `ConfigBuilder::max_frame_size`.
        limit: usize,
    },
    /// A message is longer than `max_message_size`.
    MessageTooLarge {
        /// The sum of the lengths in its frame headers so far. Of a compressed message, one byte more
        /// than the limit.
        length: u64,
        /// The limit: `ConfigBuilder::max_message_size`.
        limit: usize,
    },
    /// A text message is not UTF-8 (RFC 6455 §8.1).
    InvalidUtf8 {
        /// Where the invalid sequence begins, in bytes from the start of the message.
        offset: u64,
    },
    /// A text message ends inside a character (RFC 6455 §8.1).
    TruncatedUtf8,
    /// The reason of a close frame is not UTF-8 (RFC 6455 §5.5.1).
    InvalidCloseReason,
    /// A close frame has a code that must not be sent (RFC 6455 §7.4).
    InvalidCloseCode {
        /// The code.
        code: u16,
    },
    /// The body of a close frame is one byte long, too short for a code (RFC 6455 §5.5.1).
    TruncatedCloseCode,
    /// A compressed message is not valid DEFLATE, or refers to data before the beginning of the window
    /// (RFC 7692 §7.2.2).
    InvalidDeflate,
    /// A compressed message ends in the middle of a block (RFC 7692 §7.2.2).
    TruncatedDeflate,
}

impl ProtocolError {
    /// The close code for this error (RFC 6455 §7.4.1).
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::InvalidUtf8 { .. }
            | Self::TruncatedUtf8
            | Self::InvalidCloseReason
            | Self::InvalidDeflate
            | Self::TruncatedDeflate => CloseCode::INVALID_PAYLOAD,
            Self::FrameTooLarge { .. } | Self::MessageTooLarge { .. } => CloseCode::MESSAGE_TOO_BIG,
            Self::ReservedBits { .. }
            | Self::UnknownOpcode { .. }
            | Self::Unmasked
            | Self::Masked
            | Self::NonMinimalLength { .. }
            | Self::LengthOverflow
            | Self::FragmentedControl { .. }
            | Self::OversizedControl { .. }
            | Self::UnexpectedContinuation
            | Self::ExpectedContinuation { .. }
            | Self::InvalidCloseCode { .. }
            | Self::TruncatedCloseCode => CloseCode::PROTOCOL_ERROR,
        }
    }

    /// The reason for the close frame: short, and without our limits, which the peer need not know.
    pub(crate) const fn close_reason(&self) -> &'static str {
        match self {
            Self::ReservedBits { .. } => "reserved bit set",
            Self::UnknownOpcode { .. } => "unknown opcode",
            Self::Unmasked => "unmasked frame",
            Self::Masked => "masked frame",
            Self::NonMinimalLength { .. } => "length not in shortest form",
            Self::LengthOverflow => "length over 63 bits",
            Self::FragmentedControl { .. } => "fragmented control frame",
            Self::OversizedControl { .. } => "control frame over 125 bytes",
            Self::UnexpectedContinuation => "unexpected continuation",
            Self::ExpectedContinuation { .. } => "expected continuation",
            Self::FrameTooLarge { .. } => "frame too large",
            Self::MessageTooLarge { .. } => "message too large",
            Self::InvalidUtf8 { .. } | Self::TruncatedUtf8 => "invalid UTF-8",
            Self::InvalidCloseReason => "invalid UTF-8 in close reason",
            Self::InvalidCloseCode { .. } => "invalid close code",
            Self::TruncatedCloseCode => "truncated close code",
            Self::InvalidDeflate => "invalid compressed data",
            Self::TruncatedDeflate => "truncated compressed data",
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ReservedBits { bits } => {
                write!(
                    f,
                    "the peer set reserved bits {bits:#04x} that no negotiated extension uses"
                )
            }
            Self::UnknownOpcode { opcode } => {
                write!(f, "the peer used the reserved opcode {opcode:#x}")
            }
            Self::Unmasked => f.write_str("the client sent an unmasked frame"),
            Self::Masked => f.write_str("the server sent a masked frame"),
            Self::NonMinimalLength { length } => {
                write!(f, "the peer coded the length {length} in more bytes than it needs")
            }
            Self::LengthOverflow => f.write_str("the peer set the top bit of a 64-bit length"),
            Self::FragmentedControl { opcode } => {
                write!(f, "the peer fragmented a {opcode} frame; control frames come whole")
            }
            Self::OversizedControl { opcode } => {
                write!(f, "the peer sent a {opcode} frame of more than the 125 bytes allowed")
            }
            Self::UnexpectedContinuation => {
                f.write_str("the peer sent a continuation frame outside a message")
            }
            Self::ExpectedContinuation { opcode } => {
                write!(f, "the peer sent a {opcode} frame before it had finished a message")
            }
            Self::FrameTooLarge { length, limit } => {
                write!(f, "the peer sent a frame of {length} bytes, max_frame_size is {limit}")
            }
            Self::MessageTooLarge { length, limit } => {
                write!(
                    f,
                    "the peer sent a message of at least {length} bytes, max_message_size is {limit}"
                )
            }
            Self::InvalidUtf8 { offset } => {
                write!(f, "the peer sent text that is not UTF-8 from byte {offset} on")
            }
            Self::TruncatedUtf8 => {
                f.write_str("the peer sent a text message that ends inside a character")
            }
            Self::InvalidCloseReason => {
                f.write_str("the peer sent a close reason that is not UTF-8")
            }
            Self::InvalidCloseCode { code } => {
                write!(f, "the peer sent the close code {code}, which must not be sent")
            }
            Self::TruncatedCloseCode => {
                f.write_str("the peer sent a close frame of one byte; a close code has two")
            }
            Self::InvalidDeflate => {
                f.write_str("the peer sent a compressed message that cannot be inflated")
            }
            Self::TruncatedDeflate => {
                f.write_str("the peer sent a compressed message that ends inside a block")
            }
        }
    }
}

impl core::error::Error for ProtocolError {}
