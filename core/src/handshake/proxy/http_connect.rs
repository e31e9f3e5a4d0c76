//! The CONNECT method of HTTP (RFC 9110 §9.3.6): asks a proxy for a tunnel.

use alloc::format;
use alloc::vec::Vec;
use core::net::Ipv6Addr;

use crate::handshake::error::HandshakeError;
use crate::handshake::exchange::{Exchange, Handshake, Steps};
use crate::handshake::head::Head;
use crate::handshake::limits::Limits;
use crate::handshake::not_http::HeadKind;
use crate::handshake::proxy::error::{ProxyError, ProxyRequestError};
use crate::handshake::proxy::request::{ProxySteps, ProxyTarget};
use crate::handshake::start_line::{StartLine, StatusLine};
use crate::handshake::syntax::{is_authority, write_field};

/// Asks an HTTP proxy for a tunnel to a server.
///
/// Once it [`is_open`](Self::is_open), the transport leads to the server.
pub type HttpConnect = Handshake<HttpConnectSteps>;

/// The states of an [`HttpConnect`].
#[derive(Debug)]
pub struct HttpConnectSteps {
    state: TunnelState,
}

#[derive(Debug)]
enum TunnelState {
    /// The head of the proxy's response is arriving.
    Receiving {
        head: Head<ProxyStatusLine>,
    },
    Open,
    Failed {
        failure: ProxyError,
    },
}

/// The first line of a proxy's response. Unlike a server's, it must be HTTP/1.x.
#[derive(Debug)]
struct ProxyStatusLine(StatusLine);

impl StartLine for ProxyStatusLine {
    const KIND: HeadKind = HeadKind::Response;

    fn parse(line: &[u8]) -> Result<Self, HandshakeError> {
        let line = StatusLine::parse(line)?;
        if line.is_http1 { Ok(Self(line)) } else { Err(HandshakeError::HttpVersion) }
    }
}

impl ProxySteps for HttpConnectSteps {
    fn begin(
        target: &ProxyTarget<'_>,
        limits: &Limits,
    ) -> Result<(Vec<u8>, Self), ProxyRequestError> {
        let ProxyTarget { host, port, credentials } = target;
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
        Ok((request, Self { state: TunnelState::Receiving { head: Head::new(limits) } }))
    }
}

impl Steps for HttpConnectSteps {
    type Failure = ProxyError;

    fn read(&mut self, _: &mut Exchange, input: &mut &[u8]) -> Result<(), ProxyError> {
        let TunnelState::Receiving { head } = &mut self.state else { return Ok(()) };
        while let Some((ProxyStatusLine(line), _)) = head.read(input)? {
            if line.is_interim() {
                continue;
            }
            // "Any 2xx (Successful) response indicates that the sender [...] will switch to tunnel
            // mode immediately after the response header section", even if it announces a body (RFC
            // 9110 §9.3.6).
            if !matches!(line.status, 200..=299) {
                return Err(ProxyError::Status { status: line.status });
            }
            self.state = TunnelState::Open;
            break;
        }
        Ok(())
    }

    fn fail(&mut self, exchange: &mut Exchange, failure: ProxyError) {
        exchange.clear();
        self.state = TunnelState::Failed { failure };
    }

    fn cut_short(&mut self, exchange: &mut Exchange, reason: HandshakeError) {
        if let TunnelState::Receiving { head } = &self.state {
            let failure = head.cut_short(reason);
            self.fail(exchange, failure.into());
        }
    }

    fn is_received(&self) -> bool {
        matches!(self.state, TunnelState::Open)
    }

    fn failure(&self) -> Option<&ProxyError> {
        match &self.state {
            TunnelState::Failed { failure } => Some(failure),
            TunnelState::Receiving { .. } | TunnelState::Open => None,
        }
    }

    fn wants_input(&self) -> bool {
        matches!(self.state, TunnelState::Receiving { .. })
    }
}

/// The length of the longest DNS name.
const MAX_HOST: usize = 255;
