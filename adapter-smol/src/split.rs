//! A split connection whose driver runs in a task of smol.

use tidegate_driver::{ByteStream, Receiver, Sender, WebSocket};

use crate::SmolClock;

/// Splits a connection and spawns its driver: a [`Sender`] to clone and a [`Receiver`], for any
/// tasks. See [`WebSocket::split`].
///
/// The executor is smol's global one; with another one, spawn the [`Driver`](crate::Driver) that
/// [`WebSocket::split`] gives.
pub fn split_spawn<S: ByteStream + Send + 'static>(
    socket: WebSocket<S, SmolClock>,
) -> (Sender, Receiver) {
    let (sender, receiver, driver) = socket.split();
    // How it ends is told by the other parts.
    smol::spawn(driver).detach();
    (sender, receiver)
}
