//! Sends messages, chunks, pings and pongs through a `WebSocket`.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;

use crate::error::Error;
use crate::event_loop::{Attempt, EventLoop};
use crate::io::{ByteStream, Clock};
use crate::websocket::WebSocket;
use crate::websocket::end::{is_cause_known, is_output_done};
use tidegate_core::{Chunk, ChunkError, ControlError, Outgoing, SendError};

impl<S: ByteStream, C: Clock> WebSocket<S, C> {
    /// Sends a message: waits until the stream has taken it, and everything that was fed before.
    ///
    /// [`Outgoing`] lists what can be given: text or bytes, owned or borrowed, a
    /// [`Message`](tidegate_core::Message), or a [`Prepared`](tidegate_core::Prepared) one that many
    /// connections share.
    ///
    /// Meanwhile messages are read ahead up to the gate and pings are answered. For many messages
    /// that need not be written one by one, [`feed`](Self::feed) is faster: a loop that answers is
    /// `while let Some(message) = ws.recv().await? { ws.feed(message).await? }`.
    ///
    /// # Errors
    ///
    /// [`Error::Closing`] and [`Error::Closed`]: nothing can be sent any more. [`Error::Io`]: the
    /// transport failed; messages that arrived before can still be received.
    /// [`Error::Unfinished`]: a message in chunks is not finished.
    ///
    /// # Cancel safety
    ///
    /// If it is cancelled before there was room, the message is dropped and nothing of it is sent. If
    /// it is cancelled later, the calls that follow send all of it.
    pub async fn send(&mut self, message: impl Into<Outgoing<'_>>) -> Result<(), Error> {
        // What `feed` does. Calling it here would cost 4 % more instructions for a short message: one
        // more future to keep and to poll.
        if self.has_room() {
            self.accept(message)?;
        } else {
            self.wait_and_accept(message.into()).await?;
        }
        self.flush().await
    }

    /// Accepts a message without waiting until it is written. Waits only for room in the outbox,
    /// and writes for that.
    ///
    /// What was fed is written at the latest when a [`recv`](Self::recv) has to wait, by
    /// [`flush`](Self::flush), or with the next [`send`](Self::send). What is not written when the
    /// `WebSocket` is dropped is lost; [`close`](Self::close) writes it.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// If it is cancelled, the message is dropped and nothing of it is sent.
    pub async fn feed(&mut self, message: impl Into<Outgoing<'_>>) -> Result<(), Error> {
        // With room there is no reason to touch the stream: a batch goes out in one write.
        if self.has_room() {
            return self.accept(message);
        }
        self.wait_and_accept(message.into()).await
    }

    /// Accepts a message when there is room, in the same poll: what is read after that may be the
    /// peer's Close.
    async fn wait_and_accept(&mut self, message: Outgoing<'_>) -> Result<(), Error> {
        let mut waiting = Some(message);
        poll_fn(|cx| {
            self.poll_until(cx, |socket| match socket.room() {
                Attempt::Done(Ok(())) => Attempt::Done(match waiting.take() {
                    // `poll_until` stops at the first `Done`, so the message is there. The
                    // compiler does not know that, hence the other arm.
                    Some(message) => socket.accept(message),
                    None => Ok(()),
                }),
                goal => goal,
            })
        })
        .await
    }

    /// Waits until the stream has taken everything that was accepted.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] and [`Error::Io`]: the connection ended before.
    ///
    /// # Cancel safety
    ///
    /// The calls that follow write the rest.
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_until(cx, |socket| socket.flushed())).await
    }

    /// Accepts a message if the outbox has room, without waiting and without writing. The next call
    /// that waits writes it.
    ///
    /// # Errors
    ///
    /// [`SendError`], which gives the message back; a borrowed one is copied for that.
    #[inline]
    pub fn try_send<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> Result<(), SendError> {
        if self.endpoint.has_write_failed() {
            return Err(SendError::Closed(message.into().into_message()));
        }
        self.connection.send(message)
    }

    /// Sends a part of a message, as [`send`](Self::send) sends a whole one.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and [`Error::Chunk`]: the chunk does not continue the message.
    ///
    /// # Cancel safety
    ///
    /// If it is cancelled before there was room, the chunk is dropped, and the message goes on with
    /// the next one. If it is cancelled later, the calls that follow send it.
    pub async fn send_chunk(&mut self, chunk: Chunk) -> Result<(), Error> {
        let mut waiting = Some(chunk);
        poll_fn(|cx| {
            self.poll_until(cx, |socket| match socket.room_for_chunk() {
                Attempt::Done(Ok(())) => Attempt::Done(match waiting.take() {
                    Some(chunk) => socket.accept_chunk(chunk),
                    None => Ok(()),
                }),
                goal => goal,
            })
        })
        .await?;
        self.flush().await
    }

    /// Pings the peer and waits for the pong to this ping, or to a later one: how long it took.
    ///
    /// `None` if the gate closed first, or the peer's Close came: the pong, or the Close, then waits
    /// after messages that the application has not taken. Also `None` if `pong_timeout` passes
    /// without the pong while the peer sends other things; a peer that sends nothing for so long is
    /// [`Failure::KeepaliveTimeout`](tidegate_core::Failure::KeepaliveTimeout).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// The ping may have been sent; the calls that follow take its pong.
    pub async fn ping(&mut self) -> Result<Option<Duration>, Error> {
        self.pings += 1;
        // Eight bytes, where the payload of a keepalive ping has four: their pongs cannot be mixed
        // up.
        let payload = self.pings.to_be_bytes();
        let (mut sent, mut has_looked) = (None, false);
        let pong = poll_fn(|cx| {
            self.poll_until(cx, |socket| {
                let Some((number, limit)) = sent else {
                    let now = socket.endpoint.clock.now();
                    return match socket.connection.ping(now, payload.to_vec()) {
                        Ok(number) => {
                            let limit = socket.connection.config().pong_timeout();
                            let limit = limit.map(|limit| now + limit);
                            socket.endpoint.alarm = limit;
                            sent = Some((number, limit));
                            // Again, so that the ping is offered to the stream before this call
                            // waits.
                            Attempt::Again
                        }
                        Err(ControlError::Full) => socket.wait_for_room(),
                        Err(ControlError::Closed) => Attempt::Done(Err(socket.cannot_send())),
                        Err(error) => Attempt::Done(Err(Error::Control(error))),
                    };
                };
                // The answer comes first: a pong that has arrived counts even if the connection
                // has ended since.
                if socket.connection.is_ping_answered(number) {
                    Attempt::Done(Ok(socket.connection.latency()))
                } else if socket.cannot_write() {
                    Attempt::Done(Err(socket.cannot_send()))
                } else if !socket.can_read_on() {
                    Attempt::Done(Ok(None))
                } else if limit.is_none_or(|limit| limit > socket.endpoint.clock.now()) {
                    Attempt::Wait
                } else if has_looked {
                    Attempt::Done(Ok(None))
                } else {
                    // The pong may have arrived: a call that comes late reads before it decides.
                    has_looked = true;
                    // The core gives a last look the same millisecond (R1 in
                    // docs/flow-control.md).
                    socket.endpoint.alarm = limit.map(|limit| limit + Duration::from_millis(1));
                    Attempt::Wait
                }
            })
        })
        .await;
        // A call that is cancelled leaves its alarm. That costs a later call one wake-up at most:
        // an alarm in the past is dropped.
        self.endpoint.alarm = None;
        pong
    }

    /// Sends a pong: the answer to a ping that is left to the application
    /// ([`PongPolicy::Manual`](tidegate_core::PongPolicy::Manual)), or a heartbeat that nobody asked for.
    ///
    /// # Errors
    ///
    /// [`Error::Control`]: over 125 bytes. Otherwise as [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// The calls that follow send the pong.
    pub async fn pong(&mut self, payload: impl Into<Bytes>) -> Result<(), Error> {
        match self.connection.pong(payload) {
            Ok(()) => self.flush().await,
            Err(ControlError::Closed) => Err(self.cannot_send()),
            Err(error) => Err(Error::Control(error)),
        }
    }

    /// Takes a message into the outbox when there is room: what `send`, `feed` and the sink end in.
    ///
    /// Inlined where the kind of message is known: as a call it costs `feed` a tenth more.
    #[inline(always)]
    pub(crate) fn accept<'m>(&mut self, message: impl Into<Outgoing<'m>>) -> Result<(), Error> {
        self.try_send(message).map_err(|error| self.not_accepted(error))
    }

    /// Takes a chunk into the outbox when there is room.
    pub(crate) fn accept_chunk(&mut self, chunk: Chunk) -> Result<(), Error> {
        self.connection.send_chunk(chunk).map_err(|error| match error {
            ChunkError::Full(_) => Error::NotReady,
            ChunkError::Closed(_) => self.cannot_send(),
            error => Error::Chunk(error),
        })
    }

    #[cold]
    fn not_accepted(&self, error: SendError) -> Error {
        if error.is_closed() { self.cannot_send() } else { error.into() }
    }

    /// Whether a message would be accepted now.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.connection.can_send() && !self.endpoint.has_write_failed()
    }

    /// Waits until a message would be accepted. Within a message in chunks it does not wait: room
    /// would not help, and only this caller could finish that message.
    pub(crate) fn room(&mut self) -> Attempt<Result<(), Error>> {
        if self.has_room() {
            return Attempt::Done(Ok(()));
        }
        let is_open = !self.connection.is_closing() && !self.endpoint.has_write_failed();
        if is_open && self.connection.is_message_unfinished() {
            return Attempt::Done(Err(Error::Unfinished));
        }
        self.wait_for_room()
    }

    /// Whether a chunk would be accepted now.
    pub(crate) fn has_room_for_chunk(&self) -> bool {
        self.connection.can_send_chunk() && !self.endpoint.has_write_failed()
    }

    /// Waits until a chunk would be accepted.
    pub(crate) fn room_for_chunk(&mut self) -> Attempt<Result<(), Error>> {
        if self.has_room_for_chunk() { Attempt::Done(Ok(())) } else { self.wait_for_room() }
    }

    /// Waits until it is known why writing failed: what can still be read may say so.
    fn wait_for_cause<T>(&self) -> Attempt<Result<T, Error>> {
        if is_cause_known(&self.connection) {
            Attempt::Done(Err(self.cannot_send()))
        } else {
            Attempt::Wait
        }
    }

    /// Waits until there is room, or until it is known that there will be none. An application may
    /// drop the socket when it learns that, so what was accepted before is written first, if it can
    /// be.
    pub(crate) fn wait_for_room<T>(&mut self) -> Attempt<Result<T, Error>> {
        let is_over =
            self.connection.closed().is_none() || is_output_done(&self.connection, &self.endpoint);
        if self.cannot_write() && is_over {
            return Attempt::Done(Err(self.cannot_send()));
        }
        self.connection.await_output();
        Attempt::Wait
    }

    /// Whether everything accepted is written.
    pub(crate) fn flushed(&mut self) -> Attempt<Result<(), Error>> {
        if self.endpoint.has_write_failed() {
            return self.wait_for_cause();
        }
        if self.connection.wants_output() || !self.endpoint.is_flushed() {
            return match self.endpoint.stream {
                Some(_) => {
                    // Tells the core that a call waits for output. The write limit then runs even
                    // while the gate is closed, because it is the peer that stops us (R2 in
                    // docs/flow-control.md).
                    self.connection.await_output();
                    Attempt::Wait
                }
                None => Attempt::Done(Err(self.cannot_send())),
            };
        }
        // What a failed connection had left was thrown away, not written.
        match self.connection.closed() {
            Some(closed) if !closed.is_clean() => Attempt::Done(Err(self.cannot_send())),
            _ => Attempt::Done(Ok(())),
        }
    }
}
