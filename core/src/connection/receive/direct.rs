//! Messages straight from the input to the caller, past the queue.

use crate::connection::Connection;
use crate::connection::event::Event;
use crate::connection::phase::Phase;
use crate::connection::timers::Timer;
use crate::time::Timestamp;

impl Connection {
    /// Whether a message may be taken straight from the input: nothing that came before it waits,
    /// and nothing that ends the connection has come, and no deadline waits for the time. All of
    /// this is so between two messages of an open connection whose events are taken as they come.
    #[inline(always)]
    pub(crate) fn takes_straight(&self) -> bool {
        self.phase == Phase::Open
            && self.inbox.is_empty()
            && self.stash.is_empty()
            && !self.end_of_stream
            && !self.timers.is_unsettled()
            && self.is_between_messages()
    }

    /// The next message, if it is one of the short path.
    #[inline(always)]
    pub(crate) fn take_straight(&mut self, input: &mut &[u8]) -> Option<Event> {
        let before = input.len();
        let message = self.short.take_message(input)?;
        self.received_straight(before - input.len());
        Some(Event::Message(message))
    }

    /// A message was taken straight from the input, in a frame of so many bytes.
    #[inline(always)]
    pub(crate) fn received_straight(&mut self, length: usize) {
        self.counters.bytes_in += length as u64;
        self.counters.messages_in += 1;
        self.timers.stop(Timer::Pong);
    }

    /// What [`receive`](Self::receive) does if that is not so, or if something else is next.
    #[inline(never)]
    pub(crate) fn receive_any(&mut self, now: Timestamp, input: &mut &[u8]) -> Option<Event> {
        self.tick(now);
        let straight = if self.takes_straight() { self.take_straight(input) } else { None };
        if straight.is_some() {
            return straight;
        }
        let before = input.len();
        let event = self.decode_event(input);
        let taken = before - input.len();
        if taken > 0 {
            self.counters.bytes_in += taken as u64;
            self.timers.clear(Timer::Pong);
            self.timers.hear(taken);
            self.note_gate();
        }
        self.timers.tick(self.now);
        event
    }
}
