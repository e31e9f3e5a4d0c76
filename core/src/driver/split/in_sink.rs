//! The sending side as a `Sink`: what it waits for between two polls.

use core::pin::Pin;
use core::task::{Context, Poll, ready};

use futures_sink::Sink;

use super::room::{Declined, Payload};
use super::sender::Sender;
use crate::driver::error::Error;
use crate::{CloseCode, Compress, Message};

/// What the sender waits for as a sink.
#[derive(Clone, Copy)]
pub(super) enum InSink {
    Nothing,
    Room(u64),
    Written(u64),
}

impl Sender {
    pub(super) fn poll_room(&mut self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        let InSink::Room(ticket) = self.sink else { return Poll::Ready(Ok(())) };
        let done = self.shared.with(|state, wakes| state.poll_place(cx, wakes, ticket));
        if done.is_ready() {
            self.sink = InSink::Nothing;
        }
        done
    }

    /// Takes a payload as a sink, which is ready: it goes into the outbox or in the line.
    pub(super) fn start(&mut self, payload: Payload) -> Result<(), Error> {
        match self.sink {
            InSink::Nothing => {}
            InSink::Room(_) => return Err(Error::NotReady),
            // Somebody has stopped waiting for it.
            InSink::Written(_) => self.leave(),
        }
        let id = self.id;
        let ticket = self.shared.with_quietly(|state, wakes| match state.offer(id, payload) {
            Ok(()) => Ok(None),
            Err(Declined::Failed(error)) => Err(error),
            Err(Declined::Wait(payload)) => Ok(Some(state.join_sends(id, payload, None, wakes))),
        })?;
        self.sink = ticket.map_or(InSink::Nothing, InSink::Room);
        Ok(())
    }

    /// Leaves the lines in which it waits as a sink.
    pub(super) fn leave(&mut self) {
        let sink = core::mem::replace(&mut self.sink, InSink::Nothing);
        let mut state = self.shared.lock();
        let places = match sink {
            InSink::Nothing => (None, None),
            InSink::Room(ticket) => (state.sends.leave(ticket), None),
            InSink::Written(ticket) => (None, state.waits.leave(ticket)),
        };
        drop(state);
        drop(places);
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

    /// As [`feed`](Sender::feed): [`flush`](Sender::flush) comes behind it.
    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.start(Payload::Message(message, Compress::Auto))
    }

    /// As [`flush`](Sender::flush).
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx))?;
        if core::mem::take(self.has_sent.get_mut()) {
            // A flush may have been given up: this one waits for what was sent since, too.
            self.leave();
        }
        let ticket = match self.sink {
            InSink::Written(ticket) => ticket,
            InSink::Nothing | InSink::Room(_) => {
                self.shared.with(|state, _| state.join_waits(state.written_from_here()))
            }
        };
        self.sink = InSink::Written(ticket);
        let done = self.shared.with(|state, wakes| state.poll_wait(cx, wakes, ticket));
        if done.is_ready() {
            self.sink = InSink::Nothing;
        }
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
