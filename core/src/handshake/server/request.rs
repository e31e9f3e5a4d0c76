//! A client's request as the server sees it, and the checks that it has passed (RFC 6455 §4.2.1).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::extension::Extension;
use crate::handshake::error::HandshakeError;
use crate::handshake::extensions;
use crate::handshake::headers::Headers;
use crate::handshake::key;
use crate::handshake::start_line::RequestLine;
use crate::handshake::syntax::{is_authority, is_subprotocol, path_of};

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

impl Request {
    /// The target: a path and perhaps a query, as in `/chat?room=1`. It always begins with a slash,
    /// and nothing in it is decoded. If the client sent an absolute URI, this is the part after the
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

    /// The host that the client asked for, with the port if it sent one. If the target is an absolute
    /// URI, its host counts rather than the `Host` header (RFC 9112 §3.2.2). Empty if the client has
    /// no name for the host, for example over a Unix socket.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The origin of the script that opens the connection. Browsers always send it. A server that
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

    /// Of the subprotocols that client and server support, the one that the client prefers. Names
    /// are compared with regard to case (RFC 6455 §11.5).
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

    /// Checks a complete head. Returns the request and the value of `Sec-WebSocket-Accept`.
    ///
    /// The order of the checks decides which fault is reported: first invalid HTTP, then a request
    /// that is no upgrade (426 tells a person who opened the URL in a browser that it is a
    /// WebSocket), then what RFC 6455 requires.
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

    /// Checks an extended CONNECT (RFC 8441 §5). The host is the authority of the target. There is no
    /// key: it protects against caches and servers that do not know WebSocket, and those do not
    /// answer such a request.
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

    /// The last checks, which both kinds of requests share.
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

/// Bytes after the head are frames, and a body would be taken for frames. Two lengths make request
/// smuggling possible (RFC 9112 §11.2), even if both are zero.
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

/// RFC 6455 §4.2.1 requires tokens, and at least one. Clients in production send an empty field if
/// they offer nothing, and names with a colon.
fn check_subprotocols(headers: &Headers) -> Result<(), HandshakeError> {
    if headers.list(SEC_WEBSOCKET_PROTOCOL).all(is_subprotocol) {
        Ok(())
    } else {
        Err(HandshakeError::Subprotocol)
    }
}

const SEC_WEBSOCKET_PROTOCOL: &str = "Sec-WebSocket-Protocol";
