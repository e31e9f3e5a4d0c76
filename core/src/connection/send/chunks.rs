//! Checks the chunks of a message that is sent in parts: their order, their kind, their UTF-8.

use bytes::Bytes;

use crate::connection::send::error::ChunkError;
use crate::frame::OpCode;
use crate::message::{Chunk, MessageKind};
use crate::utf8::validate::Cut;

/// The message in chunks that is being sent.
#[derive(Debug, Default)]
pub(crate) enum OutgoingChunks {
    /// There is none.
    #[default]
    None,
    Text(Cut),
    Binary,
}

/// A chunk that may be sent, with the opcode of its frame.
#[derive(Debug)]
pub(crate) struct CheckedChunk {
    pub(crate) opcode: OpCode,
    pub(crate) payload: Bytes,
    pub(crate) last: bool,
}

impl OutgoingChunks {
    pub(crate) const fn is_unfinished(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// Checks the next chunk. On an error nothing changes.
    pub(crate) fn check(
        &mut self,
        chunk: Chunk,
        validate_utf8: bool,
    ) -> Result<CheckedChunk, ChunkError> {
        let opcode = match (&self, chunk.kind) {
            (Self::None, MessageKind::Text) => OpCode::Text,
            (Self::None, MessageKind::Binary) => OpCode::Binary,
            (Self::Text(_), MessageKind::Text) | (Self::Binary, MessageKind::Binary) => {
                OpCode::Continuation
            }
            (Self::Text(_), MessageKind::Binary) | (Self::Binary, MessageKind::Text) => {
                return Err(ChunkError::WrongKind(chunk));
            }
        };
        let mut next = match (&self, chunk.kind) {
            (Self::Text(cut), _) => Self::Text(*cut),
            (_, MessageKind::Text) => Self::Text(Cut::default()),
            (_, MessageKind::Binary) => Self::Binary,
        };
        if let Self::Text(cut) = &mut next
            && validate_utf8
            && (cut.check(&chunk.payload).is_err() || (chunk.last && !cut.is_complete()))
        {
            return Err(ChunkError::InvalidUtf8(chunk));
        }
        *self = if chunk.last { Self::None } else { next };
        Ok(CheckedChunk { opcode, payload: chunk.payload, last: chunk.last })
    }
}
