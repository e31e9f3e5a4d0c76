//! The path of most messages: short, in one frame, and whole in the input.

use bytes::Bytes;
use bytestring::ByteString;

use crate::config::Config;
use crate::event::Message;
use crate::frame::Mask;
use crate::mask::BLOCK;

/// Takes a message of at most 125 bytes off the front of `input`, if one is there whole and nothing
/// is wrong with it. Otherwise nothing is taken, and the general path says what there is.
///
/// The stream must stand between two messages.
#[inline]
pub(crate) fn take_message(input: &mut &[u8], masked: bool, config: &Config) -> Option<Message> {
    let (&[first, second], rest) = input.split_first_chunk::<2>()?;
    let length = usize::from(second & 0x7F);
    let is_text = match first {
        0x81 => true,
        0x82 => false,
        _ => return None,
    };
    let limit = config.max_frame_size.unwrap_or(usize::MAX).min(config.max_message_size);
    if (second & 0x80 != 0) != masked || length > 125 || length > limit {
        return None;
    }
    let (message, behind) = if masked {
        let (key, rest) = rest.split_first_chunk::<4>()?;
        let behind = rest.get(length..)?;
        let mask = Mask::new(*key);
        // Whatever follows in the input is XORed along: no loop and no branch on the length.
        let message = if length <= BLOCK {
            let block = mask.block::<BLOCK>(rest.first_chunk()?);
            message(block.get(..length)?, is_text, config)?
        } else {
            let block = mask.block::<{ 2 * BLOCK }>(rest.first_chunk()?);
            message(block.get(..length)?, is_text, config)?
        };
        (message, behind)
    } else {
        let (payload, behind) = rest.split_at_checked(length)?;
        (message(payload, is_text, config)?, behind)
    };
    *input = behind;
    Some(message)
}

#[inline]
fn message(payload: &[u8], is_text: bool, config: &Config) -> Option<Message> {
    Some(if !is_text {
        Message::Binary(Bytes::copy_from_slice(payload))
    } else if config.validate_utf8 {
        Message::Text(ByteString::from(core::str::from_utf8(payload).ok()?))
    } else {
        Message::UncheckedText(Bytes::copy_from_slice(payload))
    })
}
