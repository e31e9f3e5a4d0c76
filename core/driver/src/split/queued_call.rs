//! A call that waits in a queue, and leaves it when it is cancelled.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::error::Error;
use crate::split::send_item::{NotAccepted, SendItem, WaitingItem};
use crate::split::shared::SharedConnection;
use crate::split::state::SplitState;
use crate::split::wait_for::WaitFor;
use crate::split::wait_queue::WaitQueue;
use crate::split::wakes::Wakes;

/// An entry in a queue, which is removed when this is dropped.
pub(crate) struct QueuedCall<'a, T> {
    shared: &'a SharedConnection,
    queue: fn(&mut SplitState) -> &mut WaitQueue<T>,
    ticket: Option<u64>,
}

impl<'a> QueuedCall<'a, WaitingItem> {
    /// A call that waits for room in the outbox.
    pub(crate) fn for_room(shared: &'a SharedConnection) -> Self {
        Self { shared, queue: |state| &mut state.sends, ticket: None }
    }

    /// Sends the item when all earlier ones are sent and there is room.
    pub(crate) fn poll_send(
        &mut self,
        cx: &Context<'_>,
        sender: u64,
        item: &mut Option<SendItem<'_>>,
    ) -> Poll<Result<(), Error>> {
        let shared = self.shared;
        shared.with(|state, wakes| self.send(state, wakes, cx, sender, item))
    }

    /// Stops waiting. Returns whether the call was still in the queue.
    pub(crate) fn leave(&mut self) -> bool {
        let Some(ticket) = self.ticket.take() else { return false };
        let entry = self.shared.lock().sends.leave(ticket);
        entry.is_some()
    }

    /// As [`poll_send`](Self::poll_send), without waking the driver unless the item has to wait.
    pub(crate) fn poll_feed(
        &mut self,
        cx: &Context<'_>,
        sender: u64,
        item: &mut Option<SendItem<'_>>,
    ) -> Poll<Result<(), Error>> {
        let shared = self.shared;
        shared.with_quietly(|state, wakes| self.send(state, wakes, cx, sender, item))
    }

    fn send(
        &mut self,
        state: &mut SplitState,
        wakes: &mut Wakes,
        cx: &Context<'_>,
        sender: u64,
        item: &mut Option<SendItem<'_>>,
    ) -> Poll<Result<(), Error>> {
        if let Some(item) = item.take() {
            return match state.offer(sender, item) {
                Ok(()) => Poll::Ready(Ok(())),
                Err(NotAccepted::Failed(error)) => Poll::Ready(Err(error)),
                Err(NotAccepted::HasToWait(item)) => {
                    let waker = Some(cx.waker().clone());
                    self.ticket = Some(state.join_sends(sender, item, waker, wakes));
                    Poll::Pending
                }
            };
        }
        let Some(ticket) = self.ticket else { return Poll::Ready(Ok(())) };
        let done = state.poll_item(cx, wakes, ticket);
        if done.is_ready() {
            self.ticket = None;
        }
        done
    }
}

impl<'a> QueuedCall<'a, WaitFor> {
    /// A call that waits for something other than room, for example a pong.
    pub(crate) fn new(shared: &'a SharedConnection) -> Self {
        Self { shared, queue: |state| &mut state.waits, ticket: None }
    }

    /// Waits for what `wait` returns. It is called once, when the call enters the queue.
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

impl<T> Drop for QueuedCall<'_, T> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            // The entry is dropped after the lock, since that may run code of the application.
            let entry = (self.queue)(&mut self.shared.lock()).leave(ticket);
            drop(entry);
        }
    }
}

impl SplitState {
    /// Adds an item to the end of the queue for room. Only the driver makes room, by writing. So it is
    /// woken if it does not know yet that there is output.
    pub(crate) fn join_sends(
        &mut self,
        sender: u64,
        item: SendItem<'_>,
        waker: Option<Waker>,
        wakes: &mut Wakes,
    ) -> u64 {
        if self.is_untold {
            self.notify(wakes);
        }
        let ticket = self.next();
        self.sends.join(ticket, WaitingItem { sender, item: item.into_owned() }, waker);
        ticket
    }

    pub(crate) fn join_waits(&mut self, wait: WaitFor) -> u64 {
        let ticket = self.next();
        self.waits.join(ticket, wait, None);
        ticket
    }

    /// Checks on an item that waits for room. If the result is ready, the entry has left the queue.
    pub(crate) fn poll_item(
        &mut self,
        cx: &Context<'_>,
        wakes: &mut Wakes,
        ticket: u64,
    ) -> Poll<Result<(), Error>> {
        let cannot_write = self.cannot_write();
        // An item that is no longer in the queue was accepted.
        let Some(entry) = self.sends.get_mut(ticket) else { return Poll::Ready(Ok(())) };
        let has_failed = matches!(entry.value.item, SendItem::Failed(_));
        if !has_failed && !cannot_write {
            wakes.leave(&mut entry.waker, cx.waker());
            return Poll::Pending;
        }
        let entry = self.sends.leave(ticket);
        Poll::Ready(Err(match entry.map(|entry| (entry.waker, entry.value.item)) {
            Some((waker, SendItem::Failed(error))) => {
                wakes.discard(waker);
                error
            }
            entry => {
                wakes.discard(entry.and_then(|(waker, _)| waker));
                self.cannot_send()
            }
        }))
    }

    /// Checks on what a call waits for. If the result is ready, the entry has left the queue.
    pub(crate) fn poll_wait(
        &mut self,
        cx: &Context<'_>,
        wakes: &mut Wakes,
        ticket: u64,
    ) -> Poll<Result<Option<Duration>, Error>> {
        let Some(mut entry) = self.waits.leave(ticket) else { return Poll::Ready(Ok(None)) };
        if let Some(answer) = self.answer(&entry.value) {
            wakes.discard(entry.waker);
            return Poll::Ready(answer);
        }
        wakes.leave(&mut entry.waker, cx.waker());
        self.waits.rejoin(entry);
        Poll::Pending
    }
}
