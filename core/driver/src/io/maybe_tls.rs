//! The stream of a client: plain for `ws://`, with TLS for `wss://`.

use std::convert::Infallible;
use std::io::{IoSlice, Result};
use std::task::{Context, Poll};

use crate::io::stream::ByteStream;

/// A stream that is plain or has TLS, depending on the scheme of the address.
#[derive(Debug)]
#[allow(clippy::exhaustive_enums, reason = "there is no third kind")]
pub enum MaybeTls<P, T> {
    /// `ws://`.
    Plain(P),
    /// `wss://`. Boxed, because a TLS stream is large, and it would make plain connections as large.
    Tls(Box<T>),
}

impl<P: ByteStream, T: ByteStream> ByteStream for MaybeTls<P, T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize>> {
        match self {
            Self::Plain(stream) => stream.poll_read(cx, buffer),
            Self::Tls(stream) => stream.poll_read(cx, buffer),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        match self {
            Self::Plain(stream) => stream.poll_write(cx, slices),
            Self::Tls(stream) => stream.poll_write(cx, slices),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match self {
            Self::Plain(stream) => stream.poll_flush(cx),
            Self::Tls(stream) => stream.poll_flush(cx),
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match self {
            Self::Plain(stream) => stream.poll_shutdown(cx),
            Self::Tls(stream) => stream.poll_shutdown(cx),
        }
    }
}

/// The TLS stream of a build without TLS. It has no values.
#[derive(Clone, Copy, Debug)]
pub struct NoTls(Infallible);

impl ByteStream for NoTls {
    fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<Result<usize>> {
        match self.0 {}
    }

    fn poll_write(&mut self, _: &mut Context<'_>, _: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        match self.0 {}
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        match self.0 {}
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        match self.0 {}
    }
}
