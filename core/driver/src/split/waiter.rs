//! A call that waits: its place in a line, which it leaves when it is cancelled.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::error::Error;
use crate::split::line::{Line, Wakes};
use crate::split::room::{Declined, Payload, Waiting};
use crate::split::shared::SharedConnection;
use crate::split::state::SplitState;
use crate::split::wait_for::WaitFor;

/// A place in a line, for as long as this lives.
pub(crate) struct Waiter<'a, T> {
    shared: &'a SharedConnection,
    line: fn(&mut SplitState) -> &mut Line<T>,
    ticket: Option<u64>,
}

impl<'a> Waiter<'a, Waiting> {
    /// One that waits for room.
    pub(crate) fn for_room(shared: &'a SharedConnection) -> Self {
        Self { shared, line: |state| &mut state.sends, ticket: None }
    }

    /// Sends the payload when its turn has come.
    pub(crate) fn poll_send(
        &mut self,
        cx: &Context<'_>,
        sender: u64,
        payload: &mut Option<Payload>,
    ) -> Poll<Result<(), Error>> {
        let shared = self.shared;
        shared.with(|state, wakes| self.send(state, wakes, cx, sender, payload))
    }

    /// Stops waiting. Whether it did wait.
    pub(crate) fn leave(&mut self) -> bool {
        let Some(ticket) = self.ticket.take() else { return false };
        let place = self.shared.lock().sends.leave(ticket);
        place.is_some()
    }

    /// The same, without waking the driver unless it has to wait.
    pub(crate) fn poll_feed(
        &mut self,
        cx: &Context<'_>,
        sender: u64,
        payload: &mut Option<Payload>,
    ) -> Poll<Result<(), Error>> {
        let shared = self.shared;
        shared.with_quietly(|state, wakes| self.send(state, wakes, cx, sender, payload))
    }

    fn send(
        &mut self,
        state: &mut SplitState,
        wakes: &mut Wakes,
        cx: &Context<'_>,
        sender: u64,
        payload: &mut Option<Payload>,
    ) -> Poll<Result<(), Error>> {
        if let Some(payload) = payload.take() {
            return match state.offer(sender, payload) {
                Ok(()) => Poll::Ready(Ok(())),
                Err(Declined::Failed(error)) => Poll::Ready(Err(error)),
                Err(Declined::Wait(payload)) => {
                    let waker = Some(cx.waker().clone());
                    self.ticket = Some(state.join_sends(sender, payload, waker, wakes));
                    Poll::Pending
                }
            };
        }
        let Some(ticket) = self.ticket else { return Poll::Ready(Ok(())) };
        let done = state.poll_place(cx, wakes, ticket);
        if done.is_ready() {
            self.ticket = None;
        }
        done
    }
}

impl<'a> Waiter<'a, WaitFor> {
    /// One that waits for something else.
    pub(crate) fn new(shared: &'a SharedConnection) -> Self {
        Self { shared, line: |state| &mut state.waits, ticket: None }
    }

    /// Waits for what `wait` says, which is asked once.
    pub(crate) fn poll(
        &mut self,
        cx: &Context<'_>,
        wait: impl FnOnce(&mut SplitState, &mut Wakes) -> WaitFor,
    ) -> Poll<Result<Option<Duration>, Error>> {
        self.shared.with(|state, wakes| {
            let ticket = self.ticket.unwrap_or_else(|| {
                let wait = wait(state, wakes);
                state.join_waits(wait)
            });
            self.ticket = Some(ticket);
            let done = state.poll_wait(cx, wakes, ticket);
            if done.is_ready() {
                self.ticket = None;
            }
            done
        })
    }
}

impl<T> Drop for Waiter<'_, T> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            // What it held is dropped when the lock is released.
            let place = (self.line)(&mut self.shared.lock()).leave(ticket);
            drop(place);
        }
    }
}

impl SplitState {
    /// Goes to the end of the line for room, which the driver makes if it knows of the output.
    pub(crate) fn join_sends(
        &mut self,
        sender: u64,
        payload: Payload,
        waker: Option<Waker>,
        wakes: &mut Wakes,
    ) -> u64 {
        if self.is_untold {
            self.notify(wakes);
        }
        let ticket = self.next();
        self.sends.join(ticket, Waiting { sender, payload }, waker);
        ticket
    }

    pub(crate) fn join_waits(&mut self, wait: WaitFor) -> u64 {
        let ticket = self.next();
        self.waits.join(ticket, wait, None);
        ticket
    }

    /// How it stands with what waits for room. Once that is told, it has left the line.
    pub(crate) fn poll_place(
        &mut self,
        cx: &Context<'_>,
        wakes: &mut Wakes,
        ticket: u64,
    ) -> Poll<Result<(), Error>> {
        let cannot_write = self.cannot_write();
        // Who is not in the line any more was accepted.
        let Some(place) = self.sends.get_mut(ticket) else { return Poll::Ready(Ok(())) };
        let is_refused = matches!(place.value.payload, Payload::Refused(_));
        if !is_refused && !cannot_write {
            wakes.leave(&mut place.waker, cx.waker());
            return Poll::Pending;
        }
        let place = self.sends.leave(ticket);
        Poll::Ready(Err(match place.map(|place| (place.waker, place.value.payload)) {
            Some((waker, Payload::Refused(error))) => {
                wakes.discard(waker);
                error
            }
            place => {
                wakes.discard(place.and_then(|(waker, _)| waker));
                self.cannot_send()
            }
        }))
    }

    /// How it stands with what is waited for. Once that is told, it has left the line.
    pub(crate) fn poll_wait(
        &mut self,
        cx: &Context<'_>,
        wakes: &mut Wakes,
        ticket: u64,
    ) -> Poll<Result<Option<Duration>, Error>> {
        let Some(mut place) = self.waits.leave(ticket) else { return Poll::Ready(Ok(None)) };
        if let Some(answer) = self.answer(&place.value) {
            wakes.discard(place.waker);
            return Poll::Ready(answer);
        }
        wakes.leave(&mut place.waker, cx.waker());
        self.waits.rejoin(place);
        Poll::Pending
    }
}
