//! Every deadline of a connection, in one table.

use core::time::Duration;

use crate::timestamp::Timestamp;

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
}

/// At most one deadline for each timer.
///
/// A deadline that begins in a call without a time of its own (an event is taken, a message is
/// sent) is pending until the next call that has one: until then it counts as due at once, so that
/// the caller makes that call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TimerTable {
    slots: [Slot; Timer::ALL.len()],
}

#[derive(Clone, Copy, Debug, Default)]
enum Slot {
    #[default]
    Off,
    At(Timestamp),
    /// As microseconds, which is as long as a point in time.
    Pending(u64),
}

impl TimerTable {
    pub(crate) fn set(&mut self, timer: Timer, deadline: Timestamp) {
        self.slots[timer as usize] = Slot::At(deadline);
    }

    /// Begins `delay` at the time of the next call that has one.
    pub(crate) fn begin(&mut self, timer: Timer, delay: Duration) {
        self.slots[timer as usize] = Slot::Pending(Timestamp::from_duration(delay).as_micros());
    }

    pub(crate) fn clear(&mut self, timer: Timer) {
        self.slots[timer as usize] = Slot::Off;
    }

    pub(crate) const fn is_set(&self, timer: Timer) -> bool {
        !matches!(self.slots[timer as usize], Slot::Off)
    }

    /// A time has come in: pending deadlines begin now.
    pub(crate) fn tick(&mut self, now: Timestamp) {
        for slot in &mut self.slots {
            if let Slot::Pending(delay) = *slot {
                *slot = Slot::At(now + Duration::from_micros(delay));
            }
        }
    }

    /// Takes a deadline that has passed.
    pub(crate) fn expire(&mut self, timer: Timer, now: Timestamp) -> bool {
        match self.slots[timer as usize] {
            Slot::At(deadline) if deadline <= now => {
                self.clear(timer);
                true
            }
            Slot::At(_) | Slot::Pending(_) | Slot::Off => false,
        }
    }

    /// The first deadline; `now` if one is pending.
    pub(crate) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        self.slots
            .iter()
            .filter_map(|slot| match slot {
                Slot::Off => None,
                Slot::At(deadline) => Some(*deadline),
                Slot::Pending(_) => Some(now),
            })
            .min()
    }
}

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
