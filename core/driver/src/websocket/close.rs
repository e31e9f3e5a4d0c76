//! How a WebSocket ends, and how that is told.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;

use bytestring::ByteString;

use crate::error::Error;
use crate::event_loop::endpoint::Link;
use crate::event_loop::{Driven, Goal};
use crate::io::ByteStream;
use crate::io::Clock;
use crate::websocket::chunks::Intake;
use crate::websocket::{End, WebSocket};
use tidegate_core::{CloseCode, CloseFrame, Closed, Connection, ControlError, Failure};

impl<S: ByteStream, C: Clock> WebSocket<S, C> {
    /// Closes the connection: sends a Close behind what was accepted before and waits for the
    /// peer's. [`CloseCode::NO_STATUS`] without a reason sends an empty one, as browsers do.
    ///
    /// Messages that still arrive are dropped, so it cannot wait for an application that waits for
    /// it. Once our Close has left, the configuration's `close_timeout` bounds the rest; until then
    /// its `write_timeout` does. If the closing handshake has begun already, this waits for its end.
    ///
    /// It shuts the writing side of the stream down and does not wait for the peer to do the same:
    /// [`drive`](Self::drive) does, and closes the stream then, which otherwise is closed when this
    /// `WebSocket` is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::Control`]: the code must not be sent, or the reason is over 123 bytes; the
    /// connection is as it was. [`Error::Closed`] and [`Error::Io`]: the peer did not answer with
    /// a Close of its own, or not in time.
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
    pub(crate) fn begin_close(&mut self, frame: CloseFrame) -> Result<(), Error> {
        match self.connection.close(self.link.clock.now(), frame) {
            Ok(()) | Err(ControlError::Closed) => Ok(()),
            Err(error) => Err(Error::Control(error)),
        }
    }

    /// The end, told once, when all events are taken and our Close is written, or cannot be.
    pub(crate) fn end<T>(&mut self) -> Goal<Result<Option<T>, Error>> {
        if self.end == End::Reported {
            return Goal::Done(Ok(None));
        }
        match self.outcome() {
            None => Goal::Wait,
            Some(outcome) => {
                self.tell_end();
                Goal::Done(outcome.and_then(received_end).map(|()| None))
            }
        }
    }

    /// What was put together and did not become a message goes: nothing comes behind the end.
    fn tell_end(&mut self) {
        self.end = End::Reported;
        self.link.is_told = true;
        // A server takes it from here: the application may keep the socket and never call again.
        if self.link.stream.is_some()
            && let Some(way) = self.home.take()
        {
            let is_clean = self.connection.closed().is_some_and(Closed::is_clean);
            self.link.limit_discarded(is_clean);
            way.bring_stream(self.link.take_out());
        }
        self.intake = Intake::default();
    }

    /// How it ended, once it has, and nothing is left to be written.
    fn outcome(&self) -> Option<Result<Closed, Error>> {
        let closed = self.connection.closed()?;
        if self.end == End::Ahead || !is_said(&self.connection, &self.link) {
            return None;
        }
        // After a clean close it does not matter how the stream ended.
        Some(if closed.is_clean() { Ok(closed.clone()) } else { Err(self.cannot_send()) })
    }

    /// Whether nothing can be written, now or later, and it is known why: a transport that fails
    /// may have left the peer's Close, or its fault, to be read.
    pub(crate) fn cannot_write(&self) -> bool {
        self.connection.is_closing()
            || self.link.stream.is_none()
            || (self.link.has_write_failed() && is_cause_known(&self.connection))
    }

    /// Why nothing can be sent.
    pub(crate) fn cannot_send(&self) -> Error {
        reason(&self.connection, self.link.fault.as_ref())
    }
}

/// Whether nothing is left to be written, or to be hoped for: the end can be told.
pub(crate) fn is_said<S: ByteStream, C: Clock>(connection: &Connection, link: &Link<S, C>) -> bool {
    link.stream.is_none()
        || link.has_write_failed()
        || (!connection.wants_output() && link.is_flushed())
}

/// Whether reading on would tell no more about how it ended.
pub(crate) fn is_cause_known(connection: &Connection) -> bool {
    connection.closed().is_some() || !connection.wants_input()
}

/// What whoever receives is told: a farewell is the end of the messages, anything else is an error.
pub(crate) fn received_end(closed: Closed) -> Result<(), Error> {
    if closed.is_normal() { Ok(()) } else { Err(Error::Closed(closed)) }
}

/// Why nothing can be sent on a connection whose transport failed with this, if it did. What the
/// peer did, or a limit, comes before that its transport is gone.
pub(crate) fn reason(connection: &Connection, fault: Option<&io::Error>) -> Error {
    match (connection.closed(), fault) {
        (Some(closed), Some(fault)) if closed.failure() == Some(Failure::EndOfStream) => {
            Error::Io(copy(fault))
        }
        (Some(closed), Some(fault)) if !closed.is_clean() => {
            Error::Closed(closed.clone().with_transport_error(Arc::new(copy(fault))))
        }
        (Some(closed), _) => Error::Closed(closed.clone()),
        (None, fault) => match (connection.queued_end(), fault) {
            // It waits for the application to take what came before it.
            (Some(closed), _) => Error::Closed(closed),
            (None, Some(fault)) => Error::Io(copy(fault)),
            (None, None) => Error::Closing,
        },
    }
}

/// An error of the transport is told by every call that fails because of it.
pub(crate) fn copy(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
