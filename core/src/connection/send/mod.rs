//! Sending: from `send` to the bytes that the transport takes.
//!
//! [`accept`] takes messages, [`control`] takes pings, pongs and the Close. Both put frames into the
//! [`queue`], which is the outbox. Its `schedule` moves them into the [`buffer`], and
//! [`Output`](queue::Output) shows that to the transport.

mod accept;
mod buffer;
mod chunks;
mod control;
mod error;
mod fifo;
mod outgoing;
mod prepared;
mod queue;

pub(crate) use self::chunks::OutgoingChunks;
pub use self::error::{ChunkError, SendError};
pub use self::outgoing::Outgoing;
pub use self::prepared::Prepared;
pub(crate) use self::queue::Outbox;
pub use self::queue::Output;
pub(crate) use self::queue::changes::OutputChanges;
pub(crate) use self::queue::control_queue::control_bound;
