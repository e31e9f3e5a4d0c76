//! A stream in memory: endlessly the same input, in reads like those of a socket. Output is discarded.

use std::hint::black_box;
use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Copies into the reader's buffer as the kernel does, at most 64 KiB at a time.
#[derive(Clone)]
pub struct Endless {
    input: Arc<[u8]>,
    at: usize,
}

impl Endless {
    /// Repeats this frame.
    pub fn of(frame: &[u8]) -> Self {
        Self { input: frame.repeat((READ / frame.len()).max(1)).into(), at: 0 }
    }

    /// For rows that only write.
    pub fn silent() -> Self {
        Self { input: Arc::new([]), at: 0 }
    }

    pub fn next_read(&mut self, most: usize) -> &[u8] {
        if self.at == self.input.len() {
            self.at = 0;
        }
        let end = self.input.len().min(self.at + most.min(READ));
        let taken = &self.input[self.at..end];
        self.at = end;
        taken
    }

    fn put(slices: &[IoSlice<'_>]) -> usize {
        slices.iter().map(|slice| black_box(slice).len()).sum()
    }
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.input.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = self.next_read(buffer.len());
        buffer[..taken.len()].copy_from_slice(taken);
        Ok(taken.len())
    }
}

impl Write for Endless {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(black_box(bytes).len())
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(Self::put(slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Endless {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.input.is_empty() {
            return Poll::Pending;
        }
        buffer.put_slice(self.next_read(buffer.remaining()));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Endless {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(black_box(bytes).len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(Self::put(slices)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl wtx::stream::StreamReader for Endless {
    async fn read(&mut self, buffer: &mut [u8]) -> wtx::Result<usize> {
        Ok(Read::read(self, buffer)?)
    }
}

impl wtx::stream::StreamWriter for Endless {
    async fn write_all(&mut self, bytes: &[u8]) -> wtx::Result<()> {
        black_box(bytes);
        Ok(())
    }

    async fn write_all_vectored(&mut self, bytes: &[&[u8]]) -> wtx::Result<()> {
        black_box(bytes);
        Ok(())
    }
}

pub const READ: usize = 64 * 1024;
