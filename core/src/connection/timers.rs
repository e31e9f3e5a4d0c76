//! The deadlines of a connection: when the next ping is due, and how long the peer may take.

use core::time::Duration;

use crate::last_look::{LOOK_BYTES, last_look};
use crate::time::Timestamp;

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// The next keepalive ping is due.
    Ping,
    /// The peer has sent nothing since a ping.
    Pong,
    /// The closing handshake takes too long.
    Close,
    /// The peer has taken no output for too long.
    Write,
}

/// One deadline for each [`Timer`], and what may delay its effect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimerTable {
    /// When each timer expires; [`NOT_SET`], because an `Option` would make each twice as large.
    deadlines: [Timestamp; 4],
    /// The timers that have expired and wait for the last look at the socket.
    in_last_look: [bool; 4],
    /// How many bytes have arrived during the last look.
    last_look_bytes: u32,
    /// Whether bytes have arrived in the current turn of the last look.
    heard_this_turn: bool,
    /// Whether the close limit waits for a call that knows the time. Its entry in `deadlines` holds
    /// the length of the limit until then.
    is_close_pending: bool,
    gate: GateTimes,
}

/// What the deadlines need to know of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GateTimes {
    Open,
    /// What we expect from the peer may be in the input that we do not read.
    Closed {
        since: Timestamp,
    },
    /// Open again. The next call that knows the time moves the deadlines.
    Reopened {
        since: Timestamp,
    },
}

impl Default for TimerTable {
    fn default() -> Self {
        Self {
            deadlines: [NOT_SET; 4],
            in_last_look: [false; 4],
            last_look_bytes: 0,
            heard_this_turn: false,
            is_close_pending: false,
            gate: GateTimes::Open,
        }
    }
}

impl TimerTable {
    /// Sets a deadline. It replaces an earlier one.
    pub(crate) fn set(&mut self, timer: Timer, deadline: Timestamp) {
        self.clear(timer);
        self.deadlines[timer as usize] = deadline;
    }

    /// Sets the close limit in a call that may not know the time, for example when the application
    /// takes an event. It begins at the next [`tick`](Self::tick).
    pub(crate) fn begin_close(&mut self, limit: Duration) {
        self.set(Timer::Close, Timestamp::from_duration(limit));
        self.is_close_pending = true;
    }

    #[inline]
    pub(crate) fn clear(&mut self, timer: Timer) {
        self.deadlines[timer as usize] = NOT_SET;
        self.in_last_look[timer as usize] = false;
        if timer == Timer::Close {
            self.is_close_pending = false;
        }
    }

    /// As [`clear`](Self::clear), with one store instead of three. For the fast path, where nothing
    /// is pending or in its last look.
    #[inline(always)]
    pub(crate) fn stop(&mut self, timer: Timer) {
        debug_assert!(!self.is_unsettled(), "the fast path is not taken then");
        self.deadlines[timer as usize] = NOT_SET;
    }

    #[inline]
    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.deadlines[timer as usize] != NOT_SET
    }

    /// Whether something waits for the next call that knows the time.
    #[inline]
    pub(crate) const fn is_pending(&self) -> bool {
        self.is_close_pending || matches!(self.gate, GateTimes::Reopened { .. })
    }

    /// Whether something is pending or in its last look.
    #[inline]
    pub(crate) fn is_unsettled(&self) -> bool {
        self.is_pending() || self.in_last_look != [false; 4]
    }

    /// Starts a pending close limit.
    #[inline]
    pub(crate) fn tick(&mut self, now: Timestamp) {
        if self.is_close_pending {
            let limit =
                self.deadlines[Timer::Close as usize].saturating_duration_since(Timestamp::ZERO);
            self.set(Timer::Close, now + limit);
        }
    }

    /// Counts bytes that have come from the peer.
    #[inline]
    pub(crate) fn hear(&mut self, bytes: usize) {
        if self.in_last_look != [false; 4] {
            self.heard_this_turn = true;
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            self.last_look_bytes = self.last_look_bytes.saturating_add(bytes);
        }
    }

    #[inline]
    pub(crate) fn gate_closed(&mut self, now: Timestamp) {
        self.gate = match self.gate {
            GateTimes::Open => GateTimes::Closed { since: now },
            GateTimes::Closed { since } | GateTimes::Reopened { since } => {
                GateTimes::Closed { since }
            }
        };
    }

    pub(crate) fn gate_opened(&mut self) {
        let blames =
            [Timer::Pong, Timer::Close, Timer::Write].iter().any(|timer| self.is_set(*timer));
        self.gate = match self.gate {
            GateTimes::Closed { since } | GateTimes::Reopened { since } if blames => {
                GateTimes::Reopened { since }
            }
            GateTimes::Open | GateTimes::Closed { .. } | GateTimes::Reopened { .. } => {
                GateTimes::Open
            }
        };
    }

    /// Returns for how long the gate was closed, once after each time it has opened.
    pub(crate) fn take_gate_closed(&mut self, now: Timestamp) -> Option<Duration> {
        let GateTimes::Reopened { since } = self.gate else { return None };
        self.gate = GateTimes::Open;
        Some(now.saturating_duration_since(since))
    }

    /// Moves a deadline to `until` if it is earlier than that. Leaves a last look as it is: that
    /// ends however often the gate closes and opens meanwhile.
    pub(crate) fn put_off(&mut self, timer: Timer, until: Timestamp) {
        if self.is_due(timer, until) && !self.in_last_look[timer as usize] {
            self.deadlines[timer as usize] = until;
        }
    }

    /// Whether a timer has expired.
    #[inline]
    pub(crate) fn is_due(&self, timer: Timer, now: Timestamp) -> bool {
        let is_pending = timer == Timer::Close && self.is_close_pending;
        self.is_set(timer) && !is_pending && self.deadlines[timer as usize] <= now
    }

    /// Clears the timer if it has expired. Returns whether it had.
    pub(crate) fn expire(&mut self, timer: Timer, now: Timestamp) -> bool {
        let is_due = self.is_due(timer, now);
        if is_due {
            self.clear(timer);
        }
        is_due
    }

    /// Judges a timer that has expired and blames the peer. The first time this begins the last look
    /// and sets the deadline at which it ends. Returns true when the last look is over.
    pub(crate) fn judge(&mut self, timer: Timer, now: Timestamp, limit: Duration) -> bool {
        let deadline = self.deadlines[timer as usize];
        if !self.in_last_look[timer as usize] {
            self.in_last_look[timer as usize] = true;
            self.last_look_bytes = 0;
        } else {
            // The peer's Close may come after other input, so its look goes on while input comes.
            // For the others one turn is enough: any input clears the pong timer, and the write
            // timer depends on output only.
            let goes_on = timer == Timer::Close && self.heard_this_turn;
            if !goes_on || self.last_look_bytes > LOOK_BYTES {
                self.clear(timer);
                return true;
            }
        }
        self.heard_this_turn = false;
        self.deadlines[timer as usize] = last_look(deadline, now, limit);
        false
    }

    /// The earliest deadline. It is `now` if something is pending, so that the caller passes the time
    /// in at once.
    #[inline]
    pub(crate) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        if self.is_pending() {
            return Some(now);
        }
        let [ping, pong, close, write] = self.deadlines;
        Some(ping.min(pong).min(close.min(write))).filter(|first| *first != NOT_SET)
    }
}

/// The deadline of a timer that is not set.
const NOT_SET: Timestamp = Timestamp::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pending_close_limit_begins_at_the_next_call_that_knows_the_time() {
        let mut timers = TimerTable::default();
        timers.begin_close(Duration::from_millis(10));
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
        for (index, timer) in (0..).zip([Timer::Ping, Timer::Pong, Timer::Close, Timer::Write]) {
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
