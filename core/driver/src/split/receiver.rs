//! The receiving side of a split connection.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::error::Error;
use crate::split::OnDrop;
use crate::split::shared::Shared;
use crate::websocket::End;
use crate::websocket::chunks::Intake;
use crate::websocket::close::received_end;
use tidegate_core::{Event, Message};

/// The receiving side of a connection that a [`Driver`](crate::split::Driver) drives. A [`Stream`] too.
///
/// Messages wait for it in the connection's inbox. When that is full the gate is closed: the driver
/// does not read until messages are taken, and TCP slows the peer down.
pub struct Receiver {
    pub(crate) shared: Arc<Shared>,
}

impl Receiver {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Receives the next message; `None` at the end of a conversation that ended as such: the
    /// peer closed with 1000, 1001 or no code, or we closed it and the peer answered.
    ///
    /// With [`Delivery::Chunks`](tidegate_core::Delivery::Chunks) it puts the message together: up to
    /// `max_message_size` bytes, beside [`memory_bound`](tidegate_core::Config::memory_bound). What is left of a message that was begun in chunks, with
    /// [`read_message`](Self::read_message) for example, is skipped.
    ///
    /// The end is told when our own Close is written, or cannot be; the driver lingers after that.
    /// Repeated calls give `None`.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]: the connection ended otherwise. Says who ended it and why: any other close
    /// code of the peer with its reason, a violation, a limit. [`Error::Io`]: the transport failed,
    /// and nothing else is known. Once; all messages that came before are received first.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: the message that would have come next comes with the next call.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Gives a message that is there already, for taking what came at once in a batch.
    pub fn try_recv(&mut self) -> Option<Message> {
        self.shared.with(|state, _| {
            loop {
                let event = state.take_event()?;
                if let Some(message) = state.intake.message(event) {
                    return Some(message);
                }
            }
        })
    }

    /// Receives the next event: a message or a chunk, or a ping or pong if the configuration surfaces
    /// them; `None` as [`recv`](Self::recv) has it. Never [`Event::Closed`].
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// As [`recv`](Self::recv).
    pub async fn next_event(&mut self) -> Result<Option<Event>, Error> {
        let assembled = self.shared.lock().intake.take_assembled(Intake::Passing);
        if let Some(chunk) = assembled {
            return Ok(Some(Event::Chunk(chunk)));
        }
        poll_fn(|cx| self.poll_take(cx, Intake::event)).await
    }

    /// Chooses what becomes of the connection when the receiver is dropped. The default is
    /// [`OnDrop::Close`]: a peer that sends to nobody is told.
    pub fn on_drop(&self, choice: OnDrop) {
        self.shared.lock().on_receiver_drop = choice;
    }

    fn poll_recv(&mut self, cx: &Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        self.poll_take(cx, Intake::message)
    }

    /// Takes events until one is wanted.
    pub(crate) fn poll_take<T>(
        &mut self,
        cx: &Context<'_>,
        wanted: impl Fn(&mut Intake, Event) -> Option<T>,
    ) -> Poll<Result<Option<T>, Error>> {
        let mut end = None;
        // The end comes apart, so that what is wanted is moved as it is.
        let taken = self.shared.with(|state, wakes| {
            while let Some(event) = state.take_event() {
                let wanted = wanted(&mut state.intake, event);
                if wanted.is_some() {
                    return wanted;
                }
            }
            if state.end == End::Reported {
                end = Some(Ok(()));
            } else if let Some(outcome) = state.outcome() {
                state.end = End::Reported;
                // As for a whole connection, nothing comes behind the end.
                state.intake = Intake::default();
                end = Some(outcome.and_then(received_end));
            } else {
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
