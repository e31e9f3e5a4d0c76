//! What an application sends through a WebSocket: messages, chunks, pings.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;

use crate::error::Error;
use crate::event_loop::{Attempt, EventLoop};
use crate::io::ByteStream;
use crate::io::Clock;
use crate::websocket::WebSocket;
use crate::websocket::end::{is_cause_known, is_output_done};
use tidegate_core::{
    Chunk, ChunkError, Compress, ControlError, Message, MessageRef, Prepared, Refusal, SendError,
};

impl<S: ByteStream, C: Clock> WebSocket<S, C> {
    /// Sends a message: waits until the stream has taken it, and all that was fed before.
    ///
    /// Meanwhile messages are read ahead up to the gate and pings are answered. For many messages
    /// that need not leave one by one, [`feed`](Self::feed) is faster: a plain loop that answers is
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
    /// Cancelled before there was room, the message is dropped and nothing of it is sent. Cancelled
    /// later, it is sent whole, by the calls that follow.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        if let Err(error) = self.try_send(message) {
            self.wait_to_feed(error, Compress::Auto).await?;
        }
        self.flush().await
    }

    /// As [`send`](Self::send), with a say in whether the message is compressed: what holds a
    /// secret beside something that others choose is better not.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn send_with(
        &mut self,
        message: impl Into<Message>,
        compress: Compress,
    ) -> Result<(), Error> {
        if let Err(error) = self.try_send_with(message, compress) {
            self.wait_to_feed(error, compress).await?;
        }
        self.flush().await
    }

    /// As [`send`](Self::send), with a message that the caller keeps: from a buffer that is used
    /// again, say. A short one takes no allocation of its own.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn send_ref<'m>(&mut self, message: impl Into<MessageRef<'m>>) -> Result<(), Error> {
        let message = message.into();
        if self.try_send_ref(message).is_err() {
            poll_fn(|cx| {
                self.poll_until(cx, |socket| match socket.try_send_ref(message) {
                    Ok(()) => Attempt::Done(Ok(())),
                    Err(Refusal::Full | Refusal::Closed) => socket.wait_for_room(),
                    Err(refusal) => Attempt::Done(Err(socket.refused(refusal))),
                })
            })
            .await?;
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
    /// Cancelled, the message is dropped and nothing of it is sent.
    pub async fn feed(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        // With room there is no reason to touch the stream: a batch goes out in one write.
        match self.try_send(message) {
            Ok(()) => Ok(()),
            Err(error) => self.wait_to_feed(error, Compress::Auto).await,
        }
    }

    /// Hands over what was given back, when there is room.
    async fn wait_to_feed(&mut self, given: SendError, compress: Compress) -> Result<(), Error> {
        let mut waiting = match given {
            SendError::Full(message) | SendError::Closed(message) => Some(message),
            refused => return Err(self.refused(refused.refusal())),
        };
        poll_fn(|cx| self.poll_until(cx, |socket| socket.accept(&mut waiting, compress))).await
    }

    /// Waits until the stream has taken everything that was accepted.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] and [`Error::Io`]: the connection ended before.
    ///
    /// # Cancel safety
    ///
    /// What is not written is written by the calls that follow.
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_until(cx, |socket| socket.flushed())).await
    }

    /// Accepts a message if the outbox has room, without waiting and without writing: the next call
    /// that waits offers it to the stream.
    ///
    /// # Errors
    ///
    /// [`SendError`], which gives the message back.
    pub fn try_send(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        self.try_send_with(message, Compress::Auto)
    }

    /// As [`try_send`](Self::try_send), with a say in whether the message is compressed.
    ///
    /// # Errors
    ///
    /// As [`try_send`](Self::try_send).
    pub fn try_send_with(
        &mut self,
        message: impl Into<Message>,
        compress: Compress,
    ) -> Result<(), SendError> {
        if self.endpoint.has_write_failed() {
            return Err(SendError::Closed(message.into()));
        }
        self.connection.send_with(message, compress)
    }

    /// As [`try_send`](Self::try_send), with a message that the caller keeps.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: there is no room, or nothing can be sent any more.
    pub fn try_send_ref<'m>(&mut self, message: impl Into<MessageRef<'m>>) -> Result<(), Refusal> {
        if self.endpoint.has_write_failed() {
            return Err(Refusal::Closed);
        }
        self.connection.send_ref(message)
    }

    /// Sends a message that was prepared for many connections, as [`send`](Self::send) sends one.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn send_prepared(&mut self, message: &Prepared) -> Result<(), Error> {
        poll_fn(|cx| {
            self.poll_until(cx, |socket| match socket.try_send_prepared(message) {
                Ok(()) => Attempt::Done(Ok(())),
                Err(SendError::Full(_)) => socket.wait_for_room(),
                Err(error) => Attempt::Done(Err(socket.refused(error.refusal()))),
            })
        })
        .await?;
        self.flush().await
    }

    /// As [`try_send`](Self::try_send), with a message that was prepared for many connections.
    ///
    /// # Errors
    ///
    /// As [`try_send`](Self::try_send).
    pub fn try_send_prepared(&mut self, message: &Prepared) -> Result<(), SendError> {
        if self.endpoint.has_write_failed() {
            return Err(SendError::Closed(message.message().clone()));
        }
        self.connection.send_prepared(message)
    }

    /// Sends a part of a message, as [`send`](Self::send) sends a whole one.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and [`Error::Chunk`]: the chunk does not continue the message.
    ///
    /// # Cancel safety
    ///
    /// Cancelled before there was room, the chunk is dropped, and the message goes on with the next
    /// one. Cancelled later, it is sent by the calls that follow.
    pub async fn send_chunk(&mut self, chunk: Chunk) -> Result<(), Error> {
        let mut waiting = Some(chunk);
        poll_fn(|cx| {
            self.poll_until(cx, |socket| {
                let Some(chunk) = waiting.take() else { return Attempt::Done(Ok(())) };
                match socket.connection.send_chunk(chunk) {
                    Ok(()) => Attempt::Done(Ok(())),
                    Err(ChunkError::Full(chunk)) => {
                        waiting = Some(chunk);
                        socket.wait_for_room()
                    }
                    Err(ChunkError::Closed(_)) => Attempt::Done(Err(socket.cannot_send())),
                    Err(error) => Attempt::Done(Err(Error::Chunk(error))),
                }
            })
        })
        .await?;
        self.flush().await
    }

    /// Pings the peer and waits for the pong to this ping, or to a later one: how long it took.
    ///
    /// `None` if the gate closed first, or the peer's Close came: that, or the pong, waits behind
    /// messages that the application has not taken. And if `pong_timeout` passes without that pong,
    /// though the peer says other things; a peer that is silent for so long is
    /// [`Failure::KeepaliveTimeout`](tidegate_core::Failure::KeepaliveTimeout).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// The ping may have been sent; its pong is taken by the calls that follow.
    pub async fn ping(&mut self) -> Result<Option<Duration>, Error> {
        self.pings += 1;
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
                            Attempt::Again
                        }
                        Err(ControlError::Full) => socket.wait_for_room(),
                        Err(ControlError::Closed) => Attempt::Done(Err(socket.cannot_send())),
                        Err(error) => Attempt::Done(Err(Error::Control(error))),
                    };
                };
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
                    // The pong may be there: a call that comes late reads first.
                    has_looked = true;
                    socket.endpoint.alarm = limit.map(|limit| limit + Duration::from_millis(1));
                    Attempt::Wait
                }
            })
        })
        .await;
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
    /// The pong is sent by the calls that follow.
    pub async fn pong(&mut self, payload: impl Into<Bytes>) -> Result<(), Error> {
        match self.connection.pong(payload) {
            Ok(()) => self.flush().await,
            Err(ControlError::Closed) => Err(self.cannot_send()),
            Err(error) => Err(Error::Control(error)),
        }
    }

    /// Hands the message over if there is room.
    fn accept(
        &mut self,
        waiting: &mut Option<Message>,
        compress: Compress,
    ) -> Attempt<Result<(), Error>> {
        let Some(message) = waiting.take() else { return Attempt::Done(Ok(())) };
        match self.try_send_with(message, compress) {
            Ok(()) => Attempt::Done(Ok(())),
            Err(SendError::Full(message) | SendError::Closed(message)) => {
                *waiting = Some(message);
                self.wait_for_room()
            }
            Err(error) => Attempt::Done(Err(self.refused(error.refusal()))),
        }
    }

    /// Why a message was not accepted, other than for want of room.
    #[cold]
    fn refused(&self, refusal: Refusal) -> Error {
        match refusal {
            Refusal::Unfinished => Error::Unfinished,
            // `Closed` and `Full`: the end of the connection is the reason, if it is known.
            _ => self.cannot_send(),
        }
    }

    /// The stream takes nothing any more: what it still gives may say why.
    fn wait_for_cause<T>(&self) -> Attempt<Result<T, Error>> {
        if is_cause_known(&self.connection) {
            Attempt::Done(Err(self.cannot_send()))
        } else {
            Attempt::Wait
        }
    }

    /// Waits until there is room, or until it is known that there will be none. Whoever is told
    /// that may drop the socket: what was accepted before is written first, if it can be.
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
