//! Room in the outbox: who gets it, in which order.

use crate::error::Error;
use crate::split::line::Wakes;
use crate::split::state::SplitState;
use tidegate_core::{
    Chunk, ChunkError, Compress, Connection, Message, MessageRef, Prepared, Refusal, SendError,
};

/// A message or a part of one that waits for room.
pub(crate) struct Waiting {
    pub(crate) sender: u64,
    pub(crate) payload: Payload,
}

pub(crate) enum Payload {
    Message(Message, Compress),
    Prepared(Prepared),
    /// The first chunk of a message, which must not go on with another one.
    First(Chunk),
    Chunk(Chunk),
    /// It had its turn, and cannot be sent.
    Refused(Error),
}

/// Why a payload is not in the outbox.
pub(crate) enum Declined {
    /// It has to wait.
    Wait(Payload),
    Failed(Error),
}

impl SplitState {
    /// Puts a payload into the outbox if its turn has come and there is room.
    pub(crate) fn offer(&mut self, sender: u64, payload: Payload) -> Result<(), Declined> {
        if self.cannot_write() {
            return Err(Declined::Failed(self.cannot_send()));
        }
        // Behind those who came before; the rest of a message in chunks goes before all others.
        let has_to_wait = match self.chunks_of {
            Some(owner) if owner != sender => true,
            Some(_) => self.sends.any(|waiting| waiting.sender == sender),
            None => !self.sends.is_empty(),
        };
        if has_to_wait { Err(Declined::Wait(payload)) } else { self.hand_over(sender, payload) }
    }

    /// Accepts a message now or not at all.
    pub(crate) fn try_send(&mut self, message: Message) -> Result<(), SendError> {
        if self.cannot_write() {
            return Err(SendError::Closed(message));
        }
        if !self.sends.is_empty() {
            return Err(SendError::Full(message));
        }
        self.accept(|connection| connection.send(message))
    }

    /// As [`try_send`](Self::try_send).
    pub(crate) fn try_send_ref(&mut self, message: MessageRef<'_>) -> Result<(), Refusal> {
        if self.cannot_write() {
            return Err(Refusal::Closed);
        }
        if !self.sends.is_empty() {
            return Err(Refusal::Full);
        }
        self.accept(|connection| connection.send_ref(message))
    }

    /// As [`try_send`](Self::try_send).
    pub(crate) fn try_send_prepared(&mut self, message: &Prepared) -> Result<(), SendError> {
        if self.cannot_write() {
            return Err(SendError::Closed(message.message().clone()));
        }
        if !self.sends.is_empty() {
            return Err(SendError::Full(message.message().clone()));
        }
        self.accept(|connection| connection.send_prepared(message))
    }

    /// Puts something into the outbox, and counts it.
    fn accept<T>(&mut self, accept: impl FnOnce(&mut Connection) -> T) -> T {
        let before = self.connection.queued_output();
        let result = accept(&mut self.connection);
        self.accepted += self.connection.queued_output().saturating_sub(before) as u64;
        result
    }

    fn hand_over(&mut self, sender: u64, payload: Payload) -> Result<(), Declined> {
        let result = match payload {
            Payload::Message(message, compress) => {
                let send = |connection: &mut Connection| connection.send_with(message, compress);
                self.accept(send).map_err(|error| match error {
                    SendError::Full(message) => Declined::Wait(Payload::Message(message, compress)),
                    SendError::Unfinished(_) => Declined::Failed(Error::Unfinished),
                    _ => Declined::Failed(Error::Closing),
                })
            }
            Payload::Prepared(message) => self
                .accept(|connection| connection.send_prepared(&message))
                .map_err(|error| match error {
                    SendError::Full(_) => Declined::Wait(Payload::Prepared(message)),
                    SendError::Unfinished(_) => Declined::Failed(Error::Unfinished),
                    _ => Declined::Failed(Error::Closing),
                }),
            Payload::First(_) if self.connection.is_message_unfinished() => {
                Err(Declined::Failed(Error::Unfinished))
            }
            Payload::First(chunk) => match self.hand_over(sender, Payload::Chunk(chunk)) {
                Err(Declined::Wait(Payload::Chunk(chunk))) => {
                    Err(Declined::Wait(Payload::First(chunk)))
                }
                result => result,
            },
            Payload::Chunk(chunk) => {
                let owner = (!chunk.last).then_some(sender);
                self.accept(|connection| connection.send_chunk(chunk))
                    .map(|()| self.chunks_of = owner)
                    .map_err(|error| match error {
                        ChunkError::Full(chunk) => Declined::Wait(Payload::Chunk(chunk)),
                        ChunkError::Closed(_) => Declined::Failed(Error::Closing),
                        error => Declined::Failed(Error::Chunk(error)),
                    })
            }
            Payload::Refused(error) => Err(Declined::Failed(error)),
        };
        match result {
            Err(Declined::Failed(Error::Closing)) => Err(Declined::Failed(self.cannot_send())),
            result => result,
        }
    }

    /// There may be room: takes what waits for it, in order, until there is none. Whether anything
    /// was taken.
    pub(crate) fn admit(&mut self, wakes: &mut Wakes) -> bool {
        if self.sends.is_empty() {
            return false;
        }
        if self.cannot_write() {
            self.sends.iter_mut().for_each(|place| wakes.push(place.waker.take()));
            return false;
        }
        let mut is_any = false;
        loop {
            let owner = self.chunks_of;
            let next = self.sends.first(|waiting| {
                !matches!(waiting.payload, Payload::Refused(_))
                    && owner.is_none_or(|owner| owner == waiting.sender)
            });
            let Some(ticket) = next else { return is_any };
            let Some(mut place) = self.sends.leave(ticket) else { return is_any };
            let sender = place.value.sender;
            // The place is not dropped here: its payload is gone, and its waker is woken.
            let payload =
                std::mem::replace(&mut place.value.payload, Payload::Refused(Error::Closing));
            match self.hand_over(sender, payload) {
                Ok(()) => {
                    wakes.push(place.waker.take());
                    is_any = true;
                }
                Err(Declined::Wait(payload)) => {
                    place.value.payload = payload;
                    self.sends.rejoin(place);
                    return is_any;
                }
                Err(Declined::Failed(error)) => {
                    wakes.push(place.waker.take());
                    place.value.payload = Payload::Refused(error);
                    self.sends.rejoin(place);
                }
            }
        }
    }

    /// A sender goes. If it leaves a message in chunks unfinished, another one may go on with it.
    pub(crate) fn forget_chunks_of(&mut self, sender: u64, wakes: &mut Wakes) {
        if self.chunks_of.take_if(|owner| *owner == sender).is_some() && !self.sends.is_empty() {
            self.notify(wakes);
        }
    }
}
