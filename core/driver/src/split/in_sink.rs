//! The sending side as a `Sink`: what it waits for between two polls.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_sink::Sink;

use crate::error::Error;
use crate::split::room::{Declined, Payload};
use crate::split::sender::Sender;
use crate::split::state::SplitState;
use tidegate_core::{CloseCode, Compress, Message};

/// What the sender waits for as a sink.
#[derive(Clone, Copy)]
pub(crate) enum InSink {
    Nothing,
    Room(u64),
    Written(Flushing),
}

/// A flush that waits, or was given up: which of the two is not known when the sink is polled.
#[derive(Clone, Copy)]
pub(crate) struct Flushing {
    ticket: u64,
    /// How many bytes had been accepted, which is what the ticket waits for.
    accepted: u64,
    /// How often it has begun anew for what was accepted since.
    rounds: u8,
}

impl Sender {
    pub(crate) fn poll_room(&mut self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        let InSink::Room(ticket) = self.sink else { return Poll::Ready(Ok(())) };
        let done = self.shared.with(|state, wakes| state.poll_place(cx, wakes, ticket));
        if done.is_ready() {
            self.sink = InSink::Nothing;
        }
        done
    }

    /// Takes a payload as a sink, which is ready: it goes into the outbox or in the line.
    pub(crate) fn start(&mut self, payload: Payload) -> Result<(), Error> {
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
    pub(crate) fn leave(&mut self) {
        let sink = std::mem::replace(&mut self.sink, InSink::Nothing);
        let mut state = self.shared.lock();
        let places = match sink {
            InSink::Nothing => (None, None),
            InSink::Room(ticket) => (state.sends.leave(ticket), None),
            InSink::Written(flushing) => (None, state.waits.leave(flushing.ticket)),
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
        let before = match self.sink {
            InSink::Written(flushing) => Some(flushing),
            InSink::Nothing | InSink::Room(_) => None,
        };
        let (flushing, done) = self.shared.with(|state, wakes| {
            let mut flushing = before.unwrap_or_else(|| state.begin_flush(0));
            let mut done = state.poll_wait(cx, wakes, flushing.ticket);
            // If the flush that this was begun for was given up, the one of now waits for what was
            // accepted since, too. It begins anew a few times: others may go on sending.
            if flushing.accepted != state.accepted
                && flushing.rounds < ROUNDS
                && !matches!(done, Poll::Ready(Err(_)))
            {
                let place = state.waits.leave(flushing.ticket);
                wakes.discard(place.and_then(|place| place.waker));
                flushing = state.begin_flush(flushing.rounds + u8::from(done.is_ready()));
                done = state.poll_wait(cx, wakes, flushing.ticket);
            }
            (flushing, done)
        });
        self.sink = if done.is_ready() { InSink::Nothing } else { InSink::Written(flushing) };
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
    /// Waits for everything that is accepted now.
    fn begin_flush(&mut self, rounds: u8) -> Flushing {
        let ticket = self.join_waits(self.written_from_here());
        Flushing { ticket, accepted: self.accepted, rounds }
    }
}

/// How often a flush begins anew, so that it ends though others go on sending.
const ROUNDS: u8 = 4;
