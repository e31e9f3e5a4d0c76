//! The path of most messages: short, in one frame, and whole in the input.

use bytes::Bytes;
use bytestring::ByteString;

use crate::config::Config;
use crate::event::Message;
use crate::frame::Mask;
use crate::mask::BLOCK;
use crate::role::Role;
use crate::utf8::from_utf8;

/// What such a message must be on this connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    masked: u8,
    limit: u8,
    validate_utf8: bool,
}

impl Path {
    pub(crate) fn new(sender: Role, config: &Config) -> Self {
        let limit = config.max_frame_size.unwrap_or(LONGEST).min(config.max_message_size);
        Self {
            masked: if sender.masks() { 0x80 } else { 0 },
            limit: u8::try_from(limit.min(LONGEST)).unwrap_or(0),
            validate_utf8: config.validate_utf8,
        }
    }

    /// Takes a message of at most 125 bytes off the front of `input`, if one is there whole and
    /// nothing is wrong with it. Otherwise nothing is taken, and the general path says what there
    /// is.
    ///
    /// The stream must stand between two messages.
    #[inline]
    pub(crate) fn take_message(self, input: &mut &[u8]) -> Option<Message> {
        let (&[first, second], rest) = input.split_first_chunk::<2>()?;
        // The difference has the top bit if the mask is not as it should be.
        let length = second ^ self.masked;
        if !matches!(first, 0x81 | 0x82) || length > self.limit {
            return None;
        }
        let (is_text, length) = (first == 0x81, usize::from(length));
        if self.masked == 0 {
            let (payload, behind) = rest.split_at_checked(length)?;
            let message = message(payload, is_text, self.validate_utf8)?;
            *input = behind;
            return Some(message);
        }
        let (key, rest) = rest.split_first_chunk::<4>()?;
        let behind = rest.get(length..)?;
        let mask = Mask::new(*key);
        let message = if length <= BLOCK {
            let block = mask.block(block::<BLOCK>(rest));
            message(block.get(..length)?, is_text, self.validate_utf8)?
        } else {
            let block = mask.block(block::<{ 2 * BLOCK }>(rest));
            message(block.get(..length)?, is_text, self.validate_utf8)?
        };
        *input = behind;
        Some(message)
    }
}

/// The beginning of the input, whatever it is: it is XORed without a loop and without a branch on
/// the length of the payload. What is missing at the end of the input is filled up.
#[inline]
fn block<const N: usize>(input: &[u8]) -> [u8; N] {
    match input.first_chunk() {
        Some(block) => *block,
        None => {
            let mut block = [0; N];
            if let Some(begin) = block.get_mut(..input.len()) {
                begin.copy_from_slice(input);
            }
            block
        }
    }
}

#[inline]
fn message(payload: &[u8], is_text: bool, validate_utf8: bool) -> Option<Message> {
    Some(if !is_text {
        Message::Binary(Bytes::copy_from_slice(payload))
    } else if validate_utf8 {
        Message::Text(ByteString::from(from_utf8(payload).ok()?))
    } else {
        Message::UncheckedText(Bytes::copy_from_slice(payload))
    })
}

/// The longest length that stands in the second byte of a header.
const LONGEST: usize = 125;
