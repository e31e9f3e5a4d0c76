//! SOCKS version 5 (RFC 1928), with a user name and a password (RFC 1929) or without.

use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use bytes::{Buf, Bytes};

use crate::connection::Transport;
use crate::handshake::Limits;
use crate::handshake::credentials::BasicCredentials;
use crate::handshake::deadline::Deadline;
use crate::handshake::proxy::{ProxyError, ProxyRequestError};
use crate::time::Timestamp;

/// Asks a SOCKS proxy for a connection to a server. A name is sent as it is: the proxy looks it up.
///
/// The calls may come in any order. Once it [`is_open`](Self::is_open) the transport leads to the
/// server.
pub struct Socks5 {
    now: Timestamp,
    deadline: Deadline,
    output: Bytes,
    /// Sent when their turn comes.
    credentials: Option<Vec<u8>>,
    request: Vec<u8>,
    state: State,
    /// The answer that is arriving; 262 bytes at most.
    answer: Vec<u8>,
    rest: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The proxy chooses how to authenticate.
    Choosing,
    /// The proxy looks at the credentials.
    Authenticating,
    /// The proxy connects.
    Connecting,
    Open,
    Failed {
        failure: ProxyError,
    },
}

impl Socks5 {
    /// Asks for this host, an IPv6 address without brackets, and this port. [`Limits::timeout`]
    /// begins.
    ///
    /// # Errors
    ///
    /// [`ProxyRequestError`].
    pub fn new(
        now: Timestamp,
        host: &str,
        port: u16,
        credentials: Option<&BasicCredentials>,
        limits: &Limits,
    ) -> Result<Self, ProxyRequestError> {
        let mut request = Vec::from([VERSION, COMMAND_CONNECT, 0]);
        match host.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => {
                request.push(ADDRESS_V4);
                request.extend_from_slice(&address.octets());
            }
            Ok(IpAddr::V6(address)) => {
                request.push(ADDRESS_V6);
                request.extend_from_slice(&address.octets());
            }
            Err(_) => {
                request.push(ADDRESS_NAME);
                let is_name = host.bytes().all(|byte| byte.is_ascii_graphic());
                push_short(host, &mut request)
                    .filter(|()| is_name && !host.is_empty())
                    .ok_or(ProxyRequestError::Host)?;
            }
        }
        request.extend_from_slice(&port.to_be_bytes());
        let credentials = credentials.map(encode).transpose()?;
        let greeting: &[u8] = match credentials {
            Some(_) => &[VERSION, 2, METHOD_NONE, METHOD_PASSWORD],
            None => &[VERSION, 1, METHOD_NONE],
        };
        Ok(Self {
            now,
            deadline: Deadline::after(now, limits.timeout()),
            output: Bytes::copy_from_slice(greeting),
            credentials,
            request,
            state: State::Choosing,
            answer: Vec::new(),
            rest: Vec::new(),
        })
    }

    /// Takes bytes that came from the transport, all of them, in any pieces. What comes behind the
    /// answer is [`rest`](Self::rest).
    pub fn handle_input(&mut self, now: Timestamp, mut input: &[u8]) {
        self.tick(now);
        // A byte at a time: a fault is found at the byte that makes it one.
        while self.wants_input()
            && let [byte, rest @ ..] = input
        {
            input = rest;
            self.answer.push(*byte);
            self.look();
        }
        if self.is_open() {
            self.rest.extend_from_slice(input);
        }
    }

    /// Takes the end of the stream.
    pub fn handle_eof(&mut self, now: Timestamp) {
        self.tick(now);
        if self.wants_input() {
            self.fail(ProxyError::EndOfStream);
        }
    }

    /// Takes the time, and does what is due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.tick(now);
        if self.wants_input() && self.deadline.is_over(self.now) {
            self.fail(ProxyError::Timeout);
        }
    }

    /// What waits to be written. Nothing after a failure.
    pub fn output(&mut self) -> &mut Bytes {
        &mut self.output
    }

    /// Whether the proxy has connected: the transport leads to the server.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Why there will be no connection, as soon as that is decided.
    pub fn failure(&self) -> Option<&ProxyError> {
        match &self.state {
            State::Failed { failure } => Some(failure),
            State::Choosing | State::Authenticating | State::Connecting | State::Open => None,
        }
    }

    /// What came behind the answer: the server's first bytes, if it speaks first.
    pub fn rest(&self) -> &[u8] {
        &self.rest
    }

    /// Whether to read from the transport: until the answer is complete.
    pub fn wants_input(&self) -> bool {
        matches!(self.state, State::Choosing | State::Authenticating | State::Connecting)
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
            State::Failed { .. } => Transport::Close,
            State::Choosing | State::Authenticating | State::Connecting | State::Open => {
                Transport::KeepOpen
            }
        }
    }

    /// Looks at the answer as far as it has come.
    fn look(&mut self) {
        let wrong_version = ProxyError::Malformed { what: "SOCKS version" };
        match (self.state, self.answer.as_slice()) {
            (State::Authenticating, [PASSWORD_VERSION]) => {}
            (State::Authenticating, [PASSWORD_VERSION, 0]) => self.connect(),
            (State::Authenticating, [PASSWORD_VERSION, ..]) => self.fail(ProxyError::Credentials),
            (State::Choosing | State::Connecting, [VERSION]) => {}
            (State::Choosing, [VERSION, METHOD_NONE, ..]) => self.connect(),
            (State::Choosing, [VERSION, METHOD_PASSWORD, ..]) => match self.credentials.take() {
                Some(credentials) => {
                    self.say(&credentials);
                    self.state = State::Authenticating;
                }
                None => self.fail(ProxyError::Malformed { what: "a method that was not offered" }),
            },
            (State::Choosing, [VERSION, METHOD_REFUSED, ..]) => self.fail(ProxyError::NoMethod),
            (State::Choosing, [VERSION, ..]) => {
                self.fail(ProxyError::Malformed { what: "a method that was not offered" });
            }
            (State::Connecting, [VERSION, 0]) => {}
            (State::Connecting, [VERSION, 0, _reserved, address @ ..]) => {
                let length = match address {
                    [] | [ADDRESS_NAME] => return,
                    [ADDRESS_V4, ..] => 4,
                    [ADDRESS_V6, ..] => 16,
                    [ADDRESS_NAME, length, ..] => 1 + usize::from(*length),
                    _ => return self.fail(ProxyError::Malformed { what: "kind of address" }),
                };
                // The address from which the proxy connects is of no interest.
                if address.len() == 1 + length + PORT {
                    self.state = State::Open;
                }
            }
            (State::Connecting, [VERSION, reply, ..]) => {
                let reply = *reply;
                self.fail(ProxyError::Refused { reply });
            }
            (State::Open | State::Failed { .. }, _) | (_, []) => {}
            _ => self.fail(wrong_version),
        }
    }

    fn connect(&mut self) {
        let request = core::mem::take(&mut self.request);
        self.say(&request);
        self.state = State::Connecting;
    }

    /// Sends this behind what was not taken yet: a proxy may answer before it has read all.
    fn say(&mut self, message: &[u8]) {
        self.output = [&*self.output, message].concat().into();
        self.answer.clear();
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

/// Without the credentials.
impl fmt::Debug for Socks5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socks5").field("state", &self.state).finish_non_exhaustive()
    }
}

/// The request of RFC 1929 §2.
fn encode(credentials: &BasicCredentials) -> Result<Vec<u8>, ProxyRequestError> {
    let mut out = Vec::from([PASSWORD_VERSION]);
    push_short(credentials.user(), &mut out)
        .and_then(|()| push_short(credentials.password(), &mut out))
        .filter(|()| !credentials.user().is_empty())
        .ok_or(ProxyRequestError::Credentials)?;
    Ok(out)
}

/// Appends a text behind its length in one byte; `None` if it is longer.
fn push_short(text: &str, out: &mut Vec<u8>) -> Option<()> {
    out.push(u8::try_from(text.len()).ok()?);
    out.extend_from_slice(text.as_bytes());
    Some(())
}

const VERSION: u8 = 0x05;
const PASSWORD_VERSION: u8 = 0x01;
const METHOD_NONE: u8 = 0x00;
const METHOD_PASSWORD: u8 = 0x02;
const METHOD_REFUSED: u8 = 0xff;
const COMMAND_CONNECT: u8 = 0x01;
const ADDRESS_V4: u8 = 0x01;
const ADDRESS_NAME: u8 = 0x03;
const ADDRESS_V6: u8 = 0x04;
/// The bytes of a port.
const PORT: usize = 2;
