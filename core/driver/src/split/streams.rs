//! Messages as streams on the sides of a split connection.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_sink::Sink;

use crate::error::Error;
use crate::split::acceptance::SendItem;
use crate::split::receiver::Receiver;
use crate::split::sender::Sender;
use crate::websocket::chunks::Intake;
use crate::websocket::reader::{MessageReader, MessageSource, Source, Take};
use crate::websocket::writer::{MessageTarget, MessageWriter, Target, abandoned};
use tidegate_core::{Chunk, MessageKind};

impl Receiver {
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

impl Sender {
    /// Begins a message that is written piece by piece. [`MessageWriter::finish`] ends it.
    ///
    /// From its first chunk to its end the connection is the writer's: what others send waits.
    /// Dropped before the end, it begins to close the connection, and those who wait get an error.
    pub fn write_message(&mut self, kind: MessageKind) -> MessageWriter<'_, Self> {
        MessageWriter::begin(self, kind)
    }
}

impl MessageSource for Receiver {}

impl Source for Receiver {
    fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
        take: Take,
    ) -> Poll<Result<Option<Chunk>, Error>> {
        let assembled = self.shared.with(|state, _| {
            if take == Take::First {
                state.intake.begin();
            }
            state.intake.take_assembled(Intake::Reading)
        });
        match assembled {
            Some(chunk) => Poll::Ready(Ok(Some(chunk))),
            None => self.poll_take(cx, Intake::chunk),
        }
    }

    fn ended(&self) -> Error {
        self.shared.lock().cannot_send()
    }
}

impl MessageTarget for Sender {}

/// As a sink does, it holds one chunk of its own while that waits for room.
impl Target for Sender {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Sink::poll_ready(Pin::new(self), cx)
    }

    fn start_chunk(&mut self, chunk: Chunk, is_first: bool) -> Result<(), Error> {
        self.start(SendItem::Chunk { chunk, begins: is_first })?;
        // The driver writes it, whether more comes soon or not.
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
            // Whoever waits learns of the end from the driver.
            if state.chunks_of == Some(self.id) {
                state.begin_close(abandoned(), wakes);
            }
        });
    }
}
