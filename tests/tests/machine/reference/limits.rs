//! Time limits, according to "Whose fault" in `docs/flow-control.md`: the earliest time at which each
//! may take effect, by what really happened, and the latest time for which the connection must ask
//! for a call. Times in between are up to the connection, which is told the time only in some calls.

use core::time::Duration;

use tidegate_core::Timestamp;

/// The minimal length of a last look.
const TURN: Duration = Duration::from_millis(1);

/// A wait for the peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    length: Option<Duration>,
    /// The earliest time at which it passes, while it runs.
    earliest: Option<Timestamp>,
    /// The earliest end of the last look, once it has begun.
    look: Option<Timestamp>,
    /// Whether the peer sent something since the last turn.
    is_heard: bool,
    /// Whether it may take effect, and whether it must. It may be suspended.
    runs: (bool, bool),
    need_not_end: bool,
}

impl Limit {
    pub(super) const fn new(length: Option<Duration>) -> Self {
        Self {
            length,
            earliest: None,
            look: None,
            is_heard: false,
            runs: (true, true),
            need_not_end: false,
        }
    }

    /// The wait begins, if it has not begun already.
    pub(super) fn start(&mut self, clock: Timestamp) {
        if self.earliest.is_none() {
            self.restart(clock);
        }
    }

    pub(super) fn restart(&mut self, clock: Timestamp) {
        self.look = None;
        self.earliest = self.length.map(|length| clock + length);
        self.need_not_end = false;
    }

    pub(super) fn stop(&mut self) {
        self.earliest = None;
        self.look = None;
    }

    /// The wait may end, and from now on it must.
    pub(super) fn must_end(&mut self) {
        self.need_not_end = false;
    }

    /// The wait goes on, and may end, but need not.
    pub(super) fn need_not_end(&mut self) {
        self.need_not_end = true;
    }

    /// R2: the limit is suspended, or continues.
    pub(super) fn run(&mut self, may: bool, must: bool) {
        self.runs = (may, must);
    }

    /// The gate has opened: the limit gets at least as much time as the gate was closed, up to its own
    /// length.
    /// A last look that continues is not extended: it reads what has arrived.
    pub(super) fn open(&mut self, clock: Timestamp, closed_for: Duration) {
        let (Some(length), Some(earliest)) = (self.length, self.earliest) else { return };
        if self.look.is_none() {
            self.earliest = Some(earliest.max(clock + closed_for.min(length)));
        }
    }

    /// The peer sent something that does not end the wait.
    pub(super) fn hear(&mut self) {
        self.is_heard = true;
    }

    /// `handle_timeout`: whether the limit may take effect now. R1: only after a last look in which
    /// nothing arrived.
    pub(super) fn timeout(&mut self, now: Timestamp) -> bool {
        let is_heard = core::mem::take(&mut self.is_heard);
        let Some(earliest) = self.earliest else { return false };
        if !self.runs.0 {
            return false;
        }
        match self.look {
            Some(until) if !is_heard => until <= now,
            None if now < earliest => false,
            Some(_) | None => {
                self.look = Some(now + TURN);
                false
            }
        }
    }

    /// Whether the passing of time can change anything.
    pub(super) const fn is_running(&self) -> bool {
        self.earliest.is_some()
    }

    /// The latest time for which the connection must ask for a call: in any case its own deadline is
    /// no further away than the length of the limit.
    pub(super) fn wake(&self, told: Timestamp) -> Option<Timestamp> {
        let must = self.is_running() && self.runs.1 && !self.need_not_end;
        self.length.filter(|_| must).map(|length| told + length)
    }
}
