//! The server's side of the opening handshake (RFC 6455 §4.2).

#[cfg(feature = "http")]
pub(crate) mod http_types;
pub(crate) mod request;
pub(crate) mod response;

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use bytes::{Buf, Bytes};

use crate::config::Config;
use crate::connection::{Connection, Transport};
use crate::handshake::Limits;
use crate::handshake::deadline::Deadline;
use crate::handshake::deflate::Agreed;
use crate::handshake::error::{AcceptError, HandshakeError};
use crate::handshake::head::{Head, Part, malformed};
use crate::handshake::server::request::{Request, RequestLine};
use crate::handshake::server::response::{Acceptance, Rejection, refusal};
use crate::role::Role;
use crate::time::Timestamp;

/// The server's side: a head comes in, the application decides, an answer goes out.
///
/// Of the same shape as [`Connection`]: the calls may come in any order. A request that is not
/// valid is answered without asking; a valid one is [`request`](Self::request), which waits for
/// [`accept`](Self::accept) or [`reject`](Self::reject) for as long as the application likes.
///
/// `Debug` shows no bytes that were sent or have come.
pub struct ServerHandshake {
    limits: Limits,
    now: Timestamp,
    deadline: Deadline,
    state: State,
    output: Bytes,
    /// Input behind the head: frames of a client that did not wait.
    early: Vec<u8>,
    end_of_stream: bool,
    /// How many bytes have come after a request that was refused.
    discarded: usize,
}

#[derive(Debug)]
enum State {
    /// The head is arriving; the first line may have come.
    Receiving { head: Head, line: Option<RequestLine> },
    /// The request is valid.
    Received { request: Request, decision: Decision },
    /// The answer goes out, and then the end of the stream is awaited.
    Refused { failure: HandshakeError },
    /// It is over.
    Failed { failure: HandshakeError },
}

/// What the application says to a valid request.
#[derive(Debug)]
enum Decision {
    /// Nothing yet. The `Sec-WebSocket-Accept` that fits the key is ready.
    Awaited { accept: String },
    /// The 101 goes out.
    Accepted { agreed: Agreed },
}

impl ServerHandshake {
    /// Waits for a request. [`Limits::timeout`] begins.
    pub fn new(now: Timestamp, limits: Limits) -> Self {
        Self {
            now,
            deadline: Deadline::after(now, limits.timeout),
            state: State::Receiving { head: Head::request(&limits), line: None },
            output: Bytes::new(),
            early: Vec::new(),
            end_of_stream: false,
            discarded: 0,
            limits,
        }
    }

    /// Takes bytes that came from the transport, all of them, in any pieces. What comes behind the
    /// head is kept for the connection: against [`wants_input`](Self::wants_input) the memory is
    /// the caller's choice. After a failure everything is discarded.
    pub fn handle_input(&mut self, now: Timestamp, input: &[u8]) {
        self.tick(now);
        if self.end_of_stream {
            return;
        }
        match &self.state {
            State::Receiving { .. } => {
                if let Err(failure) = self.receive(input) {
                    self.refuse(failure);
                }
            }
            State::Received { .. } => self.early.extend_from_slice(input),
            State::Refused { failure } => {
                self.discarded = self.discarded.saturating_add(input.len());
                if self.discarded >= MAX_DISCARDED {
                    self.fail(*failure);
                }
            }
            State::Failed { .. } => {}
        }
    }

    /// Takes the end of the stream. Behind a complete head it is the connection's affair.
    pub fn handle_eof(&mut self, now: Timestamp) {
        self.tick(now);
        self.end_of_stream = true;
        if matches!(self.state, State::Receiving { .. }) {
            self.fail(HandshakeError::EndOfStream);
        }
    }

    /// Takes the time, and does what is due. To be called when
    /// [`poll_timeout`](Self::poll_timeout) is reached; other calls do no harm.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.tick(now);
        if self.poll_timeout().is_none() || !self.deadline.is_over(self.now) {
            return;
        }
        match self.state {
            State::Receiving { .. } => self.refuse(HandshakeError::Timeout),
            State::Received { .. } => self.fail(HandshakeError::Timeout),
            State::Refused { failure } | State::Failed { failure } => self.fail(failure),
        }
    }

    /// Accepts the request. The handshake then becomes a connection by
    /// [`into_connection`](Self::into_connection), at once or when the answer is written.
    ///
    /// # Errors
    ///
    /// [`AcceptError`]; the request then still waits for an answer.
    pub fn accept(&mut self, acceptance: Acceptance) -> Result<(), AcceptError> {
        let State::Received { request, decision } = &mut self.state else {
            return Err(AcceptError::NoRequest);
        };
        let Decision::Awaited { accept } = decision else {
            return Err(AcceptError::NoRequest);
        };
        let (answer, agreed) = acceptance.answer(request, accept)?;
        self.output = answer.into();
        *decision = Decision::Accepted { agreed };
        self.deadline = Deadline::pending(self.limits.timeout);
        Ok(())
    }

    /// Rejects the request. [`failure`](Self::failure) is [`HandshakeError::Rejected`] then.
    ///
    /// # Errors
    ///
    /// [`AcceptError`]; the request then still waits for an answer.
    pub fn reject(&mut self, rejection: Rejection) -> Result<(), AcceptError> {
        if !self.is_awaited() {
            return Err(AcceptError::NoRequest);
        }
        let (answer, status) = rejection.answer()?;
        self.output = answer.into();
        self.enter_refused(HandshakeError::Rejected { status });
        Ok(())
    }

    /// What waits to be written: show its bytes to the transport, then advance by as many as it
    /// took.
    pub fn output(&mut self) -> &mut Bytes {
        &mut self.output
    }

    /// Makes the connection, once the request is accepted. What is not written of the answer, and
    /// what came behind the head, go to the connection.
    ///
    /// # Errors
    ///
    /// Gives the handshake back if it is not [`is_accepted`](Self::is_accepted).
    #[allow(clippy::result_large_err, reason = "it is the caller's own value, given back")]
    pub fn into_connection(
        self,
        now: Timestamp,
        config: impl Into<Arc<Config>>,
    ) -> Result<Connection, Self> {
        let Some(agreed) = self.agreed() else { return Err(self) };
        let connection = Connection::new(self.now.max(now), Role::Server, config.into(), None);
        let connection = agreed.apply(connection);
        Ok(crate::handshake::hand_over(
            connection,
            now,
            self.output,
            &self.early,
            self.end_of_stream,
        ))
    }

    /// The request, once it is complete and valid, until it is rejected.
    pub fn request(&self) -> Option<&Request> {
        match &self.state {
            State::Received { request, .. } => Some(request),
            State::Receiving { .. } | State::Refused { .. } | State::Failed { .. } => None,
        }
    }

    /// Whether the request was accepted, and [`into_connection`](Self::into_connection) works.
    pub fn is_accepted(&self) -> bool {
        self.agreed().is_some()
    }

    /// The parameters of permessage-deflate, if it was accepted.
    #[cfg(feature = "deflate")]
    pub fn deflate(&self) -> Option<crate::deflate::DeflateParams> {
        self.agreed()?.deflate
    }

    /// Why there will be no connection, as soon as that is decided; the answer may still have to
    /// be written.
    pub fn failure(&self) -> Option<&HandshakeError> {
        match &self.state {
            State::Refused { failure } | State::Failed { failure } => Some(failure),
            State::Receiving { .. } | State::Received { .. } => None,
        }
    }

    /// Whether to read from the transport: until the head is complete. Reading for what may follow
    /// is the connection's affair, which has limits for it.
    pub fn wants_input(&self) -> bool {
        matches!(self.state, State::Receiving { .. })
    }

    /// Whether there is something to write.
    pub fn wants_output(&self) -> bool {
        self.output.has_remaining()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, if nothing else happens
    /// before. A time that has passed means now. While the application decides there is no limit.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let is_running = match &self.state {
            State::Receiving { .. } | State::Refused { .. } => true,
            State::Received { .. } => self.is_accepted() && self.wants_output(),
            State::Failed { .. } => false,
        };
        if is_running { self.deadline.next(self.now) } else { None }
    }

    /// What to do with the transport. A refusal is written, then the writing side is shut down,
    /// and the transport closed when the client has ended its side, or when time is up.
    pub fn transport(&self) -> Transport {
        match &self.state {
            State::Receiving { .. } | State::Received { .. } => Transport::KeepOpen,
            State::Refused { .. } if self.wants_output() => Transport::KeepOpen,
            State::Refused { .. } if !self.end_of_stream => Transport::ShutdownWrite,
            State::Refused { .. } | State::Failed { .. } => Transport::Close,
        }
    }

    fn agreed(&self) -> Option<Agreed> {
        match &self.state {
            State::Received { decision: Decision::Accepted { agreed }, .. } => Some(*agreed),
            State::Received { decision: Decision::Awaited { .. }, .. }
            | State::Receiving { .. }
            | State::Refused { .. }
            | State::Failed { .. } => None,
        }
    }

    fn is_awaited(&self) -> bool {
        matches!(self.state, State::Received { decision: Decision::Awaited { .. }, .. })
    }

    /// A time has come in. It never runs backwards.
    fn tick(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.deadline.tick(self.now);
    }

    fn receive(&mut self, mut input: &[u8]) -> Result<(), HandshakeError> {
        let State::Receiving { head, line } = &mut self.state else { return Ok(()) };
        while let Some(part) = head.read(&mut input)? {
            match part {
                // At once: who speaks another protocol may never send the end of a head.
                Part::StartLine(first) => *line = Some(RequestLine::parse(&first)?),
                Part::End(headers) => {
                    let line = line.take().ok_or(malformed("request line"))?;
                    let (request, accept) = Request::check(line, headers)?;
                    let decision = Decision::Awaited { accept };
                    self.state = State::Received { request, decision };
                    self.early.extend_from_slice(input);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Answers what is wrong with the request.
    fn refuse(&mut self, failure: HandshakeError) {
        self.output = refusal(failure).unwrap_or_default().into();
        self.enter_refused(failure);
        self.deadline.tick(self.now);
    }

    fn enter_refused(&mut self, failure: HandshakeError) {
        self.state = State::Refused { failure };
        self.early = Vec::new();
        self.deadline = Deadline::pending(self.limits.timeout);
    }

    fn fail(&mut self, failure: HandshakeError) {
        self.state = State::Failed { failure };
        self.early = Vec::new();
        self.output = Bytes::new();
    }
}

impl fmt::Debug for ServerHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandshake")
            .field("state", &self.state)
            .field("deadline", &self.deadline)
            .field("output_bytes", &self.output.len())
            .field("early_bytes", &self.early.len())
            .finish_non_exhaustive()
    }
}

/// How many bytes a client that was refused may still send, while it is given time to read why.
const MAX_DISCARDED: usize = 1024 * 1024;
