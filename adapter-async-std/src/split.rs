//! A split connection whose driver runs in a task of async-std.

use futures_io::{AsyncRead, AsyncWrite};
use tidegate_core::driver::{Receiver, Sender};

use crate::WebSocket;

/// Splits a connection and spawns its driver: a [`Sender`] to clone and a [`Receiver`], for any
/// tasks. See [`WebSocket::split`].
pub fn split_spawn<S>(socket: WebSocket<S>) -> (Sender, Receiver)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, receiver, driver) = socket.split();
    // How it ends is told by the other parts.
    async_std::task::spawn(driver);
    (sender, receiver)
}
