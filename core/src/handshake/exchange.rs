//! What all opening handshakes and proxy requests have in common: bytes and the time come in, and
//! bytes, a deadline and the result come out.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use bytes::{Buf, Bytes};
use chacha20::ChaCha12Rng;

use crate::config::Config;
use crate::connection::{Connection, Transport};
use crate::handshake::compression::AgreedCompression;
use crate::handshake::deadline::Deadline;
use crate::handshake::error::HandshakeError;
use crate::role::Role;
use crate::time::Timestamp;

/// An opening handshake without I/O: [`ClientHandshake`](super::ClientHandshake) or
/// [`ServerHandshake`](super::ServerHandshake), or a request to a proxy, which comes before the
/// handshake on the same transport: [`HttpConnect`](super::proxy::HttpConnect) or
/// [`Socks5`](super::proxy::Socks5).
///
/// It is used like a [`Connection`], and the calls may come in any order. The same bytes have the
/// same effect in whatever pieces they arrive.
///
/// `Debug` shows no bytes that were sent or received.
pub struct Handshake<S> {
    pub(super) exchange: Exchange,
    pub(super) steps: S,
}

impl<S: Steps> Handshake<S> {
    /// Takes bytes from the transport: all of them, in any pieces. Bytes after the peer's request
    /// or response are kept, for the connection or for the server behind the proxy. If
    /// [`wants_input`](Self::wants_input) is false, the caller decides how much memory they take.
    /// After a failure, input is dropped.
    pub fn handle_input(&mut self, now: Timestamp, mut input: &[u8]) {
        self.exchange.tick(now);
        if self.exchange.end_of_stream {
            return;
        }
        if let Err(failure) = self.steps.read(&mut self.exchange, &mut input) {
            self.steps.fail(&mut self.exchange, failure);
        } else if self.steps.is_received() {
            self.exchange.early.extend_from_slice(input);
        }
    }

    /// Takes the end of the stream. After a complete request or response it is passed on to the
    /// connection.
    pub fn handle_eof(&mut self, now: Timestamp) {
        self.exchange.tick(now);
        self.exchange.end_of_stream = true;
        self.steps.cut_short(&mut self.exchange, HandshakeError::EndOfStream);
    }

    /// Advances the clock and ends the handshake if its time is up. Call it at the time that
    /// [`poll_timeout`](Self::poll_timeout) returned; extra calls are harmless.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.exchange.tick(now);
        if self.poll_timeout().is_some() && self.exchange.deadline.is_over(self.exchange.now) {
            self.steps.cut_short(&mut self.exchange, HandshakeError::Timeout);
        }
    }

    /// The bytes to write: show them to the transport, then advance by as many as it took. After a
    /// failure nothing is left to write, except a server's answer that says what is wrong.
    pub fn output(&mut self) -> &mut Bytes {
        &mut self.exchange.output
    }

    /// Why there will be no connection, as soon as that is decided. A server may still have to
    /// write its answer, and a client may still read the body of the server's.
    pub fn failure(&self) -> Option<&S::Failure> {
        self.steps.failure()
    }

    /// Whether to read from the transport: until the request or the response is complete. After
    /// that, reading is up to the connection, which has limits for it. A client also reads the
    /// beginning of the body of a refusal.
    pub fn wants_input(&self) -> bool {
        self.steps.wants_input()
    }

    /// Whether there are bytes to write.
    pub fn wants_output(&self) -> bool {
        self.exchange.output.has_remaining()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) if nothing else happens before. A time
    /// in the past means now. While the application decides about a request, there is no limit.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let is_running = self.steps.has_deadline(&self.exchange);
        if is_running { self.exchange.deadline.next(self.exchange.now) } else { None }
    }

    /// What to do with the transport.
    ///
    /// After a failure a client closes it, as soon as it has read the beginning of a refusal's
    /// body; a caller that does not need the body may close it at once. A server writes its answer,
    /// shuts the writing side down, and closes the transport when the client has ended its side or
    /// time is up.
    pub fn transport(&self) -> Transport {
        self.steps.transport(&self.exchange)
    }
}

/// What a client and a server can do at the end.
impl<S: OpeningSteps> Handshake<S> {
    /// Makes the connection, once the server has accepted the request. Output that is not written
    /// yet, and input that came early, go to the connection.
    ///
    /// # Errors
    ///
    /// Returns the handshake if the request is not accepted (yet).
    #[allow(clippy::result_large_err, reason = "it is the caller's own value, given back")]
    pub fn into_connection(
        self,
        now: Timestamp,
        config: impl Into<Arc<Config>>,
    ) -> Result<Connection, Self> {
        let Some(agreed) = self.steps.agreed() else { return Err(self) };
        let Exchange { now: last_time, output, early, end_of_stream, .. } = self.exchange;
        let (role, masking_keys) = self.steps.into_role();
        // The clock of the connection must not begin before that of the handshake.
        let connection = Connection::new(last_time.max(now), role, config.into(), masking_keys);
        Ok(agreed.apply(connection).after_handshake(now, output, &early, end_of_stream))
    }

    /// The parameters of permessage-deflate, if the server accepted it.
    #[cfg(feature = "deflate")]
    pub fn deflate(&self) -> Option<crate::deflate::DeflateParams> {
        self.steps.agreed()?.deflate
    }
}

impl<S: fmt::Debug> fmt::Debug for Handshake<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("steps", &self.steps)
            .field("deadline", &self.exchange.deadline)
            .field("output_bytes", &self.exchange.output.len())
            .field("early_bytes", &self.exchange.early.len())
            .finish_non_exhaustive()
    }
}

/// One kind of [`Handshake`]: its states, and what moves it from one to the next. Implemented only
/// in this crate.
pub trait Steps: fmt::Debug {
    /// Why there is no connection.
    type Failure;

    /// Takes the input that belongs to the handshake, and leaves the rest.
    #[doc(hidden)]
    fn read(&mut self, exchange: &mut Exchange, input: &mut &[u8]) -> Result<(), Self::Failure>;

    /// Ends the handshake for a fault in the input.
    #[doc(hidden)]
    fn fail(&mut self, exchange: &mut Exchange, failure: Self::Failure);

    /// Follows the end of the stream, or of the time that the peer had.
    #[doc(hidden)]
    fn cut_short(&mut self, exchange: &mut Exchange, reason: HandshakeError);

    /// Whether the peer's part is complete and valid, so that further input is kept.
    #[doc(hidden)]
    fn is_received(&self) -> bool;

    #[doc(hidden)]
    fn failure(&self) -> Option<&Self::Failure>;

    #[doc(hidden)]
    fn wants_input(&self) -> bool;

    /// Whether the peer is expected to do something by the deadline.
    #[doc(hidden)]
    fn has_deadline(&self, _exchange: &Exchange) -> bool {
        self.wants_input()
    }

    #[doc(hidden)]
    fn transport(&self, _exchange: &Exchange) -> Transport {
        if self.failure().is_none() || self.wants_input() {
            Transport::KeepOpen
        } else {
            Transport::Close
        }
    }
}

/// The steps of an opening handshake, which ends in a connection. Implemented only in this crate.
pub trait OpeningSteps: Steps<Failure = HandshakeError> {
    /// What client and server have agreed on, once the server has accepted.
    #[doc(hidden)]
    fn agreed(&self) -> Option<AgreedCompression>;

    /// The role, and a client's generator of masking keys.
    #[doc(hidden)]
    fn into_role(self) -> (Role, Option<Box<ChaCha12Rng>>);
}

/// The time, the bytes and the deadline of a [`Handshake`], which its [`Steps`] work with.
#[derive(Debug)]
#[allow(unnameable_types, reason = "nobody else can implement `Steps`")]
pub struct Exchange {
    pub(super) now: Timestamp,
    pub(super) deadline: Deadline,
    pub(super) output: Bytes,
    /// Input after the peer's request or response: from a peer that did not wait.
    pub(super) early: Vec<u8>,
    pub(super) end_of_stream: bool,
}

impl Exchange {
    /// Begins with this output and this timeout.
    pub(super) fn new(now: Timestamp, timeout: Option<Duration>, output: impl Into<Bytes>) -> Self {
        Self {
            now,
            deadline: Deadline::after(now, timeout),
            output: output.into(),
            early: Vec::new(),
            end_of_stream: false,
        }
    }

    /// Advances the clock, which never runs backwards.
    fn tick(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.deadline.tick(self.now);
    }

    /// Drops what was to be written, and what would have been passed on.
    pub(super) fn clear(&mut self) {
        self.output = Bytes::new();
        self.early = Vec::new();
    }
}
