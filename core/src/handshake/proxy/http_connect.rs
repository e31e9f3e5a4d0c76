//! The CONNECT method of HTTP (RFC 9110 §9.3.6).

use alloc::format;
use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv6Addr;

use bytes::{Buf, Bytes};

use crate::connection::Transport;
use crate::handshake::Limits;
use crate::handshake::client::response::StatusLine;
use crate::handshake::credentials::BasicCredentials;
use crate::handshake::deadline::Deadline;
use crate::handshake::error::HandshakeError;
use crate::handshake::head::{Head, Part};
use crate::handshake::headers::{is_authority, write_field};
use crate::handshake::proxy::{ProxyError, ProxyRequestError};
use crate::time::Timestamp;

/// Asks an HTTP proxy for a tunnel to a server.
///
/// The calls may come in any order. Once it [`is_open`](Self::is_open) the transport leads to the
/// server. `Debug` shows no bytes that were sent or have come.
pub struct HttpConnect {
    now: Timestamp,
    deadline: Deadline,
    output: Bytes,
    state: State,
    rest: Vec<u8>,
}

#[derive(Debug)]
enum State {
    /// The head is arriving; the first line may have come.
    Receiving {
        head: Head,
        status: Option<u16>,
    },
    Open,
    Failed {
        failure: ProxyError,
    },
}

impl HttpConnect {
    /// Asks for this host, an IPv6 address without brackets, and this port. [`Limits::timeout`]
    /// begins; the limits on heads hold for the answer.
    ///
    /// # Errors
    ///
    /// [`ProxyRequestError::Host`].
    pub fn new(
        now: Timestamp,
        host: &str,
        port: u16,
        credentials: Option<&BasicCredentials>,
        limits: &Limits,
    ) -> Result<Self, ProxyRequestError> {
        let authority = match host.parse::<Ipv6Addr>() {
            Ok(_) => format!("[{host}]:{port}"),
            Err(_) => format!("{host}:{port}"),
        };
        if host.len() > MAX_HOST || !is_authority(authority.as_bytes()) {
            return Err(ProxyRequestError::Host);
        }
        let mut request = format!("CONNECT {authority} HTTP/1.1\r\n").into_bytes();
        write_field("Host", authority.as_bytes(), &mut request);
        if let Some(credentials) = credentials {
            let value = credentials.to_header();
            write_field("Proxy-Authorization", value.as_bytes(), &mut request);
        }
        request.extend_from_slice(b"\r\n");
        Ok(Self {
            now,
            deadline: Deadline::after(now, limits.timeout()),
            output: request.into(),
            state: State::Receiving { head: Head::response(limits), status: None },
            rest: Vec::new(),
        })
    }

    /// Takes bytes that came from the transport, all of them, in any pieces. What comes behind the
    /// answer is [`rest`](Self::rest).
    pub fn handle_input(&mut self, now: Timestamp, input: &[u8]) {
        self.tick(now);
        match &mut self.state {
            State::Receiving { .. } => {
                if let Err(failure) = self.receive(input) {
                    self.fail(failure);
                }
            }
            State::Open => self.rest.extend_from_slice(input),
            State::Failed { .. } => {}
        }
    }

    /// Takes the end of the stream.
    pub fn handle_eof(&mut self, now: Timestamp) {
        self.tick(now);
        self.cut_short(HandshakeError::EndOfStream);
    }

    /// Takes the time, and does what is due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.tick(now);
        if self.wants_input() && self.deadline.is_over(self.now) {
            self.cut_short(HandshakeError::Timeout);
        }
    }

    /// What waits to be written. Nothing after a failure.
    pub fn output(&mut self) -> &mut Bytes {
        &mut self.output
    }

    /// Whether the proxy has connected: the transport leads to the server.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// Why there will be no tunnel, as soon as that is decided.
    pub fn failure(&self) -> Option<&ProxyError> {
        match &self.state {
            State::Failed { failure } => Some(failure),
            State::Receiving { .. } | State::Open => None,
        }
    }

    /// What came behind the answer: the server's first bytes, if it speaks first.
    pub fn rest(&self) -> &[u8] {
        &self.rest
    }

    /// Whether to read from the transport: until the answer is complete.
    pub fn wants_input(&self) -> bool {
        matches!(self.state, State::Receiving { .. })
    }

    /// Whether there is something to write.
    pub fn wants_output(&self) -> bool {
        self.output.has_remaining()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, if nothing else happens
    /// before.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        if self.wants_input() { self.deadline.next(self.now) } else { None }
    }

    /// What to do with the transport.
    pub fn transport(&self) -> Transport {
        match self.state {
            State::Receiving { .. } | State::Open => Transport::KeepOpen,
            State::Failed { .. } => Transport::Close,
        }
    }

    fn receive(&mut self, mut input: &[u8]) -> Result<(), ProxyError> {
        let State::Receiving { head, status } = &mut self.state else { return Ok(()) };
        while let Some(part) = head.read(&mut input)? {
            match (part, *status) {
                (Part::StartLine(line), _) => {
                    let line = StatusLine::parse(&line)?;
                    if !line.is_http1 {
                        return Err(ProxyError::Malformed { what: "HTTP version" });
                    }
                    *status = Some(line.status);
                }
                // "any 2xx (Successful) response indicates that the sender [...] will switch to
                // tunnel mode immediately after the response header section", whatever length it
                // announces (RFC 9110 §9.3.6).
                (Part::End(_), Some(200..=299)) => {
                    self.state = State::Open;
                    self.rest.extend_from_slice(input);
                    return Ok(());
                }
                // An interim response: the final one follows.
                (Part::End(_), Some(100 | 102..=199)) => *status = None,
                (Part::End(_), code) => {
                    return Err(ProxyError::Status { status: code.unwrap_or_default() });
                }
            }
        }
        Ok(())
    }

    /// The proxy says no more than what has come.
    fn cut_short(&mut self, failure: HandshakeError) {
        if let State::Receiving { head, .. } = &self.state {
            let failure = head.cut_short(failure);
            self.fail(failure.into());
        }
    }

    fn fail(&mut self, failure: ProxyError) {
        self.output = Bytes::new();
        self.state = State::Failed { failure };
    }

    fn tick(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.deadline.tick(self.now);
    }
}

/// Without the request, which may have credentials.
impl fmt::Debug for HttpConnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpConnect")
            .field("state", &self.state)
            .field("deadline", &self.deadline)
            .field("output_bytes", &self.output.len())
            .field("rest_bytes", &self.rest.len())
            .finish_non_exhaustive()
    }
}

/// The longest name of DNS.
const MAX_HOST: usize = 255;
