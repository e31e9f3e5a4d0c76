//! A split connection whose driver runs in a task of async-std.

use tidegate_driver::{ByteStream, Receiver, Sender, WebSocket};

use crate::AsyncStdClock;

/// Splits a connection and spawns its driver: a [`Sender`] to clone and a [`Receiver`], for any
/// tasks. See [`WebSocket::split`].
pub fn split_spawn<S: ByteStream + Send + 'static>(
    socket: WebSocket<S, AsyncStdClock>,
) -> (Sender, Receiver) {
    let (sender, receiver, driver) = socket.split();
    // How it ends is told by the other parts.
    async_std::task::spawn(driver);
    (sender, receiver)
}
