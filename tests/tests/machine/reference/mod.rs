//! The reference: a connection written as simply as possible, which describes what a connection must
//! do. It has no bytes, only their meaning, how many came in, and what was written. Time follows the
//! five rules of `docs/flow-control.md`.

mod consequences;
mod limits;
mod sights;
mod unwritten;

use core::time::Duration;

use tidegate_core::testing::{Rules, Sent, Taken};
use tidegate_core::{
    CloseFrame, Closed, Config, Connection, Failure, ProtocolError, Role, Timestamp, Transport,
};

use self::limits::Limit;
use self::unwritten::Part;
pub(crate) use self::unwritten::{Unwritten, Words};

/// What the peer sent, with the position after its last byte.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Sent(Sent),
    Close(CloseFrame),
    Violation(ProtocolError),
}

/// The phase of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Open,
    /// Our Close is queued or sent, and we wait for the peer's.
    Closing,
    /// Both were exchanged.
    Closed,
    Failed,
    /// The transport is cut, and what had arrived can still be taken.
    Cut,
    Over,
}

/// How it ended, and whether the peer began to close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Clean { received: CloseFrame, sent: CloseFrame, by_peer: bool },
    Failed { failure: Failure, by_peer: bool },
}

/// The time limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) ping: Option<Duration>,
    pub(crate) pong: Option<Duration>,
    pub(crate) close: Option<Duration>,
    pub(crate) write: Option<Duration>,
}

/// One of our pings, from when it was requested.
#[derive(Debug)]
pub(crate) struct Ping {
    /// The payload. A keepalive ping's is not known before it is written.
    pub(crate) payload: Option<Vec<u8>>,
    /// The number that `ping` returned; a keepalive ping has none.
    pub(crate) number: Option<u32>,
    asked: Timestamp,
    /// When the connection was first told the time after the ping was written.
    left: Option<Timestamp>,
    pub(crate) is_written: bool,
}

#[derive(Debug)]
pub(crate) struct Reference {
    role: Role,
    rules: Rules,
    times: Times,
    /// The time, and the time that the connection was last told.
    pub(crate) clock: Timestamp,
    told: Timestamp,
    pub(crate) stage: Stage,
    pub(crate) end: Option<End>,
    is_end_taken: bool,

    /// Everything that the peer sends, with positions.
    pub(crate) items: Vec<(usize, Item)>,
    pub(crate) received: usize,
    /// Everything up to this position is decoded.
    decoded: usize,
    has_ended: bool,
    queue: Vec<Queued>,
    is_gate_open: bool,
    /// Since when this has been so, after the last call.
    gate_closed: Option<Timestamp>,
    /// Everything that the peer sends has arrived, so the transport need not wait until it is taken.
    may_be_left: bool,
    held: Option<Item>,
    /// How many bytes came after the peer's Close.
    behind: usize,

    /// Unwritten output: pings, pongs, messages and the Close.
    pub(crate) unwritten: Unwritten,
    /// Our Close, once there is one.
    close: Option<CloseFrame>,
    ping_due: Option<Timestamp>,
    pong: Limit,
    closing: Limit,
    write: Limit,
    pub(crate) pings: Vec<Ping>,
    /// All pings before this one are answered.
    answered: usize,
    /// The least and the greatest possible round trip of the newest answered ping.
    latency: Option<(Duration, Duration)>,
    pub(crate) times_closed: u64,
    /// The most messages and bytes that were in the inbox at once.
    pub(crate) peaks: (usize, usize),
}

#[derive(Clone, Debug)]
enum Queued {
    Event(Taken, usize),
    Answer(Vec<u8>),
}

impl Reference {
    pub(crate) fn new(
        role: Role,
        config: &Config,
        times: Times,
        items: Vec<(usize, Item)>,
    ) -> Self {
        Self {
            role,
            rules: Rules::from(config),
            times,
            clock: Timestamp::ZERO,
            told: Timestamp::ZERO,
            stage: Stage::Open,
            end: None,
            is_end_taken: false,
            items,
            received: 0,
            decoded: 0,
            has_ended: false,
            queue: Vec::new(),
            is_gate_open: true,
            gate_closed: None,
            may_be_left: false,
            held: None,
            behind: 0,
            unwritten: Unwritten::default(),
            close: None,
            ping_due: times.ping.map(|ping| Timestamp::ZERO + ping),
            pong: Limit::new(times.pong),
            closing: Limit::new(times.close),
            write: Limit::new(times.write),
            pings: Vec::new(),
            answered: 0,
            latency: None,
            times_closed: 0,
            peaks: (0, 0),
        }
    }

    // Input from outside.

    pub(crate) fn input(&mut self, count: usize) {
        self.tell();
        if count == 0 || self.has_ended || self.stage == Stage::Cut {
            return;
        }
        self.pong.stop();
        self.closing.hear();
        if self.stage == Stage::Closed {
            self.receive_behind(count);
        }
        if !self.decodes() {
            return;
        }
        self.received += count;
        self.decode();
        if self.queued_messages() == 0 || self.stage != Stage::Open {
            self.release();
        }
        self.tell();
    }

    pub(crate) fn eof(&mut self) {
        self.tell();
        if !self.has_ended {
            self.has_ended = true;
            if self.is_all_decoded() {
                self.over();
            }
        }
        self.tell();
    }

    /// Follows what the core did, where several results are allowed.
    pub(crate) fn timeout(&mut self, core: &Connection) {
        self.tell();
        if self.ping_due.is_some_and(|due| due <= self.clock) {
            self.push_ping(None, None);
            self.ping_due = self.times.ping.map(|ping| self.clock + ping);
        }
        self.may_be_left |= self.has_peer_said_all();
        self.follow(core);
        let may_pong = self.pong.timeout(self.clock);
        let may_write = self.write.timeout(self.clock);
        let may_close = self.closing.timeout(self.clock);
        let is_cut = core.transport() == Transport::Close && self.transport() != Transport::Close;
        if is_cut {
            let failure = core.closed().and_then(Closed::failure).unwrap_or(Failure::Aborted);
            let is_due = match (&self.end, failure) {
                (None, Failure::KeepaliveTimeout) => may_pong,
                (None, Failure::WriteTimeout) => may_write,
                (None, Failure::CloseTimeout) => may_close,
                (None, _) => false,
                (Some(_), _) => may_write || may_close,
            };
            let (stage, limits) = (self.stage, [&self.pong, &self.closing, &self.write]);
            assert!(is_due, "cut by {failure:?} at {:?}, {stage:?}, {limits:?}", self.clock);
            self.cut(failure);
        }
        self.tell();
    }

    /// The transport has taken the ping, which the peer must answer from now on.
    pub(crate) fn ping_left(&mut self, ping: usize) {
        if let Some(ping) = self.pings.get_mut(ping) {
            ping.is_written = true;
        }
        if self.stage == Stage::Open && !self.pong.is_running() {
            self.pong.start(self.clock);
            self.pong.need_not_end();
        }
    }

    /// The transport has taken our Close.
    pub(crate) fn close_left(&mut self) {
        if !self.closing.is_running() {
            self.closing.start(self.clock);
            self.closing.need_not_end();
        }
    }

    /// The transport has taken output. Control frames that are written together count as sent when the
    /// last of them is.
    pub(crate) fn progress(&mut self) {
        if !self.unwritten.has_control() {
            self.pong.must_end();
            self.closing.must_end();
        }
        if !self.unwritten.is_empty() {
            self.write.restart(self.clock);
        }
    }

    // Calls of the application.

    pub(crate) fn take(&mut self) -> Option<Taken> {
        if let Some(Queued::Event(taken, _)) = self.queue.first().cloned() {
            self.queue.remove(0);
            while let Some(Queued::Answer(payload)) = self.queue.first().cloned() {
                self.queue.remove(0);
                if matches!(self.stage, Stage::Open | Stage::Closing) {
                    self.answer(payload);
                }
            }
            let (messages, bytes) = (self.rules.messages.1, self.rules.bytes.1);
            let is_low = self.queued_messages() <= messages && self.queued_bytes() <= bytes;
            if !self.is_gate_open && is_low {
                self.open();
            }
            return Some(taken);
        }
        self.release();
        if self.end.is_none() || !self.is_all_decoded() || self.is_end_taken {
            return None;
        }
        self.is_end_taken = true;
        Some(Taken::Closed)
    }

    pub(crate) fn sent(&mut self, payload: Vec<u8>, is_last: bool) {
        self.unwritten.data.push(Part { payload, is_last });
    }

    pub(crate) fn ping(&mut self, payload: Vec<u8>, number: u32) {
        self.tell();
        self.push_ping(Some(payload), Some(number));
        self.tell();
    }

    /// Returns whether it was possible: "while the closing handshake that we began waits for the peer's
    /// Close, its pings can still be answered".
    pub(crate) fn pong(&mut self, payload: Vec<u8>) -> bool {
        let can_answer = matches!(self.stage, Stage::Open | Stage::Closing);
        if can_answer {
            self.answer(payload);
        }
        can_answer
    }

    /// Returns whether it was possible.
    pub(crate) fn close(&mut self, frame: CloseFrame) -> bool {
        if self.stage != Stage::Open {
            return false;
        }
        self.tell();
        self.unwritten.close = Some(Words::Exactly(frame.clone()));
        self.close = Some(frame);
        self.enter(Stage::Closing);
        self.release();
        self.tell();
        true
    }

    pub(crate) fn abort(&mut self) {
        self.decoded = self.received;
        self.held = None;
        self.cut(Failure::Aborted);
    }
}
