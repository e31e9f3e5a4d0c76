//! A message that is read as it arrives.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};

use crate::error::Error;
use crate::event_loop::{Driven, Goal};
use crate::io::ByteStream;
use crate::io::Clock;
use crate::websocket::WebSocket;
use crate::websocket::chunks::Intake;
use tidegate_core::{Chunk, MessageKind};

/// A message that arrives: chunk by chunk, or as a stream of bytes through the runtime's
/// `AsyncRead`.
///
/// With [`Delivery::Chunks`](tidegate_core::Delivery::Chunks) a message of any length passes through
/// constant memory; raise `max_message_size` for it. With
/// [`Delivery::Whole`](tidegate_core::Delivery::Whole) it is one chunk. Pings are answered meanwhile.
///
/// Dropped before the end, the rest of its message is skipped, by the calls that follow, and nothing
/// else.
pub struct MessageReader<'a, T> {
    source: &'a mut T,
    kind: MessageKind,
    /// What of the last chunk is not read.
    rest: Bytes,
    has_ended: bool,
}

impl<S: ByteStream, C: Clock> WebSocket<S, C> {
    /// Waits for the next message and reads it as it arrives; `None` once the connection was closed
    /// cleanly. What is left of a message that was begun in chunks is skipped.
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
        let first = poll_fn(|cx| source.poll_chunk(cx, Take::First)).await?;
        Ok(first.map(|Chunk { kind, payload, last }| Self {
            source,
            kind,
            rest: payload,
            has_ended: last,
        }))
    }

    /// Gives what has arrived of the message next; `None` at its end. Text is cut between
    /// characters, unless its validation is off or a part of a chunk was read as bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] and [`Error::Io`]: the connection ended in the middle of the message, by a
    /// Close too. What came of it is not a message.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: the chunk that would have come next comes with the next call.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>, Error> {
        poll_fn(|cx| self.poll_next_chunk(cx)).await
    }

    /// As [`next_chunk`](Self::next_chunk), as a poll.
    ///
    /// # Errors
    ///
    /// As [`next_chunk`](Self::next_chunk).
    pub fn poll_next_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        Poll::Ready(match ready!(self.poll_rest(cx)) {
            Ok(()) if self.rest.is_empty() => Ok(None),
            Ok(()) => Ok(Some(std::mem::take(&mut self.rest))),
            Err(error) => Err(error),
        })
    }

    /// Reads some bytes of the message; 0 at its end: what the `AsyncRead` of a runtime does.
    ///
    /// # Errors
    ///
    /// As [`next_chunk`](Self::next_chunk); that the connection was closed in the middle of the
    /// message is an [`UnexpectedEof`](io::ErrorKind::UnexpectedEof).
    pub fn poll_read_slice(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(self.poll_rest(cx)).map_err(|error| {
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

    /// Waits until there is something to read, or the message has ended.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while self.rest.is_empty() && !self.has_ended {
            let chunk = ready!(self.source.poll_chunk(cx, Take::Next))?;
            let Some(chunk) = chunk else { return Poll::Ready(Err(self.source.ended())) };
            self.rest = chunk.payload;
            self.has_ended = chunk.last;
        }
        Poll::Ready(Ok(()))
    }
}

impl<T> MessageReader<'_, T> {
    /// Whether it is text or binary.
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

/// What messages are read from: a [`WebSocket`], or a [`Receiver`](crate::Receiver). Nothing else
/// implements it.
pub trait MessageSource: Source {}

impl<S: ByteStream, C: Clock> MessageSource for WebSocket<S, C> {}

/// Keeps [`MessageSource`] to this crate.
#[allow(unnameable_types, reason = "nobody else implements it")]
pub trait Source: Unpin {
    /// The next chunk; `None` once the connection was closed cleanly.
    fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
        take: Take,
    ) -> Poll<Result<Option<Chunk>, Error>>;

    /// Why there is no more.
    fn ended(&self) -> Error;
}

/// Which chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(unnameable_types, clippy::exhaustive_enums, reason = "nobody else uses it")]
pub enum Take {
    /// The first of the next message.
    First,
    /// The next of this one.
    Next,
}

impl<S: ByteStream, C: Clock> Source for WebSocket<S, C> {
    fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
        take: Take,
    ) -> Poll<Result<Option<Chunk>, Error>> {
        if take == Take::First {
            self.intake.begin();
        }
        if let Some(chunk) = self.intake.take_assembled(Intake::Reading) {
            return Poll::Ready(Ok(Some(chunk)));
        }
        self.poll_until(cx, |socket| match socket.take_event() {
            Some(event) => match socket.intake.chunk(event) {
                Some(chunk) => Goal::Done(Ok(Some(chunk))),
                None => Goal::Again,
            },
            None => socket.end(),
        })
    }

    fn ended(&self) -> Error {
        self.cannot_send()
    }
}
