//! The reference: the effects of input and of the application's calls.

use tidegate_core::testing::{Sent, Taken};
use tidegate_core::{CloseFrame, Connection, Failure, PongPolicy, Transport};

use super::{End, Item, Ping, Queued, Reference, Stage, Unwritten, Words};

impl Reference {
    /// The connection is told the time, so limits that waited for that begin.
    pub(super) fn tell(&mut self) {
        self.told = self.clock;
        for ping in &mut self.pings {
            if ping.is_written && ping.left.is_none() {
                ping.left = Some(self.told);
            }
        }
    }

    /// After every call: which limits run and which are suspended. The caller passes whether the outbox
    /// is certainly full, and whether it may be.
    pub(crate) fn settle(&mut self, is_full: bool, may_be_full: bool) {
        if self.unwritten.is_empty() {
            self.write.stop();
        } else {
            self.write.start(self.clock);
        }
        if self.stage == Stage::Over && self.unwritten.is_empty() {
            self.closing.stop();
        }
        // A gate that opens and closes within one call was not open: nothing was read.
        match (self.gate_closed, self.is_gate_open) {
            (None, false) => self.gate_closed = Some(self.clock),
            (Some(since), true) => {
                self.gate_closed = None;
                let closed_for = self.clock.saturating_duration_since(since);
                for limit in [&mut self.pong, &mut self.closing, &mut self.write] {
                    limit.open(self.clock, closed_for);
                }
            }
            (None, true) | (Some(_), false) => {}
        }
        // R2: our gate is closed, or the peer's Close waits for the application.
        let is_ours = !self.is_gate_open || self.held.is_some();
        self.pong.run(!is_ours, !is_ours);
        self.write.run(!is_ours || may_be_full, !is_ours || is_full);
        let runs = !is_ours || self.stage != Stage::Closing;
        self.closing.run(runs, runs);
    }

    /// R2, the second exception: both Closes were exchanged, or a violation came, while our gate is
    /// closed.
    pub(super) fn has_peer_said_all(&self) -> bool {
        let arrived = self.decoded + 1..=self.received;
        let is_it = |(position, item): &(usize, Item)| {
            arrived.contains(position) && !matches!(item, Item::Sent(_))
        };
        self.stage == Stage::Closing && !self.is_gate_open && self.items.iter().any(is_it)
    }

    /// Whether the core has given up the transport because of this limit.
    pub(crate) fn follow(&mut self, core: &Connection) {
        let is_left = core.transport() == Transport::Close && self.transport() != Transport::Close;
        let is_still = self.wants_input() && !core.wants_input();
        if self.may_be_left && !self.has_ended && (is_left || is_still) {
            self.has_ended = true;
            if self.is_all_decoded() {
                self.over();
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

    /// Decodes what arrived, up to where the gate closes.
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
                    self.receive_pong(&payload);
                    if self.rules.surface_control {
                        let length = payload.len();
                        self.push(Taken::Pong(payload), length);
                    }
                }
                item @ (Item::Sent(Sent::Close) | Item::Close(_) | Item::Violation(_)) => {
                    self.held = Some(item);
                    // Nothing after it counts.
                    self.behind = self.received - position;
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

    /// A pong answers its ping, and those before it.
    fn receive_pong(&mut self, payload: &[u8]) {
        let is_it = |ping: &Ping| ping.is_written && ping.payload.as_deref() == Some(payload);
        let Some(index) = self.pings.iter().position(is_it) else { return };
        if index >= self.answered {
            self.answered = index + 1;
            let ping = &self.pings[index];
            let since = |time| self.told.saturating_duration_since(time);
            self.latency = Some((since(ping.left.unwrap_or(self.told)), since(ping.asked)));
        }
    }

    pub(super) fn answer(&mut self, payload: Vec<u8>) {
        self.unwritten.pongs.push(payload);
    }

    pub(super) fn push_ping(&mut self, payload: Option<Vec<u8>>, number: Option<u32>) {
        self.unwritten.pings.push(self.pings.len());
        let asked = self.told;
        self.pings.push(Ping { payload, number, asked, left: None, is_written: false });
    }

    pub(super) fn open(&mut self) {
        self.is_gate_open = true;
        self.decode();
        if self.stage != Stage::Open {
            self.release();
        }
        if self.is_all_decoded() && (self.has_ended || self.stage == Stage::Cut) {
            self.over();
        }
    }

    /// At most 1 MiB is read after the peer's Close.
    pub(super) fn receive_behind(&mut self, count: usize) {
        self.behind += count;
        if self.behind > 1024 * 1024 {
            self.unwritten = Unwritten::default();
            self.enter(Stage::Over);
        }
    }

    /// The end of the connection takes effect.
    pub(super) fn release(&mut self) {
        match self.held.take() {
            None => return,
            Some(Item::Violation(error)) => match self.stage {
                Stage::Open | Stage::Closing => {
                    if self.stage == Stage::Open {
                        self.unwritten.close = Some(Words::Code(error.close_code().as_u16()));
                    }
                    self.fail(Failure::Protocol(error));
                    self.enter(Stage::Failed);
                }
                Stage::Cut => self.enter(Stage::Over),
                Stage::Closed | Stage::Failed | Stage::Over => {}
            },
            Some(Item::Sent(_)) => {}
            Some(Item::Close(received)) => match self.stage {
                Stage::Open | Stage::Closing => {
                    let by_peer = self.stage == Stage::Open;
                    if by_peer {
                        // Our answer repeats the peer's Close.
                        self.unwritten.close = Some(Words::Exactly(received.clone()));
                        self.close = Some(received.clone());
                    }
                    let sent = self.close.clone().unwrap_or(CloseFrame::EMPTY);
                    self.end.get_or_insert(End::Clean { received, sent, by_peer });
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

    /// The stream has ended, and everything in it was decoded.
    pub(super) fn over(&mut self) {
        let is_early = self.end.is_none();
        if is_early {
            self.fail(Failure::EndOfStream);
        }
        self.enter(Stage::Over);
        if is_early {
            self.unwritten = Unwritten::default();
        }
    }

    pub(super) fn cut(&mut self, failure: Failure) {
        match self.stage {
            Stage::Open | Stage::Closing => {
                self.fail(failure);
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

    /// The peer began the end, by ending the stream or by a violation, if we had not sent a Close.
    fn fail(&mut self, failure: Failure) {
        let is_peers = matches!(failure, Failure::EndOfStream | Failure::Protocol(_));
        let by_peer = is_peers && self.stage == Stage::Open;
        self.end.get_or_insert(End::Failed { failure, by_peer });
    }

    pub(super) fn enter(&mut self, stage: Stage) {
        if self.stage == stage {
            return;
        }
        self.stage = stage;
        self.ping_due = None;
        self.pong.stop();
        match stage {
            // After a violation the limit for the end of the stream begins at once.
            Stage::Failed => self.closing.start(self.clock),
            // The stream has ended, but our last output is not written: it may also end here.
            Stage::Over if !self.unwritten.is_empty() => {
                self.closing.start(self.clock);
                self.closing.need_not_end();
            }
            Stage::Cut | Stage::Over => self.closing.stop(),
            Stage::Open | Stage::Closing | Stage::Closed => {}
        }
        if !matches!(stage, Stage::Open | Stage::Closing | Stage::Cut) {
            self.decoded = self.received;
        }
    }
}
