//! The one deadline of an opening handshake.

use core::time::Duration;

use crate::timestamp::Timestamp;

/// A deadline that may begin in a call without a time of its own (the application answers). It is
/// pending then and counts as due at once, until a call tells the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deadline {
    Off,
    Pending(Duration),
    At(Timestamp),
}

impl Deadline {
    /// Begins at the time of the next call that has one.
    pub(super) fn pending(delay: Option<Duration>) -> Self {
        delay.map_or(Self::Off, Self::Pending)
    }

    pub(super) fn after(now: Timestamp, delay: Option<Duration>) -> Self {
        delay.map_or(Self::Off, |delay| Self::At(now + delay))
    }

    pub(super) fn tick(&mut self, now: Timestamp) {
        if let Self::Pending(delay) = *self {
            *self = Self::At(now + delay);
        }
    }

    pub(super) fn is_over(self, now: Timestamp) -> bool {
        matches!(self, Self::At(deadline) if deadline <= now)
    }

    /// When it is over; `now` if it has not begun.
    pub(super) fn next(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Off => None,
            Self::Pending(_) => Some(now),
            Self::At(deadline) => Some(deadline),
        }
    }
}
