//! Replays vectors that start with the opening handshake.

use core::time::Duration;

use bytes::Buf;
use tidegate_core::deflate::{DeflateOffer, DeflateParams};
use tidegate_core::handshake::{
    Acceptance, ClientHandshake, ClientRequest, HandshakeError, Limits, ServerHandshake,
};
use tidegate_core::{Role, Timestamp, Transport};

use super::answer;
use super::chunking::Cut;
use super::classes;
use super::deflate;
use super::expect;
use super::format::{Settings, Vector};
use super::http::{self, Head};
use super::runner::{SEED, Session, config};
use super::steps::{Open, Step};

/// Replays a vector: first the handshake, then the connection.
pub(super) fn replay(vector: &Vector, cut: Cut) -> Result<(), String> {
    let mut opening = Opening::new(vector, cut)?;
    let mut session: Option<Session> = None;
    for (index, step) in vector.steps.iter().enumerate() {
        let done = match (&mut session, step) {
            (Some(session), step) => session.step(step).map(|()| true),
            (None, Step::ExpectOpen(open)) => opening.expect_open(open).map(|opened| {
                session = opened;
                session.is_some()
            }),
            (None, step) => opening.step(step).map(|()| true),
        };
        match done {
            Ok(true) => {}
            // The handshake failed, as the vector expects.
            Ok(false) => return Ok(()),
            Err(fault) => return Err(format!("step {}: {fault}", index + 1)),
        }
    }
    Ok(())
}

/// One replay of an opening handshake.
#[derive(Debug)]
struct Opening<'v> {
    /// `None` when the handshake has become a connection.
    machine: Option<Machine>,
    settings: &'v Settings,
    now: Timestamp,
    cut: Cut,
    received: Vec<u8>,
    /// The placeholders in the peer's text, once the key is known.
    placeholders: Vec<(&'static str, String)>,
}

#[derive(Debug)]
enum Machine {
    Client(Box<ClientHandshake>),
    Server(Box<ServerHandshake>),
}

impl<'v> Opening<'v> {
    fn new(vector: &'v Vector, cut: Cut) -> Result<Self, String> {
        let settings = &vector.settings;
        let limits = Limits::builder()
            .max_head_bytes(settings.max_head_bytes)
            .max_headers(settings.max_headers)
            .timeout(None)
            .build()
            .map_err(|error| error.to_string())?;
        let now = Timestamp::ZERO;
        let machine = match vector.role {
            Role::Server => Machine::Server(Box::new(ServerHandshake::new(now, limits))),
            Role::Client => {
                let host = settings.host.as_deref().ok_or("a client needs a host")?;
                let target = settings.target.as_deref().ok_or("a client needs a target")?;
                let mut builder =
                    ClientRequest::builder(host, target).deflate(settings.deflate_offer);
                for name in &settings.subprotocols {
                    builder = builder.subprotocol(name);
                }
                let request = builder.build().map_err(|error| error.to_string())?;
                Machine::Client(Box::new(ClientHandshake::new(now, request, limits, SEED)))
            }
        };
        let (received, placeholders) = (Vec::new(), Vec::new());
        Ok(Self { machine: Some(machine), settings, now, cut, received, placeholders })
    }

    fn machine(&mut self) -> Result<&mut Machine, String> {
        self.machine.as_mut().ok_or_else(|| "the handshake is over".into())
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Receive { data, every } => {
                let bytes = data.bytes_with(&self.placeholders);
                if self.placeholders.is_empty() && http::find(&bytes, b"{{").is_some() {
                    return Err("a placeholder, and no request was seen".into());
                }
                self.receive(&bytes, *every)?;
            }
            Step::EndOfStream => {
                let now = self.now;
                self.machine()?.handle_eof(now);
            }
            Step::Advance(millis) => self.now = self.now + Duration::from_millis(*millis as u64),
            // There is no connection yet, so there can be no event and nothing can be sent.
            Step::TakeNone | Step::Send { refused: true, .. } => {}
            Step::Discard => drop(self.machine()?.drain()),
            Step::ExpectBytes(data) => expect::bytes(&data.bytes(), &self.machine()?.drain())?,
            Step::WantsRead(expected) => {
                expect::equal("wants_read", expected, &self.machine()?.wants_input())?;
            }
            Step::WantsClose(expected) => {
                let seen = self.machine()?.transport() != Transport::KeepOpen;
                expect::equal("wants_close", expected, &seen)?;
            }
            Step::ExpectRequest { target, host, subprotocols, deflate } => {
                self.expect_request(target, host, subprotocols, *deflate)?;
            }
            Step::ExpectReject { statuses, classes, headers } => {
                self.expect_failure(classes)?;
                let output = self.machine()?.drain();
                let (head, _body) = Head::parse(&output)?;
                if !statuses.contains(&head.status()?) {
                    return Err(format!("expected a status of {statuses:?}, there is {head:?}"));
                }
                for (name, value) in headers {
                    head.expect(name, value)?;
                }
            }
            Step::ExpectFail { classes, status } => {
                let failure = self.expect_failure(classes)?;
                let seen = match failure {
                    HandshakeError::Status { status } => Some(usize::from(status)),
                    _ => None,
                };
                if status.is_some() {
                    expect::equal("status", status, &seen)?;
                }
            }
            _ => return Err(format!("no step before the connection is open: {step:?}")),
        }
        let now = self.now;
        self.machine()?.handle_timeout(now);
        Ok(())
    }

    fn receive(&mut self, bytes: &[u8], every: Option<usize>) -> Result<(), String> {
        self.received.extend_from_slice(bytes);
        let (now, settings) = (self.now, self.settings);
        let mut rest = bytes;
        for length in every.map_or(self.cut, Cut::Every).pieces(bytes.len()) {
            let (piece, later) = rest.split_at(length);
            rest = later;
            let machine = self.machine()?;
            machine.handle_input(now, piece);
            machine.handle_timeout(now);
            machine.accept(settings)?;
        }
        Ok(())
    }

    fn expect_failure(&mut self, expected: &[String]) -> Result<HandshakeError, String> {
        let machine = self.machine()?;
        if machine.is_open() {
            return Err(format!("expected the failure {expected:?}, the handshake succeeded"));
        }
        let failure = machine.failure().ok_or("expected a failure, there is none yet")?;
        let class = classes::of_handshake_error(failure);
        if classes::is_expected(class, expected) {
            Ok(failure)
        } else {
            Err(format!("expected the failure {expected:?}, there is {class}: {failure}"))
        }
    }

    fn expect_request(
        &mut self,
        target: &str,
        host: &str,
        subprotocols: &[String],
        deflate: Option<DeflateOffer>,
    ) -> Result<(), String> {
        let output = self.machine()?.drain();
        let (head, rest) = Head::parse(&output)?;
        expect::bytes(b"", rest)?;
        expect::equal("request line", &format!("GET {target} HTTP/1.1"), &head.start)?;
        expect::equal("host", &Some(host), &head.get("Host")?)?;
        head.expect("Upgrade", "websocket")?;
        head.expect("Connection", "Upgrade")?;
        head.expect("Sec-WebSocket-Version", "13")?;
        let key = head.get("Sec-WebSocket-Key")?.filter(|key| http::is_key(key));
        let key = key.ok_or("expected a key of 16 octets")?;
        let offered = head.get("Sec-WebSocket-Protocol")?;
        let offered: Vec<_> = offered.into_iter().flat_map(|list| list.split(", ")).collect();
        if offered != subprotocols {
            return Err(format!("expected {subprotocols:?} to be offered, there is {offered:?}"));
        }
        let extensions = head.get("Sec-WebSocket-Extensions")?;
        let offered = extensions.map(deflate::read_offer).transpose()?;
        expect::equal("offered extension", &deflate, &offered)?;
        let accept = http::accept(key);
        let swapped = accept.chars().map(|letter| {
            if letter.is_ascii_lowercase() {
                letter.to_ascii_uppercase()
            } else {
                letter.to_ascii_lowercase()
            }
        });
        self.placeholders = vec![
            ("{{accept}}", accept.clone()),
            ("{{accept_swapcase}}", swapped.collect()),
            ("{{accept_nopad}}", accept.trim_end_matches('=').into()),
            ("{{key}}", key.into()),
        ];
        Ok(())
    }

    /// The connection, or `None` if the handshake failed as expected.
    fn expect_open(&mut self, open: &Open) -> Result<Option<Session>, String> {
        let machine = self.machine()?;
        if let Some(failure) = machine.failure() {
            let class = classes::of_handshake_error(failure);
            if classes::is_expected(class, &open.or_fail) {
                return Ok(None);
            }
            return Err(format!("expected it to open, there is {class}: {failure}"));
        }
        machine.check_open(open)?;
        let early = self.early_data().to_vec();
        let config = config(self.settings)?;
        let machine = self.machine.take().ok_or("the handshake is over")?;
        let agreed = machine.deflate();
        let connection = match machine {
            Machine::Client(client) => {
                client.into_connection(self.now, config).map_err(|_| "it is not open")?
            }
            Machine::Server(server) => {
                server.into_connection(self.now, config).map_err(|_| "it is not open")?
            }
        };
        let session = Session::new(connection, self.now, self.cut, self.settings);
        let session = session.with_early_data(&early);
        Ok(Some(match agreed {
            Some(params) => session.with_deflate(params),
            None => session,
        }))
    }

    /// The bytes after the head that ended the handshake.
    fn early_data(&self) -> &[u8] {
        let start = match &self.machine {
            Some(Machine::Client(_)) => http::find(&self.received, b"HTTP/1.1 101").unwrap_or(0),
            _ => self.received.iter().take_while(|byte| b"\r\n".contains(byte)).count(),
        };
        let head = self.received.get(start..).unwrap_or_default();
        match http::find(head, b"\r\n\r\n") {
            Some(end) => head.get(end + 4..).unwrap_or_default(),
            None => &[],
        }
    }
}

impl Machine {
    fn handle_input(&mut self, now: Timestamp, input: &[u8]) {
        match self {
            Self::Client(client) => client.handle_input(now, input),
            Self::Server(server) => server.handle_input(now, input),
        }
    }

    fn handle_eof(&mut self, now: Timestamp) {
        match self {
            Self::Client(client) => client.handle_eof(now),
            Self::Server(server) => server.handle_eof(now),
        }
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        match self {
            Self::Client(client) => client.handle_timeout(now),
            Self::Server(server) => server.handle_timeout(now),
        }
    }

    /// Acts as the server's application, which accepts every valid request.
    fn accept(&mut self, settings: &Settings) -> Result<(), String> {
        let Self::Server(server) = self else { return Ok(()) };
        let Some(request) = server.request().filter(|_| !server.is_accepted()) else {
            return Ok(());
        };
        let supported: Vec<_> = settings.subprotocols.iter().map(String::as_str).collect();
        let acceptance = match request.select_subprotocol(&supported) {
            Some(name) => Acceptance::new().subprotocol(name),
            None => Acceptance::new(),
        };
        let acceptance = match settings.deflate_accept {
            Some(wishes) => acceptance.deflate(wishes),
            None => acceptance,
        };
        server.accept(acceptance).map_err(|error| error.to_string())
    }

    fn drain(&mut self) -> Vec<u8> {
        fn all(output: &mut impl Buf) -> Vec<u8> {
            output.copy_to_bytes(output.remaining()).into()
        }
        match self {
            Self::Client(client) => all(client.output()),
            Self::Server(server) => all(server.output()),
        }
    }

    fn is_open(&self) -> bool {
        match self {
            Self::Client(client) => client.is_open(),
            Self::Server(server) => server.is_accepted(),
        }
    }

    fn failure(&self) -> Option<HandshakeError> {
        match self {
            Self::Client(client) => client.failure().copied(),
            Self::Server(server) => server.failure().copied(),
        }
    }

    fn wants_input(&self) -> bool {
        match self {
            Self::Client(client) => client.wants_input(),
            Self::Server(server) => server.wants_input(),
        }
    }

    fn transport(&self) -> Transport {
        match self {
            Self::Client(client) => client.transport(),
            Self::Server(server) => server.transport(),
        }
    }

    fn deflate(&self) -> Option<DeflateParams> {
        match self {
            Self::Client(client) => client.deflate(),
            Self::Server(server) => server.deflate(),
        }
    }

    fn check_open(&mut self, open: &Open) -> Result<(), String> {
        if !self.is_open() {
            return Err("expected it to be open, it is not yet".into());
        }
        let agreed = self.deflate();
        let matches = match (&open.deflate, agreed) {
            (None, None) => true,
            (Some(_), None) => open.deflate_may_be_declined,
            (None, Some(_)) => false,
            (Some(pattern), Some(params)) => pattern.matches(params),
        };
        if !matches {
            let expected = &open.deflate;
            return Err(format!("expected the agreement {expected:?}, there is {agreed:?}"));
        }
        let chosen = open.subprotocol.as_deref();
        match self {
            Self::Client(client) => {
                let seen = client.response().and_then(|response| response.subprotocol());
                expect::equal("subprotocol", &chosen, &seen)
            }
            Self::Server(server) => {
                let target = server.request().map(|request| request.target().to_owned());
                if !target.as_ref().is_some_and(|target| open.targets.contains(target)) {
                    return Err(format!("expected a target of {:?}: {target:?}", open.targets));
                }
                let (head, rest) = {
                    let output = self.drain();
                    let (head, rest) = Head::parse(&output)?;
                    (head, rest.to_vec())
                };
                expect::bytes(b"", &rest)?;
                answer::check(&head, open, agreed)
            }
        }
    }
}
