//! The one deadline of an opening handshake.

use core::time::Duration;

use crate::last_look::last_look;
use crate::time::Timestamp;

/// A deadline that may begin in a call without a time of its own (the application answers). It is
/// pending then and counts as due at once, until a call tells the time. When it has passed it asks
/// for a last look before it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deadline {
    Off,
    Pending(Duration),
    At(Timestamp, Duration),
    LastLook(Timestamp),
}

impl Deadline {
    /// Begins at the time of the next call that has one.
    pub(crate) fn pending(delay: Option<Duration>) -> Self {
        delay.map_or(Self::Off, Self::Pending)
    }

    pub(crate) fn after(now: Timestamp, delay: Option<Duration>) -> Self {
        delay.map_or(Self::Off, |delay| Self::At(now + delay, delay))
    }

    pub(crate) fn tick(&mut self, now: Timestamp) {
        if let Self::Pending(delay) = *self {
            *self = Self::At(now + delay, delay);
        }
    }

    /// Whether it is over. Where it has just passed, the caller's loop is asked for one more turn.
    pub(crate) fn is_over(&mut self, now: Timestamp) -> bool {
        match *self {
            Self::At(deadline, limit) if deadline <= now => {
                *self = Self::LastLook(last_look(deadline, now, limit));
                false
            }
            Self::LastLook(deadline) => deadline <= now,
            Self::Off | Self::Pending(_) | Self::At(..) => false,
        }
    }

    /// When it is to be asked again; `now` if it has not begun.
    pub(crate) fn next(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Off => None,
            Self::Pending(_) => Some(now),
            Self::At(deadline, _) | Self::LastLook(deadline) => Some(deadline),
        }
    }
}
