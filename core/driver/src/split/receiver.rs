//! The receiving side of a split connection.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::error::Error;
use crate::split::on_drop::OnDrop;
use crate::split::shared::SharedConnection;
use crate::websocket::{ChunkAssembly, EndProgress, received_end};
use tidegate_core::{Event, Message};

/// Receives the messages of a split connection, which its [`Driver`](crate::split::Driver) reads. It
/// is also a [`Stream`].
///
/// Messages wait in the connection's inbox. When that is full the gate closes: the driver stops
/// reading until messages are taken, and TCP slows the peer down.
pub struct Receiver {
    pub(crate) shared: Arc<SharedConnection>,
}

impl Receiver {
    pub(crate) const fn new(shared: Arc<SharedConnection>) -> Self {
        Self { shared }
    }

    /// Receives the next message. `None` after a normal end: the peer closed with 1000, 1001 or no
    /// code, or we closed and the peer answered.
    ///
    /// With [`Delivery::Chunks`](tidegate_core::Delivery::Chunks) it puts the message together: up
    /// to `max_message_size` bytes, beyond those of
    /// [`memory_bound`](tidegate_core::Config::memory_bound). The unread rest of a message that was
    /// begun in chunks, with [`read_message`](Self::read_message) for example, is skipped.
    ///
    /// The end is reported when our own Close is written, or cannot be written. The driver may still
    /// wait for the peer to close the stream. Later calls return `None`.
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

    /// Returns a message that was read already, without waiting. Use it after [`recv`](Self::recv) to
    /// take all messages that arrived together.
    pub fn try_recv(&mut self) -> Option<Message> {
        // `with` and not only the lock: taking a message may open the gate, and then the driver
        // has to read on.
        self.shared.with(|state, _| {
            loop {
                let event = state.take_event()?;
                if let Some(message) = state.assembly.message(event) {
                    return Some(message);
                }
            }
        })
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
        // Only the lock: this part has left the inbox before, so the driver has nothing to do.
        let assembled = self.shared.lock().assembly.take_assembled(ChunkAssembly::AsEvents);
        if let Some(chunk) = assembled {
            return Ok(Some(Event::Chunk(chunk)));
        }
        poll_fn(|cx| self.poll_take(cx, ChunkAssembly::event)).await
    }

    /// Chooses what happens to the connection when the receiver is dropped. The default is
    /// [`OnDrop::Close`], so that the peer does not go on sending to nobody.
    pub fn on_drop(&self, choice: OnDrop) {
        self.shared.lock().on_receiver_drop = choice;
    }

    fn poll_recv(&mut self, cx: &Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        self.poll_take(cx, ChunkAssembly::message)
    }

    /// Takes events until one is wanted.
    pub(crate) fn poll_take<T>(
        &mut self,
        cx: &Context<'_>,
        wanted: impl Fn(&mut ChunkAssembly, Event) -> Option<T>,
    ) -> Poll<Result<Option<T>, Error>> {
        let mut end = None;
        // The end goes through a variable of its own, so that the compiler moves the message straight
        // to the caller.
        let taken = self.shared.with(|state, wakes| {
            while let Some(event) = state.take_event() {
                let wanted = wanted(&mut state.assembly, event);
                if wanted.is_some() {
                    return wanted;
                }
            }
            if state.end == EndProgress::Reported {
                end = Some(Ok(()));
            } else if let Some(result) = state.result() {
                state.end = EndProgress::Reported;
                // Drops the beginning of a message that was never completed: nothing may be received
                // after the end.
                state.assembly = ChunkAssembly::default();
                end = Some(result.and_then(received_end));
            } else {
                // Under the same lock as the look above, so no message can arrive unnoticed in
                // between.
                wakes.leave(&mut state.receiver, cx.waker());
            }
            None
        });
        if taken.is_some() {
            return Poll::Ready(Ok(taken));
        }
        end.map_or(Poll::Pending, |end| Poll::Ready(end.map(|()| None)))
    }
}

impl Stream for Receiver {
    type Item = Result<Message, Error>;

    /// As [`recv`](Receiver::recv): `None` after a clean close, and after an error.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_recv(cx).map(Result::transpose)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.with(|state, wakes| {
            state.has_receiver = false;
            wakes.discard(state.receiver.take());
            state.on_drop(state.on_receiver_drop, wakes);
        });
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}
