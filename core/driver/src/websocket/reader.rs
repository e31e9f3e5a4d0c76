//! Reading a message while it arrives, in chunks or as a stream of bytes.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};

use crate::error::Error;
use crate::event_loop::{Attempt, EventLoop};
use crate::io::{ByteStream, Clock};
use crate::websocket::WebSocket;
use crate::websocket::chunk_assembly::ChunkAssembly;
use tidegate_core::{Chunk, MessageKind};

/// Reads one message while it arrives: chunk by chunk, or as a stream of bytes with the runtime's
/// `AsyncRead`.
///
/// With [`Delivery::Chunks`](tidegate_core::Delivery::Chunks) a message of any length passes through
/// constant memory; raise `max_message_size` for long ones. With
/// [`Delivery::Whole`](tidegate_core::Delivery::Whole) the message is one chunk. Pings are answered
/// meanwhile.
///
/// If it is dropped before the end of its message, later calls skip the rest of that message.
pub struct MessageReader<'a, T> {
    source: &'a mut T,
    kind: MessageKind,
    /// The unread part of the last chunk.
    rest: Bytes,
    has_ended: bool,
}

impl<S: ByteStream, C: Clock> WebSocket<S, C> {
    /// Waits for the next message, to be read while it arrives. `None` as for [`recv`](Self::recv).
    /// The unread rest of a message that was begun in chunks is skipped.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// As [`recv`](Self::recv).
    pub async fn read_message(&mut self) -> Result<Option<MessageReader<'_, Self>>, Error> {
        MessageReader::begin(self).await
    }
}

impl<'a, T: MessageSource> MessageReader<'a, T> {
    pub(crate) async fn begin(source: &'a mut T) -> Result<Option<Self>, Error> {
        let first = poll_fn(|cx| source.poll_chunk(cx, WantedChunk::First)).await?;
        Ok(first.map(|Chunk { kind, payload, last }| Self {
            source,
            kind,
            rest: payload,
            has_ended: last,
        }))
    }

    /// Returns the next part of the message that has arrived; `None` at the end of the message. Text
    /// is cut between characters, unless its validation is off or a part of a chunk was read as
    /// bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] and [`Error::Io`]: the connection ended in the middle of the message, even
    /// if it was by a Close. The parts that arrived are not a message.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: the chunk that this call would have returned is returned by the next one.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>, Error> {
        poll_fn(|cx| self.poll_next_chunk(cx)).await
    }

    /// Polls for the next chunk. See [`next_chunk`](Self::next_chunk).
    ///
    /// # Errors
    ///
    /// As [`next_chunk`](Self::next_chunk).
    pub fn poll_next_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        Poll::Ready(match ready!(self.poll_rest(cx)) {
            // The last chunk may be empty: a `MessageWriter` ends its message with an empty frame.
            // The reader is told of the end then, and not of an empty part.
            Ok(()) if self.rest.is_empty() => Ok(None),
            Ok(()) => Ok(Some(std::mem::take(&mut self.rest))),
            Err(error) => Err(error),
        })
    }

    /// Reads some bytes of the message; 0 at its end. The `AsyncRead` of each runtime calls this.
    ///
    /// # Errors
    ///
    /// As [`next_chunk`](Self::next_chunk). A connection that was closed in the middle of the message
    /// gives [`UnexpectedEof`](io::ErrorKind::UnexpectedEof).
    pub fn poll_read_slice(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(self.poll_rest(cx)).map_err(|error| {
            // Not `Ok(0)`, which means the end of the message. A part must not be taken for the
            // whole, even if the peer closed in an orderly way.
            if let Error::Closed(_) = error {
                io::Error::new(io::ErrorKind::UnexpectedEof, error)
            } else {
                error.into()
            }
        })?;
        let count = buffer.len().min(self.rest.len());
        if let Some(buffer) = buffer.get_mut(..count) {
            self.rest.copy_to_slice(buffer);
        }
        Poll::Ready(Ok(count))
    }

    /// Waits until there are bytes to read, or the message has ended.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        // After the last chunk the source is not asked again: it would give a part of the next
        // message.
        while self.rest.is_empty() && !self.has_ended {
            let chunk = ready!(self.source.poll_chunk(cx, WantedChunk::Next))?;
            let Some(chunk) = chunk else { return Poll::Ready(Err(self.source.ended())) };
            self.rest = chunk.payload;
            self.has_ended = chunk.last;
        }
        Poll::Ready(Ok(()))
    }
}

impl<T> MessageReader<'_, T> {
    /// Returns whether the message is text or binary.
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }
}

impl<T> fmt::Debug for MessageReader<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageReader")
            .field("kind", &self.kind)
            .field("has_ended", &self.has_ended)
            .finish_non_exhaustive()
    }
}

/// The source of messages of a [`MessageReader`]: a [`WebSocket`] or a [`Receiver`](crate::Receiver).
/// It cannot be implemented outside of this crate.
pub trait MessageSource: ChunkSource {}

impl<S: ByteStream, C: Clock> MessageSource for WebSocket<S, C> {}

/// The methods of [`MessageSource`], in a trait that other crates cannot name.
#[allow(unnameable_types, reason = "it seals MessageSource")]
pub trait ChunkSource: Unpin {
    /// Gives the next chunk; `None` after a normal end.
    fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
        wanted: WantedChunk,
    ) -> Poll<Result<Option<Chunk>, Error>>;

    /// Why there are no more chunks.
    fn ended(&self) -> Error;
}

/// Which chunk a reader wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(unnameable_types, clippy::exhaustive_enums, reason = "it belongs to a sealed trait")]
pub enum WantedChunk {
    /// The first chunk of the next message.
    First,
    /// The next chunk of the current message.
    Next,
}

impl<S: ByteStream, C: Clock> ChunkSource for WebSocket<S, C> {
    fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
        wanted: WantedChunk,
    ) -> Poll<Result<Option<Chunk>, Error>> {
        if wanted == WantedChunk::First {
            self.assembly.begin_message();
        }
        // A `recv` that was cancelled may have put a part of the message together. That part comes
        // first, so nothing is lost.
        if let Some(chunk) = self.assembly.take_assembled(ChunkAssembly::InReader) {
            return Poll::Ready(Ok(Some(chunk)));
        }
        self.poll_until(cx, |socket| match socket.take_event() {
            Some(event) => match socket.assembly.chunk(event) {
                Some(chunk) => Attempt::Done(Ok(Some(chunk))),
                None => Attempt::Again,
            },
            None => socket.end(),
        })
    }

    fn ended(&self) -> Error {
        self.cannot_send()
    }
}
