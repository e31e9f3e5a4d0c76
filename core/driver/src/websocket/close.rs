//! Closing a WebSocket, and how its end is reported to the application.

use std::future::poll_fn;
use std::task::Context;

use bytestring::ByteString;

use crate::error::Error;
use crate::event_loop::{Attempt, EventLoop};
use crate::io::{ByteStream, Clock};
use crate::websocket::chunk_assembly::ChunkAssembly;
use crate::websocket::closer::{CloseRequest, Closer};
use crate::websocket::end::{EndProgress, is_cause_known, is_output_done, reason, received_end};
use crate::websocket::{Returned, WebSocket};
use tidegate_core::{CloseCode, CloseFrame, Closed, ControlError};

impl<S: ByteStream, C: Clock> WebSocket<S, C> {
    /// Closes the connection: sends a Close after the messages that were accepted before, and waits
    /// for the peer's Close. [`CloseCode::NO_STATUS`] without a reason sends an empty Close, as
    /// browsers do.
    ///
    /// Messages that still arrive are dropped, so that this cannot wait for itself: the application
    /// that would have to take them is in this call. Once our Close has left, the configuration's
    /// `close_timeout` limits the rest; until then its `write_timeout` does. If the closing
    /// handshake has begun already, this waits for its end.
    ///
    /// This shuts the writing side of the stream down and does not wait for the peer to do the same.
    /// To wait for that and close the stream, call [`drive`](Self::drive) afterwards. Otherwise the
    /// stream is closed when this `WebSocket` is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::Control`]: the code must not be sent, or the reason is longer than 123 bytes; the
    /// connection stays open. [`Error::Closed`] and [`Error::Io`]: the peer did not answer with a
    /// Close of its own, or not in time.
    ///
    /// # Cancel safety
    ///
    /// Once polled, the closing handshake has begun, and later calls continue it. Messages may have
    /// been dropped.
    pub async fn close(
        &mut self,
        code: CloseCode,
        reason: impl Into<ByteString>,
    ) -> Result<Closed, Error> {
        self.begin_close(CloseFrame::new(code, reason))?;
        poll_fn(|cx| {
            self.poll_until(cx, |socket| {
                if socket.discard_events() {
                    // Taking events may open the gate, or let the peer's Close take effect. So
                    // another round follows before anything waits.
                    return Attempt::Again;
                }
                match socket.result() {
                    Some(result) => {
                        // A `recv` after this returns `None`, and not the same end again.
                        socket.report_end();
                        Attempt::Done(result)
                    }
                    None => Attempt::Wait,
                }
            })
        })
        .await
    }

    /// Closes the stream at once, without a closing handshake. Messages that were decoded before can
    /// still be received.
    pub fn abort(&mut self) {
        self.connection.abort();
        self.endpoint.stream = None;
        // After the stream is closed: the server stops counting the connection when the guard is
        // dropped.
        self.return_guard = None;
    }

    /// Gives a [`Closer`], which closes this connection from another task.
    pub fn closer(&mut self) -> Closer {
        self.closer.get_or_insert_default().clone()
    }

    /// Carries out what another task has asked for through a [`Closer`].
    pub(crate) fn follow_closer(&mut self, cx: &Context<'_>) {
        let Some(closer) = &self.closer else { return };
        match closer.take_request(cx) {
            // The request to abort is never reset, so every later call finds it. It is carried out
            // once, while there is a stream.
            CloseRequest::Abort if self.endpoint.stream.is_some() => self.abort(),
            CloseRequest::Close(frame) => {
                // The frame was checked in `Closer::close`.
                let _: Result<(), Error> = self.begin_close(frame);
            }
            CloseRequest::Abort | CloseRequest::None => {}
        }
    }

    /// Begins the closing handshake, unless that has begun already.
    pub(crate) fn begin_close(&mut self, frame: CloseFrame) -> Result<(), Error> {
        match self.connection.close(self.endpoint.clock.now(), frame) {
            // A handshake that is under way is as good: the caller goes on to wait for its end.
            Ok(()) | Err(ControlError::Closed) => Ok(()),
            Err(error) => Err(Error::Control(error)),
        }
    }

    /// Drops the events that are there. Returns whether there were any.
    pub(crate) fn discard_events(&mut self) -> bool {
        let mut is_any = false;
        while let Some(event) = self.take_event() {
            self.assembly.discard(&event);
            is_any = true;
        }
        is_any
    }

    /// Reports the end once: when all events are taken, and our Close is written or cannot be.
    pub(crate) fn end<T>(&mut self) -> Attempt<Result<Option<T>, Error>> {
        if self.end == EndProgress::Reported {
            return Attempt::Done(Ok(None));
        }
        match self.result() {
            None => Attempt::Wait,
            Some(result) => {
                self.report_end();
                Attempt::Done(result.and_then(received_end).map(|()| None))
            }
        }
    }

    fn report_end(&mut self) {
        self.end = EndProgress::Reported;
        self.endpoint.is_end_reported = true;
        // The application may keep the socket and never call again. So a server takes the stream
        // back here, and waits for the peer to close it.
        if self.endpoint.stream.is_some()
            && let Some(guard) = self.return_guard.take()
        {
            let is_clean = self.connection.closed().is_some_and(Closed::is_clean);
            self.endpoint.limit_discarded(is_clean);
            guard.give_back(Returned::Stream(Box::new(self.endpoint.take_out())));
        }
        // Drops the beginning of a message that was never completed: nothing may be received after
        // the end.
        self.assembly = ChunkAssembly::default();
    }

    /// How the connection ended, once all events are taken and all output is done.
    fn result(&self) -> Option<Result<Closed, Error>> {
        let closed = self.connection.closed()?;
        if self.end == EndProgress::EventsLeft || !is_output_done(&self.connection, &self.endpoint)
        {
            return None;
        }
        // After a clean close it does not matter how the stream ended.
        Some(if closed.is_clean() { Ok(closed.clone()) } else { Err(self.cannot_send()) })
    }

    /// Whether nothing can be sent any more and the reason is known. A transport that fails may
    /// still hold the peer's Close, or its protocol error, to be read.
    pub(crate) fn cannot_write(&self) -> bool {
        self.connection.is_closing()
            || self.endpoint.stream.is_none()
            || (self.endpoint.has_write_failed() && is_cause_known(&self.connection))
    }

    /// Why nothing can be sent.
    pub(crate) fn cannot_send(&self) -> Error {
        reason(&self.connection, self.endpoint.fault.as_ref())
    }
}
