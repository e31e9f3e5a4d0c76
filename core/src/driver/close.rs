//! How a WebSocket ends, and how that is told.

use core::future::poll_fn;
use std::io;

use bytestring::ByteString;

use super::clock::Clock;
use super::error::Error;
use super::intake::Intake;
use super::poll::{Driven, Goal};
use super::stream::ByteStream;
use super::websocket::{End, WebSocket};
use crate::{CloseCode, CloseFrame, Closed, Connection, ControlError};

impl<S: ByteStream, C: Clock> WebSocket<S, C> {
    /// Closes the connection: sends a Close behind what was accepted before, waits for the peer's,
    /// and closes the stream in the order that RFC 6455 §7.1.1 asks for.
    ///
    /// Messages that still arrive are dropped, so it cannot wait for an application that waits for
    /// it. The configuration's `close_timeout` bounds the whole. If the closing handshake has begun
    /// already, this waits for its end.
    ///
    /// # Errors
    ///
    /// [`Error::Control`]: the code must not be sent, or the reason is over 123 bytes; the
    /// connection is as it was. [`Error::Closed`] and [`Error::Io`]: the peer did not answer with
    /// a Close of its own, or not in time; the stream is closed all the same.
    ///
    /// # Cancel safety
    ///
    /// The closing handshake has begun and is continued by the calls that follow; messages may have
    /// been dropped.
    pub async fn close(
        &mut self,
        code: CloseCode,
        reason: impl Into<ByteString>,
    ) -> Result<Closed, Error> {
        self.begin_close(CloseFrame::new(code, reason))?;
        poll_fn(|cx| {
            self.poll_until(cx, |socket| {
                let mut has_taken = false;
                while let Some(event) = socket.take_event() {
                    socket.intake.discard(&event);
                    has_taken = true;
                }
                if has_taken {
                    return Goal::Again;
                }
                match socket.outcome() {
                    Some(outcome) => {
                        socket.tell_end();
                        Goal::Done(outcome)
                    }
                    None => Goal::Wait,
                }
            })
        })
        .await
    }

    /// Gives the connection up: closes the stream at once, without a closing handshake. What was
    /// decoded can still be received.
    pub fn abort(&mut self) {
        self.connection.abort();
        self.link.stream = None;
        self.home = None;
    }

    /// Begins the closing handshake, if nobody has.
    pub(super) fn begin_close(&mut self, frame: CloseFrame) -> Result<(), Error> {
        match self.connection.close(self.link.clock.now(), frame) {
            Ok(()) | Err(ControlError::Closed) => Ok(()),
            Err(error) => Err(Error::Control(error)),
        }
    }

    /// The end, told once, when all events are taken and the stream is closed.
    pub(super) fn end<T>(&mut self) -> Goal<Result<Option<T>, Error>> {
        if self.end == End::Reported {
            return Goal::Done(Ok(None));
        }
        match self.outcome() {
            None => Goal::Wait,
            Some(outcome) => {
                self.tell_end();
                Goal::Done(outcome.map(|_| None))
            }
        }
    }

    /// What was put together and did not become a message goes: nothing comes behind the end.
    fn tell_end(&mut self) {
        self.end = End::Reported;
        self.intake = Intake::default();
    }

    /// How it ended, once it has.
    fn outcome(&self) -> Option<Result<Closed, Error>> {
        let closed = self.connection.closed()?;
        if self.end == End::Ahead || self.link.stream.is_some() {
            return None;
        }
        // After a clean close it does not matter how the stream ended.
        Some(if closed.is_clean() { Ok(closed.clone()) } else { Err(self.cannot_send()) })
    }

    /// Whether nothing can be written, now or later.
    pub(super) fn cannot_write(&self) -> bool {
        self.connection.is_closing() || self.link.has_write_failed() || self.link.stream.is_none()
    }

    /// Why nothing can be sent.
    pub(super) fn cannot_send(&self) -> Error {
        reason(&self.connection, self.link.fault.as_ref())
    }
}

/// Why nothing can be sent on a connection whose transport failed with this, if it did.
pub(super) fn reason(connection: &Connection, fault: Option<&io::Error>) -> Error {
    let closed = connection.closed();
    match fault {
        Some(fault) if closed.is_none_or(|closed| !closed.is_clean()) => Error::Io(copy(fault)),
        _ => closed.map_or(Error::Closing, |closed| Error::Closed(closed.clone())),
    }
}

/// An error of the transport is told by every call that fails because of it.
pub(super) fn copy(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
