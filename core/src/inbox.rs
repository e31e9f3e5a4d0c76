//! Events that the application has not taken, their two gauges, and the gate.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::mem::size_of;

use bytes::Bytes;

use crate::config::Config;
use crate::event::Event;
use crate::gauge::Gauge;

/// The queue of decoded events. The gate closes when the number or the bytes of what is queued
/// reach their high mark, and opens when both are back at the low one.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// The first event: a message that comes alone needs no queue, and so no memory for one.
    first: Option<Event>,
    /// What came behind it; there is none while the first one is missing, but for answers that are
    /// due.
    #[allow(clippy::box_collection, reason = "seldom there, and small while it is not")]
    rest: Option<Box<VecDeque<Item>>>,
    messages: Gauge,
    bytes: Gauge,
    gate: Gate,
    times_closed: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Gate {
    #[default]
    Open,
    Closed,
}

#[derive(Debug)]
enum Item {
    Event(Event),
    /// A ping to be answered once everything before it is taken. Not an event.
    Answer(Bytes),
}

impl Inbox {
    /// Queues an event with this much payload.
    #[inline]
    pub(crate) fn push(&mut self, length: usize, event: Event, config: &Config) {
        if self.holds_nothing() {
            self.first = Some(event);
        } else {
            self.rest.get_or_insert_default().push_back(Item::Event(event));
        }
        self.messages.add(1);
        self.bytes.add(length);
        let is_high =
            self.messages.is_high(config.message_marks) || self.bytes.is_high(config.byte_marks);
        if self.gate == Gate::Open && is_high {
            self.gate = Gate::Closed;
            self.times_closed = self.times_closed.saturating_add(1);
        }
    }

    /// Keeps an answer until everything before it is taken; a newer one replaces an older one at
    /// the same place (RFC 6455 §5.5.3), so there is at most one for each event.
    pub(crate) fn push_answer(&mut self, payload: Bytes) {
        let rest = self.rest.get_or_insert_default();
        if let Some(Item::Answer(last)) = rest.back_mut() {
            *last = payload;
        } else {
            rest.push_back(Item::Answer(payload));
        }
    }

    /// The next event. The answers behind it are due then.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Event> {
        let event = self.first.take()?;
        let length = match &event {
            Event::Message(message) => message.len(),
            Event::Chunk(chunk) => chunk.payload.len(),
            Event::Ping(payload) | Event::Pong(payload) => payload.len(),
            Event::Closed(_) => 0,
        };
        self.messages.subtract(1);
        self.bytes.subtract(length);
        Some(event)
    }

    /// The next answer to a ping that is due because everything before it is taken. To be asked
    /// behind every event until there is none.
    #[inline]
    pub(crate) fn pop_answer(&mut self) -> Option<Bytes> {
        let rest = self.rest.as_mut()?;
        match rest.pop_front() {
            Some(Item::Answer(payload)) => return Some(payload),
            Some(Item::Event(event)) => self.first = Some(event),
            None => {}
        }
        if rest.is_empty() {
            // An idle connection holds no places for events.
            self.rest = None;
        }
        None
    }

    /// Opens the gate if it is time to. Tells whether it did: decoding goes on then.
    #[inline]
    pub(crate) fn reopen(&mut self, config: &Config) -> bool {
        let opens = self.gate == Gate::Closed
            && self.messages.is_low(config.message_marks)
            && self.bytes.is_low(config.byte_marks);
        if opens {
            self.gate = Gate::Open;
        }
        opens
    }

    pub(crate) fn is_open(&self) -> bool {
        self.gate == Gate::Open
    }

    /// Whether there is nothing at all in it, answers included.
    #[inline]
    pub(crate) const fn holds_nothing(&self) -> bool {
        self.first.is_none() && self.rest.is_none()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.level() == 0
    }

    pub(crate) const fn messages(&self) -> &Gauge {
        &self.messages
    }

    pub(crate) const fn bytes(&self) -> &Gauge {
        &self.bytes
    }

    pub(crate) const fn times_closed(&self) -> u32 {
        self.times_closed
    }
}

/// What a queued event costs beside its payload: its place in a queue that may have just doubled,
/// the allocator's header, and the counter that a shared payload gets.
pub(crate) const EVENT_OVERHEAD: usize = 4 * size_of::<Item>() + 64;
