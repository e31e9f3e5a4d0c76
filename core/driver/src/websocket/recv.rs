//! Receiving from a WebSocket: messages, events, or only reading ahead.

use std::future::poll_fn;
use std::task::{Context, Poll};

use crate::error::Error;
use crate::event_loop::{Attempt, EventLoop};
use crate::io::{ByteStream, Clock};
use crate::websocket::WebSocket;
use crate::websocket::chunk_assembly::ChunkAssembly;
use crate::websocket::end::EndProgress;
use tidegate_core::{Event, Message};

impl<S: ByteStream, C: Clock> WebSocket<S, C> {
    /// Receives the next message. `None` after a normal end: the peer closed with 1000, 1001 or no
    /// code, or we closed and the peer answered.
    ///
    /// Before it waits, it writes all output, including what was [fed](Self::feed).
    ///
    /// With [`Delivery::Chunks`](tidegate_core::Delivery::Chunks) it puts the message together: up
    /// to `max_message_size` bytes, beyond those of
    /// [`memory_bound`](tidegate_core::Config::memory_bound). The unread rest of a message that was
    /// begun in chunks, with [`read_message`](Self::read_message) for example, is skipped.
    ///
    /// The end is reported when our own Close is written, or cannot be written. The peer may still
    /// have the stream open then; [`drive`](Self::drive) waits for it. Later calls return `None`.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]: the connection ended in another way. The error says which side ended it
    /// and why: another close code of the peer with its reason, a protocol error, a limit.
    /// [`Error::Io`]: the transport failed, and nothing else is known. The error is returned once,
    /// after all messages that came before it.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: the message that this call would have returned is returned by the next one.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Returns a message that is decoded already. It does not read, write or ask the clock. Use it
    /// between calls that wait, to take all messages that arrived together.
    pub fn try_recv(&mut self) -> Option<Message> {
        loop {
            match self.take_event()? {
                Event::Message(message) => return Some(message),
                event => {
                    if let Some(message) = self.assembly.message(event) {
                        return Some(message);
                    }
                }
            }
        }
    }

    /// Receives the next event: a message, a chunk, or a ping or pong if the configuration asks for
    /// those. `None` as for [`recv`](Self::recv). Never returns [`Event::Closed`].
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// As [`recv`](Self::recv).
    pub async fn next_event(&mut self) -> Result<Option<Event>, Error> {
        // A `recv` that was cancelled may have put a part of the message together. The chunks that
        // follow continue that part.
        if let Some(chunk) = self.assembly.take_assembled(ChunkAssembly::AsEvents) {
            return Ok(Some(Event::Chunk(chunk)));
        }
        poll_fn(|cx| {
            self.poll_until(cx, |socket| match socket.take_event() {
                Some(event) => match socket.assembly.event(event) {
                    Some(event) => Attempt::Done(Ok(Some(event))),
                    None => Attempt::Again,
                },
                None => socket.end(),
            })
        })
        .await
    }

    /// Reads ahead until the gate closes, answers pings, writes output and keeps the connection
    /// alive, but takes no message. Returns when the gate is closed, when only the end is left to
    /// receive, or when the connection is over.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn read_ahead(&mut self) {
        poll_fn(|cx| {
            self.poll_until(cx, |socket| {
                if socket.can_read_on() && socket.endpoint.stream.is_some() {
                    Attempt::Wait
                } else {
                    Attempt::Done(())
                }
            })
        })
        .await;
    }

    /// Does what [`read_ahead`](Self::read_ahead) does, and after the gate has closed goes on
    /// writing and keeping the connection alive. Returns only when the stream is closed. Use it in a
    /// `select` beside something else that the application waits for.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn drive(&mut self) {
        poll_fn(|cx| {
            self.poll_until(cx, |socket| match socket.endpoint.stream {
                Some(_) => Attempt::Wait,
                None => Attempt::Done(()),
            })
        })
        .await;
    }

    pub(crate) fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Message>, Error>> {
        // Messages that arrived together are taken without touching the stream, with two exceptions.
        // From time to time it is read, so that an application that takes long for each message
        // still answers pings. And an answer to a ping is written at once.
        if self.connection.queued_messages() > 0
            && !self.endpoint.is_read_due()
            && let Some(message) = self.try_recv()
        {
            if self.connection.wants_control_output() {
                self.endpoint.poll_output(cx, &mut self.connection);
            }
            // This way does not lead through `poll_until`, which does this last in every call.
            self.after_polling();
            return Poll::Ready(Ok(Some(message)));
        }
        self.poll_until(cx, |socket| match socket.take_event() {
            Some(Event::Message(message)) => Attempt::Done(Ok(Some(message))),
            Some(event) => match socket.assembly.message(event) {
                Some(message) => Attempt::Done(Ok(Some(message))),
                None => Attempt::Again,
            },
            None => socket.end(),
        })
    }

    /// Whether more can arrive before the application takes a message.
    pub(crate) fn can_read_on(&self) -> bool {
        self.connection.is_gate_open() && !self.connection.is_end_queued()
    }

    /// Takes the next event. The last one, `Closed`, is only noted.
    pub(crate) fn take_event(&mut self) -> Option<Event> {
        match self.connection.poll_event() {
            Some(Event::Closed(_)) => {
                // The application is told by `end`, and only when our own Close is written or
                // cannot be.
                self.end = EndProgress::EventsTaken;
                None
            }
            event => event,
        }
    }
}
