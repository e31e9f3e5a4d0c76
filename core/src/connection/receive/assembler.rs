//! Frames to messages, within limits (RFC 6455 §5.4).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use bytestring::ByteString;

use crate::config::Config;
use crate::connection::receive::fragments::{Sequence, check_limits};
use crate::deflate::session::{Compression, Sink};
use crate::error::ProtocolError;
use crate::frame::{FrameHeader, OpCode, Payload};
use crate::message::{Message, MessageKind};
use crate::utf8::unmask as text;
use crate::utf8::validate::{Utf8, Utf8Error};

/// The message being put together. Its memory grows with the bytes that arrived, never with a
/// length that was only announced.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    /// There is none between two messages, nor for one that comes whole.
    message: Option<Box<Progress>>,
}

#[derive(Debug)]
struct Progress {
    sequence: Sequence,
    partial: Partial,
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
        if let Some(message) = &mut self.message {
            message.sequence.begin(header, config)?;
            return Ok(());
        }
        let mut sequence = Sequence::default();
        sequence.begin(header, config)?;
        let partial = match sequence.kind() {
            MessageKind::Text if config.validate_utf8 => {
                Partial::Text { text: String::new(), utf8: Utf8::default() }
            }
            MessageKind::Text => Partial::UncheckedText(Vec::new()),
            MessageKind::Binary => Partial::Binary(Vec::new()),
        };
        self.message = Some(Box::new(Progress { sequence, partial }));
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
            && self.is_between_messages()
    }

    /// How much of the message in progress has arrived, as it stands on the wire: nothing is known
    /// of a compressed one.
    pub(crate) fn arrived(&self) -> usize {
        match self.message.as_deref() {
            Some(Progress { sequence, partial }) if !sequence.is_compressed() => partial.len(),
            Some(_) | None => 0,
        }
    }

    /// Payload of that frame; the message, if it is complete.
    pub(crate) fn push(
        &mut self,
        payload: Payload<'_>,
        config: &Config,
        compression: &mut Compression,
    ) -> Result<Option<Message>, ProtocolError> {
        let Some(message) = &mut self.message else { return Ok(None) };
        let Progress { sequence, partial } = &mut **message;
        let ends = sequence.ends_with(&payload);
        if sequence.is_compressed() {
            let mut sink = |inflated: &[u8]| partial.append_inflated(inflated, config);
            inflate(payload, compression, &mut sink)?;
            if ends {
                compression.finish(&mut sink)?;
            }
        } else {
            // How long it gets is known when its last frame has begun.
            let most = if sequence.is_last_frame() {
                sequence.announced()
            } else {
                config.max_message_size
            };
            partial.append(payload, most)?;
        }
        if !ends {
            return Ok(None);
        }
        self.message.take().map(|message| message.partial.finish()).transpose()
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
        text::append(payload, &mut text, &mut utf8).map_err(invalid_utf8)?;
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
    fn append(&mut self, payload: Payload<'_>, most: usize) -> Result<(), ProtocolError> {
        match self {
            Self::Binary(bytes) | Self::UncheckedText(bytes) => {
                let more = room(bytes.len(), bytes.capacity(), payload.bytes.len(), most);
                bytes.reserve_exact(more);
                append_bytes(payload, bytes);
                Ok(())
            }
            Self::Text { text, utf8 } => {
                let more = room(text.len(), text.capacity(), payload.bytes.len(), most);
                text.reserve_exact(more);
                text::append(payload, text, utf8).map_err(invalid_utf8)
            }
        }
    }

    /// Appends what a compressed message inflates to, up to the limit and not a byte beyond.
    fn append_inflated(&mut self, inflated: &[u8], config: &Config) -> Result<(), ProtocolError> {
        let limit = config.max_message_size;
        let length = self.len();
        let allowed = inflated.len().min(limit - length.min(limit));
        let (bytes, excess) = inflated.split_at(allowed);
        self.append(Payload { bytes, mask: None, last: false }, limit)?;
        if excess.is_empty() {
            Ok(())
        } else {
            Err(ProtocolError::MessageTooLarge { length: limit as u64 + 1, limit })
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Binary(bytes) | Self::UncheckedText(bytes) => bytes.len(),
            Self::Text { text, utf8 } => text.len() + utf8.pending(),
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
    let mut block = [0; BLOCK];
    for piece in payload.bytes.chunks(BLOCK) {
        compression.inflate(mask.copy(piece, &mut block), sink)?;
    }
    Ok(())
}

pub(crate) fn invalid_utf8(Utf8Error { offset }: Utf8Error) -> ProtocolError {
    ProtocolError::InvalidUtf8 { offset }
}

#[inline]
pub(crate) fn append_bytes(payload: Payload<'_>, bytes: &mut Vec<u8>) {
    match payload.mask {
        Some(mut mask) => mask.append(payload.bytes, bytes),
        None => bytes.extend_from_slice(payload.bytes),
    }
}

/// How much to reserve for `arriving` bytes: at least as much as is there, so that copying stays
/// linear however small the pieces are, but no more than the message can get, so that a whole one
/// fits exactly and an endless one stays within the limit. When half of it is there it gets its
/// final place: a message of one frame that comes in two reads is not moved in between.
fn room(length: usize, capacity: usize, arriving: usize, most: usize) -> usize {
    let needed = length + arriving;
    if needed <= capacity {
        return 0;
    }
    if most / 2 <= needed {
        return needed.max(most) - length;
    }
    needed.max(most.min(2 * length)) - length
}

fn freeze(mut bytes: Vec<u8>) -> Bytes {
    // Nothing to do for a message in one frame. A fragmented one gives its slack back, so that the
    // gauge counts what is really held.
    bytes.shrink_to_fit();
    Bytes::from(bytes)
}

const BLOCK: usize = 4096;
