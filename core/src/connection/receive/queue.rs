//! Events that the application has not taken, their two gauges, and the gate.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::mem::size_of;

use bytes::Bytes;

use crate::config::Config;
use crate::connection::event::Event;
use crate::connection::gauge::{Gauge, Tally};

/// The queue of decoded events. The gate closes when the number or the bytes of what is queued
/// reach their high mark, and opens when both are back at the low one.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// An event that came when nothing waited: a message that comes alone needs no queue, and so no
    /// memory for one.
    first: Option<Event>,
    /// What came behind it.
    #[allow(clippy::box_collection, reason = "seldom there, and small while it is not")]
    rest: Option<Box<VecDeque<Item>>>,
    messages: Tally,
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
    #[inline(always)]
    pub(crate) fn push(&mut self, length: usize, event: Event, config: &Config) {
        if self.holds_nothing() {
            self.first = Some(event);
        } else {
            self.rest().push_back(Item::Event(event));
        }
        self.messages.add_one();
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
        let rest = self.rest();
        if let Some(Item::Answer(last)) = rest.back_mut() {
            *last = payload;
        } else {
            rest.push_back(Item::Answer(payload));
        }
    }

    #[inline]
    fn rest(&mut self) -> &mut VecDeque<Item> {
        self.rest.get_or_insert_with(|| Box::new(VecDeque::with_capacity(PLACES)))
    }

    /// The event, if it is the only one, and the gate is open, as it is for messages that are taken
    /// as they come: nothing is due behind it, and nothing is left to be counted.
    #[inline(always)]
    pub(crate) fn pop_only(&mut self) -> Option<Event> {
        if self.rest.is_some() || self.gate == Gate::Closed {
            return None;
        }
        let event = self.first.take()?;
        debug_assert!(self.messages.level() == 1, "nothing is behind it");
        self.messages.clear();
        self.bytes.clear();
        Some(event)
    }

    /// Counts the next event as taken, which [`take_counted`](Self::take_counted) does, and tells
    /// whether something is due behind it: answers, or to open the gate. `None` if there is none.
    #[inline]
    pub(crate) fn count_next(&mut self, config: &Config) -> Option<bool> {
        let rest = self.rest.as_deref();
        let (event, behind) = match &self.first {
            Some(event) => (event, 0),
            None => match rest?.front()? {
                Item::Event(event) => (event, 1),
                // It is taken behind the event before it.
                Item::Answer(_) => return None,
            },
        };
        let length = match event {
            Event::Message(message) => message.len(),
            Event::Chunk(chunk) => chunk.payload.len(),
            Event::Ping(payload) | Event::Pong(payload) => payload.len(),
            Event::Closed(_) => 0,
        };
        let is_answer_due = self.is_answer(behind);
        self.messages.subtract_one();
        self.bytes.subtract(length);
        Some(is_answer_due || self.may_open(config))
    }

    /// The event that was counted as taken. Apart from that, so that it goes from its place to the
    /// caller without a stop: what is looked at on the way is kept in pieces, and put together again.
    #[inline]
    pub(crate) fn take_counted(&mut self) -> Option<Event> {
        if self.first.is_some() {
            return self.first.take();
        }
        match self.rest.as_mut() {
            // An idle connection holds no places for events.
            Some(rest) if rest.len() == 1 => event(self.rest.take()?.pop_front()),
            Some(rest) => event(rest.pop_front()),
            None => None,
        }
    }

    /// The next event.
    pub(crate) fn next(&self) -> Option<&Event> {
        let front = || match self.rest.as_deref()?.front()? {
            Item::Event(event) => Some(event),
            Item::Answer(_) => None,
        };
        self.first.as_ref().or_else(front)
    }

    /// Whether an answer to a ping stands at this place behind the first event.
    #[inline]
    fn is_answer(&self, place: usize) -> bool {
        let item = self.rest.as_deref().and_then(|rest| rest.get(place));
        matches!(item, Some(Item::Answer(_)))
    }

    #[inline]
    fn may_open(&self, config: &Config) -> bool {
        self.gate == Gate::Closed
            && self.messages.is_low(config.message_marks)
            && self.bytes.is_low(config.byte_marks)
    }

    /// The next answer that is due. To be taken until there is none.
    pub(crate) fn pop_answer(&mut self) -> Option<Bytes> {
        // It is due when everything before it is taken.
        if !self.is_answer(0) {
            return None;
        }
        let rest = self.rest.as_mut()?;
        let Some(Item::Answer(payload)) = rest.pop_front() else { return None };
        if rest.is_empty() {
            self.rest = None;
        }
        Some(payload)
    }

    /// Opens the gate if it is time to. Tells whether it did: decoding goes on then.
    pub(crate) fn reopen(&mut self, config: &Config) -> bool {
        let opens = self.may_open(config);
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

    pub(crate) const fn messages(&self) -> &Tally {
        &self.messages
    }

    pub(crate) const fn bytes(&self) -> &Gauge {
        &self.bytes
    }

    pub(crate) const fn times_closed(&self) -> u32 {
        self.times_closed
    }
}

#[inline]
fn event(item: Option<Item>) -> Option<Event> {
    match item {
        Some(Item::Event(event)) => Some(event),
        Some(Item::Answer(_)) | None => None,
    }
}

/// Places that a queue begins with.
const PLACES: usize = 16;

/// What a queued event costs beside its payload: its place in a queue that may have just doubled,
/// the allocator's header, and the counter that a shared payload gets.
pub(crate) const EVENT_OVERHEAD: usize = 4 * size_of::<Item>() + 64;
