//! What can be seen of a connection from outside.

use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use crate::config::Config;
use crate::connection::Connection;
use crate::connection::event::Event;
use crate::connection::event::{Closed, Failure};
use crate::connection::phase::Phase;
use crate::connection::receive::PendingEnd;
use crate::connection::stats::{Counters, Stats};
use crate::role::Role;

impl Connection {
    /// Whether a Close was sent or received, or the connection has failed: nothing can be sent.
    pub fn is_closing(&self) -> bool {
        self.phase != Phase::Open
    }

    /// Which end this is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The settings.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// How many events are decoded and not taken, [`Event::Closed`](crate::Event::Closed) apart.
    pub fn queued_messages(&self) -> usize {
        self.inbox.messages().level()
    }

    /// Whether the next event is a message or a chunk of one. A loop that must be able to answer
    /// leaves it while the outbox is full; control frames and the end need not wait for that.
    pub fn is_message_next(&self) -> bool {
        matches!(self.inbox.next(), Some(Event::Message(_) | Event::Chunk(_)))
    }

    /// How many bytes of payload are decoded and not taken.
    pub fn queued_bytes(&self) -> usize {
        self.inbox.bytes().level()
    }

    /// How many bytes of output wait.
    pub fn queued_output(&self) -> usize {
        self.output.outbox.level()
    }

    /// Whether [`send_chunk`](Self::send_chunk) has room for a chunk.
    pub fn can_send_chunk(&self) -> bool {
        self.phase == Phase::Open && !self.output.outbox.is_full()
    }

    /// Whether a message in chunks is begun and not finished: no other one can be sent.
    pub fn is_message_unfinished(&self) -> bool {
        self.sending.is_unfinished()
    }

    /// Whether the gate is open: fewer messages are queued than the marks allow.
    pub fn is_gate_open(&self) -> bool {
        self.inbox.is_open()
    }

    /// Whether a ping, a pong or a Close waits to be written. That should not wait until more is
    /// there to be written with it.
    pub fn wants_control_output(&self) -> bool {
        self.output.outbox.has_control()
    }

    /// Whether the peer's Close, or a fault of it, waits behind events that are not taken. Nothing
    /// after it is decoded: what else is awaited from the peer, a pong for example, will not come.
    pub fn is_end_queued(&self) -> bool {
        self.pending_input.end().is_some()
    }

    /// How the connection will have ended when that has its turn: what waits behind events that
    /// are not taken, if [`is_end_queued`](Self::is_end_queued).
    pub fn queued_end(&self) -> Option<Closed> {
        Some(match self.pending_input.end()? {
            PendingEnd::Close { frame, .. } => Closed::clean(frame.clone(), frame.clone(), true),
            PendingEnd::Violation(error) => Closed::failed(Failure::Protocol(*error), None, true),
        })
    }

    /// Counters so far.
    pub fn stats(&self) -> Stats {
        let Counters { messages_in, messages_out, bytes_in, pings_in, pongs_in } = self.counters;
        Stats {
            messages_in,
            messages_out,
            bytes_in,
            pings_in: u64::from(pings_in),
            pongs_in: u64::from(pongs_in),
            bytes_out: self.output.total(),
            times_closed: u64::from(self.inbox.times_closed()),
            peak_messages: self.inbox.messages().peak(),
            peak_bytes: self.inbox.bytes().peak(),
            peak_output: self.output.outbox.peak(),
        }
    }

    /// How long the newest answered ping took.
    pub fn latency(&self) -> Option<Duration> {
        self.keepalive.latency()
    }

    /// Whether a ping was answered, by its number, which [`ping`](Self::ping) gave, or one that was
    /// sent after it: a peer may answer the newest alone (RFC 6455 §5.5.3). Changes in `handle_*`.
    pub fn is_ping_answered(&self, number: u32) -> bool {
        self.keepalive.is_answered(number)
    }

    /// Whether the newest ping has not been answered.
    pub fn is_ping_outstanding(&self) -> bool {
        self.keepalive.is_outstanding()
    }
}

/// How it stands. What was received and what is to be sent is not shown: logs are read by others.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("role", &self.role)
            .field("phase", &self.phase)
            .field("wants_input", &self.wants_input())
            .field("queued_messages", &self.queued_messages())
            .field("queued_bytes", &self.queued_bytes())
            .field("queued_output", &self.queued_output())
            .field("poll_timeout", &self.poll_timeout())
            .field("closed", &self.closed())
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
