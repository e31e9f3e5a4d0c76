//! Moves messages and chunks from the senders into the outbox, in the order of the calls, when there is
//! room.

use crate::error::Error;
use crate::split::send_item::{NotAccepted, SendItem};
use crate::split::state::SplitState;
use crate::split::wakes::Wakes;
use tidegate_core::{ChunkError, Connection, Message, Outgoing, SendError};

impl SplitState {
    /// Puts an item into the outbox if no earlier item waits and there is room. The common end of
    /// `send`, `feed`, the sink, the chunk writer and `broadcast_until`.
    pub(crate) fn offer<'m>(
        &mut self,
        sender: u64,
        item: SendItem<'m>,
    ) -> Result<(), NotAccepted<'m>> {
        if self.cannot_write() {
            return Err(NotAccepted::Failed(self.cannot_send()));
        }
        // Items keep the order of the calls. Only the rest of a message in chunks overtakes the
        // queue: no other message can be sent until it is finished.
        let has_to_wait = match self.chunks_of {
            Some(owner) if owner != sender => true,
            Some(_) => self.sends.any(|waiting| waiting.sender == sender),
            None => !self.sends.is_empty(),
        };
        if has_to_wait {
            return Err(NotAccepted::HasToWait(item));
        }
        self.accept(sender, item)
    }

    /// Accepts a message now, or gives it back. It does not overtake messages that wait.
    ///
    /// Inlined where the kind of message is known, so that a short one is only copied.
    #[inline(always)]
    pub(crate) fn accept_now<'m, M: Into<Outgoing<'m>>>(&mut self, message: M) -> Result<(), M> {
        // Whether the connection is closing is a part of `can_send`.
        let is_free = self.close.is_none() && self.is_writable() && self.sends.is_empty();
        if is_free { self.accept_message(message) } else { Err(message) }
    }

    /// Why [`accept_now`](Self::accept_now) gave a message back.
    #[cold]
    pub(crate) fn not_accepted(&self, message: Message) -> SendError {
        if self.cannot_write() {
            SendError::Closed(message)
        } else if self.sends.is_empty() && self.connection.is_message_unfinished() {
            SendError::Unfinished(message)
        } else {
            SendError::Full(message)
        }
    }

    /// Accepts a message if the connection can send one, or gives it back.
    #[inline(always)]
    fn accept_message<'m, M: Into<Outgoing<'m>>>(&mut self, message: M) -> Result<(), M> {
        if !self.connection.can_send() {
            return Err(message);
        }
        let sent = self.count_output(|connection| connection.send(message));
        debug_assert!(sent.is_ok(), "the connection can send one");
        Ok(())
    }

    /// Puts an item whose turn has come into the outbox.
    fn accept<'m>(&mut self, sender: u64, item: SendItem<'m>) -> Result<(), NotAccepted<'m>> {
        let item = match item {
            SendItem::Message(message) => match self.accept_message(message) {
                Ok(()) => return Ok(()),
                Err(message) => SendItem::Message(message),
            },
            item => item,
        };
        let failed = match item {
            SendItem::Message(_) | SendItem::Chunk { .. } if self.connection.is_closing() => {
                Error::Closing
            }
            SendItem::Message(_) | SendItem::Chunk { begins: true, .. }
                if self.connection.is_message_unfinished() =>
            {
                Error::Unfinished
            }
            SendItem::Chunk { chunk, .. } if self.connection.can_send_chunk() => {
                let owner = (!chunk.last).then_some(sender);
                match self.count_output(|connection| connection.send_chunk(chunk)) {
                    Ok(()) => {
                        self.chunks_of = owner;
                        return Ok(());
                    }
                    Err(ChunkError::Closed(_)) => Error::Closing,
                    Err(error) => Error::Chunk(error),
                }
            }
            // Not expected here: `accept_waiting` passes over items that have failed.
            SendItem::Failed(error) => error,
            waiting => return Err(NotAccepted::HasToWait(waiting)),
        };
        Err(NotAccepted::Failed(match failed {
            Error::Closing => self.cannot_send(),
            error => error,
        }))
    }

    /// Lets `send` put something into the outbox, and counts its bytes, for `flush`.
    fn count_output<T>(&mut self, send: impl FnOnce(&mut Connection) -> T) -> T {
        let before = self.connection.queued_output();
        let result = send(&mut self.connection);
        self.accepted += self.connection.queued_output().saturating_sub(before) as u64;
        result
    }

    /// Called when there may be room: accepts what waits for it, in order, until there is none.
    /// Returns whether anything was accepted.
    pub(crate) fn accept_waiting(&mut self, wakes: &mut Wakes) -> bool {
        if self.sends.is_empty() {
            return false;
        }
        if self.cannot_write() {
            // The items stay until their calls are polled: each call takes its own out and is told
            // why.
            self.sends.iter_mut().for_each(|entry| wakes.push(entry.waker.take()));
            return false;
        }
        let mut is_any = false;
        loop {
            let owner = self.chunks_of;
            let next = self.sends.first(|waiting| {
                !matches!(waiting.item, SendItem::Failed(_))
                    && owner.is_none_or(|owner| owner == waiting.sender)
            });
            let Some(ticket) = next else { return is_any };
            let Some(mut entry) = self.sends.leave(ticket) else { return is_any };
            let sender = entry.value.sender;
            // The entry is dropped under the lock, so nothing of the application's may be left in it:
            // its drop could take the same lock. The item goes into the outbox, and the waker is
            // woken after the lock is released.
            let item = std::mem::replace(&mut entry.value.item, SendItem::Failed(Error::Closing));
            match self.accept(sender, item) {
                Ok(()) => {
                    wakes.push(entry.waker.take());
                    is_any = true;
                }
                Err(NotAccepted::HasToWait(item)) => {
                    entry.value.item = item;
                    self.sends.rejoin(entry);
                    return is_any;
                }
                Err(NotAccepted::Failed(error)) => {
                    wakes.push(entry.waker.take());
                    entry.value.item = SendItem::Failed(error);
                    self.sends.rejoin(entry);
                }
            }
        }
    }

    /// Called when a sender is dropped. If it leaves a message in chunks unfinished, another one may
    /// go on with it.
    pub(crate) fn forget_chunks_of(&mut self, sender: u64, wakes: &mut Wakes) {
        if self.chunks_of.take_if(|owner| *owner == sender).is_some() && !self.sends.is_empty() {
            self.notify(wakes);
        }
    }
}
