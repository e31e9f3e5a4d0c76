//! Every deadline of a connection, in one table.

use core::num::NonZeroU64;
use core::time::Duration;

use crate::last_look::{LOOK_BYTES, last_look};
use crate::time::Timestamp;

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// The next ping is due.
    Ping,
    /// A sign of life after a ping is overdue.
    Pong,
    /// The closing handshake is overdue.
    Close,
    /// The peer has taken no output for too long.
    Write,
}

impl Timer {
    pub(crate) const ALL: [Self; 4] = [Self::Ping, Self::Pong, Self::Close, Self::Write];

    /// Where its deadline stands. Pings end when the closing handshake begins, so these two share a
    /// place.
    const fn place(self) -> usize {
        match self {
            Self::Ping | Self::Close => 0,
            Self::Pong => 1,
            Self::Write => 2,
        }
    }

    /// The other one at its place.
    const fn neighbour(self) -> Option<Self> {
        match self {
            Self::Ping => Some(Self::Close),
            Self::Close => Some(Self::Ping),
            Self::Pong | Self::Write => None,
        }
    }
}

/// At most one deadline for each timer.
///
/// A deadline that begins in a call without a time of its own (an event is taken, a message is
/// sent) is pending until the next call that has one: until then it counts as due at once, so that
/// the caller makes that call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TimerTable {
    /// When each is due; of a pending one, the microseconds until it is.
    deadlines: [Timestamp; 3],
    set: Timers,
    /// Those of `set` that have not begun.
    pending: Timers,
    /// Those of `set` that have passed and wait for a last look.
    looking: Timers,
    /// Whether input came since a last look began, or was asked for again.
    has_heard: bool,
    /// How many bytes came in the last look.
    heard: u32,
    /// When the gate closed, if it has.
    gate_closed: Option<NonZeroU64>,
}

/// A set of timers, as bits: whether one is pending is asked in every call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Timers(u8);

impl Timers {
    /// No timer: that the gate has opened is pending.
    const GATE: Self = Self(1 << 7);
    /// Those whose limits may wait for what is behind a closed gate.
    const BLAMING: Self =
        Self(1 << Timer::Pong as u8 | 1 << Timer::Close as u8 | 1 << Timer::Write as u8);

    const fn contains(self, timer: Timer) -> bool {
        self.0 & 1 << timer as u8 != 0
    }

    const fn meets(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    const fn insert(&mut self, timer: Timer) {
        self.0 |= 1 << timer as u8;
    }

    const fn remove(&mut self, timer: Timer) {
        self.0 &= !(1 << timer as u8);
    }
}

impl TimerTable {
    /// Sets a deadline anew. One for pings ends when one for the closing handshake begins.
    pub(crate) fn set(&mut self, timer: Timer, deadline: Timestamp) {
        if let Some(neighbour) = timer.neighbour() {
            self.clear(neighbour);
        }
        self.deadlines[timer.place()] = deadline;
        self.set.insert(timer);
        self.pending.remove(timer);
        self.looking.remove(timer);
    }

    /// Begins `delay` at the time of the next call that has one.
    pub(crate) fn begin(&mut self, timer: Timer, delay: Duration) {
        self.set(timer, Timestamp::from_duration(delay));
        self.pending.insert(timer);
    }

    #[inline]
    pub(crate) fn clear(&mut self, timer: Timer) {
        self.set.remove(timer);
        self.pending.remove(timer);
        self.looking.remove(timer);
    }

    /// The same, while none is pending or waits for a last look.
    #[inline(always)]
    pub(crate) fn stop(&mut self, timer: Timer) {
        debug_assert!(!self.is_unsettled(), "what has not begun is to be cleared");
        self.set.remove(timer);
    }

    #[inline]
    pub(crate) const fn is_set(&self, timer: Timer) -> bool {
        self.set.contains(timer)
    }

    /// Whether a deadline is pending.
    #[inline]
    pub(crate) fn is_pending(&self) -> bool {
        self.pending != Timers::default()
    }

    /// Whether a deadline is pending, or waits for a last look.
    #[inline]
    pub(crate) const fn is_unsettled(&self) -> bool {
        self.pending.0 | self.looking.0 != 0
    }

    /// Input has come: a last look sees it.
    #[inline]
    pub(crate) fn hear(&mut self, bytes: usize) {
        if self.looking != Timers::default() {
            self.has_heard = true;
            self.heard = self.heard.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        }
    }

    /// A time has come in: pending deadlines begin now.
    #[inline]
    pub(crate) fn tick(&mut self, now: Timestamp) {
        if self.is_pending() {
            self.begin_pending(now);
        }
    }

    fn begin_pending(&mut self, now: Timestamp) {
        for timer in Timer::ALL {
            if self.pending.contains(timer) {
                let delay = self.deadlines[timer.place()].as_micros();
                self.set(timer, now + Duration::from_micros(delay));
            }
        }
    }

    /// The gate has closed: what the peer owes us may wait behind it.
    #[inline]
    pub(crate) fn gate_closed(&mut self, now: Timestamp) {
        self.gate_closed = self.gate_closed.or(NonZeroU64::new(now.as_micros() + 1));
        self.pending.0 &= !Timers::GATE.0;
    }

    /// It has opened, which counts from the next time that is told.
    pub(crate) fn gate_opened(&mut self) {
        if self.set.meets(Timers::BLAMING) {
            self.pending.0 |= Timers::GATE.0;
        } else {
            self.gate_closed = None;
        }
    }

    /// For how long the gate was closed, if it has opened.
    pub(crate) fn take_gate_closed(&mut self, now: Timestamp) -> Option<Duration> {
        if self.pending.0 & Timers::GATE.0 == 0 {
            return None;
        }
        self.pending.0 &= !Timers::GATE.0;
        let since = self.gate_closed.take()?.get() - 1;
        Some(Duration::from_micros(now.as_micros().saturating_sub(since)))
    }

    /// Puts a deadline off to this time, if it is before that. Not within a last look, which reads
    /// what there is, however often that closes the gate.
    pub(crate) fn put_off(&mut self, timer: Timer, until: Timestamp) {
        if self.set.contains(timer)
            && !self.pending.contains(timer)
            && !self.looking.contains(timer)
            && self.deadlines[timer.place()] < until
        {
            self.deadlines[timer.place()] = until;
        }
    }

    /// Whether a deadline has passed.
    #[inline]
    pub(crate) fn is_due(&self, timer: Timer, now: Timestamp) -> bool {
        self.set.contains(timer)
            && !self.pending.contains(timer)
            && self.deadlines[timer.place()] <= now
    }

    /// Takes a deadline that has passed.
    pub(crate) fn expire(&mut self, timer: Timer, now: Timestamp) -> bool {
        let expires = self.is_due(timer, now);
        if expires {
            self.clear(timer);
        }
        expires
    }

    /// Judges a deadline of `limit` that has passed, and blames the peer: true if it is over. The
    /// first time it asks for a last look instead, and again as long as that brings something.
    pub(crate) fn judge(&mut self, timer: Timer, now: Timestamp, limit: Duration) -> bool {
        let deadline = self.deadlines[timer.place()];
        if !self.looking.contains(timer) {
            self.looking.insert(timer);
            self.heard = 0;
        } else if timer != Timer::Close || !self.has_heard || self.heard > LOOK_BYTES {
            // Only the peer's Close may be behind other input: a pong is not alone a sign of life,
            // and what counts for the output is that some of it was taken.
            self.clear(timer);
            return true;
        }
        self.has_heard = false;
        self.deadlines[timer.place()] = last_look(deadline, now, limit);
        false
    }

    /// The first deadline; `now` if one is pending. A loop over all connections asks nothing else.
    #[inline]
    pub(crate) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        if self.pending.meets(Timers::GATE) {
            return Some(now);
        }
        let mut earliest = Timestamp::MAX;
        for (deadline, timers) in self.deadlines.iter().zip(PLACES) {
            let begins = if self.pending.meets(timers) { now } else { *deadline };
            let begins = if self.set.meets(timers) { begins } else { Timestamp::MAX };
            earliest = earliest.min(begins);
        }
        (self.set != Timers::default()).then_some(earliest)
    }
}

/// The timers of each place.
const PLACES: [Timers; 3] = [
    Timers(1 << Timer::Ping as u8 | 1 << Timer::Close as u8),
    Timers(1 << Timer::Pong as u8),
    Timers(1 << Timer::Write as u8),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pending_deadline_begins_with_the_next_known_time() {
        let mut timers = TimerTable::default();
        timers.begin(Timer::Close, Duration::from_millis(10));
        assert_eq!(timers.next(Timestamp::from_millis(1)), Some(Timestamp::from_millis(1)));
        assert!(!timers.expire(Timer::Close, Timestamp::from_secs(9)), "it has not begun");
        timers.tick(Timestamp::from_millis(500));
        assert_eq!(timers.next(Timestamp::ZERO), Some(Timestamp::from_millis(510)));
        assert!(!timers.expire(Timer::Close, Timestamp::from_millis(509)));
        assert!(timers.expire(Timer::Close, Timestamp::from_millis(510)));
        assert!(!timers.is_set(Timer::Close), "it expires once");
    }

    #[test]
    fn the_first_of_several_deadlines_is_next_and_each_is_its_own() {
        let at = Timestamp::from_millis;
        let mut timers = TimerTable::default();
        assert_eq!(timers.next(at(7)), None);
        for (index, timer) in (0..).zip(Timer::ALL) {
            assert!(!timers.is_set(timer));
            assert!(!timers.expire(timer, Timestamp::from_secs(99)));
            timers.set(timer, at(40 - index * 10));
            assert!(timers.is_set(timer));
            assert_eq!(timers.next(Timestamp::ZERO), Some(at(40 - index * 10)));
        }
        timers.clear(Timer::Write);
        assert!(!timers.is_set(Timer::Write));
        assert_eq!(timers.next(Timestamp::ZERO), Some(at(20)));
        timers.tick(at(5));
        assert!(!timers.expire(Timer::Close, at(19)), "a time that came in moves none of them");
        assert!(timers.expire(Timer::Close, at(20)));
        timers.set(Timer::Ping, at(50));
        assert_eq!(timers.next(Timestamp::ZERO), Some(at(30)));
        timers.set(Timer::Pong, at(60));
        assert_eq!(timers.next(Timestamp::ZERO), Some(at(50)), "a new deadline replaces the old");
    }
}
