//! Streams with the traits of tokio as a `ByteStream`.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io::{IoSlice, Result};

use tidegate_driver::ByteStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream with the traits of tokio: TCP, TLS, a Unix socket, or a `DuplexStream` in a test. Wrap
/// one that is not `Unpin` in a `Pin<Box<_>>` first.
#[derive(Clone, Copy, Debug)]
pub struct TokioStream<S>(S);

impl<S> TokioStream<S> {
    /// Wraps a stream.
    pub const fn new(stream: S) -> Self {
        Self(stream)
    }

    /// Borrows the stream.
    pub const fn get_ref(&self) -> &S {
        &self.0
    }

    /// Borrows the stream mutably, for its settings.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.0
    }

    /// Returns the stream.
    pub fn into_inner(self) -> S {
        self.0
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> ByteStream for TokioStream<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        match slices {
            [slice] => Pin::new(&mut self.0).poll_write(cx, slice),
            // The default implementation writes the first slice only.
            _ => Pin::new(&mut self.0).poll_write_vectored(cx, slices),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
