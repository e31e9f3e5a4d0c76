//! A `Sender` as a `Sink` of messages.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_sink::Sink;

use crate::error::Error;
use crate::split::send_item::{NotAccepted, SendItem};
use crate::split::sender::Sender;
use crate::split::sink_wait::{SinkFlush, SinkWait};
use crate::split::state::SplitState;
use tidegate_core::{CloseCode, Message, Outgoing};

impl Sender {
    pub(crate) fn poll_room(&mut self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        let SinkWait::Room(ticket) = self.sink else { return Poll::Ready(Ok(())) };
        let done = self.shared.with(|state, wakes| state.poll_item(cx, wakes, ticket));
        if done.is_ready() {
            self.sink = SinkWait::Nothing;
        }
        done
    }

    /// Takes an item as a sink that is ready: it goes into the outbox, or into the queue for room.
    pub(crate) fn start(&mut self, item: SendItem<'_>) -> Result<(), Error> {
        match self.sink {
            SinkWait::Nothing => {}
            SinkWait::Room(_) => return Err(Error::NotReady),
            // A flush was cancelled while it waited.
            SinkWait::Written(_) => self.leave(),
        }
        let id = self.id;
        let ticket = self.shared.with_quietly(|state, wakes| match state.offer(id, item) {
            Ok(()) => Ok(None),
            Err(NotAccepted::Failed(error)) => Err(error),
            Err(NotAccepted::HasToWait(item)) => Ok(Some(state.join_sends(id, item, None, wakes))),
        })?;
        self.sink = ticket.map_or(SinkWait::Nothing, SinkWait::Room);
        Ok(())
    }

    /// Leaves the queue in which it waits as a sink.
    pub(crate) fn leave(&mut self) {
        let sink = std::mem::replace(&mut self.sink, SinkWait::Nothing);
        let mut state = self.shared.lock();
        let entries = match sink {
            SinkWait::Nothing => (None, None),
            SinkWait::Room(ticket) => (state.sends.leave(ticket), None),
            SinkWait::Written(flush) => (None, state.waits.leave(flush.ticket)),
        };
        drop(state);
        drop(entries);
    }
}

impl Sink<Message> for Sender {
    type Error = Error;

    /// Waits until the last message is accepted.
    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx))?;
        let state = self.shared.lock();
        Poll::Ready(if state.cannot_write() { Err(state.cannot_send()) } else { Ok(()) })
    }

    /// As [`feed`](Sender::feed): call [`flush`](Sender::flush) after it.
    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.start(SendItem::Message(Outgoing::from(message)))
    }

    /// As [`flush`](Sender::flush).
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx))?;
        let before = match self.sink {
            SinkWait::Written(flush) => Some(flush),
            SinkWait::Nothing | SinkWait::Room(_) => None,
        };
        let (flush, done) = self.shared.with(|state, wakes| {
            let mut flush = before.unwrap_or_else(|| state.begin_flush(0));
            let mut done = state.poll_wait(cx, wakes, flush.ticket);
            // The flush that this was begun for may have been given up, and the current one must also
            // wait for what was accepted since. It starts again only a few times, since other senders
            // may go on sending.
            if flush.accepted != state.accepted
                && flush.rounds < ROUNDS
                && !matches!(done, Poll::Ready(Err(_)))
            {
                let entry = state.waits.leave(flush.ticket);
                wakes.discard(entry.and_then(|entry| entry.waker));
                flush = state.begin_flush(flush.rounds + u8::from(done.is_ready()));
                done = state.poll_wait(cx, wakes, flush.ticket);
            }
            (flush, done)
        });
        self.sink = if done.is_ready() { SinkWait::Nothing } else { SinkWait::Written(flush) };
        done.map_ok(|_| ())
    }

    /// As [`begin_close`](Sender::begin_close) with [`CloseCode::NORMAL`], and waits until the Close
    /// is written.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx))?;
        self.begin_close(CloseCode::NORMAL, "")?;
        self.poll_flush(cx)
    }
}

impl SplitState {
    /// Begins to wait until everything that is accepted up to now is written.
    fn begin_flush(&mut self, rounds: u8) -> SinkFlush {
        let ticket = self.join_waits(self.written_from_here());
        SinkFlush { ticket, accepted: self.accepted, rounds }
    }
}

/// How often a flush starts again when more was sent meanwhile. Limited, so that it ends although
/// other senders go on sending.
const ROUNDS: u8 = 4;
