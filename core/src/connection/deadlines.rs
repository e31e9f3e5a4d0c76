//! What a connection does when a deadline has come, and whose fault it is.
//!
//! The rules for limits that blame the peer (docs/flow-control.md, "Whose fault"):
//!
//! - R1: a limit takes effect only after one more turn, in which the socket was looked at:
//!   [`TimerTable::judge`](crate::connection::timers::TimerTable::judge).
//! - R2: while our gate is closed, limits that wait for the peer's bytes stand still:
//!   `stands_still`.
//! - R3: a wait begins when the words have left: `output_moved`.
//! - R5: every peer ends: `write_timeout`, on by default.

use core::time::Duration;

use bytes::Bytes;

use crate::connection::Connection;
use crate::connection::event::Failure;
use crate::connection::keepalive::PingPayload;
use crate::connection::phase::Phase;
use crate::connection::send::queue::progress::News;
use crate::connection::timers::Timer;
use crate::time::Timestamp;

impl Connection {
    /// A time has come in. It never runs backwards.
    #[inline]
    pub(crate) fn tick(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        if self.output.outbox.has_news() {
            self.output_moved();
        }
        if self.timers.is_pending() {
            self.begin_pending();
        }
    }

    /// Does what is due.
    pub(crate) fn expire(&mut self) {
        if self.timers.expire(Timer::Ping, self.now) {
            self.keepalive_ping();
        }
        if self.timers.is_due(Timer::Pong, self.now) {
            let failure = Failure::KeepaliveTimeout;
            self.blame(Timer::Pong, self.config.pong_timeout, self.stands_still(), failure);
        }
        if self.timers.is_due(Timer::Write, self.now) {
            // A peer that waits for us to read may be kept from reading itself. But where the
            // application waits for it, it is the peer that keeps us from going on.
            let stands_still = self.stands_still() && !self.output.outbox.keeps_application();
            let failure = Failure::WriteTimeout;
            self.blame(Timer::Write, self.config.write_timeout, stands_still, failure);
        }
        if self.timers.is_due(Timer::Close, self.now) {
            // Once the peer's Close is there, or a fault, nothing of it waits behind our gate.
            let stands_still = self.stands_still() && self.phase == Phase::Closing;
            if stands_still && self.decoder.finds_close(self.stash.bytes()) {
                // It has said all, and all of it is here: the transport need not wait for the
                // application, which takes the rest, and a clean end, when it likes.
                self.timers.clear(Timer::Close);
                self.end_of_stream = true;
                return;
            }
            let failure = Failure::CloseTimeout;
            self.blame(Timer::Close, self.config.close_timeout, stands_still, failure);
        }
    }

    /// Whether what the peer owes us may be waiting behind our own closed gate, or behind its
    /// Close, which waits for the application.
    fn stands_still(&self) -> bool {
        !self.inbox.is_open() || self.stash.held().is_some()
    }

    /// A limit has passed: it begins afresh, asks for a last look, or cuts the stream.
    fn blame(
        &mut self,
        timer: Timer,
        limit: Option<Duration>,
        stands_still: bool,
        failure: Failure,
    ) {
        let Some(limit) = limit else { return };
        if stands_still {
            // It has as long again, and when the gate opens as long as that was closed.
            self.timers.set(timer, self.now + limit);
        } else if self.timers.judge(timer, self.now, limit) {
            self.cut(failure);
        }
    }

    /// Input was decoded: if that closed the gate, limits that wait for the peer stand still.
    #[inline]
    pub(crate) fn note_gate(&mut self) {
        if !self.inbox.is_open() {
            self.timers.gate_closed(self.now);
        }
    }

    /// The time has come for what waited for it: the gate has opened, and limits have at least as
    /// long again as it was closed, within their own length; deadlines that were pending begin.
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
        // A number, so that its pong can be told from others.
        let number = self.keepalive.next();
        let payload = Bytes::copy_from_slice(&PingPayload::bytes(number));
        // If sixteen pings wait already, the peer takes nothing: one more would tell nothing.
        if self.output.outbox.push_ping(payload).is_ok() {
            self.watch_output();
            self.keepalive.sent(PingPayload::Number(number), self.now);
        }
        if let Some(interval) = self.config.ping_interval {
            self.timers.set(Timer::Ping, self.now + interval);
        }
        self.compression.rest();
    }

    /// There is output: the peer has `write_timeout` to take some of it.
    #[inline]
    pub(crate) fn watch_output(&mut self) {
        self.output.outbox.begin_wait();
    }

    /// Something has happened to the output since the time was last told.
    #[cold]
    pub(crate) fn output_moved(&mut self) {
        let news = self.output.outbox.take_news();
        if !self.wants_output() {
            self.timers.clear(Timer::Write);
        } else if let Some(limit) = self.config.write_timeout {
            self.timers.set(Timer::Write, self.now + limit);
        }
        if news.contains(News::PING_LEFT)
            && self.phase == Phase::Open
            && self.keepalive.is_outstanding()
            && !self.timers.is_set(Timer::Pong)
            && let Some(limit) = self.config.pong_timeout
        {
            self.timers.set(Timer::Pong, self.now + limit);
        }
        if news.contains(News::CLOSE_LEFT) {
            self.limit_closing();
        }
    }

    /// The peer has `close_timeout` for what is left of the closing handshake, the end of the
    /// stream included.
    pub(crate) fn limit_closing(&mut self) {
        if let Some(limit) = self.config.close_timeout
            && !self.timers.is_set(Timer::Close)
        {
            self.timers.begin_close(limit);
        }
    }
}
