//! The client's side of the opening handshake (RFC 6455 §4.1): sends a request, and checks the
//! response.

mod request;
mod response;

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use chacha20::ChaCha12Rng;
use chacha20::rand_core::{Rng, SeedableRng};

pub use self::request::{ClientRequest, ClientRequestBuilder};
pub use self::response::Response;
use crate::handshake::body::Body;
use crate::handshake::compression::AgreedCompression;
use crate::handshake::deadline::Deadline;
use crate::handshake::error::HandshakeError;
use crate::handshake::exchange::{Exchange, Handshake, OpeningSteps, Steps};
use crate::handshake::head::Head;
use crate::handshake::headers::Headers;
use crate::handshake::key;
use crate::handshake::limits::Limits;
use crate::handshake::start_line::StatusLine;
use crate::role::Role;
use crate::time::Timestamp;

/// The client's side of the opening handshake: sends a request, receives the response and checks it.
///
/// If the server refuses, [`failure`](Self::failure) says so at once. While
/// [`wants_input`](Self::wants_input) is true, the beginning of the response's body can still be
/// read, for [`Limits::body_timeout`]. The body of a redirection with a `Location` is not read.
pub type ClientHandshake = Handshake<ClientSteps>;

/// The states of a [`ClientHandshake`].
pub struct ClientSteps {
    limits: Limits,
    request: ClientRequest,
    /// The `Sec-WebSocket-Accept` that fits the key of the request.
    expected_accept: String,
    /// Made the key, and will make the masking keys of the connection.
    random: Box<ChaCha12Rng>,
    state: ClientState,
}

#[derive(Debug)]
enum ClientState {
    /// The head of the response is arriving.
    Receiving { head: Head<StatusLine> },
    /// The server does not upgrade, or its response is not valid. The body may be arriving.
    Refused { response: Response, body: Body, failure: HandshakeError },
    /// There is no response.
    Failed { failure: HandshakeError },
    /// The server upgrades, and its response is valid.
    Open { response: Response, agreed: AgreedCompression },
}

impl Handshake<ClientSteps> {
    /// Sends the request. [`Limits::timeout`] begins.
    ///
    /// The key of the request, and later the masking keys, are generated from `seed`. It must be
    /// unpredictable (RFC 6455 §10.3): take it from the operating system.
    pub fn new(now: Timestamp, request: ClientRequest, limits: Limits, seed: [u8; 32]) -> Self {
        let mut random = Box::new(ChaCha12Rng::from_seed(seed));
        let mut octets = [0; key::KEY_OCTETS];
        // This makes the first bytes of the generator public. They tell nothing about the masking
        // keys that follow, because ChaCha12 is a stream cipher.
        random.fill_bytes(&mut octets);
        let key = key::encode_key(octets);
        let exchange = Exchange::new(now, limits.timeout(), request.encode(&key));
        let state = ClientState::Receiving { head: Head::new(&limits) };
        let expected_accept = key::accept_value(key.as_bytes());
        Self { exchange, steps: ClientSteps { limits, request, expected_accept, random, state } }
    }

    /// The final response, once its head is complete; [`failure`](Self::failure) says why the
    /// server did not upgrade, if it did not. The body of a refusal grows as it arrives.
    pub fn response(&self) -> Option<&Response> {
        match &self.steps.state {
            ClientState::Open { response, .. } | ClientState::Refused { response, .. } => {
                Some(response)
            }
            ClientState::Receiving { .. } | ClientState::Failed { .. } => None,
        }
    }

    /// Whether the server has upgraded, so that [`into_connection`](Self::into_connection) works.
    pub fn is_open(&self) -> bool {
        self.steps.is_received()
    }
}

impl Steps for ClientSteps {
    type Failure = HandshakeError;

    fn read(&mut self, exchange: &mut Exchange, input: &mut &[u8]) -> Result<(), Self::Failure> {
        match &mut self.state {
            ClientState::Receiving { head } => {
                while let Some((line, headers)) = head.read(input)? {
                    if !line.is_interim() {
                        self.finish(exchange, line, headers, input);
                        return Ok(());
                    }
                }
            }
            ClientState::Refused { response, body, .. } => body.read(input, &mut response.body),
            ClientState::Open { .. } | ClientState::Failed { .. } => {}
        }
        Ok(())
    }

    fn fail(&mut self, exchange: &mut Exchange, failure: HandshakeError) {
        exchange.clear();
        self.state = ClientState::Failed { failure };
    }

    fn cut_short(&mut self, exchange: &mut Exchange, reason: HandshakeError) {
        match &mut self.state {
            ClientState::Receiving { head } => {
                let failure = head.cut_short(reason);
                self.fail(exchange, failure);
            }
            ClientState::Refused { body, .. } => body.end(),
            ClientState::Open { .. } | ClientState::Failed { .. } => {}
        }
    }

    fn is_received(&self) -> bool {
        matches!(self.state, ClientState::Open { .. })
    }

    fn failure(&self) -> Option<&HandshakeError> {
        match &self.state {
            ClientState::Refused { failure, .. } | ClientState::Failed { failure } => Some(failure),
            ClientState::Receiving { .. } | ClientState::Open { .. } => None,
        }
    }

    fn wants_input(&self) -> bool {
        match &self.state {
            ClientState::Receiving { .. } => true,
            ClientState::Refused { body, .. } => body.wants_input(),
            ClientState::Open { .. } | ClientState::Failed { .. } => false,
        }
    }
}

impl OpeningSteps for ClientSteps {
    fn agreed(&self) -> Option<AgreedCompression> {
        match &self.state {
            ClientState::Open { agreed, .. } => Some(*agreed),
            ClientState::Receiving { .. }
            | ClientState::Refused { .. }
            | ClientState::Failed { .. } => None,
        }
    }

    fn into_role(self) -> (Role, Option<Box<ChaCha12Rng>>) {
        (Role::Client, Some(self.random))
    }
}

impl ClientSteps {
    /// Decides by the head of the final response. `input` is what came after it.
    fn finish(
        &mut self,
        exchange: &mut Exchange,
        line: StatusLine,
        headers: Headers,
        input: &[u8],
    ) {
        let is_http1 = line.is_http1;
        let mut response = Response::new(line, headers);
        let (failure, mut body) = match self.judge(&response, is_http1) {
            Ok(agreed) => {
                self.state = ClientState::Open { response, agreed };
                return;
            }
            Err(refused) => refused,
        };
        // The rest of this read is the beginning of the body and would not be passed in again.
        body.read(input, &mut response.body);
        exchange.clear();
        exchange.deadline = self.body_deadline(exchange);
        self.state = ClientState::Refused { failure, response, body };
    }

    /// What the response agrees on, or why it is no upgrade and what to read of its body.
    fn judge(
        &self,
        response: &Response,
        is_http1: bool,
    ) -> Result<AgreedCompression, (HandshakeError, Body)> {
        let status = response.status();
        if status == 101 {
            // Another protocol may follow, or nothing, so there is no body to read.
            return if is_http1 {
                response.check(&self.request, &self.expected_accept)
            } else {
                Err(HandshakeError::HttpVersion)
            }
            .map_err(|failure| (failure, Body::none()));
        }
        Err(match response.check_location() {
            Err(failure) => (failure, Body::none()),
            // The `Location` says everything. The body of a redirection is not shown to anyone.
            Ok(true) => (HandshakeError::Status { status }, Body::none()),
            Ok(false) => (HandshakeError::Status { status }, self.body_of(response)),
        })
    }

    /// The part of a refusal's body that is read.
    fn body_of(&self, response: &Response) -> Body {
        let (kept, framing) = (self.limits.max_body_bytes(), self.limits.max_head_bytes());
        Body::of(response.status(), response.headers(), kept, framing)
    }

    /// The body of a refusal has a timeout of its own, within that of the handshake.
    fn body_deadline(&self, exchange: &Exchange) -> Deadline {
        let end = exchange.deadline.next(exchange.now);
        let left = end.map(|end| end.saturating_duration_since(exchange.now));
        let limit = [left, self.limits.body_timeout()].into_iter().flatten().min();
        Deadline::after(exchange.now, limit)
    }
}

/// Without the key and what was made from the seed.
impl fmt::Debug for ClientSteps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSteps")
            .field("request", &self.request)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
