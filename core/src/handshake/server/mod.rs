//! The server's side of the opening handshake (RFC 6455 §4.2): receives a request, lets the
//! application decide, and sends the answer.

mod error_answer;
#[cfg(feature = "http")]
mod http_types;
mod request;
mod response;

use alloc::boxed::Box;
use alloc::string::String;
use core::time::Duration;

use bytes::Buf;
use chacha20::ChaCha12Rng;

#[cfg(feature = "http")]
pub use self::http_types::{AcceptedUpgrade, HttpUpgrade, error_response};
pub use self::request::Request;
pub use self::response::{Acceptance, Rejection};
use crate::connection::Transport;
use crate::handshake::compression::AgreedCompression;
use crate::handshake::deadline::Deadline;
use crate::handshake::error::{AcceptError, HandshakeError};
use crate::handshake::exchange::{Exchange, Handshake, OpeningSteps, Steps};
use crate::handshake::head::Head;
use crate::handshake::limits::Limits;
use crate::handshake::start_line::RequestLine;
use crate::role::Role;
use crate::time::Timestamp;

/// The server's side of the opening handshake: receives a request, lets the application decide, and
/// sends the answer.
///
/// A request that is not valid is answered without asking the application. A valid one is
/// [`request`](Self::request): it waits for [`accept`](Self::accept) or [`reject`](Self::reject), as
/// long as the application likes.
pub type ServerHandshake = Handshake<ServerSteps>;

/// The states of a [`ServerHandshake`].
#[derive(Debug)]
pub struct ServerSteps {
    timeout: Option<Duration>,
    state: ServerState,
}

#[derive(Debug)]
enum ServerState {
    /// The head of the request is arriving.
    Receiving { head: Head<RequestLine> },
    /// The request is complete and valid.
    Received { request: Request, answer: Answer },
    /// The answer that refuses is written, and then the end of the stream is awaited.
    Refused {
        failure: HandshakeError,
        /// How many bytes have arrived after the request.
        discarded: usize,
    },
    /// Nothing more is written or awaited.
    Failed { failure: HandshakeError },
}

/// The application's answer to a valid request.
#[derive(Debug)]
enum Answer {
    /// The application has not answered. The `Sec-WebSocket-Accept` that fits the key is ready.
    Awaited { accept: String },
    /// The application has accepted, and the 101 is written.
    Accepted { agreed: AgreedCompression },
}

impl Handshake<ServerSteps> {
    /// Waits for a request. [`Limits::timeout`] begins.
    pub fn new(now: Timestamp, limits: Limits) -> Self {
        let timeout = limits.timeout();
        let state = ServerState::Receiving { head: Head::new(&limits) };
        Self {
            exchange: Exchange::new(now, timeout, &[][..]),
            steps: ServerSteps { timeout, state },
        }
    }

    /// Accepts the request. [`into_connection`](Self::into_connection) then makes the connection, at
    /// once or when the answer is written.
    ///
    /// # Errors
    ///
    /// [`AcceptError`]; the request then still waits for an answer.
    pub fn accept(&mut self, acceptance: Acceptance) -> Result<(), AcceptError> {
        let ServerState::Received { request, answer } = &mut self.steps.state else {
            return Err(AcceptError::NoRequest);
        };
        let Answer::Awaited { accept } = answer else {
            return Err(AcceptError::NoRequest);
        };
        // Checked before anything changes, so that after an error the application can still answer.
        let (output, agreed) = acceptance.answer(request, accept)?;
        *answer = Answer::Accepted { agreed };
        self.exchange.output = output.into();
        // `accept` is not told the time. The limit begins with the next call that is.
        self.exchange.deadline = Deadline::pending(self.steps.timeout);
        Ok(())
    }

    /// Rejects the request. [`failure`](Self::failure) is then [`HandshakeError::Rejected`].
    ///
    /// # Errors
    ///
    /// [`AcceptError`]; the request then still waits for an answer.
    pub fn reject(&mut self, rejection: Rejection) -> Result<(), AcceptError> {
        let ServerState::Received { answer: Answer::Awaited { .. }, .. } = self.steps.state else {
            return Err(AcceptError::NoRequest);
        };
        let (output, status) = rejection.answer()?;
        self.steps.refuse(&mut self.exchange, HandshakeError::Rejected { status });
        self.exchange.output = output.into();
        Ok(())
    }

    /// The request, from when it is complete and valid until it is rejected.
    pub fn request(&self) -> Option<&Request> {
        match &self.steps.state {
            ServerState::Received { request, .. } => Some(request),
            ServerState::Receiving { .. }
            | ServerState::Refused { .. }
            | ServerState::Failed { .. } => None,
        }
    }

    /// Whether the request was accepted, so that [`into_connection`](Self::into_connection) works.
    pub fn is_accepted(&self) -> bool {
        self.steps.agreed().is_some()
    }
}

impl Steps for ServerSteps {
    type Failure = HandshakeError;

    fn read(&mut self, exchange: &mut Exchange, input: &mut &[u8]) -> Result<(), Self::Failure> {
        match &mut self.state {
            ServerState::Receiving { head } => {
                if let Some((line, headers)) = head.read(input)? {
                    let (request, accept) = Request::check(line, headers)?;
                    self.state =
                        ServerState::Received { request, answer: Answer::Awaited { accept } };
                }
            }
            ServerState::Refused { failure, discarded } => {
                // Input is still taken: closing a TCP stream with unread input sends a reset, which
                // may destroy the answer before the client has read it.
                *discarded = discarded.saturating_add(input.len());
                if *discarded >= MAX_DISCARDED {
                    let failure = *failure;
                    self.give_up(exchange, failure);
                }
            }
            ServerState::Received { .. } | ServerState::Failed { .. } => {}
        }
        Ok(())
    }

    /// Tells the client what is wrong with its request.
    fn fail(&mut self, exchange: &mut Exchange, failure: HandshakeError) {
        self.refuse(exchange, failure);
        exchange.output = error_answer::encode(failure).unwrap_or_default().into();
        // The time is known here, so the limit need not wait for the next call.
        exchange.deadline.tick(exchange.now);
    }

    fn cut_short(&mut self, exchange: &mut Exchange, reason: HandshakeError) {
        let is_end = reason == HandshakeError::EndOfStream;
        match self.state {
            // A client that has ended its side has left; one that is slow gets an answer (408).
            ServerState::Receiving { .. } if is_end => self.give_up(exchange, reason),
            ServerState::Receiving { .. } => self.fail(exchange, reason),
            // The client may have ended only its writing side, and still read the answer. After an
            // acceptance the connection is told of the end.
            ServerState::Received { .. }
            | ServerState::Refused { .. }
            | ServerState::Failed { .. }
                if is_end => {}
            // Only after an acceptance (`has_deadline`): the client does not take the 101.
            ServerState::Received { .. } => self.give_up(exchange, reason),
            ServerState::Refused { failure, .. } | ServerState::Failed { failure } => {
                self.give_up(exchange, failure);
            }
        }
    }

    fn is_received(&self) -> bool {
        matches!(self.state, ServerState::Received { .. })
    }

    fn wants_input(&self) -> bool {
        matches!(self.state, ServerState::Receiving { .. })
    }

    fn has_deadline(&self, exchange: &Exchange) -> bool {
        match &self.state {
            ServerState::Receiving { .. } | ServerState::Refused { .. } => true,
            // The application may take its time; the client may not.
            ServerState::Received { .. } => {
                self.agreed().is_some() && exchange.output.has_remaining()
            }
            ServerState::Failed { .. } => false,
        }
    }

    fn transport(&self, exchange: &Exchange) -> Transport {
        match &self.state {
            ServerState::Receiving { .. } | ServerState::Received { .. } => Transport::KeepOpen,
            ServerState::Refused { .. } if exchange.output.has_remaining() => Transport::KeepOpen,
            ServerState::Refused { .. } if !exchange.end_of_stream => Transport::ShutdownWrite,
            ServerState::Refused { .. } | ServerState::Failed { .. } => Transport::Close,
        }
    }

    fn failure(&self) -> Option<&HandshakeError> {
        match &self.state {
            ServerState::Refused { failure, .. } | ServerState::Failed { failure } => Some(failure),
            ServerState::Receiving { .. } | ServerState::Received { .. } => None,
        }
    }
}

impl OpeningSteps for ServerSteps {
    fn agreed(&self) -> Option<AgreedCompression> {
        match &self.state {
            ServerState::Received { answer: Answer::Accepted { agreed }, .. } => Some(*agreed),
            ServerState::Received { answer: Answer::Awaited { .. }, .. }
            | ServerState::Receiving { .. }
            | ServerState::Refused { .. }
            | ServerState::Failed { .. } => None,
        }
    }

    fn into_role(self) -> (Role, Option<Box<ChaCha12Rng>>) {
        (Role::Server, None)
    }
}

impl ServerSteps {
    /// Refuses the client, which has the timeout again to read the answer and to end its side.
    fn refuse(&mut self, exchange: &mut Exchange, failure: HandshakeError) {
        self.state = ServerState::Refused { failure, discarded: 0 };
        exchange.clear();
        exchange.deadline = Deadline::pending(self.timeout);
    }

    /// Ends without an answer, or without the rest of it.
    fn give_up(&mut self, exchange: &mut Exchange, failure: HandshakeError) {
        self.state = ServerState::Failed { failure };
        exchange.clear();
    }
}

/// How many bytes a client that was refused may still send while it is given time to read the
/// answer.
const MAX_DISCARDED: usize = 1024 * 1024;
