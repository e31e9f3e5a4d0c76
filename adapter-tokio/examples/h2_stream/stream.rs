//! An HTTP/2 stream as a `ByteStream`.

use core::task::{Context, Poll, ready};
use std::io::{self, ErrorKind, IoSlice};

use bytes::{Buf, Bytes, BytesMut};
use h2::{Reason, RecvStream, SendStream};
use tidegate_driver::ByteStream;

/// Both directions of an HTTP/2 stream.
///
/// The peer's window is extended only by what was read. While the gate is closed nothing is read, so
/// the window is used up and the sender waits, although other streams share the connection.
#[derive(Debug)]
pub(crate) struct H2Stream {
    receive: RecvStream,
    send: SendStream<Bytes>,
    /// The unread rest of a DATA frame. It still counts against the window.
    rest: Bytes,
}

impl H2Stream {
    pub(crate) fn new(receive: RecvStream, send: SendStream<Bytes>) -> Self {
        Self { receive, send, rest: Bytes::new() }
    }
}

impl ByteStream for H2Stream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        while self.rest.is_empty() {
            match ready!(self.receive.poll_data(cx)) {
                Some(Ok(data)) => self.rest = data,
                Some(Err(error)) => return Poll::Ready(ended(error)),
                None => return Poll::Ready(Ok(0)),
            }
        }
        let count = self.rest.len().min(buffer.len());
        self.rest.copy_to_slice(&mut buffer[..count]);
        self.receive.flow_control().release_capacity(count).map_err(io::Error::other)?;
        Poll::Ready(Ok(count))
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wanted = slices.iter().map(|slice| slice.len()).sum::<usize>().min(MOST);
        self.send.reserve_capacity(wanted);
        while self.send.capacity() == 0 {
            match ready!(self.send.poll_capacity(cx)) {
                Some(granted) => granted.map_err(io::Error::other)?,
                None => return Poll::Ready(Err(ErrorKind::BrokenPipe.into())),
            };
        }
        let mut room = wanted.min(self.send.capacity());
        let mut data = BytesMut::with_capacity(room);
        for slice in slices {
            let count = slice.len().min(room);
            data.extend_from_slice(&slice[..count]);
            room -= count;
        }
        let count = data.len();
        self.send.send_data(data.freeze(), false).map_err(io::Error::other)?;
        Poll::Ready(Ok(count))
    }

    /// Does nothing: the task of the HTTP/2 connection flushes.
    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// END_STREAM is to HTTP/2 what FIN is to TCP (RFC 8441 §5).
    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.send.send_data(Bytes::new(), true).map_err(io::Error::other))
    }
}

/// A stream that the peer reset with NO_ERROR, because it needs no more of it, has just ended.
fn ended(error: h2::Error) -> io::Result<usize> {
    match error.reason() {
        Some(Reason::NO_ERROR) => Ok(0),
        _ => Err(io::Error::other(error)),
    }
}

/// The default size of a DATA frame. A larger write would only wait for the window.
const MOST: usize = 16 * 1024;
