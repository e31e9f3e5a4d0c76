//! Reading and writing a message in parts on a split connection.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_sink::Sink;

use crate::error::Error;
use crate::split::receiver::Receiver;
use crate::split::send_item::SendItem;
use crate::split::sender::Sender;
use crate::websocket::{
    ChunkAssembly, ChunkSource, MessageReader, MessageSource, MessageTarget, MessageWriter, Target,
    WantedChunk, abandoned,
};
use tidegate_core::{Chunk, MessageKind};

impl Receiver {
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

impl Sender {
    /// Begins a message that is written in parts. [`MessageWriter::finish`] ends it.
    ///
    /// From the first chunk to the end of the message, messages of other senders wait. If the writer
    /// is dropped in between, the connection is closed, and the senders that wait get an error.
    pub fn write_message(&mut self, kind: MessageKind) -> MessageWriter<'_, Self> {
        MessageWriter::begin(self, kind)
    }
}

impl MessageSource for Receiver {}

impl ChunkSource for Receiver {
    fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
        wanted: WantedChunk,
    ) -> Poll<Result<Option<Chunk>, Error>> {
        let assembled = self.shared.with(|state, _| {
            if wanted == WantedChunk::First {
                state.assembly.begin_message();
            }
            state.assembly.take_assembled(ChunkAssembly::InReader)
        });
        match assembled {
            Some(chunk) => Poll::Ready(Ok(Some(chunk))),
            None => self.poll_take(cx, ChunkAssembly::chunk),
        }
    }

    fn ended(&self) -> Error {
        self.shared.lock().cannot_send()
    }
}

impl MessageTarget for Sender {}

/// Like the `Sink`, it holds one chunk of its own while that waits for room in the outbox.
impl Target for Sender {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Sink::poll_ready(Pin::new(self), cx)
    }

    fn start_chunk(&mut self, chunk: Chunk, is_first: bool) -> Result<(), Error> {
        self.start(SendItem::Chunk { chunk, begins: is_first })?;
        // Wakes the driver, so that the chunk is written at once even if no other follows soon.
        self.shared.with(|_, _| ());
        Ok(())
    }

    fn poll_accepted(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_room(cx)
    }

    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx))?;
        Sink::poll_flush(Pin::new(self), cx)
    }

    fn abandon(&mut self) {
        self.leave();
        self.shared.with(|state, wakes| {
            // The driver tells the senders that wait.
            if state.chunks_of == Some(self.id) {
                state.begin_close(abandoned(), wakes);
            }
        });
    }
}
