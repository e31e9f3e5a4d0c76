//! The client's side of the opening handshake (RFC 6455 §4.1).

pub(crate) mod request;
pub(crate) mod response;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use bytes::{Buf, Bytes};
use chacha20::ChaCha12Rng;
use chacha20::rand_core::{Rng, SeedableRng};

use crate::config::Config;
use crate::connection::{Connection, Transport};
use crate::handshake::Limits;
use crate::handshake::body::Body;
use crate::handshake::client::request::ClientRequest;
use crate::handshake::client::response::{Response, StatusLine};
use crate::handshake::deadline::Deadline;
use crate::handshake::deflate::Agreed;
use crate::handshake::error::HandshakeError;
use crate::handshake::head::{Head, Part, malformed};
use crate::handshake::key;
use crate::role::Role;
use crate::time::Timestamp;

/// The client's side: a request goes out, a response comes in and is checked.
///
/// Of the same shape as [`Connection`]: the calls may come in any order. If the server refuses,
/// [`failure`](Self::failure) says so at once, and the beginning of its answer's body can still be
/// read while [`wants_input`](Self::wants_input) is true, for [`Limits::body_timeout`]. The body of
/// a redirection with a `Location` is not read.
///
/// `Debug` shows no bytes that were sent or have come.
pub struct ClientHandshake {
    limits: Limits,
    now: Timestamp,
    deadline: Deadline,
    request: ClientRequest,
    /// The `Sec-WebSocket-Accept` that fits the key.
    accept: String,
    /// Made the key, and makes the masking keys of the connection.
    keys: Box<ChaCha12Rng>,
    state: State,
    output: Bytes,
    /// Input behind the head: frames of a server that did not wait.
    early: Vec<u8>,
    end_of_stream: bool,
}

#[derive(Debug)]
enum State {
    /// The head is arriving; the first line may have come.
    Receiving { head: Head, line: Option<StatusLine> },
    /// The server upgrades, and all is as it should be.
    Open { response: Response, agreed: Agreed },
    /// The server answered otherwise; its body may be arriving.
    Refused { failure: HandshakeError, response: Response, body: Body },
    /// It is over without an answer.
    Failed { failure: HandshakeError },
}

impl ClientHandshake {
    /// Asks. [`Limits::timeout`] begins.
    ///
    /// The key of the request, and later the masking keys, are generated from `seed`. It must be
    /// unpredictable (RFC 6455 §10.3): take it from the operating system.
    pub fn new(now: Timestamp, request: ClientRequest, limits: Limits, seed: [u8; 32]) -> Self {
        let mut keys = Box::new(ChaCha12Rng::from_seed(seed));
        let mut octets = [0; key::KEY_OCTETS];
        keys.fill_bytes(&mut octets);
        let key = key::encode_key(octets);
        Self {
            now,
            deadline: Deadline::after(now, limits.timeout),
            output: request.encode(&key).into(),
            request,
            accept: key::accept_value(key.as_bytes()),
            keys,
            state: State::Receiving { head: Head::response(&limits), line: None },
            early: Vec::new(),
            end_of_stream: false,
            limits,
        }
    }

    /// Takes bytes that came from the transport, all of them, in any pieces. What comes behind the
    /// head is kept for the connection: against [`wants_input`](Self::wants_input) the memory is
    /// the caller's choice. After a failure only the beginning of the body is kept.
    pub fn handle_input(&mut self, now: Timestamp, input: &[u8]) {
        self.tick(now);
        if self.end_of_stream {
            return;
        }
        match &mut self.state {
            State::Receiving { .. } => {
                if let Err(failure) = self.receive(input) {
                    self.fail(failure);
                }
            }
            State::Open { .. } => self.early.extend_from_slice(input),
            State::Refused { response, body, .. } => body.read(input, &mut response.body),
            State::Failed { .. } => {}
        }
    }

    /// Takes the end of the stream. Behind a complete head it is the connection's affair.
    pub fn handle_eof(&mut self, now: Timestamp) {
        self.tick(now);
        self.end_of_stream = true;
        match &mut self.state {
            State::Receiving { head, .. } => {
                let failure = head.cut_short(HandshakeError::EndOfStream);
                self.fail(failure);
            }
            State::Refused { body, .. } => body.end(),
            State::Open { .. } | State::Failed { .. } => {}
        }
    }

    /// Takes the time, and does what is due. To be called when
    /// [`poll_timeout`](Self::poll_timeout) is reached; other calls do no harm.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.tick(now);
        if !self.deadline.is_over(self.now) {
            return;
        }
        match &mut self.state {
            State::Receiving { head, .. } => {
                let failure = head.cut_short(HandshakeError::Timeout);
                self.fail(failure);
            }
            State::Refused { body, .. } => body.end(),
            State::Open { .. } | State::Failed { .. } => {}
        }
    }

    /// What waits to be written: show its bytes to the transport, then advance by as many as it
    /// took. Nothing after a failure.
    pub fn output(&mut self) -> &mut Bytes {
        &mut self.output
    }

    /// Makes the connection, once the server has upgraded. What came behind the head goes to the
    /// connection.
    ///
    /// # Errors
    ///
    /// Gives the handshake back if it is not [`is_open`](Self::is_open).
    #[allow(clippy::result_large_err, reason = "it is the caller's own value, given back")]
    pub fn into_connection(
        self,
        now: Timestamp,
        config: impl Into<Arc<Config>>,
    ) -> Result<Connection, Self> {
        let State::Open { agreed, .. } = self.state else { return Err(self) };
        let start = self.now.max(now);
        let connection = Connection::new(start, Role::Client, config.into(), Some(self.keys));
        let connection = agreed.apply(connection);
        Ok(crate::handshake::hand_over(
            connection,
            now,
            self.output,
            &self.early,
            self.end_of_stream,
        ))
    }

    /// The final response, once its head is complete; [`failure`](Self::failure) tells whether it
    /// upgrades. The body of a refusal grows as it comes in.
    pub fn response(&self) -> Option<&Response> {
        match &self.state {
            State::Open { response, .. } | State::Refused { response, .. } => Some(response),
            State::Receiving { .. } | State::Failed { .. } => None,
        }
    }

    /// The parameters of permessage-deflate, if the server agreed to it.
    #[cfg(feature = "deflate")]
    pub fn deflate(&self) -> Option<crate::deflate::DeflateParams> {
        match &self.state {
            State::Open { agreed, .. } => agreed.deflate,
            State::Receiving { .. } | State::Refused { .. } | State::Failed { .. } => None,
        }
    }

    /// Whether the server has upgraded, and [`into_connection`](Self::into_connection) works.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Why there will be no connection, as soon as that is decided.
    pub fn failure(&self) -> Option<&HandshakeError> {
        match &self.state {
            State::Refused { failure, .. } | State::Failed { failure } => Some(failure),
            State::Receiving { .. } | State::Open { .. } => None,
        }
    }

    /// Whether to read from the transport: until the head is complete, and then for the beginning
    /// of a refusal's body.
    pub fn wants_input(&self) -> bool {
        match &self.state {
            State::Receiving { .. } => true,
            State::Refused { body, .. } => body.wants_input(),
            State::Open { .. } | State::Failed { .. } => false,
        }
    }

    /// Whether there is something to write.
    pub fn wants_output(&self) -> bool {
        self.output.has_remaining()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, if nothing else happens
    /// before. A time that has passed means now.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        if self.wants_input() { self.deadline.next(self.now) } else { None }
    }

    /// What to do with the transport. After a failure it is closed, once the beginning of a
    /// refusal's body is read; a caller that does not care for the body may close it at once.
    pub fn transport(&self) -> Transport {
        if self.failure().is_none() || self.wants_input() {
            Transport::KeepOpen
        } else {
            Transport::Close
        }
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
                Part::StartLine(first) => *line = Some(StatusLine::parse(&first)?),
                Part::End(headers) => {
                    let line = line.take().ok_or(malformed("status"))?;
                    // "A client MUST be able to parse one or more 1xx responses received prior to
                    // a final response" (RFC 9110 §15.2). 101 is final.
                    if line.status != 101 && line.status < 200 {
                        continue;
                    }
                    let is_http1 = line.is_http1;
                    self.finish(Response::new(line, headers), is_http1, input);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The head of the final response is complete; `input` came behind it.
    fn finish(&mut self, mut response: Response, is_http1: bool, input: &[u8]) {
        let status = response.status();
        let (failure, mut body) = if status == 101 && !is_http1 {
            (HandshakeError::HttpVersion, Body::none())
        } else if status == 101 {
            match response.check(&self.request, &self.accept) {
                Ok(agreed) => {
                    self.state = State::Open { response, agreed };
                    self.early.extend_from_slice(input);
                    return;
                }
                // What follows is another protocol, or nothing.
                Err(failure) => (failure, Body::none()),
            }
        } else {
            match response.check_location() {
                Err(failure) => (failure, Body::none()),
                // Where it leads is known, and nobody reads the body of a redirection.
                Ok(true) => (HandshakeError::Status { status }, Body::none()),
                Ok(false) => (HandshakeError::Status { status }, self.body_of(&response)),
            }
        };
        body.read(input, &mut response.body);
        self.output = Bytes::new();
        self.deadline = self.body_deadline();
        self.state = State::Refused { failure, response, body };
    }

    /// What is read of the body of a refusal.
    fn body_of(&self, response: &Response) -> Body {
        let Limits { max_body_bytes, max_head_bytes, .. } = self.limits;
        Body::of(response.status(), response.headers(), max_body_bytes, max_head_bytes)
    }

    /// The body of a refusal has a limit of its own, within that of the handshake.
    fn body_deadline(&self) -> Deadline {
        let end = self.deadline.next(self.now);
        let left = end.map(|end| end.saturating_duration_since(self.now));
        let limit = [left, self.limits.body_timeout].into_iter().flatten().min();
        Deadline::after(self.now, limit)
    }

    fn fail(&mut self, failure: HandshakeError) {
        self.output = Bytes::new();
        self.state = State::Failed { failure };
    }
}

impl fmt::Debug for ClientHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientHandshake")
            .field("request", &self.request)
            .field("state", &self.state)
            .field("deadline", &self.deadline)
            .field("output_bytes", &self.output.len())
            .field("early_bytes", &self.early.len())
            .finish_non_exhaustive()
    }
}
