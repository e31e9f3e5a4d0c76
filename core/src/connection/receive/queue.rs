//! The queue of received events, and the gate: it closes when the queue is too long.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::mem::size_of;

use bytes::Bytes;

use crate::config::Config;
use crate::connection::event::Event;
use crate::connection::gauge::{Gauge, Tally};

/// The events that the application has not taken yet.
///
/// The gate closes when the number of messages or their bytes reach the high mark, and opens when both
/// are at or below the low mark.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// An event that arrived while the queue was empty. It has a place of its own, so that a message
    /// that is taken before the next one arrives needs no allocation for a queue.
    first: Option<Event>,
    /// The events after it. `None` while there are none.
    #[allow(clippy::box_collection, reason = "rarely used, and a pointer while it is not")]
    rest: Option<Box<VecDeque<QueueItem>>>,
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
enum QueueItem {
    Event(Event),
    /// The payload of a ping, to be answered when the events before it are taken. Not an event.
    Answer(Bytes),
}

impl Inbox {
    /// Queues an event with this much payload.
    #[inline(always)]
    pub(crate) fn push(&mut self, length: usize, event: Event, config: &Config) {
        // Asks for both places: in `first` this event would overtake those that wait in `rest`.
        if self.holds_nothing() {
            self.first = Some(event);
        } else {
            self.rest().push_back(QueueItem::Event(event));
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

    /// Queues the answer to a ping, for [`PongPolicy::InOrder`](crate::PongPolicy::InOrder). It
    /// replaces one directly before it (RFC 6455 §5.5.3 allows to answer only the newest ping), so
    /// there is at most one for each event.
    pub(crate) fn push_answer(&mut self, payload: Bytes) {
        let rest = self.rest();
        if let Some(QueueItem::Answer(last)) = rest.back_mut() {
            *last = payload;
        } else {
            rest.push_back(QueueItem::Answer(payload));
        }
    }

    #[inline]
    fn rest(&mut self) -> &mut VecDeque<QueueItem> {
        self.rest.get_or_insert_with(|| Box::new(VecDeque::with_capacity(PLACES)))
    }

    /// Takes the event if it is the only one and the gate is open. Then no answer is due after it, the
    /// gate need not be opened, and both levels become 0: the fast path of `poll_event`.
    #[inline(always)]
    pub(crate) fn pop_only(&mut self) -> Option<Event> {
        if self.rest.is_some() || self.gate == Gate::Closed {
            return None;
        }
        let event = self.first.take()?;
        debug_assert!(self.messages.level() == 1, "it is the only event");
        self.messages.clear();
        self.bytes.clear();
        Some(event)
    }

    /// Subtracts the next event from the levels, before [`take_counted`](Self::take_counted) removes
    /// it. Returns whether something is due after it (to answer a ping, or to open the gate), or
    /// `None` if there is no event.
    #[inline]
    pub(crate) fn count_next(&mut self, config: &Config) -> Option<bool> {
        let rest = self.rest.as_deref();
        let (event, behind) = match &self.first {
            Some(event) => (event, 0),
            None => match rest?.front()? {
                QueueItem::Event(event) => (event, 1),
                // An answer is taken together with the event before it.
                QueueItem::Answer(_) => return None,
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

    /// Removes the event that `count_next` counted. Two steps, so that the compiler moves the event
    /// straight to the caller: an event that is looked at on its way is taken apart and stored again
    /// piece by piece, and loading it as a whole then has to wait for these stores.
    #[inline]
    pub(crate) fn take_counted(&mut self) -> Option<Event> {
        if self.first.is_some() {
            return self.first.take();
        }
        match self.rest.as_mut() {
            // The last one: the queue is freed, so that an idle connection holds none.
            Some(rest) if rest.len() == 1 => event(self.rest.take()?.pop_front()),
            Some(rest) => event(rest.pop_front()),
            None => None,
        }
    }

    /// The next event, which stays in the queue.
    pub(crate) fn next(&self) -> Option<&Event> {
        let front = || match self.rest.as_deref()?.front()? {
            QueueItem::Event(event) => Some(event),
            QueueItem::Answer(_) => None,
        };
        self.first.as_ref().or_else(front)
    }

    /// Whether the item at this index after `first` is an answer to a ping.
    #[inline]
    fn is_answer(&self, place: usize) -> bool {
        let item = self.rest.as_deref().and_then(|rest| rest.get(place));
        matches!(item, Some(QueueItem::Answer(_)))
    }

    #[inline]
    fn may_open(&self, config: &Config) -> bool {
        self.gate == Gate::Closed
            && self.messages.is_low(config.message_marks)
            && self.bytes.is_low(config.byte_marks)
    }

    /// Takes an answer to a ping, if everything before it is taken. Call it until it returns `None`.
    pub(crate) fn pop_answer(&mut self) -> Option<Bytes> {
        if !self.is_answer(0) {
            return None;
        }
        let rest = self.rest.as_mut()?;
        let Some(QueueItem::Answer(payload)) = rest.pop_front() else { return None };
        if rest.is_empty() {
            self.rest = None;
        }
        Some(payload)
    }

    /// Opens the gate if both levels are low enough. Returns whether it did; then decoding goes on.
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

    /// Whether the queue holds neither events nor answers.
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
fn event(item: Option<QueueItem>) -> Option<Event> {
    match item {
        Some(QueueItem::Event(event)) => Some(event),
        Some(QueueItem::Answer(_)) | None => None,
    }
}

/// The capacity that the queue begins with.
const PLACES: usize = 16;

/// What a queued event costs besides its payload: its place in a queue that may just have doubled its
/// capacity, the allocator's header, and the reference counter of a shared payload.
pub(crate) const EVENT_OVERHEAD: usize = 4 * size_of::<QueueItem>() + 64;
