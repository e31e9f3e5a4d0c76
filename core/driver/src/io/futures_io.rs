//! The streams of `futures-io` as a [`ByteStream`].

use std::io::{self, IoSlice, Result};
use std::net::TcpStream;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};
use socket2::{Domain, Protocol, Socket, Type};

use crate::io::ByteStream;

/// A stream that speaks `futures-io`'s traits: of async-net, async-std, async-rustls and others.
#[derive(Clone, Copy, Debug)]
pub struct FuturesStream<S>(S);

impl<S> FuturesStream<S> {
    /// Wraps a stream.
    pub const fn new(stream: S) -> Self {
        Self(stream)
    }

    /// The stream.
    pub const fn get_ref(&self) -> &S {
        &self.0
    }

    /// The stream, for its settings.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.0
    }

    /// Unwraps the stream.
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
            // Where it is not overridden, it writes the first slice.
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

/// Begins to connect from this local address, for runtimes that have no way to. The second is what
/// the system says to the beginning: usually that it takes time.
///
/// When the stream can be written to, it is connected if it has an address of the peer; otherwise
/// its own error counts, or else this one.
///
/// # Errors
///
/// The address cannot be bound to.
pub fn begin_connecting(
    address: SocketAddr,
    local: IpAddr,
) -> Result<(TcpStream, Option<io::Error>)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&SocketAddr::new(local, 0).into())?;
    socket.set_nonblocking(true)?;
    // Which error means "under way" differs between systems; that it is, shows later.
    let begun = socket.connect(&address.into()).err();
    Ok((socket.into(), begun))
}

/// What became of it, when the stream can be written to.
///
/// # Errors
///
/// It is not connected.
pub fn end_connecting(stream: &TcpStream, begun: Option<io::Error>) -> Result<()> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match (stream.peer_addr(), begun) {
        (Ok(_), _) => Ok(()),
        (Err(_), Some(error)) | (Err(error), None) => Err(error),
    }
}
