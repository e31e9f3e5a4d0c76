//! The sending side of a split connection, for any number of tasks.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;

use crate::error::Error;
use crate::split::on_drop::OnDrop;
use crate::split::queued_call::QueuedCall;
use crate::split::send_item::SendItem;
use crate::split::shared::SharedConnection;
use crate::split::sink_wait::SinkWait;
use crate::split::wait_for::WaitFor;
use tidegate_core::{Chunk, CloseCode, CloseFrame, Closed, ControlError, Outgoing, SendError};

/// The sending side of a connection that a [`Driver`](crate::split::Driver) drives. Clones send on the
/// same connection, from any task.
///
/// # Order and fairness
///
/// Calls that wait for room are served in the order in which they began to wait, and a later call
/// never overtakes them. Messages go out in the order in which they were accepted.
///
/// As a [`Sink`](futures_sink::Sink) it holds one message while that waits for room.
pub struct Sender {
    pub(crate) shared: Arc<SharedConnection>,
    pub(crate) id: u64,
    pub(crate) sink: SinkWait,
}

impl Sender {
    pub(crate) const fn first(shared: Arc<SharedConnection>) -> Self {
        Self { shared, id: 0, sink: SinkWait::Nothing }
    }

    /// Sends a message: waits until the outbox has room, and puts the whole message into it.
    ///
    /// [`Outgoing`] lists what can be given: text or bytes, owned or borrowed, a
    /// [`Message`](tidegate_core::Message), or a [`Prepared`](tidegate_core::Prepared) one that
    /// many connections share. A borrowed one is copied only if it has to wait.
    ///
    /// The driver is woken and writes it as soon as the stream takes it, whatever the application
    /// does next. [`flush`](Self::flush) waits until the stream has taken it. Neither means that the
    /// peer's application has seen it.
    ///
    /// # Errors
    ///
    /// [`Error::Closing`] and [`Error::Closed`]: nothing can be sent any more. [`Error::Io`]: the
    /// transport failed. [`Error::Unfinished`]: a message in chunks is not finished, which was begun by
    /// this sender or by one that was dropped.
    ///
    /// # Cancel safety
    ///
    /// If it is cancelled before the message is accepted, the message is dropped and nothing of it
    /// is sent. If it was accepted meanwhile, all of it is sent.
    pub async fn send(&self, message: impl Into<Outgoing<'_>>) -> Result<(), Error> {
        match self.shared.with(|state, _| state.accept_now(message)) {
            Ok(()) => Ok(()),
            // It has to wait, or is told why it can't be sent.
            Err(message) => self.offer(SendItem::Message(message.into())).await,
        }
    }

    /// As [`send`](Self::send), but does not wake the driver while there is room: for many small
    /// messages that go out together, with [`flush`](Self::flush) or a `send` after them.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn feed(&self, message: impl Into<Outgoing<'_>>) -> Result<(), Error> {
        let mut item = Some(SendItem::Message(message.into()));
        let mut call = QueuedCall::for_room(&self.shared);
        poll_fn(|cx| call.poll_feed(cx, self.id, &mut item)).await
    }

    /// Sends a part of a message, as [`send`](Self::send) sends a whole one.
    ///
    /// A message in chunks belongs to the sender that began it: messages of other senders wait until
    /// it is finished. If that sender is dropped before, another one may continue its message.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and [`Error::Chunk`]: the chunk does not continue the message.
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send): the message goes on with the next chunk that is accepted.
    pub async fn send_chunk(&self, chunk: Chunk) -> Result<(), Error> {
        self.offer(SendItem::Chunk { chunk, begins: false }).await
    }

    /// Accepts a message if there is room and no other call waits for room. Does not wait.
    ///
    /// # Errors
    ///
    /// [`SendError`], which gives the message back; a borrowed one is copied for that.
    pub fn try_send<'m>(&self, message: impl Into<Outgoing<'m>>) -> Result<(), SendError> {
        self.shared.with(|state, _| match state.accept_now(message) {
            Ok(()) => Ok(()),
            Err(message) => Err(state.not_accepted(message.into().into_message())),
        })
    }

    /// Waits until the stream has taken everything that was accepted before, from any sender.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] and [`Error::Io`]: the connection ended before.
    ///
    /// # Cancel safety
    ///
    /// The driver goes on writing.
    pub async fn flush(&self) -> Result<(), Error> {
        let mut call = QueuedCall::new(&self.shared);
        poll_fn(|cx| call.poll(cx, |state, _| state.written_from_here())).await.map(|_| ())
    }

    /// Pings the peer and waits for the pong to this ping, or to a later one: how long it took.
    /// Calls that come at the same time share a ping.
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
    /// The ping may be sent all the same.
    pub async fn ping(&self) -> Result<Option<Duration>, Error> {
        let mut call = QueuedCall::new(&self.shared);
        poll_fn(|cx| {
            call.poll(cx, |state, wakes| {
                state.notify(wakes);
                WaitFor::Ping
            })
        })
        .await
    }

    /// Sends a pong: the answer to a ping that is left to the application
    /// ([`PongPolicy::Manual`](tidegate_core::PongPolicy::Manual)), or a heartbeat that nobody asked for.
    /// It does not wait: if more than thirty-two are queued, the oldest are dropped.
    ///
    /// # Errors
    ///
    /// [`Error::Control`]: over 125 bytes. Otherwise as [`send`](Self::send).
    pub fn pong(&self, payload: impl Into<Bytes>) -> Result<(), Error> {
        self.shared.with(|state, _| match state.connection.pong(payload) {
            // While closing, too; but not on a stream that is gone.
            Ok(()) if state.is_writable() => Ok(()),
            Ok(()) | Err(ControlError::Closed) => Err(state.cannot_send()),
            Err(error) => Err(Error::Control(error)),
        })
    }

    /// Closes the connection: sends a Close after what was accepted before, and waits for the
    /// peer's. [`CloseCode::NO_STATUS`] without a reason sends an empty one, as browsers do. The
    /// driver closes the stream after that.
    ///
    /// Messages that the [`Receiver`](crate::split::Receiver) has not taken, or that still arrive, are
    /// dropped, so that this can't wait for an application that waits for it; the receiver gets
    /// the end. [`begin_close`](Self::begin_close) leaves them to the receiver. Once our Close is
    /// written, the configuration's `close_timeout` bounds the rest; until then its `write_timeout`
    /// does. If the closing handshake has begun already, this waits for its end.
    ///
    /// # Errors
    ///
    /// [`Error::Control`]: the code must not be sent, or the reason is over 123 bytes; the
    /// connection is as it was. [`Error::Closed`] and [`Error::Io`]: the peer did not answer with
    /// a Close of its own, or not in time; the stream is closed all the same.
    ///
    /// # Cancel safety
    ///
    /// The first poll begins the closing handshake, which goes on if this is cancelled.
    pub async fn close(
        &self,
        code: CloseCode,
        reason: impl Into<ByteString>,
    ) -> Result<Closed, Error> {
        let frame = CloseFrame::new(code, reason);
        frame.check().map_err(Error::Control)?;
        let mut call = QueuedCall::new(&self.shared);
        poll_fn(|cx| {
            call.poll(cx, |state, wakes| {
                state.begin_close(frame.clone(), wakes);
                state.discard(wakes);
                WaitFor::End
            })
        })
        .await?;
        // It ended cleanly, which is never taken back.
        self.closed().ok_or(Error::Closing)
    }

    /// Begins to close the connection and does not wait. Messages that still arrive are received,
    /// up to the end. Receive them, or drop the [`Receiver`](crate::split::Receiver), since the peer's
    /// Close comes after them.
    ///
    /// # Errors
    ///
    /// [`Error::Control`]: the code must not be sent, or the reason is over 123 bytes.
    pub fn begin_close(&self, code: CloseCode, reason: impl Into<ByteString>) -> Result<(), Error> {
        let frame = CloseFrame::new(code, reason);
        frame.check().map_err(Error::Control)?;
        self.shared.with(|state, wakes| state.begin_close(frame, wakes));
        Ok(())
    }

    /// Gives the connection up: the stream is closed at once, without a closing handshake. What was
    /// decoded can still be received.
    pub fn abort(&self) {
        self.shared.with(|state, wakes| {
            state.connection.abort();
            state.notify(wakes);
        });
    }

    /// Chooses what happens to the connection when the last sender is dropped. The default is
    /// [`OnDrop::Continue`]: messages can still be received.
    pub fn on_drop(&self, choice: OnDrop) {
        self.shared.lock().on_senders_drop = choice;
    }

    async fn offer(&self, item: SendItem<'_>) -> Result<(), Error> {
        let mut item = Some(item);
        let mut call = QueuedCall::for_room(&self.shared);
        poll_fn(|cx| call.poll_send(cx, self.id, &mut item)).await
    }
}

impl Clone for Sender {
    fn clone(&self) -> Self {
        let id = self.shared.with(|state, _| {
            state.senders += 1;
            state.next()
        });
        Self { shared: Arc::clone(&self.shared), id, sink: SinkWait::Nothing }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.leave();
        self.shared.with(|state, wakes| {
            state.senders -= 1;
            state.forget_chunks_of(self.id, wakes);
            if state.senders == 0 {
                state.on_drop(state.on_senders_drop, wakes);
            }
        });
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}
