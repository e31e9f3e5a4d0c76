//! The response that a client receives, and the checks that make it an upgrade (RFC 6455 §4.1).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::handshake::client::request::ClientRequest;
use crate::handshake::compression::AgreedCompression;
use crate::handshake::error::HandshakeError;
use crate::handshake::extensions;
use crate::handshake::headers::Headers;
use crate::handshake::start_line::StatusLine;

/// The final response to a request: its head, and the beginning of the body if the server refused.
///
/// `Debug` shows no values of headers, and only the length of the body.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    status: u16,
    reason: String,
    headers: Headers,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn new(line: StatusLine, headers: Headers) -> Self {
        Self { status: line.status, reason: line.reason, headers, body: Vec::new() }
    }

    /// The status: 101 if the server upgrades.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The reason phrase after the status. Bytes that are not UTF-8 are replaced. Nothing depends on
    /// it.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// All header fields.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The beginning of the body, as far as it has arrived, if the server refused. Empty for a
    /// redirection with a `Location`, whose body is not read.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The subprotocol that the server chose, if it chose one.
    pub fn subprotocol(&self) -> Option<&str> {
        self.headers.get("Sec-WebSocket-Protocol")
    }

    /// Whether this is a redirection with a `Location` (RFC 9110 §15.4). Two different locations are
    /// an error: browsers follow neither, since the second one may have been injected.
    pub(crate) fn check_location(&self) -> Result<bool, HandshakeError> {
        if !matches!(self.status, 301 | 302 | 303 | 307 | 308) {
            return Ok(false);
        }
        let mut locations = self.headers.get_all("Location");
        let Some(first) = locations.next() else { return Ok(false) };
        if locations.all(|other| other == first) { Ok(true) } else { Err(HandshakeError::Location) }
    }

    /// Checks that the response accepts the request: the list in RFC 6455 §4.1, in its order.
    pub(crate) fn check(
        &self,
        request: &ClientRequest,
        accept: &str,
    ) -> Result<AgreedCompression, HandshakeError> {
        let headers = &self.headers;
        let mut protocols = headers.list("Upgrade");
        let is_websocket = protocols.next().is_some_and(|p| p.eq_ignore_ascii_case(b"websocket"));
        // The value must be "websocket" alone (RFC 6455 §4.1). `Connection` is a list, of which one
        // token matters.
        if !is_websocket || protocols.next().is_some() {
            return Err(HandshakeError::Upgrade);
        }
        if !headers.list_has("Connection", "upgrade") {
            return Err(HandshakeError::Connection);
        }
        // Before what was negotiated: only this shows that the answer is to our request, and not a
        // cached one.
        if headers.only("Sec-WebSocket-Accept") != Some(accept.as_bytes()) {
            return Err(HandshakeError::Accept);
        }
        let extensions = extensions::parse(headers)?;
        // Browsers refuse an empty field too: the grammar requires at least one extension.
        if extensions.is_empty() && headers.has(extensions::NAME) {
            return Err(HandshakeError::Extensions);
        }
        let agreed = request.offer().check(&extensions).ok_or(HandshakeError::Extensions)?;
        if headers.has("Sec-WebSocket-Protocol") {
            // Two fields make `chosen` none, which matches nothing.
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
