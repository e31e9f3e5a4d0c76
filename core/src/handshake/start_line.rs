//! The first lines of requests and responses.

use alloc::string::String;
use core::fmt;

use crate::handshake::error::HandshakeError;
use crate::handshake::not_http::HeadKind;
use crate::handshake::syntax::{is_authority, is_target_byte, is_token, path_of};

/// A first line that a [`Head`](crate::handshake::head::Head) can begin with.
pub(crate) trait StartLine: fmt::Debug + Sized {
    /// How the head is read that begins with such a line.
    const KIND: HeadKind;

    /// Parses the whole line, without its end.
    fn parse(line: &[u8]) -> Result<Self, HandshakeError>;
}

/// The first line of a request: a GET over HTTP/1.1.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RequestLine {
    /// Path and query.
    pub(crate) target: String,
    /// The host, if the target names one.
    pub(crate) authority: Option<String>,
}

/// The first line of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatusLine {
    pub(crate) status: u16,
    /// Whether its HTTP version is 1.x. A higher minor version is understood like 1.1 (RFC 9110
    /// §6.2). Some servers upgrade with 1.0, and browsers accept that.
    pub(crate) is_http1: bool,
    pub(crate) reason: String,
}

impl StartLine for RequestLine {
    const KIND: HeadKind = HeadKind::Request;

    /// `GET SP request-target SP HTTP/1.1` (RFC 9112 §3), to the letter.
    fn parse(line: &[u8]) -> Result<Self, HandshakeError> {
        let mut words = line.split(|byte| *byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(HandshakeError::malformed("request line"));
        };
        if !is_token(method) {
            return Err(HandshakeError::malformed("method"));
        }
        if target.is_empty() || !target.iter().copied().all(is_target_byte) {
            return Err(HandshakeError::malformed("request target"));
        }
        check_version(version)?;
        if method != b"GET" {
            return Err(HandshakeError::Method);
        }
        let target = core::str::from_utf8(target).ok();
        target.and_then(Self::from_target).ok_or(HandshakeError::malformed("request target"))
    }
}

impl RequestLine {
    /// Takes the origin form, which clients send, or the absolute form: "a server MUST accept the
    /// absolute-form in requests" (RFC 9112 §3.2.2). The other forms are not for GET.
    fn from_target(target: &str) -> Option<Self> {
        if target.starts_with('/') {
            return Some(Self { target: String::from(target), authority: None });
        }
        let (scheme, rest) = target.split_once("://")?;
        if !SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme)) {
            return None;
        }
        // A query may follow the authority without a path. The origin form needs one, so a slash is
        // added below.
        let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if !is_authority(authority.as_bytes()) {
            return None;
        }
        let mut target = String::with_capacity(rest.len() + 1);
        if !rest.starts_with('/') {
            target.push('/');
        }
        target.push_str(rest);
        Some(Self { target, authority: Some(String::from(authority)) })
    }
}

/// Without the query, which may contain a token.
impl fmt::Debug for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestLine").field("path", &path_of(&self.target)).finish_non_exhaustive()
    }
}

impl StartLine for StatusLine {
    const KIND: HeadKind = HeadKind::Response;

    /// `HTTP/1.1 SP status SP reason` (RFC 9112 §4), of any version. Some servers leave out the
    /// second blank together with the reason, and nothing can be misread without it.
    fn parse(line: &[u8]) -> Result<Self, HandshakeError> {
        let mut words = line.splitn(3, |byte| *byte == b' ');
        let is_http1 = match words.next().unwrap_or_default() {
            [b'H', b'T', b'T', b'P', b'/', major @ b'0'..=b'9', b'.', b'0'..=b'9'] => {
                *major == b'1'
            }
            _ => return Err(HandshakeError::malformed("HTTP version")),
        };
        let status = match words.next() {
            Some([a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9']) => {
                u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0')
            }
            _ => return Err(HandshakeError::malformed("status")),
        };
        let reason = String::from_utf8_lossy(words.next().unwrap_or_default()).into_owned();
        Ok(Self { status, is_http1, reason })
    }
}

impl StatusLine {
    /// Whether a further response follows: "A client MUST be able to parse one or more 1xx
    /// responses received prior to a final response" (RFC 9110 §15.2). 101 is final.
    pub(crate) fn is_interim(&self) -> bool {
        matches!(self.status, 100 | 102..=199)
    }
}

/// Only HTTP/1.1 can be upgraded.
fn check_version(version: &[u8]) -> Result<(), HandshakeError> {
    match version {
        b"HTTP/1.1" => Ok(()),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            Err(HandshakeError::HttpVersion)
        }
        _ => Err(HandshakeError::malformed("HTTP version")),
    }
}

/// The URI of an opening handshake has the scheme http or https (RFC 6455 §4.1). Some clients send
/// ws and wss.
const SCHEMES: [&str; 4] = ["http", "https", "ws", "wss"];

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test says so by failing")]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        for (line, target, authority) in [
            ("GET / HTTP/1.1", "/", None),
            ("GET /a/b;c?x=1&y=%20z HTTP/1.1", "/a/b;c?x=1&y=%20z", None),
            ("GET //a HTTP/1.1", "//a", None),
            ("GET http://a.test/chat?x HTTP/1.1", "/chat?x", Some("a.test")),
            ("GET HTTPS://a.test:8443 HTTP/1.1", "/", Some("a.test:8443")),
            ("GET ws://[::1]?x HTTP/1.1", "/?x", Some("[::1]")),
        ] {
            let parsed = RequestLine::parse(line.as_bytes()).unwrap();
            assert_eq!(
                (&*parsed.target, parsed.authority.as_deref()),
                (target, authority),
                "{line}"
            );
        }
    }

    #[test]
    fn request_lines_that_are_none() {
        for line in [
            "GET",
            "GET /",
            "GET /  HTTP/1.1",
            "GET  / HTTP/1.1",
            " GET / HTTP/1.1",
            "GET / HTTP/1.1 ",
            "GET /a b HTTP/1.1",
            "GET\t/\tHTTP/1.1",
            "G(T / HTTP/1.1",
            "GET / HTTP/1.10",
            "GET / HTTP/1",
            "GET / http/1.1",
            "GET / HTTP/11",
            "GET / HTTPS/1.1",
            "GET * HTTP/1.1",
            "GET a.test:80 HTTP/1.1",
            "GET chat HTTP/1.1",
            "GET /a#b HTTP/1.1",
            "GET /\u{e9} HTTP/1.1",
            "GET http:///a HTTP/1.1",
            "GET http://u@a/ HTTP/1.1",
            "GET ftp://a/ HTTP/1.1",
            "GET ?x HTTP/1.1",
            "POST /\u{e9} HTTP/1.1",
            "GET /a\tb HTTP/1.1",
        ] {
            let parsed = RequestLine::parse(line.as_bytes());
            assert!(matches!(parsed, Err(HandshakeError::Malformed { .. })), "{line}: {parsed:?}");
        }
        for (line, error) in [
            ("GET / HTTP/1.0", HandshakeError::HttpVersion),
            ("PRI * HTTP/2.0", HandshakeError::HttpVersion),
            ("POST / HTTP/1.1", HandshakeError::Method),
            ("get / HTTP/1.1", HandshakeError::Method),
            ("OPTIONS * HTTP/1.1", HandshakeError::Method),
            ("CONNECT a.test:80 HTTP/1.1", HandshakeError::Method),
        ] {
            assert_eq!(RequestLine::parse(line.as_bytes()), Err(error), "{line}");
        }
    }

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
