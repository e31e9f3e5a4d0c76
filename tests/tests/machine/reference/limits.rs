//! Limits of time, by the page `docs/flow-control.md`, "Whose fault": before when none may take
//! effect, by what really happened, and until when the connection must ask for a call. In between
//! the page leaves it to the connection, which is told the time in some calls only.

use core::time::Duration;

use tidegate_core::Timestamp;

/// How long a last look is at least.
const TURN: Duration = Duration::from_millis(1);

/// A wait for the peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    length: Option<Duration>,
    /// When it passes at the earliest, while it runs.
    earliest: Option<Timestamp>,
    /// Until when the last look goes at least, once it has begun.
    look: Option<Timestamp>,
    /// Whether the peer said something since the last turn.
    is_heard: bool,
    /// Whether it may take effect, and whether it has to: it may stand still.
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

    /// The wait begins, if it has not already.
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

    /// It may end, and from now on it must.
    pub(super) fn must_end(&mut self) {
        self.need_not_end = false;
    }

    /// It goes on, and may end, but need not.
    pub(super) fn need_not_end(&mut self) {
        self.need_not_end = true;
    }

    /// R2: it stands still, or goes on.
    pub(super) fn run(&mut self, may: bool, must: bool) {
        self.runs = (may, must);
    }

    /// The gate has opened: it has at least as long again as that was closed, within its own length.
    /// A last look that goes on is none the longer: it reads what there is.
    pub(super) fn open(&mut self, clock: Timestamp, closed_for: Duration) {
        let (Some(length), Some(earliest)) = (self.length, self.earliest) else { return };
        if self.look.is_none() {
            self.earliest = Some(earliest.max(clock + closed_for.min(length)));
        }
    }

    /// The peer said something, which does not end the wait.
    pub(super) fn hear(&mut self) {
        self.is_heard = true;
    }

    /// `handle_timeout`: whether the limit may take effect now. R1: not without a last look, in
    /// which nothing came.
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

    /// Whether time can change anything.
    pub(super) const fn is_running(&self) -> bool {
        self.earliest.is_some()
    }

    /// Until when the connection must ask for a call: whatever has happened, its own deadline is no
    /// further away than the limit is long.
    pub(super) fn wake(&self, told: Timestamp) -> Option<Timestamp> {
        let must = self.is_running() && self.runs.1 && !self.need_not_end;
        self.length.filter(|_| must).map(|length| told + length)
    }
}
