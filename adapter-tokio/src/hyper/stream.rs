//! The stream of an upgraded request. Joins small writes, because hyper would send each on its own.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io::{self, IoSlice};

use hyper::http::Version;
use hyper::rt::{Read, ReadBuf, Write};
use hyper::upgrade::Upgraded;
use tidegate_driver::ByteStream;

/// An upgraded connection of HTTP/1.1, or a stream of HTTP/2.
#[derive(Debug)]
pub struct HyperStream {
    upgraded: Upgraded,
    /// Whether output is copied and written in pieces of at most [`PIECE`].
    in_pieces: bool,
}

impl HyperStream {
    pub(crate) fn new(upgraded: Upgraded, version: Version) -> Self {
        // If hyper cannot write several slices at once, it writes only the first: the header of a
        // frame, without its payload.
        let in_pieces = version == Version::HTTP_2 || !upgraded.is_write_vectored();
        Self { upgraded, in_pieces }
    }
}

impl ByteStream for HyperStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(&mut self.upgraded).poll_read(cx, buffer.unfilled()))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let upgraded = Pin::new(&mut self.upgraded);
        match slices {
            [first, ..] if self.in_pieces && first.len() >= PIECE => {
                upgraded.poll_write(cx, first.get(..PIECE).unwrap_or(first))
            }
            [slice] => upgraded.poll_write(cx, slice),
            slices if self.in_pieces => upgraded.poll_write(cx, &join(slices)),
            slices => upgraded.poll_write_vectored(cx, slices),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.upgraded).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.upgraded).poll_shutdown(cx)
    }
}

/// Copies the first [`PIECE`] bytes of the slices into one buffer. So the header of a frame is sent
/// with its payload, and not as a DATA frame of its own.
fn join(slices: &[IoSlice<'_>]) -> Vec<u8> {
    let length = slices.iter().map(|slice| slice.len()).sum::<usize>().min(PIECE);
    let mut joined = Vec::with_capacity(length);
    for slice in slices {
        let count = slice.len().min(length - joined.len());
        joined.extend_from_slice(slice.get(..count).unwrap_or_default());
    }
    joined
}

/// How much is written to a stream of HTTP/2 at a time: one DATA frame (RFC 9113 §4.2: 16,384 bytes
/// unless the peer allows more). hyper copies up to four pieces that the window does not admit yet,
/// whatever their length, so longer pieces would only wait in its memory.
const PIECE: usize = 16 * 1024;
