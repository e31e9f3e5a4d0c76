//! An opening handshake on a stream, and how it ends without a connection.

use std::future::poll_fn;
use std::task::{Context, Poll};

use crate::error::{Error, copy};
use crate::event_loop::{Attempt, Endpoint, EventLoop};
use crate::io::{ByteStream, Clock};
use tidegate_core::handshake::{
    Handshake, HandshakeError, Rejection, Response, ServerSteps, Steps,
};

/// An opening handshake on a stream.
#[derive(Debug)]
pub(crate) struct Opening<S, C, H> {
    pub(crate) endpoint: Endpoint<S, C>,
    pub(crate) handshake: Handshake<H>,
}

impl<S: ByteStream, C: Clock, H: Steps> Opening<S, C, H> {
    /// Whether it has succeeded (true) or is over without success (false). After a failure it is over
    /// when the answer is written and the stream has ended.
    pub(super) fn decided(&self, is_done: impl FnOnce(&Handshake<H>) -> bool) -> Attempt<bool> {
        // A server that cannot write has nothing to wait for. A client may have a response to read.
        let is_mute = self.endpoint.has_write_failed() && !self.handshake.wants_input();
        if self.endpoint.stream.is_none() || is_mute {
            Attempt::Done(false)
        } else if self.handshake.failure().is_none() && is_done(&self.handshake) {
            Attempt::Done(true)
        } else {
            Attempt::Wait
        }
    }
}

impl<S: ByteStream, C: Clock> Opening<S, C, ServerSteps> {
    /// Sends a rejection, and waits for the end of the stream.
    pub(super) async fn reject(&mut self, rejection: Rejection) -> Result<(), Error> {
        if let Err(error) = self.handshake.reject(rejection) {
            // The client gets an answer although ours is wrong.
            let mistake = self.handshake.reject(Rejection::new(500));
            if mistake.is_ok() {
                self.finish().await;
            }
            return Err(Error::Accept(error));
        }
        self.finish().await;
        match self.endpoint.fault.take() {
            Some(fault) if self.endpoint.has_write_failed() => Err(Error::Io(fault)),
            _ => Ok(()),
        }
    }

    /// Waits until the answer is written, or cannot be.
    pub(crate) async fn answered(&mut self) {
        poll_fn(|cx| {
            self.poll_until(cx, |opening| {
                if opening.is_refused() { Attempt::Done(()) } else { Attempt::Wait }
            })
        })
        .await;
    }

    /// Why there is no connection.
    pub(crate) fn error(&self) -> Error {
        opening_error(&self.endpoint, self.handshake.failure(), None)
    }

    /// Whether the client is refused, and its answer is written or cannot be written.
    pub(super) fn is_refused(&self) -> bool {
        let is_written = self.handshake.failure().is_some()
            && self.endpoint.is_flushed()
            && !self.handshake.wants_output();
        is_written || self.endpoint.stream.is_none() || self.endpoint.has_write_failed()
    }

    /// Waits until the answer is written and the client has closed the stream.
    pub(super) async fn finish(&mut self) {
        poll_fn(|cx| self.poll_finish(cx)).await;
    }

    /// As [`finish`](Self::finish).
    pub(crate) fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_until(cx, |opening| match opening.endpoint.stream {
            // Without a way to write, the client cannot get its response, so there is nothing to
            // wait for.
            Some(_) if !opening.endpoint.has_write_failed() => Attempt::Wait,
            _ => Attempt::Done(()),
        })
    }
}

impl<S: ByteStream, C: Clock, H: Steps> EventLoop for Opening<S, C, H> {
    type Stream = S;
    type Clock = C;
    type Machine = Handshake<H>;

    fn parts(&mut self) -> (&mut Endpoint<S, C>, &mut Handshake<H>) {
        (&mut self.endpoint, &mut self.handshake)
    }
}

/// Why there is no connection. What the peer did counts for more than how the transport ended.
pub(crate) fn opening_error<S, C>(
    endpoint: &Endpoint<S, C>,
    failure: Option<&HandshakeError>,
    response: Option<&Response>,
) -> Error {
    let error = failure.copied().unwrap_or(HandshakeError::EndOfStream);
    match &endpoint.fault {
        Some(fault) if error == HandshakeError::EndOfStream => Error::Io(copy(fault)),
        _ => Error::Handshake { error, response: response.cloned().map(Box::new), peer: None },
    }
}
