//! Data frames that are queued: what is kept of each until it goes out.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::frame::{Mask, OpCode};

/// A data frame with its payload, before its header is encoded.
#[derive(Debug)]
pub(crate) struct DataFrame {
    pub(crate) fin: bool,
    pub(crate) rsv1: bool,
    pub(crate) opcode: OpCode,
    pub(crate) payload: Bytes,
}

/// One item of the queue.
#[derive(Debug)]
pub(crate) enum QueuedFrame {
    /// Small frames, encoded one after the other, with another item after them.
    Small(Vec<u8>),
    /// A large payload, kept as the caller gave it. Its header is encoded when it goes out.
    Large(DataFrame),
    /// A whole frame that other connections send too.
    Encoded(Bytes),
    /// The rest of a masked frame that is partly committed. Always at the front, since no other
    /// frame may come in between.
    PartlyCommitted { payload: Bytes, mask: Mask },
}
