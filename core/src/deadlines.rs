//! What a connection does when a deadline has come.

use core::time::Duration;

use bytes::Bytes;

use crate::connection::Connection;
use crate::event::Failure;
use crate::keepalive::PingPayload;
use crate::phase::Phase;
use crate::timers::Timer;

impl Connection {
    /// Does what is due.
    pub(crate) fn expire(&mut self) {
        let now = self.now;
        if self.timers.expire(Timer::Ping, now) {
            self.keepalive_ping();
        }
        if self.timers.expire(Timer::Pong, now) {
            if self.inbox.is_open() && self.stash.held().is_none() {
                self.cut(Failure::KeepaliveTimeout);
            } else if let Some(timeout) = self.config.pong_timeout {
                // The pong may be waiting behind our own closed gate: the peer is not to blame.
                self.timers.set(Timer::Pong, now + timeout);
            }
        }
        if self.timers.expire(Timer::Write, now) && self.wants_output() {
            if self.output.outbox.take_progress() {
                self.watch_output();
            } else {
                self.cut(Failure::WriteTimeout);
            }
        }
        if self.timers.expire(Timer::Close, now) {
            self.cut(Failure::CloseTimeout);
        }
    }

    fn keepalive_ping(&mut self) {
        // A number, so that its pong can be told from others.
        self.pings = self.pings.wrapping_add(1);
        let number = self.pings;
        let payload = Bytes::copy_from_slice(&PingPayload::bytes(number));
        // If sixteen pings wait already, the peer takes nothing: one more would tell nothing.
        if self.output.outbox.push_ping(payload).is_ok() {
            self.watch_output();
            self.keepalive.sent(PingPayload::Number(number), self.now);
        }
        if let Some(timeout) = self.config.pong_timeout
            && !self.timers.is_set(Timer::Pong)
        {
            self.timers.set(Timer::Pong, self.now + timeout);
        }
        if let Some(interval) = self.config.ping_interval {
            self.timers.set(Timer::Ping, self.now + interval);
        }
        self.compression.rest();
    }

    /// There is output: the peer has `write_timeout` to take some of it.
    #[inline]
    pub(crate) fn watch_output(&mut self) {
        if let Some(timeout) = self.config.write_timeout {
            self.watch_write(timeout);
        }
    }

    #[cold]
    fn watch_write(&mut self, timeout: Duration) {
        if self.phase == Phase::Open && !self.timers.is_set(Timer::Write) {
            self.output.outbox.take_progress();
            self.timers.begin(Timer::Write, timeout);
        }
    }
}
