//! A split connection whose driver runs in a task of tokio.

use tidegate_driver::{ByteStream, Receiver, Sender, WebSocket};

use crate::TokioClock;

/// Splits a connection and spawns its driver: a [`Sender`] to clone and a [`Receiver`], for any
/// tasks. See [`WebSocket::split`].
///
/// # Panics
///
/// Outside of a runtime, as `tokio::spawn` does.
pub fn split_spawn<S: ByteStream + Send + 'static>(
    socket: WebSocket<S, TokioClock>,
) -> (Sender, Receiver) {
    let (sender, receiver, driver) = socket.split();
    // How it ends is told by the other parts.
    tokio::spawn(driver);
    (sender, receiver)
}
