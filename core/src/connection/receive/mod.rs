//! Receiving: from the bytes that were read to events.
//!
//! [`decode`] is the general path: it gives frames to [`data_frames`], which puts messages together and
//! queues them as events in the [`queue`]. [`unqueued`] and [`fast_path`] are the short way for a
//! message that is whole in the input. What the gate holds back is in [`pending_input`].

mod assembler;
mod chunks;
mod data_frames;
mod decode;
mod fast_path;
mod fragments;
mod pending_input;
mod queue;
mod unqueued;

pub(crate) use self::data_frames::DataFrames;
pub(crate) use self::fast_path::FastPath;
pub(crate) use self::pending_input::{PendingEnd, PendingInput};
pub(crate) use self::queue::{EVENT_OVERHEAD, Inbox};
pub use self::unqueued::EventRef;
