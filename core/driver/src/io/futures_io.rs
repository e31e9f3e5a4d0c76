//! Streams with the traits of `futures-io` as a [`ByteStream`].

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use crate::io::stream::ByteStream;

/// A stream with the traits of `futures-io`: one of async-net, async-std, futures-rustls or others.
#[derive(Clone, Copy, Debug)]
pub struct FuturesStream<S>(S);

impl<S> FuturesStream<S> {
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

impl<S: AsyncRead + AsyncWrite + Unpin> ByteStream for FuturesStream<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
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
        Pin::new(&mut self.0).poll_close(cx)
    }
}
