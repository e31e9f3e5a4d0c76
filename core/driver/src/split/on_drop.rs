//! What dropping one side of a split connection does.

#[cfg(doc)]
use crate::split::{Receiver, Sender};

/// What happens to the connection when the [`Receiver`] or the last [`Sender`] is dropped.
///
/// When both sides are gone the connection is closed in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "the connection stays open, is closed, or is aborted")]
pub enum OnDrop {
    /// The connection stays open for the other side. Without a [`Receiver`], messages are read and
    /// dropped.
    Continue,
    /// The connection is closed with
    /// [`CloseCode::GOING_AWAY`](tidegate_core::CloseCode::GOING_AWAY); `close_timeout` limits that.
    /// Without a [`Receiver`], messages that still arrive are dropped.
    Close,
    /// The stream is closed at once.
    Abort,
}
