//! Puts the payloads of frames together to whole messages (RFC 6455 §5.4).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use bytestring::ByteString;

use crate::config::Config;
use crate::connection::receive::fragments::{Fragments, check_inflated};
use crate::deflate::session::{Compression, Sink};
use crate::error::ProtocolError;
use crate::frame::{FrameHeader, Payload};
use crate::message::{Message, MessageKind};
use crate::utf8::unmask;
use crate::utf8::validate::Utf8;

/// The message that is being received. Its memory grows with the bytes that have arrived, never with
/// a length that was only announced.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    /// `None` between two messages, and so for a message that the fast path takes. In a box, since an
    /// idle connection should not pay for it.
    message: Option<Box<PartialMessage>>,
}

#[derive(Debug)]
struct PartialMessage {
    fragments: Fragments,
    payload: PartialPayload,
}

#[derive(Debug)]
enum PartialPayload {
    Text { text: String, utf8: Utf8 },
    Binary(Vec<u8>),
    UncheckedText(Vec<u8>),
}

impl Assembler {
    /// Takes the header of a data frame.
    pub(crate) fn begin(
        &mut self,
        header: &FrameHeader,
        config: &Config,
    ) -> Result<(), ProtocolError> {
        if let Some(message) = &mut self.message {
            message.fragments.begin(header, config)?;
            return Ok(());
        }
        let mut fragments = Fragments::default();
        fragments.begin(header, config)?;
        let payload = match fragments.kind() {
            MessageKind::Text if config.validate_utf8 => {
                PartialPayload::Text { text: String::new(), utf8: Utf8::default() }
            }
            MessageKind::Text => PartialPayload::UncheckedText(Vec::new()),
            MessageKind::Binary => PartialPayload::Binary(Vec::new()),
        };
        self.message = Some(Box::new(PartialMessage { fragments, payload }));
        Ok(())
    }

    /// Whether no message is being received.
    #[inline]
    pub(crate) const fn is_between_messages(&self) -> bool {
        self.message.is_none()
    }

    /// How many bytes of the message have arrived. 0 if it is compressed: its length is not known
    /// before it is inflated.
    pub(crate) fn arrived(&self) -> usize {
        match self.message.as_deref() {
            Some(PartialMessage { fragments, payload }) if !fragments.is_compressed() => {
                payload.len()
            }
            Some(_) | None => 0,
        }
    }

    /// Takes payload of the frame that [`begin`](Self::begin) announced. Returns the message when it
    /// is complete.
    pub(crate) fn push(
        &mut self,
        payload: Payload<'_>,
        config: &Config,
        compression: &mut Compression,
    ) -> Result<Option<Message>, ProtocolError> {
        let Some(message) = &mut self.message else { return Ok(None) };
        let PartialMessage { fragments, payload: partial } = &mut **message;
        let ends = fragments.ends_with(&payload);
        if fragments.is_compressed() {
            let mut sink = |inflated: &[u8]| partial.append_inflated(inflated, config);
            inflate(payload, compression, &mut sink)?;
            if ends {
                compression.finish(&mut sink)?;
            }
        } else {
            // The final length is known once the last frame has begun.
            let max_length = if fragments.is_last_frame() {
                fragments.announced()
            } else {
                // Not the length that is announced so far: each small fragment could then move the
                // whole message, which takes quadratic time (docs/lessons.md).
                config.max_message_size
            };
            partial.append(payload, max_length)?;
        }
        if !ends {
            return Ok(None);
        }
        self.message.take().map(|message| message.payload.finish()).transpose()
    }
}

impl PartialPayload {
    #[inline]
    fn append(&mut self, payload: Payload<'_>, max_length: usize) -> Result<(), ProtocolError> {
        match self {
            Self::Binary(bytes) | Self::UncheckedText(bytes) => {
                let more = growth(bytes.len(), bytes.capacity(), payload.bytes.len(), max_length);
                bytes.reserve_exact(more);
                append_bytes(payload, bytes);
                Ok(())
            }
            Self::Text { text, utf8 } => {
                let more = growth(text.len(), text.capacity(), payload.bytes.len(), max_length);
                text.reserve_exact(more);
                Ok(unmask::append(payload, text, utf8)?)
            }
        }
    }

    /// Appends what a compressed message inflates to, up to `max_message_size`.
    fn append_inflated(&mut self, inflated: &[u8], config: &Config) -> Result<(), ProtocolError> {
        let (bytes, result) = check_inflated(inflated, self.len(), config);
        self.append(Payload { bytes, mask: None, last: false }, config.max_message_size)?;
        result
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
            Self::Text { mut text, utf8 } => {
                utf8.finish()?;
                text.shrink_to_fit();
                Message::Text(ByteString::from(text))
            }
        })
    }
}

/// Unmasks payload in blocks and inflates it.
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

/// Appends payload, unmasked.
#[inline]
pub(crate) fn append_bytes(payload: Payload<'_>, bytes: &mut Vec<u8>) {
    match payload.mask {
        Some(mut mask) => mask.append(payload.bytes, bytes),
        None => bytes.extend_from_slice(payload.bytes),
    }
}

/// How many bytes to reserve for `arriving` bytes more.
///
/// The buffer doubles, so that the cost of copying stays linear however small the pieces are. It does
/// not grow beyond `max_length`, so that a message whose length is known fits exactly. Once half of
/// the message has arrived the buffer gets its final size: a message of one frame that comes in two
/// reads is moved once at most.
fn growth(length: usize, capacity: usize, arriving: usize, max_length: usize) -> usize {
    let needed = length + arriving;
    if needed <= capacity {
        return 0;
    }
    if max_length / 2 <= needed {
        return needed.max(max_length) - length;
    }
    needed.max(max_length.min(2 * length)) - length
}

/// Gives spare capacity back, so that the gauge of queued bytes counts what is really allocated. A
/// message of one frame has none; one in fragments may.
fn freeze(mut bytes: Vec<u8>) -> Bytes {
    bytes.shrink_to_fit();
    Bytes::from(bytes)
}

/// How much masked payload is unmasked at a time before it is inflated.
const BLOCK: usize = 4096;
