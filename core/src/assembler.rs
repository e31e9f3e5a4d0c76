//! Frames to messages, within limits (RFC 6455 §5.4).

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use bytestring::ByteString;

use crate::compression::{Compression, Sink};
use crate::config::Config;
use crate::error::ProtocolError;
use crate::event::Message;
use crate::frame::{FrameHeader, OpCode, Payload};
use crate::utf8::{Utf8, Utf8Error};

/// The message being put together. Its memory grows with the bytes that arrived, never with a
/// length that was only announced.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    message: Option<Partial>,
    /// The announced length of the message: all headers so far.
    announced: u64,
    /// Whether the frame in progress is the last one of its message.
    fin: bool,
    /// Whether the message is compressed (RFC 7692 §6).
    compressed: bool,
}

#[derive(Debug)]
enum Partial {
    Text { text: String, utf8: Utf8 },
    Binary(Vec<u8>),
    UncheckedText(Vec<u8>),
}

impl Assembler {
    /// A data frame begins.
    pub(crate) fn begin(
        &mut self,
        header: &FrameHeader,
        config: &Config,
    ) -> Result<(), ProtocolError> {
        // "The fragments of one message MUST NOT be interleaved" (§5.4).
        let message = match (header.opcode, &self.message) {
            (OpCode::Continuation, None) => return Err(ProtocolError::UnexpectedContinuation),
            (OpCode::Continuation, Some(_)) => None,
            (opcode, Some(_)) => return Err(ProtocolError::ExpectedContinuation { opcode }),
            (OpCode::Text, None) if config.validate_utf8 => {
                Some(Partial::Text { text: String::new(), utf8: Utf8::default() })
            }
            (OpCode::Text, None) => Some(Partial::UncheckedText(Vec::new())),
            (_, None) => Some(Partial::Binary(Vec::new())),
        };
        // Of a compressed message only the inflated size counts, and that is not announced.
        let compressed = if message.is_some() { header.rsv1 } else { self.compressed };
        let announced = if compressed {
            check_frame(header, config)?;
            0
        } else {
            check_limits(header, self.announced, config)?
        };
        if message.is_some() {
            self.message = message;
            self.compressed = compressed;
        }
        self.announced = announced;
        self.fin = header.fin;
        Ok(())
    }

    /// Whether no message is in progress.
    #[inline]
    pub(crate) const fn is_between_messages(&self) -> bool {
        self.message.is_none()
    }

    /// Whether a frame is a message by itself, and one may begin.
    #[inline]
    pub(crate) fn is_whole(&self, header: &FrameHeader) -> bool {
        header.fin
            && !header.rsv1
            && matches!(header.opcode, OpCode::Text | OpCode::Binary)
            && self.message.is_none()
    }

    /// Payload of that frame; the message, if it is complete.
    pub(crate) fn push(
        &mut self,
        payload: Payload<'_>,
        config: &Config,
        compression: &mut Compression,
    ) -> Result<Option<Message>, ProtocolError> {
        let Some(message) = &mut self.message else { return Ok(None) };
        let complete = payload.last && self.fin;
        if self.compressed {
            let mut sink = |inflated: &[u8]| message.append_inflated(inflated, config);
            inflate(payload, compression, &mut sink)?;
            if complete {
                compression.finish(&mut sink)?;
            }
        } else {
            message.append(payload, usize::try_from(self.announced).unwrap_or(usize::MAX))?;
        }
        if !complete {
            return Ok(None);
        }
        self.announced = 0;
        self.message.take().map(Partial::finish).transpose()
    }

    /// Drops what there is: the connection is over.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }
}

/// A message that came in one frame, whole, at the beginning of `input`: one allocation, exactly as
/// long.
#[inline]
pub(crate) fn whole(
    header: &FrameHeader,
    input: &[u8],
    config: &Config,
) -> Result<Message, ProtocolError> {
    check_limits(header, 0, config)?;
    let length = usize::try_from(header.length).unwrap_or(usize::MAX);
    let checked = header.opcode == OpCode::Text && config.validate_utf8;
    let bytes = input.get(..length).unwrap_or_default();
    let payload = Payload { bytes, mask: header.mask, last: true };
    if checked {
        let mut text = String::with_capacity(length);
        let mut utf8 = Utf8::default();
        append_text(payload, &mut text, &mut utf8).map_err(invalid_utf8)?;
        if !utf8.is_complete() {
            return Err(ProtocolError::TruncatedUtf8);
        }
        Ok(Message::Text(ByteString::from(text)))
    } else {
        let mut bytes = Vec::with_capacity(length);
        append_bytes(payload, &mut bytes);
        Ok(unchecked(header, bytes))
    }
}

fn unchecked(header: &FrameHeader, payload: Vec<u8>) -> Message {
    let payload = Bytes::from(payload);
    if header.opcode == OpCode::Text {
        Message::UncheckedText(payload)
    } else {
        Message::Binary(payload)
    }
}

impl Partial {
    #[inline]
    fn append(&mut self, payload: Payload<'_>, announced: usize) -> Result<(), ProtocolError> {
        match self {
            Self::Binary(bytes) | Self::UncheckedText(bytes) => {
                let more = room(bytes.len(), bytes.capacity(), payload.bytes.len(), announced);
                bytes.reserve_exact(more);
                append_bytes(payload, bytes);
                Ok(())
            }
            Self::Text { text, utf8 } => {
                let more = room(text.len(), text.capacity(), payload.bytes.len(), announced);
                text.reserve_exact(more);
                append_text(payload, text, utf8).map_err(invalid_utf8)
            }
        }
    }

    /// Appends what a compressed message inflates to, up to the limit and not a byte beyond.
    fn append_inflated(&mut self, inflated: &[u8], config: &Config) -> Result<(), ProtocolError> {
        let limit = config.max_message_size;
        let length = match self {
            Self::Binary(bytes) | Self::UncheckedText(bytes) => bytes.len(),
            Self::Text { text, utf8 } => text.len() + utf8.pending(),
        };
        let allowed = inflated.len().min(limit - length.min(limit));
        let (bytes, excess) = inflated.split_at(allowed);
        self.append(Payload { bytes, mask: None, last: false }, limit)?;
        if excess.is_empty() {
            Ok(())
        } else {
            Err(ProtocolError::MessageTooLarge { length: limit as u64 + 1, limit })
        }
    }

    fn finish(self) -> Result<Message, ProtocolError> {
        Ok(match self {
            Self::Binary(bytes) => Message::Binary(freeze(bytes)),
            Self::UncheckedText(bytes) => Message::UncheckedText(freeze(bytes)),
            Self::Text { utf8, .. } if !utf8.is_complete() => {
                return Err(ProtocolError::TruncatedUtf8);
            }
            Self::Text { mut text, .. } => {
                text.shrink_to_fit();
                Message::Text(ByteString::from(text))
            }
        })
    }
}

/// The announced length of the message so far, if it is within the limits.
#[inline]
fn check_limits(
    header: &FrameHeader,
    announced: u64,
    config: &Config,
) -> Result<u64, ProtocolError> {
    check_frame(header, config)?;
    // Both are below 2^63: the sum cannot overflow.
    let announced = announced + header.length;
    let limit = config.max_message_size;
    if announced > limit as u64 {
        return Err(ProtocolError::MessageTooLarge { length: announced, limit });
    }
    Ok(announced)
}

#[inline]
fn check_frame(header: &FrameHeader, config: &Config) -> Result<(), ProtocolError> {
    match config.max_frame_size {
        Some(limit) if header.length > limit as u64 => {
            Err(ProtocolError::FrameTooLarge { length: header.length, limit })
        }
        _ => Ok(()),
    }
}

/// Inflates payload as it stands on the wire.
fn inflate(
    payload: Payload<'_>,
    compression: &mut Compression,
    sink: Sink<'_>,
) -> Result<(), ProtocolError> {
    if payload.bytes.is_empty() {
        return Ok(());
    }
    let Some(mut mask) = payload.mask else { return compression.inflate(payload.bytes, sink) };
    let mut block = [0; LARGE_BLOCK];
    for piece in payload.bytes.chunks(LARGE_BLOCK) {
        compression.inflate(mask.copy(piece, &mut block), sink)?;
    }
    Ok(())
}

fn invalid_utf8(Utf8Error { offset }: Utf8Error) -> ProtocolError {
    ProtocolError::InvalidUtf8 { offset }
}

#[inline]
fn append_bytes(payload: Payload<'_>, bytes: &mut Vec<u8>) {
    match payload.mask {
        Some(mut mask) => mask.append(payload.bytes, bytes),
        None => bytes.extend_from_slice(payload.bytes),
    }
}

/// Unmasks in blocks that stay in the first-level cache and validates each there, so that every
/// byte of text is fetched from memory once.
fn append_text(payload: Payload<'_>, text: &mut String, utf8: &mut Utf8) -> Result<(), Utf8Error> {
    let Some(mut mask) = payload.mask else { return utf8.append(payload.bytes, text) };
    if payload.bytes.len() <= SMALL_BLOCK {
        let mut block = [0; SMALL_BLOCK];
        return utf8.append(mask.copy(payload.bytes, &mut block), text);
    }
    let mut block = [0; LARGE_BLOCK];
    for piece in payload.bytes.chunks(LARGE_BLOCK) {
        utf8.append(mask.copy(piece, &mut block), text)?;
    }
    Ok(())
}

/// How much to reserve for `arriving` bytes: at least twice what is there, so that copying stays
/// linear, but no more than was announced, so that a whole message fits exactly.
fn room(length: usize, capacity: usize, arriving: usize, announced: usize) -> usize {
    let needed = length + arriving;
    if needed <= capacity {
        return 0;
    }
    needed.max(announced.min(2 * length)) - length
}

fn freeze(mut bytes: Vec<u8>) -> Bytes {
    // Nothing to do for a message in one frame. A fragmented one gives its slack back, so that the
    // gauge counts what is really held.
    bytes.shrink_to_fit();
    Bytes::from(bytes)
}

const SMALL_BLOCK: usize = 128;
const LARGE_BLOCK: usize = 4096;
