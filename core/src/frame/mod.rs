//! Frames (RFC 6455 §5): reads, writes and masks them, without allocating memory for their payload.

mod decoder;
mod encoder;
mod header;
mod mask;

pub use self::decoder::{Decoder, Part, Payload};
pub use self::encoder::{EncodedHeader, encode_header};
pub use self::header::{FrameHeader, HeaderRules, MAX_HEADER, parse_header};
pub use self::mask::Mask;
pub use crate::opcode::{MAX_CONTROL_PAYLOAD, OpCode};

pub(crate) use self::encoder::{SHORT_HEADER, append_short_header, first_byte};
