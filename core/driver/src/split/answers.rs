//! When the calls that wait on a split connection are answered, and with what.

use std::time::Duration;

use crate::error::Error;
use crate::split::state::SplitState;
use crate::split::wait_for::WaitFor;
use crate::websocket::EndProgress;
use tidegate_core::Closed;

impl SplitState {
    /// Whether there is something for the receiver: an event, or the end.
    pub(crate) fn has_news(&self) -> bool {
        self.connection.queued_messages() > 0
            || (self.connection.closed().is_some() && self.is_output_done())
    }

    /// How the connection ended, for a call that receives or closes: once all events are taken and
    /// all output is done.
    pub(crate) fn result(&self) -> Option<Result<Closed, Error>> {
        let is_early = self.end == EndProgress::EventsLeft || !self.is_output_done();
        if is_early { None } else { self.closed_result() }
    }

    /// How the connection ended, for the driver: once the stream is closed. There may still be
    /// messages to receive.
    pub(crate) fn driver_result(&self) -> Option<Result<Closed, Error>> {
        if self.stream.is_open { None } else { self.closed_result() }
    }

    fn closed_result(&self) -> Option<Result<Closed, Error>> {
        let closed = self.connection.closed()?;
        Some(if closed.is_clean() { Ok(closed.clone()) } else { Err(self.cannot_send()) })
    }

    /// Whether all output is written, or none can be written any more.
    fn is_output_done(&self) -> bool {
        let stream = &self.stream;
        !stream.is_open
            || stream.has_write_failed
            || (stream.is_flushed && !self.connection.wants_output())
    }

    /// What a call gets that waits for this; `None` if it has to go on waiting.
    pub(crate) fn answer(&self, wait: &WaitFor) -> Option<Result<Option<Duration>, Error>> {
        match wait {
            WaitFor::Written { accepted } => {
                self.written(*accepted).map(|done| done.map(|()| None))
            }
            WaitFor::Ping | WaitFor::Pong { .. } => {
                self.cannot_write().then(|| Err(self.cannot_send()))
            }
            WaitFor::Answered(latency) => Some(Ok(*latency)),
            WaitFor::End => self.result().map(|result| result.map(|_| None)),
        }
    }

    /// Whether the first `accepted` bytes are written. Other senders may have sent more since.
    fn written(&self, accepted: u64) -> Option<Result<(), Error>> {
        if self.stream.has_write_failed {
            return Some(Err(self.cannot_send()));
        }
        let connection = &self.connection;
        let is_empty = !connection.wants_output() && self.stream.is_flushed;
        let is_written = if self.is_closing() {
            // Waits for the Close too, after which nothing follows.
            is_empty && self.close.is_none()
        } else {
            // Written if no more waits than was accepted since. Control frames count as data here:
            // that makes this take a little longer, and it still ends.
            let since = self.accepted - accepted;
            is_empty || (connection.wants_output() && connection.queued_output() as u64 <= since)
        };
        if !is_written {
            return (!self.stream.is_open).then(|| Err(self.cannot_send()));
        }
        // Output of a failed connection was dropped, not written.
        match connection.closed() {
            Some(closed) if !closed.is_clean() => Some(Err(self.cannot_send())),
            _ => Some(Ok(())),
        }
    }
}
