//! A connection, written as plainly as possible: what it must do, not how. It knows no bytes, only
//! what they mean, how many came in, and what has gone out again.

mod consequences;

use core::time::Duration;

use tidegate_core::testing::{Rules, Sent, Taken};
use tidegate_core::{Config, Failure, ProtocolError, Role, Timestamp, Transport};

/// What the peer sent, with the position behind its last byte.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Sent(Sent),
    Violation(ProtocolError),
}

/// Where the connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Open,
    /// Our Close is under way or sent, the peer's is awaited.
    Closing,
    /// Both were.
    Closed,
    Failed,
    /// The transport is cut, and what had arrived is still taken.
    Cut,
    Over,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Clean,
    Failed(Failure),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Never,
    At(Timestamp),
    /// So long after the next call that tells the time.
    After(Duration),
}

/// The limits on time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) ping: Option<Duration>,
    pub(crate) pong: Option<Duration>,
    pub(crate) close: Option<Duration>,
    pub(crate) write: Option<Duration>,
}

#[derive(Debug)]
pub(crate) struct Reference {
    role: Role,
    rules: Rules,
    times: Times,
    pub(crate) now: Timestamp,
    pub(crate) stage: Stage,
    pub(crate) end: Option<End>,
    is_end_taken: bool,

    /// What the peer will have sent, with positions.
    items: Vec<(usize, Item)>,
    received: usize,
    /// Everything up to here is decoded.
    decoded: usize,
    has_ended: bool,
    queue: Vec<Queued>,
    is_gate_open: bool,
    held: Option<Item>,

    /// What is to be written and is not: pings, pongs, messages and the Close.
    pub(crate) unwritten: Unwritten,
    ping_due: Due,
    pong_due: Due,
    close_due: Due,
    write_due: Due,
    pub(crate) has_written: bool,
    ping_count: u32,
    pub(crate) outstanding: Option<(Vec<u8>, Timestamp)>,
    pub(crate) latency: Option<Duration>,
    pub(crate) times_closed: u64,
    /// The most messages and bytes that were queued at once.
    pub(crate) peaks: (usize, usize),
}

#[derive(Clone, Debug)]
enum Queued {
    Event(Taken, usize),
    Answer(Vec<u8>),
}

/// A whole message, or a part of one.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) payload: Vec<u8>,
    /// Whether the message ends here.
    pub(crate) is_last: bool,
}

/// What waits to be written, in the order in which each kind must come out.
#[derive(Debug, Default)]
pub(crate) struct Unwritten {
    pub(crate) pings: Vec<Vec<u8>>,
    pub(crate) pongs: Vec<Vec<u8>>,
    /// Messages, and parts of them.
    pub(crate) data: Vec<Part>,
    pub(crate) close: Option<Option<u16>>,
    /// Bytes of a frame that is written in part.
    pub(crate) is_within_frame: bool,
}

impl Unwritten {
    pub(crate) fn is_empty(&self) -> bool {
        self.pings.is_empty()
            && self.pongs.is_empty()
            && self.data.is_empty()
            && self.close.is_none()
            && !self.is_within_frame
    }
}

impl Reference {
    pub(crate) fn new(
        role: Role,
        config: &Config,
        times: Times,
        items: Vec<(usize, Item)>,
    ) -> Self {
        let due = times.ping.map_or(Due::Never, |ping| Due::At(Timestamp::ZERO + ping));
        Self {
            role,
            rules: Rules::from(config),
            times,
            now: Timestamp::ZERO,
            stage: Stage::Open,
            end: None,
            is_end_taken: false,
            items,
            received: 0,
            decoded: 0,
            has_ended: false,
            queue: Vec::new(),
            is_gate_open: true,
            held: None,
            unwritten: Unwritten::default(),
            ping_due: due,
            pong_due: Due::Never,
            close_due: Due::Never,
            write_due: Due::Never,
            has_written: false,
            ping_count: 0,
            outstanding: None,
            latency: None,
            times_closed: 0,
            peaks: (0, 0),
        }
    }

    // What comes in.

    pub(crate) fn input(&mut self, now: Timestamp, count: usize) {
        self.tell(now);
        if count == 0 || self.has_ended || self.stage == Stage::Cut {
            return;
        }
        self.pong_due = Due::Never;
        if !self.decodes() {
            return;
        }
        self.received += count;
        self.decode();
        if self.queued_messages() == 0 || self.stage != Stage::Open {
            self.release();
        }
        self.tell(now);
    }

    pub(crate) fn eof(&mut self, now: Timestamp) {
        self.tell(now);
        if !self.has_ended {
            self.has_ended = true;
            if self.is_all_decoded() {
                self.over();
            }
        }
        self.tell(now);
    }

    pub(crate) fn timeout(&mut self, now: Timestamp) {
        self.tell(now);
        if is_due(&mut self.ping_due, now) {
            self.ping_count += 1;
            let payload = self.ping_count.to_be_bytes().to_vec();
            self.push_ping(payload, now);
            if let (Some(timeout), Due::Never) = (self.times.pong, self.pong_due) {
                self.pong_due = Due::At(now + timeout);
            }
            self.ping_due = self.times.ping.map_or(Due::Never, |ping| Due::At(now + ping));
        }
        if is_due(&mut self.pong_due, now) {
            if self.is_gate_open && self.held.is_none() {
                self.cut(Failure::KeepaliveTimeout);
            } else if let Some(timeout) = self.times.pong {
                self.pong_due = Due::At(now + timeout);
            }
        }
        if is_due(&mut self.write_due, now) && !self.unwritten.is_empty() {
            if self.has_written {
                self.watch();
            } else {
                self.cut(Failure::WriteTimeout);
            }
        }
        if is_due(&mut self.close_due, now) {
            self.cut(Failure::CloseTimeout);
        }
        self.tell(now);
    }

    // What the application wishes.

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
        self.watch();
    }

    pub(crate) fn ping(&mut self, now: Timestamp, payload: Vec<u8>) {
        self.tell(now);
        self.push_ping(payload, now);
        self.tell(now);
    }

    pub(crate) fn pong(&mut self, payload: Vec<u8>) {
        self.answer(payload);
    }

    /// Whether it could.
    pub(crate) fn close(&mut self, now: Timestamp, code: u16) -> bool {
        if self.stage != Stage::Open {
            return false;
        }
        self.tell(now);
        self.unwritten.close = Some(Some(code));
        self.enter(Stage::Closing);
        self.release();
        self.tell(now);
        true
    }

    pub(crate) fn abort(&mut self) {
        self.decoded = self.received;
        self.held = None;
        self.cut(Failure::Aborted);
    }

    // What can be seen.

    pub(crate) fn wants_input(&self) -> bool {
        let is_open = matches!(self.stage, Stage::Open | Stage::Closing | Stage::Closed);
        let is_broken = matches!(self.held, Some(Item::Violation(_)));
        is_open && !is_broken && self.is_gate_open && !self.is_stashed() && !self.has_ended
    }

    pub(crate) fn transport(&self) -> Transport {
        match (self.stage, self.role) {
            (Stage::Cut, _) => Transport::Close,
            (Stage::Open | Stage::Closing, _) => Transport::KeepOpen,
            _ if !self.unwritten.is_empty() => Transport::KeepOpen,
            (Stage::Over, _) => Transport::Close,
            (Stage::Closed, Role::Client) => Transport::KeepOpen,
            (Stage::Closed | Stage::Failed, _) => Transport::ShutdownWrite,
        }
    }

    pub(crate) fn timer(&self) -> Option<Timestamp> {
        [self.ping_due, self.pong_due, self.close_due, self.write_due]
            .into_iter()
            .filter_map(|due| match due {
                Due::Never => None,
                Due::At(time) => Some(time),
                Due::After(_) => Some(self.now),
            })
            .min()
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

fn is_due(due: &mut Due, now: Timestamp) -> bool {
    let is_due = matches!(*due, Due::At(time) if time <= now);
    if is_due {
        *due = Due::Never;
    }
    is_due
}

/// What the peer closes with.
pub(crate) const CLOSE_CODE: u16 = 1000;
