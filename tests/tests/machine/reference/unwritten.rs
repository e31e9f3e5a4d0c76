//! The reference: output that is not written yet.

use tidegate_core::CloseFrame;

/// Unwritten output, in the order in which each kind must be written.
#[derive(Debug, Default)]
pub(crate) struct Unwritten {
    /// The index of one of our pings.
    pub(crate) pings: Vec<usize>,
    pub(crate) pongs: Vec<Vec<u8>>,
    /// Messages, and parts of them.
    pub(crate) data: Vec<Part>,
    pub(crate) close: Option<Words>,
    /// Written bytes of a partly written frame.
    pub(crate) is_within_frame: bool,
}

/// A whole message, or a part of one.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) payload: Vec<u8>,
    /// Whether the message ends here.
    pub(crate) is_last: bool,
}

/// The code and reason of our Close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Words {
    Exactly(CloseFrame),
    /// This code, with a reason that is not specified.
    Code(u16),
}

impl Unwritten {
    pub(crate) fn is_empty(&self) -> bool {
        self.pings.is_empty()
            && self.pongs.is_empty()
            && self.data.is_empty()
            && self.close.is_none()
            && !self.is_within_frame
    }

    pub(crate) fn has_control(&self) -> bool {
        !(self.pings.is_empty() && self.pongs.is_empty() && self.close.is_none())
    }
}
