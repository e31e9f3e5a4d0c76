//! Streams of async-std as a `ByteStream`, and outgoing TCP connections.

use core::any::Any;
use core::task::{Context, Poll};
use std::io::{ErrorKind, IoSlice, Result};
use std::net::{IpAddr, Shutdown, SocketAddr};

use async_std::net::TcpStream;
#[cfg(unix)]
use async_std::os::unix::net::UnixStream;
use futures_io::{AsyncRead, AsyncWrite};
use tidegate_driver::{ByteStream, FuturesStream, connect_async_io};

/// A stream with the traits of `futures-io` whose sockets can be shut down.
///
/// async-std's `TcpStream` and `UnixStream` do nothing in `poll_close`, so this type calls their
/// `shutdown` instead. Otherwise a peer that waits for the end of the stream after the Close frames,
/// as RFC 6455 §7.1.1 asks of a client, would wait until its own timeout.
#[derive(Clone, Copy, Debug)]
pub struct AsyncStdStream<S>(FuturesStream<S>);

impl<S> AsyncStdStream<S> {
    /// Wraps a stream.
    pub const fn new(stream: S) -> Self {
        Self(FuturesStream::new(stream))
    }

    /// Borrows the stream.
    pub const fn get_ref(&self) -> &S {
        self.0.get_ref()
    }

    /// Borrows the stream mutably, for its settings.
    pub const fn get_mut(&mut self) -> &mut S {
        self.0.get_mut()
    }

    /// Returns the stream.
    pub fn into_inner(self) -> S {
        self.0.into_inner()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> ByteStream for AsyncStdStream<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize>> {
        self.0.poll_read(cx, buffer)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        self.0.poll_write(cx, slices)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.0.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let stream: &dyn Any = self.0.get_ref();
        if let Some(stream) = stream.downcast_ref::<TcpStream>() {
            return Poll::Ready(is_shut_down(stream.shutdown(Shutdown::Write)));
        }
        #[cfg(unix)]
        if let Some(stream) = stream.downcast_ref::<UnixStream>() {
            return Poll::Ready(is_shut_down(stream.shutdown(Shutdown::Write)));
        }
        self.0.poll_shutdown(cx)
    }
}

/// Connects to `address`, from the local address `bind` if there is one.
pub(crate) async fn connect(address: SocketAddr, bind: Option<IpAddr>) -> Result<TcpStream> {
    let stream = connect_async_io(address, bind).await?;
    stream.into_inner().map(TcpStream::from)
}

/// Accepts `NotConnected` as success: the peer has closed the socket first.
fn is_shut_down(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotConnected => Ok(()),
        result => result,
    }
}
