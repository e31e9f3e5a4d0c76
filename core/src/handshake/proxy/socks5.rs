//! SOCKS version 5 (RFC 1928), with a user name and a password (RFC 1929) or without: asks a proxy for
//! a connection.

use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use crate::handshake::credentials::BasicCredentials;
use crate::handshake::error::HandshakeError;
use crate::handshake::exchange::{Exchange, Handshake, Steps};
use crate::handshake::limits::Limits;
use crate::handshake::proxy::error::{ProxyError, ProxyRequestError};
use crate::handshake::proxy::request::{ProxySteps, ProxyTarget};

/// Asks a SOCKS proxy for a connection to a server. If the host is a name, the proxy resolves it.
///
/// Once it [`is_open`](Self::is_open), the transport leads to the server.
pub type Socks5 = Handshake<Socks5Steps>;

/// The states of a [`Socks5`].
pub struct Socks5Steps {
    state: SocksState,
    /// Sent when the proxy asks for them.
    credentials: Option<Vec<u8>>,
    /// Sent when the proxy has accepted the client.
    request: Vec<u8>,
    /// The answer that is arriving; 262 bytes at most.
    answer: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SocksState {
    /// The proxy chooses how to authenticate.
    Choosing,
    /// The proxy checks the credentials.
    Authenticating,
    /// The proxy connects to the server.
    Connecting,
    Open,
    Failed {
        failure: ProxyError,
    },
}

impl ProxySteps for Socks5Steps {
    fn begin(
        target: &ProxyTarget<'_>,
        _limits: &Limits,
    ) -> Result<(Vec<u8>, Self), ProxyRequestError> {
        let ProxyTarget { host, port, credentials } = *target;
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
                // The name is sent as raw bytes, so a control character or a blank would reach the
                // proxy's resolver.
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
        let (state, answer) = (SocksState::Choosing, Vec::new());
        Ok((greeting.to_vec(), Self { state, credentials, request, answer }))
    }
}

impl Steps for Socks5Steps {
    type Failure = ProxyError;

    fn read(&mut self, exchange: &mut Exchange, input: &mut &[u8]) -> Result<(), ProxyError> {
        // Byte by byte: each fault is found at the byte that causes it, however the bytes were
        // split.
        while self.wants_input()
            && let [byte, rest @ ..] = *input
        {
            *input = rest;
            self.answer.push(*byte);
            self.check_answer(exchange)?;
        }
        Ok(())
    }

    fn fail(&mut self, exchange: &mut Exchange, failure: ProxyError) {
        exchange.clear();
        self.state = SocksState::Failed { failure };
    }

    fn cut_short(&mut self, exchange: &mut Exchange, reason: HandshakeError) {
        if self.wants_input() {
            self.fail(exchange, reason.into());
        }
    }

    fn is_received(&self) -> bool {
        self.state == SocksState::Open
    }

    fn failure(&self) -> Option<&ProxyError> {
        match &self.state {
            SocksState::Failed { failure } => Some(failure),
            SocksState::Choosing
            | SocksState::Authenticating
            | SocksState::Connecting
            | SocksState::Open => None,
        }
    }

    fn wants_input(&self) -> bool {
        matches!(
            self.state,
            SocksState::Choosing | SocksState::Authenticating | SocksState::Connecting
        )
    }
}

impl Socks5Steps {
    /// Reads the answer, as far as it has arrived, and sends what comes next.
    fn check_answer(&mut self, exchange: &mut Exchange) -> Result<(), ProxyError> {
        match (self.state, self.answer.as_slice()) {
            (SocksState::Authenticating, [PASSWORD_VERSION]) => {}
            (SocksState::Authenticating, [PASSWORD_VERSION, 0]) => self.connect(exchange),
            (SocksState::Authenticating, [PASSWORD_VERSION, ..]) => {
                return Err(ProxyError::Credentials);
            }
            (SocksState::Choosing | SocksState::Connecting, [VERSION]) => {}
            (SocksState::Choosing, [VERSION, METHOD_NONE, ..]) => self.connect(exchange),
            (SocksState::Choosing, [VERSION, METHOD_REFUSED, ..]) => {
                return Err(ProxyError::NoMethod);
            }
            (SocksState::Choosing, [VERSION, method, ..]) => {
                let is_password = *method == METHOD_PASSWORD;
                // A proxy may ask for a password that the client did not offer. That is a fault
                // like any other method that was not offered.
                let Some(credentials) = self.credentials.take().filter(|_| is_password) else {
                    return Err(ProxyError::Malformed { what: "a method that was not offered" });
                };
                self.send(exchange, &credentials);
                self.state = SocksState::Authenticating;
            }
            (SocksState::Connecting, [VERSION, 0]) => {}
            // The address from which the proxy connects does not matter, except for its length.
            (SocksState::Connecting, [VERSION, 0, _reserved, address @ ..]) => {
                let length = match address {
                    [] | [ADDRESS_NAME] => return Ok(()),
                    [ADDRESS_V4, ..] => 4,
                    [ADDRESS_V6, ..] => 16,
                    [ADDRESS_NAME, length, ..] => 1 + usize::from(*length),
                    _ => return Err(ProxyError::Malformed { what: "kind of address" }),
                };
                if address.len() == 1 + length + PORT_LENGTH {
                    self.state = SocksState::Open;
                }
            }
            (SocksState::Connecting, [VERSION, reply, ..]) => {
                return Err(ProxyError::Refused { reply: *reply });
            }
            (SocksState::Open | SocksState::Failed { .. }, _) | (_, []) => {}
            _ => return Err(ProxyError::Malformed { what: "SOCKS version" }),
        }
        Ok(())
    }

    fn connect(&mut self, exchange: &mut Exchange) {
        let request = core::mem::take(&mut self.request);
        self.send(exchange, &request);
        self.state = SocksState::Connecting;
    }

    /// Sends this after the output that is not written yet: a proxy may answer before it has read
    /// everything.
    fn send(&mut self, exchange: &mut Exchange, message: &[u8]) {
        exchange.output = [&*exchange.output, message].concat().into();
        self.answer.clear();
    }
}

/// Without the credentials.
impl fmt::Debug for Socks5Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socks5Steps").field("state", &self.state).finish_non_exhaustive()
    }
}

/// The request that sends the credentials (RFC 1929 §2).
fn encode(credentials: &BasicCredentials) -> Result<Vec<u8>, ProxyRequestError> {
    let mut out = Vec::from([PASSWORD_VERSION]);
    push_short(credentials.user(), &mut out)
        .and_then(|()| push_short(credentials.password(), &mut out))
        .filter(|()| !credentials.user().is_empty())
        .ok_or(ProxyRequestError::Credentials)?;
    Ok(out)
}

/// Appends the length of a text in one byte, and the text. `None` if it is too long.
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
const PORT_LENGTH: usize = 2;
