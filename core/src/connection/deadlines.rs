//! The clock of a connection: what it does when a deadline expires, and when the peer is to blame.
//!
//! Four of the rules for time limits that blame the peer are implemented here (docs/flow-control.md,
//! "Whose fault"):
//!
//! - R1, look before you judge: a limit takes effect only after the socket was read once more
//!   ([`TimerTable::judge`](crate::connection::timers::TimerTable::judge)).
//! - R2, our slowness is nobody's fault: while our gate is closed, the limits are suspended
//!   (`is_peer_waiting_for_us`).
//! - R3, a wait begins when the transport has taken what we sent (`output_moved`).
//! - R5, no peer can hold a connection forever: `write_timeout` is on by default.
//!
//! R4, every call reads, is the driver's.

use core::time::Duration;

use bytes::Bytes;

use crate::connection::Connection;
use crate::connection::event::Failure;
use crate::connection::keepalive::PingPayload;
use crate::connection::phase::Phase;
use crate::connection::send::OutputChanges;
use crate::connection::timers::Timer;
use crate::time::Timestamp;

impl Connection {
    /// Takes the time that the caller passed in. An earlier time than the last one counts as the last.
    #[inline]
    pub(crate) fn tick(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        if self.output.outbox.has_changes() {
            self.output_moved();
        }
        if self.timers.is_pending() {
            self.begin_pending();
        }
    }

    /// Fires the timers that have expired.
    pub(crate) fn expire(&mut self) {
        if self.timers.expire(Timer::Ping, self.now) {
            self.keepalive_ping();
        }
        if self.timers.is_due(Timer::Pong, self.now) {
            let failure = Failure::KeepaliveTimeout;
            let is_suspended = self.is_peer_waiting_for_us();
            self.blame(Timer::Pong, self.config.pong_timeout, is_suspended, failure);
        }
        if self.timers.is_due(Timer::Write, self.now) {
            // The peer may not read because it waits until we read. But if our application waits
            // for the peer to read, it is the peer that blocks both.
            let is_suspended =
                self.is_peer_waiting_for_us() && !self.output.outbox.keeps_application();
            let failure = Failure::WriteTimeout;
            self.blame(Timer::Write, self.config.write_timeout, is_suspended, failure);
        }
        if self.timers.is_due(Timer::Close, self.now) {
            // After the peer's Close or a violation nothing that matters is left to be read.
            let is_suspended = self.is_peer_waiting_for_us() && self.phase == Phase::Closing;
            if is_suspended && self.decoder.finds_close(self.pending_input.bytes()) {
                // The peer's Close has arrived, but is not decoded because the gate is closed. So
                // the transport can be closed now, and the application can take the messages, and
                // then a clean end, whenever it likes.
                self.timers.clear(Timer::Close);
                self.end_of_stream = true;
                return;
            }
            let failure = Failure::CloseTimeout;
            self.blame(Timer::Close, self.config.close_timeout, is_suspended, failure);
        }
    }

    /// Whether what we expect from the peer may have been sent already, and not be decoded because
    /// our application has not taken earlier messages.
    fn is_peer_waiting_for_us(&self) -> bool {
        !self.inbox.is_open() || self.pending_input.end().is_some()
    }

    /// A limit that blames the peer has passed. Starts it again if it is suspended. Otherwise asks for
    /// a last look, or cuts the stream after that.
    fn blame(
        &mut self,
        timer: Timer,
        limit: Option<Duration>,
        is_suspended: bool,
        failure: Failure,
    ) {
        let Some(limit) = limit else { return };
        if is_suspended {
            // When the gate opens, `begin_pending` moves the deadline again.
            self.timers.set(timer, self.now + limit);
        } else if self.timers.judge(timer, self.now, limit) {
            self.cut(failure);
        }
    }

    /// Called after input was decoded, which may have closed the gate.
    #[inline]
    pub(crate) fn note_gate(&mut self) {
        if !self.inbox.is_open() {
            self.timers.gate_closed(self.now);
        }
    }

    /// Does what had to wait for a call that knows the time. After the gate has opened, each limit
    /// lasts at least as long again as the gate was closed, but not longer than its own length. A
    /// pending close limit begins.
    #[cold]
    pub(crate) fn begin_pending(&mut self) {
        if let Some(closed) = self.timers.take_gate_closed(self.now) {
            let limits = [
                (Timer::Pong, self.config.pong_timeout),
                (Timer::Write, self.config.write_timeout),
                (Timer::Close, self.config.close_timeout),
            ];
            for (timer, limit) in limits {
                self.timers.put_off(timer, self.now + closed.min(limit.unwrap_or_default()));
            }
        }
        self.timers.tick(self.now);
    }

    fn keepalive_ping(&mut self) {
        // The payload is a number, so that its pong can be told from others.
        let number = self.keepalive.next();
        let payload = Bytes::copy_from_slice(&PingPayload::bytes(number));
        // Refused if sixteen pings wait already. The peer reads nothing then, and one more ping
        // would tell us nothing new.
        if self.output.outbox.push_ping(payload).is_ok() {
            self.watch_output();
            self.keepalive.sent(PingPayload::Number(number), self.now);
        }
        if let Some(interval) = self.config.ping_interval {
            self.timers.set(Timer::Ping, self.now + interval);
        }
        // The keepalive is the only timer of an idle connection, so memory that was not used since
        // the last ping is freed here.
        self.compression.rest();
    }

    /// Called after output was queued. The peer has `write_timeout` to take some of it.
    #[inline]
    pub(crate) fn watch_output(&mut self) {
        self.output.outbox.begin_wait();
    }

    /// Starts and stops timers after output was queued or written. This is done when the time is
    /// known, because writing does not pass it in.
    #[cold]
    pub(crate) fn output_moved(&mut self) {
        let changes = self.output.outbox.take_changes();
        // Every piece that the transport takes starts the limit anew: it is for a peer that makes
        // no progress, not for a slow one.
        if !self.wants_output() {
            self.timers.clear(Timer::Write);
        } else if let Some(limit) = self.config.write_timeout {
            self.timers.set(Timer::Write, self.now + limit);
        }
        // R3: until the transport has taken the ping, the peer cannot answer it.
        if changes.contains(OutputChanges::PING_LEFT)
            && self.phase == Phase::Open
            && self.keepalive.is_outstanding()
            && !self.timers.is_set(Timer::Pong)
            && let Some(limit) = self.config.pong_timeout
        {
            self.timers.set(Timer::Pong, self.now + limit);
        }
        if changes.contains(OutputChanges::CLOSE_LEFT) {
            self.limit_closing();
        }
    }

    /// Starts `close_timeout`, which limits the rest of the closing handshake and the wait for the end
    /// of the stream.
    pub(crate) fn limit_closing(&mut self) {
        if let Some(limit) = self.config.close_timeout
            && !self.timers.is_set(Timer::Close)
        {
            self.timers.begin_close(limit);
        }
    }
}
