//! What a server sees of a request, and the checks that make it one (RFC 6455 §4.2.1).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::extension::Extension;
use crate::handshake::error::HandshakeError;
use crate::handshake::extensions;
use crate::handshake::head::{check_version, malformed};
use crate::handshake::headers::{
    Headers, is_authority, is_subprotocol, is_target_byte, is_token, path_of,
};
use crate::handshake::key;

/// A complete and valid request for a WebSocket.
///
/// `Debug` shows no values of headers and no query.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    target: String,
    host: String,
    headers: Headers,
    extensions: Vec<Extension>,
}

/// The first line, checked: a GET over HTTP/1.1.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RequestLine {
    /// Path and query.
    target: String,
    /// The host, if the target names one.
    authority: Option<String>,
}

impl Request {
    /// The target: a path and perhaps a query, as in `/chat?room=1`. Always begins with a slash;
    /// nothing in it is decoded. If the client sent an absolute URI, this is the part behind the
    /// host.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The path: the target up to the first question mark.
    pub fn path(&self) -> &str {
        path_of(&self.target)
    }

    /// What follows the first question mark of the target, if there is one.
    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }

    /// The host that the client asked for, with a port if it named one. From an absolute target
    /// rather than from `Host` (RFC 9112 §3.2.2). Empty if the client has no name for the host, as
    /// over a Unix socket.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The origin of the script that opens the connection: browsers always say it. A server that
    /// authenticates by cookies must check it (RFC 6455 §10.2).
    pub fn origin(&self) -> Option<&str> {
        self.headers.get("Origin")
    }

    /// The subprotocols that the client offers, most preferred first. An empty
    /// `Sec-WebSocket-Protocol` offers none.
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        let offered = self.headers.list(SEC_WEBSOCKET_PROTOCOL);
        offered.filter_map(|name| core::str::from_utf8(name).ok())
    }

    /// Of the subprotocols that both know, the one that the client prefers. Compared with regard
    /// to case, as names of subprotocols are (RFC 6455 §11.5).
    pub fn select_subprotocol(&self, supported: &[&str]) -> Option<&str> {
        self.subprotocols().find(|offered| supported.contains(offered))
    }

    /// All header fields.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The extensions that the client offers, most preferred first.
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// Checks a complete head. Gives the request and the value of `Sec-WebSocket-Accept`.
    ///
    /// The order is that of blame: first what is no valid HTTP, then what is no upgrade (a browser
    /// that was sent to a WebSocket's URL learns by 426 what is here), then what this protocol asks
    /// for.
    pub(crate) fn check(
        line: RequestLine,
        headers: Headers,
    ) -> Result<(Self, String), HandshakeError> {
        let host = check_host(&headers)?;
        check_no_body(&headers)?;
        if !headers.list_has("Upgrade", "websocket") {
            return Err(HandshakeError::Upgrade);
        }
        if !headers.list_has("Connection", "upgrade") {
            return Err(HandshakeError::Connection);
        }
        check_protocol_version(&headers)?;
        let key = headers
            .only("Sec-WebSocket-Key")
            .filter(|key| key::is_key(key))
            .ok_or(HandshakeError::Key)?;
        let accept = key::accept_value(key);
        Ok((Self::offered(line.target, line.authority.unwrap_or(host), headers)?, accept))
    }

    /// Checks an extended CONNECT (RFC 8441 §5): the host is the authority of the target, and there
    /// is no key, since no cache or server that knows nothing of it answers such a request.
    #[cfg(feature = "http")]
    pub(crate) fn check_extended(
        line: RequestLine,
        headers: Headers,
    ) -> Result<Self, HandshakeError> {
        let host = line.authority.ok_or(HandshakeError::Host)?;
        check_no_body(&headers)?;
        check_protocol_version(&headers)?;
        Self::offered(line.target, host, headers)
    }

    /// What both ways have in common behind the checks of HTTP.
    fn offered(target: String, host: String, headers: Headers) -> Result<Self, HandshakeError> {
        check_subprotocols(&headers)?;
        let extensions = extensions::parse(&headers)?;
        Ok(Self { target, host, headers, extensions })
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("host", &self.host)
            .field("path", &self.path())
            .field("headers", &self.headers)
            .field("extensions", &self.extensions)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestLine").field("path", &path_of(&self.target)).finish_non_exhaustive()
    }
}

impl RequestLine {
    /// `GET SP request-target SP HTTP/1.1` (RFC 9112 §3), to the letter.
    pub(crate) fn parse(line: &[u8]) -> Result<Self, HandshakeError> {
        let mut words = line.split(|byte| *byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(malformed("request line"));
        };
        if !is_token(method) {
            return Err(malformed("method"));
        }
        if target.is_empty() || !target.iter().copied().all(is_target_byte) {
            return Err(malformed("request target"));
        }
        check_version(version)?;
        if method != b"GET" {
            return Err(HandshakeError::Method);
        }
        let target = core::str::from_utf8(target).ok();
        target.and_then(Self::from_target).ok_or(malformed("request target"))
    }

    /// The origin form, which clients send, or the absolute form: "a server MUST accept the
    /// absolute-form in requests" (RFC 9112 §3.2.2). The other forms are not for GET.
    fn from_target(target: &str) -> Option<Self> {
        if target.starts_with('/') {
            return Some(Self { target: String::from(target), authority: None });
        }
        let (scheme, rest) = target.split_once("://")?;
        if !SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme)) {
            return None;
        }
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

/// "A server MUST respond with a 400 status code to any HTTP/1.1 request message that lacks a Host
/// header field and to any request message that contains more than one [...] or a Host header
/// field with an invalid field value" (RFC 9112 §3.2). An empty one is valid: "if the authority
/// component is missing or undefined for the target URI, then a client MUST send a Host header field
/// with an empty field value".
fn check_host(headers: &Headers) -> Result<String, HandshakeError> {
    headers
        .only("Host")
        .filter(|host| host.is_empty() || is_authority(host))
        .and_then(|host| core::str::from_utf8(host).ok())
        .map(String::from)
        .ok_or(HandshakeError::Host)
}

/// Bytes after the head are frames. A body would be taken for them. Two lengths are how requests
/// are smuggled (RFC 9112 §11.2), also if both are zero.
fn check_no_body(headers: &Headers) -> Result<(), HandshakeError> {
    let is_zero = |length: &[u8]| !length.is_empty() && length.iter().all(|digit| *digit == b'0');
    let has_length = headers.has("Content-Length");
    let is_empty = headers.only("Content-Length").is_some_and(is_zero);
    if headers.has("Transfer-Encoding") || has_length && !is_empty {
        return Err(HandshakeError::Body);
    }
    Ok(())
}

fn check_protocol_version(headers: &Headers) -> Result<(), HandshakeError> {
    if headers.only("Sec-WebSocket-Version") == Some(b"13") {
        Ok(())
    } else {
        Err(HandshakeError::Version)
    }
}

/// RFC 6455 §4.2.1 asks for tokens, and one at least. Clients in production send an empty field for
/// no offer, and names with a colon.
fn check_subprotocols(headers: &Headers) -> Result<(), HandshakeError> {
    if headers.list(SEC_WEBSOCKET_PROTOCOL).all(is_subprotocol) {
        Ok(())
    } else {
        Err(HandshakeError::Subprotocol)
    }
}

const SEC_WEBSOCKET_PROTOCOL: &str = "Sec-WebSocket-Protocol";

/// A WebSocket's request is one of http or https (RFC 6455 §4.1); some clients name their own.
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
}
