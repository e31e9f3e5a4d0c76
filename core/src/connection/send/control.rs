//! Accepts pings, pongs and the Close for sending, and gives a connection up.

use bytes::Bytes;

use crate::close::CloseFrame;
use crate::connection::Connection;
use crate::connection::event::Failure;
use crate::connection::keepalive::PingPayload;
use crate::connection::phase::{Phase, Step};
use crate::connection::receive::PendingInput;
use crate::error::ControlError;
use crate::frame::MAX_CONTROL_PAYLOAD;
use crate::time::Timestamp;

impl Connection {
    /// Sends a ping, and returns its number, for [`is_ping_answered`](Self::is_ping_answered). Its
    /// pong updates [`latency`](Self::latency), and is an event if control frames are surfaced.
    ///
    /// When the transport has taken the ping, the peer has `pong_timeout` to send anything, whether
    /// a keepalive is configured or not.
    ///
    /// # Errors
    ///
    /// [`ControlError`]: the payload is over 125 bytes, too many pings are queued, or the connection
    /// is closing.
    pub fn ping(&mut self, now: Timestamp, payload: impl Into<Bytes>) -> Result<u32, ControlError> {
        let payload = Self::control_payload(payload.into())?;
        if self.phase != Phase::Open {
            return Err(ControlError::Closed);
        }
        self.tick(now);
        self.output.outbox.push_ping(payload.clone())?;
        self.watch_output();
        let number = self.keepalive.sent(PingPayload::Given(payload), self.now);
        self.timers.tick(self.now);
        Ok(number)
    }

    /// Sends a pong: the answer to a ping by [`PongPolicy::Manual`](crate::PongPolicy::Manual), or
    /// a heartbeat that nobody asked for (RFC 6455 §5.5.3). If more than
    /// [`max_pongs`](crate::ConfigBuilder::max_pongs) are queued, the oldest are dropped. After [`close`](Self::close), pings can be answered until the peer's
    /// Close arrives.
    ///
    /// # Errors
    ///
    /// [`ControlError`]: the payload is over 125 bytes, or the peer has sent its Close or violated
    /// the protocol.
    pub fn pong(&mut self, payload: impl Into<Bytes>) -> Result<(), ControlError> {
        let payload = Self::control_payload(payload.into())?;
        if !self.phase.answers_pings() {
            return Err(ControlError::Closed);
        }
        self.output.outbox.push_pong(payload);
        self.watch_output();
        Ok(())
    }

    /// Begins the closing handshake: a Close with this code and reason, or an empty one, goes out
    /// after what was accepted before. Messages still arrive; take events until
    /// [`Event::Closed`](crate::Event::Closed).
    ///
    /// # Errors
    ///
    /// [`ControlError`]: the code must not be sent, the reason is over 123 bytes, or the connection
    /// is closing already.
    pub fn close(
        &mut self,
        now: Timestamp,
        frame: impl Into<Option<CloseFrame>>,
    ) -> Result<(), ControlError> {
        let frame = frame.into();
        frame.as_ref().map_or(Ok(()), CloseFrame::check)?;
        if self.phase != Phase::Open {
            return Err(ControlError::Closed);
        }
        self.tick(now);
        self.step(Step::LocalClose, frame.unwrap_or(CloseFrame::EMPTY), None);
        self.release();
        self.timers.tick(self.now);
        Ok(())
    }

    /// Says that the application waits until the transport takes output, and takes no messages
    /// meanwhile. Until the transport takes something, or the gate opens, `write_timeout` then runs
    /// while the gate is closed, too. A full outbox has the same effect.
    ///
    /// For a loop whose `send` waits until a message is written. Without this call, a peer that
    /// sends without end and reads nothing would block such an application forever.
    pub fn await_output(&mut self) {
        self.output.outbox.set_awaited(self.wants_output());
    }

    /// Answers the peer's Close, or a violation, now, although messages before it are not taken yet:
    /// for an application that takes none for a long time. They can still be taken, but nothing can
    /// be sent any more. Returns whether there was one ([`is_end_queued`](Self::is_end_queued)).
    pub fn answer_end(&mut self, now: Timestamp) -> bool {
        self.tick(now);
        let is_queued = self.pending_input.end().is_some();
        self.release();
        self.timers.tick(self.now);
        is_queued
    }

    /// Gives the connection up: nothing more is sent or decoded, and the transport must be closed
    /// at once. What was decoded can still be taken.
    pub fn abort(&mut self) {
        self.pending_input = PendingInput::default();
        self.data_frames.clear();
        self.cut(Failure::Aborted);
    }

    fn control_payload(payload: Bytes) -> Result<Bytes, ControlError> {
        if payload.len() > MAX_CONTROL_PAYLOAD {
            return Err(ControlError::PayloadTooLong { length: payload.len() });
        }
        Ok(payload)
    }
}
