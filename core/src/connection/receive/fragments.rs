//! The frames of a message: which may follow which (RFC 6455 §5.4), and how long they may be, each and
//! together (close code 1009).

use crate::config::Config;
use crate::error::ProtocolError;
use crate::frame::{FrameHeader, OpCode, Payload};
use crate::message::MessageKind;

/// What the headers of the frames so far say about the message that is being received.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fragments {
    current: Option<OpenMessage>,
}

#[derive(Clone, Copy, Debug)]
struct OpenMessage {
    kind: MessageKind,
    /// Whether it is compressed (RFC 7692 §6).
    compressed: bool,
    /// The sum of the announced lengths. 0 for a compressed message: the limit is on its inflated
    /// length, which no header announces.
    announced: u64,
    /// Whether the current frame is the last one of the message.
    fin: bool,
}

impl Fragments {
    /// Takes the header of a data frame. Returns whether it begins a message.
    pub(crate) fn begin(
        &mut self,
        header: &FrameHeader,
        config: &Config,
    ) -> Result<bool, ProtocolError> {
        // "The fragments of one message MUST NOT be interleaved" (§5.4).
        let (current, begins) = match (header.opcode, self.current) {
            (OpCode::Continuation, Some(current)) => (current, false),
            (OpCode::Continuation, None) => return Err(ProtocolError::UnexpectedContinuation),
            (opcode, Some(_)) => return Err(ProtocolError::ExpectedContinuation { opcode }),
            (opcode, None) => {
                let kind = kind(opcode);
                let new = OpenMessage { kind, compressed: header.rsv1, announced: 0, fin: false };
                (new, true)
            }
        };
        let announced = if current.compressed {
            check_frame(header, config)?;
            0
        } else {
            check_message(header, current.announced, config)?
        };
        self.current = Some(OpenMessage { announced, fin: header.fin, ..current });
        Ok(begins)
    }

    /// Whether the message ends with this payload.
    pub(crate) fn ends_with(&self, payload: &Payload<'_>) -> bool {
        payload.last && self.is_last_frame()
    }

    /// Whether the current frame is the last one of its message.
    pub(crate) fn is_last_frame(&self) -> bool {
        self.current.is_some_and(|current| current.fin)
    }

    /// Text or binary; binary between messages.
    pub(crate) fn kind(&self) -> MessageKind {
        self.current.map_or(MessageKind::Binary, |current| current.kind)
    }

    pub(crate) fn is_compressed(&self) -> bool {
        self.current.is_some_and(|current| current.compressed)
    }

    /// How long the message is at least, according to its headers.
    pub(crate) fn announced(&self) -> usize {
        let announced = self.current.map_or(0, |current| current.announced);
        usize::try_from(announced).unwrap_or(usize::MAX)
    }

    /// The message is complete.
    pub(crate) fn end(&mut self) {
        self.current = None;
    }
}

/// Checks the header of a frame of an uncompressed message, of which `announced` bytes are announced
/// by the headers before. Returns the length that is announced now.
///
/// Checking headers refuses a message that is too long before its payload arrives.
#[inline]
fn check_message(
    header: &FrameHeader,
    announced: u64,
    config: &Config,
) -> Result<u64, ProtocolError> {
    check_frame(header, config)?;
    // Saturating, because a peer may announce lengths whose sum overflows, to get past the limit
    // (as in CVE-2020-27813 of another library).
    let length = announced.saturating_add(header.length);
    let limit = config.max_message_size;
    if length > limit as u64 {
        return Err(ProtocolError::MessageTooLarge { length, limit });
    }
    Ok(length)
}

/// Checks the length of a single data frame.
#[inline]
fn check_frame(header: &FrameHeader, config: &Config) -> Result<(), ProtocolError> {
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

const fn kind(opcode: OpCode) -> MessageKind {
    match opcode {
        OpCode::Text => MessageKind::Text,
        OpCode::Continuation | OpCode::Binary | OpCode::Close | OpCode::Ping | OpCode::Pong => {
            MessageKind::Binary
        }
    }
}
