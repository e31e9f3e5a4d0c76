//! The getters of a connection that are not part of its loop: queues, counters, pings.

use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use crate::config::Config;
use crate::connection::Connection;
use crate::connection::event::{Closed, Event, Failure};
use crate::connection::phase::Phase;
use crate::connection::receive::PendingEnd;
use crate::connection::stats::{ConnectionCounters, Stats};
use crate::role::Role;

impl Connection {
    /// Whether a Close was sent or received, or the connection has failed. No message can be sent
    /// then.
    pub fn is_closing(&self) -> bool {
        self.phase != Phase::Open
    }

    /// Whether this is the client's or the server's end.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The settings.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// How many events are queued for the application, not counting
    /// [`Event::Closed`](crate::Event::Closed).
    pub fn queued_messages(&self) -> usize {
        self.inbox.messages().level()
    }

    /// Whether the next event is a message or a chunk. A loop whose answers must be accepted leaves it
    /// in the queue while the outbox is full. Other events need not wait.
    pub fn is_message_next(&self) -> bool {
        matches!(self.inbox.next(), Some(Event::Message(_) | Event::Chunk(_)))
    }

    /// How many bytes of payload are queued for the application.
    pub fn queued_bytes(&self) -> usize {
        self.inbox.bytes().level()
    }

    /// How many bytes of output wait to be written.
    pub fn queued_output(&self) -> usize {
        self.output.outbox.level()
    }

    /// Whether the gate is open: the queue of messages is below its watermarks.
    pub fn is_gate_open(&self) -> bool {
        self.inbox.is_open()
    }

    /// Whether a ping, a pong or a Close waits to be written. A caller that collects output before it
    /// writes should write this at once.
    pub fn wants_control_output(&self) -> bool {
        self.output.outbox.has_control()
    }

    /// Whether the peer's Close or violation was decoded and takes effect when the application has
    /// taken the events before it. Nothing after it is decoded, so do not wait for anything else from
    /// the peer, for example for a pong.
    pub fn is_end_queued(&self) -> bool {
        self.pending_input.end().is_some()
    }

    /// How the connection will end when the queued events are taken, if
    /// [`is_end_queued`](Self::is_end_queued).
    pub fn queued_end(&self) -> Option<Closed> {
        Some(match self.pending_input.end()? {
            // The frame twice: our answer repeats the peer's code and reason.
            PendingEnd::Close { frame, .. } => Closed::clean(frame.clone(), frame.clone(), true),
            PendingEnd::Violation(error) => Closed::failed(Failure::Protocol(*error), None, true),
        })
    }

    /// A snapshot of the counters.
    pub fn stats(&self) -> Stats {
        let ConnectionCounters { messages_in, messages_out, bytes_in, pings_in, pongs_in } =
            self.counters;
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

    /// The round-trip time that the newest answered ping showed.
    pub fn latency(&self) -> Option<Duration> {
        self.keepalive.latency()
    }

    /// Whether a ping was answered. `number` is what [`ping`](Self::ping) returned. A pong to a later
    /// ping counts too, because a peer may answer only the newest (RFC 6455 §5.5.3). May change in
    /// `handle_*`.
    pub fn is_ping_answered(&self, number: u32) -> bool {
        self.keepalive.is_answered(number)
    }

    /// Whether the newest ping is not answered yet.
    pub fn is_ping_outstanding(&self) -> bool {
        self.keepalive.is_outstanding()
    }
}

/// Shows the state and no payload, so that a log does not disclose messages.
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
