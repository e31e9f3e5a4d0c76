//! The order of data frames and what they may announce: which frame belongs to which message, and
//! within which limits (RFC 6455 §5.4).

use crate::config::Config;
use crate::error::ProtocolError;
use crate::frame::{FrameHeader, OpCode, Payload};
use crate::message::MessageKind;

/// The message in progress, as far as the headers of its frames tell.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sequence {
    current: Option<Current>,
}

#[derive(Clone, Copy, Debug)]
struct Current {
    kind: MessageKind,
    /// Whether it is compressed (RFC 7692 §6).
    compressed: bool,
    /// Its length, as far as it is announced; of a compressed one only the inflated length counts,
    /// and that is not.
    announced: u64,
    /// Whether the frame in progress is the last one.
    fin: bool,
}

impl Sequence {
    /// A data frame begins. Tells whether a message begins with it.
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
                let new = Current { kind, compressed: header.rsv1, announced: 0, fin: false };
                (new, true)
            }
        };
        let announced = if current.compressed {
            check_frame(header, config)?;
            0
        } else {
            check_limits(header, current.announced, config)?
        };
        self.current = Some(Current { announced, fin: header.fin, ..current });
        Ok(begins)
    }

    /// Whether the message in progress ends with this payload.
    pub(crate) fn ends_with(&self, payload: &Payload<'_>) -> bool {
        payload.last && self.is_last_frame()
    }

    /// Whether the frame in progress is the last one of its message.
    pub(crate) fn is_last_frame(&self) -> bool {
        self.current.is_some_and(|current| current.fin)
    }

    /// Text or binary; binary if there is none in progress.
    pub(crate) fn kind(&self) -> MessageKind {
        self.current.map_or(MessageKind::Binary, |current| current.kind)
    }

    pub(crate) fn is_compressed(&self) -> bool {
        self.current.is_some_and(|current| current.compressed)
    }

    /// How long the message in progress is at least, as far as its headers tell.
    pub(crate) fn announced(&self) -> usize {
        let announced = self.current.map_or(0, |current| current.announced);
        usize::try_from(announced).unwrap_or(usize::MAX)
    }

    /// The message in progress is complete.
    pub(crate) fn end(&mut self) {
        self.current = None;
    }
}

/// The announced length of the message so far, if it is within the limits.
#[inline]
pub(crate) fn check_limits(
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

#[inline]
fn check_frame(header: &FrameHeader, config: &Config) -> Result<(), ProtocolError> {
    match config.max_frame_size {
        Some(limit) if header.length > limit as u64 => {
            Err(ProtocolError::FrameTooLarge { length: header.length, limit })
        }
        _ => Ok(()),
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
