//! The opening handshake on a stream: [`client`] opens a WebSocket, and an [`Incoming`] waits for the
//! application to accept or reject it.

mod client;
mod incoming;
mod opening;

pub use self::client::client;
pub use self::incoming::Incoming;
pub(crate) use self::opening::Opening;
