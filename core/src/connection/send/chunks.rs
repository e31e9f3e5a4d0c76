//! The message that the application sends in chunks.

use bytes::Bytes;

use crate::connection::send::error::ChunkError;
use crate::frame::OpCode;
use crate::message::{Chunk, MessageKind};
use crate::utf8::validate::Cut;

/// How far a message in chunks has come.
#[derive(Debug, Default)]
pub(crate) enum Sending {
    /// None is begun.
    #[default]
    Between,
    Text(Cut),
    Binary,
}

/// A chunk that may go out.
#[derive(Debug)]
pub(crate) struct Fragment {
    pub(crate) opcode: OpCode,
    pub(crate) payload: Bytes,
    pub(crate) last: bool,
}

impl Sending {
    pub(crate) const fn is_unfinished(&self) -> bool {
        !matches!(self, Self::Between)
    }

    /// Checks the next chunk and moves on; on an error nothing has moved.
    pub(crate) fn check(
        &mut self,
        chunk: Chunk,
        validate_utf8: bool,
    ) -> Result<Fragment, ChunkError> {
        let opcode = match (&self, chunk.kind) {
            (Self::Between, MessageKind::Text) => OpCode::Text,
            (Self::Between, MessageKind::Binary) => OpCode::Binary,
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
        *self = if chunk.last { Self::Between } else { next };
        Ok(Fragment { opcode, payload: chunk.payload, last: chunk.last })
    }
}
