//! Reading and writing one message with tokio's `AsyncRead` and `AsyncWrite`.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io::Result;

use tidegate_driver::{MessageReader, MessageSource, MessageTarget, MessageWriter};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Makes a [`MessageReader`] an `AsyncRead` of tokio, or a [`MessageWriter`] an `AsyncWrite`, whose
/// `shutdown` calls [`finish`](MessageWriter::finish).
///
/// ```no_run
/// # async fn example(mut socket: tidegate_tokio::WebSocket) -> std::io::Result<()> {
/// use tidegate_tokio::{MessageIo, MessageKind};
/// use tokio::io::AsyncWriteExt;
///
/// let mut tide = tokio::fs::File::open("tide.csv").await?;
/// let mut message = MessageIo::new(socket.write_message(MessageKind::Text));
/// tokio::io::copy(&mut tide, &mut message).await?;
/// message.shutdown().await?; // dropping it unfinished ends the connection
/// drop(message);
///
/// if let Some(message) = socket.read_message().await? {
///     let mut file = tokio::fs::File::create("answer").await?;
///     tokio::io::copy(&mut MessageIo::new(message), &mut file).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MessageIo<M>(M);

impl<M> MessageIo<M> {
    /// Wraps a reader or a writer.
    pub const fn new(message: M) -> Self {
        Self(message)
    }

    /// Borrows the reader or writer.
    pub const fn get_ref(&self) -> &M {
        &self.0
    }

    /// Borrows the reader or writer mutably.
    pub const fn get_mut(&mut self) -> &mut M {
        &mut self.0
    }

    /// Returns the reader or writer.
    pub fn into_inner(self) -> M {
        self.0
    }
}

impl<T: MessageSource> AsyncRead for MessageIo<MessageReader<'_, T>> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let count = ready!(self.0.poll_read_slice(cx, buffer.initialize_unfilled()))?;
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<T: MessageTarget> AsyncWrite for MessageIo<MessageWriter<'_, T>> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<Result<usize>> {
        self.0.poll_write_slice(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.0.poll_flush(cx).map_err(Into::into)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.0.poll_finish(cx).map_err(Into::into)
    }
}
