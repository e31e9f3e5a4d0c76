//! What follows from what comes in and what is wished.

use tidegate_core::testing::{Sent, Taken};
use tidegate_core::{Failure, PongPolicy, Timestamp};

use super::{CLOSE_CODE, Due, End, Item, Queued, Reference, Stage, Unwritten};

impl Reference {
    /// The time is told: what waited for that begins.
    pub(super) fn tell(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        let dues =
            [&mut self.ping_due, &mut self.pong_due, &mut self.close_due, &mut self.write_due];
        for due in dues {
            if let Due::After(delay) = *due {
                *due = Due::At(self.now + delay);
            }
        }
    }

    pub(super) fn decodes(&self) -> bool {
        matches!(self.stage, Stage::Open | Stage::Closing | Stage::Cut) && self.held.is_none()
    }

    pub(super) fn is_stashed(&self) -> bool {
        self.decoded < self.received
    }

    pub(super) fn is_all_decoded(&self) -> bool {
        !self.is_stashed() && self.held.is_none()
    }

    /// Takes in what arrived, up to where the gate closes.
    pub(super) fn decode(&mut self) {
        while self.is_gate_open && self.decodes() {
            let decoded = self.decoded;
            let next = self.items.iter().find(|(position, _)| *position > decoded);
            let Some((position, item)) = next.filter(|(end, _)| *end <= self.received).cloned()
            else {
                self.decoded = self.received;
                return;
            };
            self.decoded = position;
            match item {
                Item::Sent(Sent::Message(message)) => {
                    let length = message.len();
                    self.push(Taken::Message(message), length);
                }
                Item::Sent(Sent::Ping(payload)) => self.receive_ping(payload),
                Item::Sent(Sent::Pong(payload)) => {
                    if let Some((_, sent)) = self.outstanding.take_if(|ping| ping.0 == payload) {
                        self.latency = Some(self.now.saturating_duration_since(sent));
                    }
                    if self.rules.surface_control {
                        let length = payload.len();
                        self.push(Taken::Pong(payload), length);
                    }
                }
                item @ (Item::Sent(Sent::Close) | Item::Violation(_)) => {
                    self.held = Some(item);
                    // Nothing behind it counts.
                    self.decoded = self.received;
                }
            }
        }
    }

    pub(super) fn push(&mut self, taken: Taken, length: usize) {
        self.queue.push(Queued::Event(taken, length));
        self.peaks.0 = self.peaks.0.max(self.queued_messages());
        self.peaks.1 = self.peaks.1.max(self.queued_bytes());
        let (messages, bytes) = (self.rules.messages.0, self.rules.bytes.0);
        if self.queued_messages() >= messages || self.queued_bytes() >= bytes {
            self.is_gate_open = false;
            self.times_closed += 1;
        }
    }

    pub(super) fn receive_ping(&mut self, payload: Vec<u8>) {
        let policy = self.rules.pong_policy;
        if matches!(self.stage, Stage::Open | Stage::Closing) {
            match policy {
                PongPolicy::InOrder if self.queued_messages() > 0 => {
                    if let Some(Queued::Answer(_)) = self.queue.last() {
                        self.queue.pop();
                    }
                    self.queue.push(Queued::Answer(payload.clone()));
                }
                PongPolicy::Manual => {}
                _ => self.answer(payload.clone()),
            }
        }
        if self.rules.surface_control || policy == PongPolicy::Manual {
            let length = payload.len();
            self.push(Taken::Ping(payload), length);
        }
    }

    pub(super) fn answer(&mut self, payload: Vec<u8>) {
        self.unwritten.pongs.push(payload);
        self.watch();
    }

    pub(super) fn push_ping(&mut self, payload: Vec<u8>, now: Timestamp) {
        self.unwritten.pings.push(payload.clone());
        self.watch();
        self.outstanding = Some((payload, now));
    }

    pub(super) fn watch(&mut self) {
        if let (Some(timeout), Stage::Open, Due::Never) =
            (self.times.write, self.stage, self.write_due)
        {
            self.has_written = false;
            self.write_due = Due::After(timeout);
        }
    }

    pub(super) fn open(&mut self) {
        self.is_gate_open = true;
        if let (Some(timeout), true) = (self.times.pong, self.pong_due != Due::Never) {
            self.pong_due = Due::After(timeout);
        }
        self.decode();
        if self.stage != Stage::Open {
            self.release();
        }
        if self.is_all_decoded() && (self.has_ended || self.stage == Stage::Cut) {
            self.over();
        }
    }

    /// What ends the connection has its turn.
    pub(super) fn release(&mut self) {
        match self.held.take() {
            None => return,
            Some(Item::Violation(error)) => {
                match self.stage {
                    Stage::Open => {
                        self.unwritten.close = Some(Some(error.close_code().as_u16()));
                        self.decide(End::Failed(Failure::Protocol(error)));
                        self.enter(Stage::Failed);
                    }
                    Stage::Closing => {
                        self.decide(End::Failed(Failure::Protocol(error)));
                        self.enter(Stage::Failed);
                    }
                    Stage::Cut => self.enter(Stage::Over),
                    Stage::Closed | Stage::Failed | Stage::Over => {}
                };
            }
            Some(Item::Sent(_)) => match self.stage {
                Stage::Open => {
                    self.unwritten.close = Some(Some(CLOSE_CODE));
                    self.decide(End::Clean);
                    self.enter(Stage::Closed);
                }
                Stage::Closing => {
                    self.decide(End::Clean);
                    self.enter(Stage::Closed);
                }
                Stage::Cut => self.enter(Stage::Over),
                Stage::Closed | Stage::Failed | Stage::Over => {}
            },
        }
        if self.has_ended || self.stage == Stage::Cut {
            self.over();
        }
    }

    /// The stream has ended, and everything in it was seen.
    pub(super) fn over(&mut self) {
        let is_early = self.end.is_none();
        if is_early {
            self.decide(End::Failed(Failure::EndOfStream));
        }
        self.enter(Stage::Over);
        if is_early {
            self.unwritten = Unwritten::default();
        }
    }

    pub(super) fn cut(&mut self, failure: Failure) {
        match self.stage {
            Stage::Open | Stage::Closing => {
                self.decide(End::Failed(failure));
                self.enter(Stage::Cut);
            }
            Stage::Closed | Stage::Failed => self.enter(Stage::Over),
            Stage::Cut | Stage::Over => {}
        }
        self.unwritten = Unwritten::default();
        if self.is_all_decoded() {
            self.over();
        }
    }

    pub(super) fn decide(&mut self, end: End) {
        self.end.get_or_insert(end);
    }

    pub(super) fn enter(&mut self, stage: Stage) {
        if self.stage == stage {
            return;
        }
        self.stage = stage;
        self.ping_due = Due::Never;
        self.pong_due = Due::Never;
        self.write_due = Due::Never;
        if matches!(stage, Stage::Cut | Stage::Over) && self.unwritten.is_empty() {
            self.close_due = Due::Never;
        } else if let (Some(timeout), Due::Never) = (self.times.close, self.close_due) {
            self.close_due = Due::After(timeout);
        }
        if !matches!(stage, Stage::Open | Stage::Closing | Stage::Cut) {
            self.decoded = self.received;
        }
    }
}
