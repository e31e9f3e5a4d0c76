//! Sends a message of any length piece by piece, as a stream of bytes.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use crate::error::Error;
use crate::event_loop::EventLoop;
use crate::io::{ByteStream, Clock};
use crate::websocket::WebSocket;
use tidegate_core::{Chunk, CloseCode, CloseFrame, MessageKind};

/// A message on its way out: chunk by chunk, or as a stream of bytes through the runtime's
/// `AsyncWrite`, whose shutdown is [`finish`](Self::finish).
///
/// Each chunk goes out as a fragment, with control frames in between. Text must be UTF-8; a chunk may
/// end within a character.
///
/// If it is dropped before the message is finished, the connection ends: a Close with
/// [`CloseCode::INTERNAL_ERROR`] is sent instead of the rest, so that the peer can't take a part of
/// the message for all of it. On a [`WebSocket`] the calls that follow send it. If nothing was
/// written yet, nothing happens.
#[must_use = "a message that is not finished ends the connection"]
pub struct MessageWriter<'a, T: MessageTarget> {
    target: &'a mut T,
    kind: MessageKind,
    progress: WriterProgress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WriterProgress {
    /// No chunk is sent yet.
    Ahead,
    /// A chunk is sent, and not the last one.
    Begun,
    /// The last chunk is sent, but it may have to wait for room.
    Ending,
    /// All chunks are accepted.
    Finished,
}

impl<S: ByteStream, C: Clock> WebSocket<S, C> {
    /// Begins a message that is written piece by piece. [`MessageWriter::finish`] ends it.
    pub fn write_message(&mut self, kind: MessageKind) -> MessageWriter<'_, Self> {
        MessageWriter::begin(self, kind)
    }
}

impl<'a, T: MessageTarget> MessageWriter<'a, T> {
    pub(crate) const fn begin(target: &'a mut T, kind: MessageKind) -> Self {
        Self { target, kind, progress: WriterProgress::Ahead }
    }

    /// Whether it is text or binary.
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// Sends a part of the message: waits until the outbox has room for it, but not until it is
    /// written.
    ///
    /// # Errors
    ///
    /// [`Error::Closing`] and [`Error::Closed`]: nothing can be sent any more. [`Error::Io`]: the
    /// transport failed. [`Error::Chunk`]: the text is no UTF-8; the message can go on with another
    /// chunk. [`Error::Unfinished`]: a message that was begun with `send_chunk` is not finished.
    ///
    /// # Cancel safety
    ///
    /// If it is cancelled before there was room, the whole chunk may be dropped. Then drop the writer,
    /// unless the message is right without that chunk.
    pub async fn send_chunk(&mut self, payload: impl Into<Bytes>) -> Result<(), Error> {
        let payload = payload.into();
        poll_fn(|cx| self.target.poll_ready(cx)).await?;
        if !payload.is_empty() {
            self.start(payload, false)?;
        }
        poll_fn(|cx| self.target.poll_accepted(cx)).await
    }

    /// Ends the message, and waits until the stream has taken all of it. An empty message is one
    /// too.
    ///
    /// # Errors
    ///
    /// As [`send_chunk`](Self::send_chunk); [`Error::Chunk`] also for text that ends in the middle
    /// of a character. The message is not finished then, and the connection ends.
    ///
    /// # Cancel safety
    ///
    /// If it is cancelled before there was room for the end, the message stays unfinished and the
    /// connection ends. If it is cancelled later, the message is sent.
    pub async fn finish(mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_finish(cx)).await
    }

    /// As [`finish`](Self::finish), as a poll.
    ///
    /// # Errors
    ///
    /// As [`finish`](Self::finish).
    pub fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        // The `progress` tells the polls apart: this is polled until it is ready, and the end of
        // the message goes out once.
        if matches!(self.progress, WriterProgress::Ahead | WriterProgress::Begun) {
            ready!(self.target.poll_ready(cx))?;
            self.start(Bytes::new(), true)?;
        }
        if self.progress == WriterProgress::Ending {
            ready!(self.target.poll_accepted(cx))?;
            self.progress = WriterProgress::Finished;
        }
        self.target.poll_written(cx)
    }

    /// Writes some bytes of the message, 64 KiB at most, as soon as there is room: what the
    /// `AsyncWrite` of a runtime does.
    ///
    /// # Errors
    ///
    /// As [`send_chunk`](Self::send_chunk), and [`BrokenPipe`](io::ErrorKind::BrokenPipe) behind
    /// the end of the message.
    pub fn poll_write_slice(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        if matches!(self.progress, WriterProgress::Ending | WriterProgress::Finished) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let piece = buffer.get(..MOST).unwrap_or(buffer);
        if !piece.is_empty() {
            ready!(self.target.poll_ready(cx))?;
            self.start(Bytes::copy_from_slice(piece), false)?;
        }
        Poll::Ready(Ok(piece.len()))
    }

    /// Waits until the stream has taken what was written: what the `AsyncWrite` of a runtime does.
    ///
    /// # Errors
    ///
    /// As [`send_chunk`](Self::send_chunk).
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.target.poll_written(cx)
    }

    fn start(&mut self, payload: Bytes, last: bool) -> Result<(), Error> {
        let chunk = Chunk { kind: self.kind, payload, last };
        self.target.start_chunk(chunk, self.progress == WriterProgress::Ahead)?;
        self.progress = if last { WriterProgress::Ending } else { WriterProgress::Begun };
        Ok(())
    }
}

impl<T: MessageTarget> Drop for MessageWriter<'_, T> {
    fn drop(&mut self) {
        // In `Ending` the last chunk may still wait for room. `abandon` does nothing if it was
        // accepted.
        if matches!(self.progress, WriterProgress::Begun | WriterProgress::Ending) {
            self.target.abandon();
        }
    }
}

impl<T: MessageTarget> fmt::Debug for MessageWriter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageWriter")
            .field("kind", &self.kind)
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

/// What messages are written to: a [`WebSocket`], or a [`Sender`](crate::Sender). Nothing else
/// implements it.
pub trait MessageTarget: Target {}

impl<S: ByteStream, C: Clock> MessageTarget for WebSocket<S, C> {}

/// Keeps [`MessageTarget`] to this crate.
#[allow(unnameable_types, reason = "nobody else implements it")]
pub trait Target: Unpin {
    /// Waits until the next chunk can be taken.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>>;

    /// Takes a chunk after `poll_ready` was ready. `is_first`: it must begin a message, and not
    /// continue one that another writer left unfinished.
    fn start_chunk(&mut self, chunk: Chunk, is_first: bool) -> Result<(), Error>;

    /// Waits until the chunk is in the outbox, and offers that to the stream.
    fn poll_accepted(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>>;

    /// Waits until the stream has taken everything.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>>;

    /// Called when the message will not be finished. Does nothing if it is, or was not begun.
    fn abandon(&mut self);
}

impl<S: ByteStream, C: Clock> Target for WebSocket<S, C> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.has_room_for_chunk() {
            return Poll::Ready(Ok(()));
        }
        self.poll_until(cx, Self::room_for_chunk)
    }

    fn start_chunk(&mut self, chunk: Chunk, is_first: bool) -> Result<(), Error> {
        if is_first && self.connection.is_message_unfinished() {
            return Err(Error::Unfinished);
        }
        self.accept_chunk(chunk)
    }

    fn poll_accepted(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        // What the stream does not take now waits for the calls that follow, which tell what is
        // wrong if something is.
        let _ = self.poll_written(cx);
        Poll::Ready(Ok(()))
    }

    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_until(cx, |socket| socket.flushed())
    }

    fn abandon(&mut self) {
        if self.connection.is_message_unfinished() {
            // The calls that follow send it. The code may be sent and the reason is short.
            let _ = self.begin_close(abandoned());
        }
    }
}

/// The Close that is sent instead of the rest of a message.
pub(crate) fn abandoned() -> CloseFrame {
    CloseFrame::new(CloseCode::INTERNAL_ERROR, "message abandoned")
}

/// Bytes in one chunk of a stream of bytes.
const MOST: usize = 64 * 1024;
