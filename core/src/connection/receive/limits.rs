//! The limits on what is received, and their errors (close code 1009).

use crate::config::Config;
use crate::error::ProtocolError;
use crate::frame::FrameHeader;

/// Checks the header of a frame of an uncompressed message, of which `announced` bytes are announced
/// by the headers before. Returns the length that is announced now.
///
/// Checking headers refuses a message that is too long before its payload arrives.
#[inline]
pub(crate) fn check_message(
    header: &FrameHeader,
    announced: u64,
    config: &Config,
) -> Result<u64, ProtocolError> {
    check_frame(header, config)?;
    let length = announced.saturating_add(header.length);
    let limit = config.max_message_size;
    if length > limit as u64 {
        return Err(ProtocolError::MessageTooLarge { length, limit });
    }
    Ok(length)
}

/// Checks the length of a single data frame.
#[inline]
pub(crate) fn check_frame(header: &FrameHeader, config: &Config) -> Result<(), ProtocolError> {
    match config.max_frame_size {
        Some(limit) if header.length > limit as u64 => {
            Err(ProtocolError::FrameTooLarge { length: header.length, limit })
        }
        _ => Ok(()),
    }
}

/// Splits off what a compressed message inflates to beyond `max_message_size`, if `before` bytes of
/// it came earlier. The length of a compressed message is only known while it is inflated, so the
/// error says one byte more than the limit.
pub(crate) fn check_inflated<'b>(
    inflated: &'b [u8],
    before: usize,
    config: &Config,
) -> (&'b [u8], Result<(), ProtocolError>) {
    let limit = config.max_message_size;
    match inflated.split_at_checked(limit.saturating_sub(before)) {
        Some((allowed, excess)) if !excess.is_empty() => {
            let length = (limit as u64).saturating_add(1);
            (allowed, Err(ProtocolError::MessageTooLarge { length, limit }))
        }
        Some(_) | None => (inflated, Ok(())),
    }
}
