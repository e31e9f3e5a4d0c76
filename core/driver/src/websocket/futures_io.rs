//! `AsyncRead` and `AsyncWrite` of `futures-io` for messages that are read and written in parts.

use std::io::Result;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use crate::websocket::reader::{MessageReader, MessageSource};
use crate::websocket::writer::{MessageTarget, MessageWriter};

impl<T: MessageSource> AsyncRead for MessageReader<'_, T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<usize>> {
        self.poll_read_slice(cx, buffer)
    }
}

/// Closing it means [`finish`](MessageWriter::finish).
impl<T: MessageTarget> AsyncWrite for MessageWriter<'_, T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<Result<usize>> {
        self.poll_write_slice(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        MessageWriter::poll_flush(&mut self, cx).map_err(Into::into)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_finish(cx).map_err(Into::into)
    }
}
