//! What a client sees of a response, and the checks that make it an upgrade (RFC 6455 §4.1).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::handshake::client::request::ClientRequest;
use crate::handshake::deflate::Agreed;
use crate::handshake::error::HandshakeError;
use crate::handshake::extensions;
use crate::handshake::head::malformed;
use crate::handshake::headers::Headers;

/// The final response to a request: its head, and the beginning of the body of a refusal.
///
/// `Debug` shows no values of headers, and of the body only how much there is.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    status: u16,
    reason: String,
    headers: Headers,
    pub(crate) body: Vec<u8>,
}

/// The first line of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatusLine {
    pub(crate) status: u16,
    /// Whether its HTTP is 1.x. A higher minor version is understood like 1.1 (RFC 9110 §6.2), and
    /// 1.0 is what servers are known to upgrade with, and browsers take.
    pub(crate) is_http1: bool,
    reason: String,
}

impl Response {
    pub(crate) fn new(line: StatusLine, headers: Headers) -> Self {
        Self { status: line.status, reason: line.reason, headers, body: Vec::new() }
    }

    /// The status: 101 if the server upgrades.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// What the server calls the status; what is not UTF-8 is replaced. Nothing depends on it.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// All header fields.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The beginning of the body, if the server refused, as far as it has come. Empty for a
    /// redirection with a `Location`, of which it is not read.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The subprotocol that the server chose, if it chose one.
    pub fn subprotocol(&self) -> Option<&str> {
        self.headers.get("Sec-WebSocket-Protocol")
    }

    /// Whether this is a redirection that says where to (RFC 9110 §15.4). One that says two places
    /// says none: browsers take neither, since the second one may have been injected.
    pub(crate) fn check_location(&self) -> Result<bool, HandshakeError> {
        if !matches!(self.status, 301 | 302 | 303 | 307 | 308) {
            return Ok(false);
        }
        let mut locations = self.headers.get_all("Location");
        let Some(first) = locations.next() else { return Ok(false) };
        if locations.all(|other| other == first) { Ok(true) } else { Err(HandshakeError::Location) }
    }

    /// Checks that the response is what the request asked for: the list of RFC 6455 §4.1, in its
    /// order.
    pub(crate) fn check(
        &self,
        request: &ClientRequest,
        accept: &str,
    ) -> Result<Agreed, HandshakeError> {
        let headers = &self.headers;
        let mut protocols = headers.list("Upgrade");
        let is_websocket = protocols.next().is_some_and(|p| p.eq_ignore_ascii_case(b"websocket"));
        if !is_websocket || protocols.next().is_some() {
            return Err(HandshakeError::Upgrade);
        }
        if !headers.list_has("Connection", "upgrade") {
            return Err(HandshakeError::Connection);
        }
        if headers.only("Sec-WebSocket-Accept") != Some(accept.as_bytes()) {
            return Err(HandshakeError::Accept);
        }
        let extensions = extensions::parse(headers)?;
        // As browsers do: an answer that names the field and nothing in it is none of the protocol.
        if extensions.is_empty() && headers.has(extensions::NAME) {
            return Err(HandshakeError::Extensions);
        }
        let agreed = request.offer().check(&extensions).ok_or(HandshakeError::Extensions)?;
        if headers.has("Sec-WebSocket-Protocol") {
            let chosen = headers.only("Sec-WebSocket-Protocol");
            let mut offered = request.subprotocols().iter();
            if !offered.any(|offered| chosen == Some(offered.as_bytes())) {
                return Err(HandshakeError::Subprotocol);
            }
        }
        Ok(agreed)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("reason", &self.reason)
            .field("headers", &self.headers)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl StatusLine {
    /// `HTTP/1.1 SP status SP reason` (RFC 9112 §4), of any version. Servers are known to leave out
    /// the second blank with the reason, and nothing can be misread without it.
    pub(crate) fn parse(line: &[u8]) -> Result<Self, HandshakeError> {
        let mut words = line.splitn(3, |byte| *byte == b' ');
        let is_http1 = match words.next().unwrap_or_default() {
            [b'H', b'T', b'T', b'P', b'/', major @ b'0'..=b'9', b'.', b'0'..=b'9'] => {
                *major == b'1'
            }
            _ => return Err(malformed("HTTP version")),
        };
        let status = match words.next() {
            Some([a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9']) => {
                u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0')
            }
            _ => return Err(malformed("status")),
        };
        let reason = String::from_utf8_lossy(words.next().unwrap_or_default()).into_owned();
        Ok(Self { status, is_http1, reason })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test says so by failing")]
mod tests {
    use super::*;

    #[test]
    fn status_lines() {
        for (line, status, reason) in [
            (&b"HTTP/1.1 101 Switching Protocols"[..], 101, "Switching Protocols"),
            (b"HTTP/1.1 404 ", 404, ""),
            (b"HTTP/1.1 404", 404, ""),
            (b"HTTP/1.1 999  x", 999, " x"),
            (b"HTTP/1.1 500 \xe9", 500, "\u{fffd}"),
        ] {
            let parsed = StatusLine::parse(line).unwrap();
            assert_eq!((parsed.status, &*parsed.reason), (status, reason));
        }
        for line in [
            "HTTP/1.1",
            "HTTP/1.1 ",
            "HTTP/1.1  101 x",
            "HTTP/1.1 1O1 x",
            "HTTP/1.1 10",
            "HTTP/1.1 1010",
            "HTTP/1.1 099 x",
            "HTTP/1.1\t101 x",
            " HTTP/1.1 101 x",
            "HTTP/2 101 x",
            "ICY 200 OK",
            "SSH-2.0",
        ] {
            let parsed = StatusLine::parse(line.as_bytes());
            assert!(matches!(parsed, Err(HandshakeError::Malformed { .. })), "{line}: {parsed:?}");
        }
        for (line, is_http1) in [
            ("HTTP/1.0 101 x", true),
            ("HTTP/1.2 401 x", true),
            ("HTTP/2.0 401 x", false),
            ("HTTP/0.9 101 x", false),
        ] {
            let parsed = StatusLine::parse(line.as_bytes()).unwrap();
            assert_eq!(parsed.is_http1, is_http1, "{line}");
        }
    }
}
