//! The deadline of an opening handshake.

use core::time::Duration;

use crate::last_look::last_look;
use crate::time::Timestamp;

/// The deadline of an opening handshake.
///
/// A timeout may begin in a call that does not tell the time (`accept` and `reject`). It is then
/// pending, and [`next`](Self::next) asks for a call at once, which starts it.
///
/// When the deadline has passed, the caller gets time to read once more before the timeout takes
/// effect (see [`last_look`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deadline {
    /// No limit.
    Off,
    /// The timeout begins at the next call that passes the time in.
    Pending(Duration),
    /// The deadline, and the timeout that led to it.
    At(Timestamp, Duration),
    /// The deadline has passed, and at this time the timeout takes effect.
    LastLook(Timestamp),
}

impl Deadline {
    /// A timeout that begins at the next call that passes the time in.
    pub(crate) fn pending(delay: Option<Duration>) -> Self {
        delay.map_or(Self::Off, Self::Pending)
    }

    /// A timeout that begins now.
    pub(crate) fn after(now: Timestamp, delay: Option<Duration>) -> Self {
        delay.map_or(Self::Off, |delay| Self::At(now + delay, delay))
    }

    /// Begins a pending timeout. Every call that passes the time in calls this.
    pub(crate) fn tick(&mut self, now: Timestamp) {
        if let Self::Pending(delay) = *self {
            *self = Self::At(now + delay, delay);
        }
    }

    /// Whether the timeout takes effect now. The first call after the deadline returns false, and
    /// sets a second deadline: by then the caller has read what had arrived.
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

    /// When `is_over` must be called again. `now` if the timeout is pending.
    pub(crate) fn next(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Off => None,
            Self::Pending(_) => Some(now),
            Self::At(deadline, _) | Self::LastLook(deadline) => Some(deadline),
        }
    }
}
