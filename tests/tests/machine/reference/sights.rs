//! The reference: what can be observed.

use core::time::Duration;

use tidegate_core::{Role, Timestamp, Transport};

use super::{Item, Queued, Reference, Stage};

impl Reference {
    pub(crate) fn wants_input(&self) -> bool {
        let is_open = matches!(self.stage, Stage::Open | Stage::Closing | Stage::Closed);
        let is_broken = matches!(self.held, Some(Item::Violation(_)));
        is_open && !is_broken && self.is_gate_open && !self.is_stashed() && !self.has_ended
    }

    /// Whether the peer may send more.
    pub(crate) fn counts_input(&self) -> bool {
        matches!(self.stage, Stage::Open | Stage::Closing) && self.held.is_none() && !self.has_ended
    }

    pub(crate) fn transport(&self) -> Transport {
        match (self.stage, self.role) {
            (Stage::Cut, _) => Transport::Close,
            // Nothing more can arrive, and nothing is left to write.
            (Stage::Closing, _) if self.has_ended && self.unwritten.is_empty() => Transport::Close,
            (Stage::Open | Stage::Closing, _) => Transport::KeepOpen,
            _ if !self.unwritten.is_empty() => Transport::KeepOpen,
            (Stage::Over, _) => Transport::Close,
            (Stage::Closed, Role::Client) => Transport::KeepOpen,
            (Stage::Closed | Stage::Failed, _) => Transport::ShutdownWrite,
        }
    }

    /// The range of times that `poll_timeout` may return.
    pub(crate) fn check_timer(&self, timer: Option<Timestamp>) {
        let limits = [&self.pong, &self.closing, &self.write];
        let wakes = limits.iter().filter_map(|limit| limit.wake(self.told));
        if let Some(latest) = wakes.chain(self.ping_due).min() {
            let is_early = timer.is_some_and(|timer| timer <= latest.max(self.told));
            let (stage, told) = (self.stage, self.told);
            assert!(
                is_early,
                "poll_timeout: {timer:?}, latest {latest:?}, {stage:?}, {told:?}, {limits:?}"
            );
        }
    }

    /// Whether the passing of time can change anything.
    pub(crate) fn is_waiting(&self) -> bool {
        let limits = [&self.pong, &self.closing, &self.write];
        self.ping_due.is_some() || limits.iter().any(|limit| limit.is_running())
    }

    pub(crate) fn check_latency(&self, latency: Option<Duration>) {
        let is_right = match (self.latency, latency) {
            (None, None) => true,
            (Some((least, most)), Some(latency)) => (least..=most).contains(&latency),
            _ => false,
        };
        assert!(is_right, "latency {latency:?}, expected {:?}", self.latency);
    }

    pub(crate) fn is_ping_outstanding(&self) -> bool {
        self.answered < self.pings.len()
    }

    /// Every number that `ping` returned, and whether that ping or a later one is answered.
    pub(crate) fn answers(&self) -> impl Iterator<Item = (u32, bool)> {
        let numbered = self.pings.iter().enumerate();
        numbered.filter_map(|(index, ping)| Some((ping.number?, index < self.answered)))
    }

    pub(crate) fn is_gate_open(&self) -> bool {
        self.is_gate_open
    }

    pub(crate) fn queued_messages(&self) -> usize {
        self.queue.iter().filter(|queued| matches!(queued, Queued::Event(..))).count()
    }

    pub(crate) fn queued_bytes(&self) -> usize {
        let length = |queued: &Queued| match queued {
            Queued::Event(_, length) => *length,
            Queued::Answer(_) => 0,
        };
        self.queue.iter().map(length).sum()
    }
}
