//! What a server answers: the application's choice, and the bytes it becomes.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use crate::config::Config;
use crate::handshake::deflate::{Agreed, Wishes};
use crate::handshake::error::{AcceptError, HandshakeError, HeaderError};
use crate::handshake::headers::{check_added, write_field};
use crate::handshake::server::request::Request;

/// How to accept a request. Checked when it is used. `Debug` shows no values of headers.
///
/// ```
/// use tidegate_core::handshake::Acceptance;
///
/// let acceptance = Acceptance::new().subprotocol("chat").header("Set-Cookie", "a=b");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[must_use = "it is an answer only when it is given to `accept`"]
pub struct Acceptance {
    subprotocol: Option<String>,
    headers: Vec<(String, String)>,
    wishes: Wishes,
}

impl Acceptance {
    /// No subprotocol, no headers of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// Chooses a subprotocol: one that the client offered, such as
    /// [`Request::select_subprotocol`] gives.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocol = Some(name.into());
        self
    }

    /// Adds a header field.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Accepts permessage-deflate with these wishes, if the client offers it and they fit: less
    /// takeover and smaller windows than these, if the client asks for it, but not more. What is
    /// agreed on is `ServerHandshake::deflate` then.
    #[cfg(feature = "deflate")]
    pub fn deflate(mut self, wishes: crate::deflate::DeflateParams) -> Self {
        self.wishes.deflate = Some(wishes);
        self
    }

    /// Accepts the extensions that this configuration has options for: permessage-deflate, if the
    /// client offers it.
    #[cfg_attr(not(feature = "deflate"), allow(unused_mut, unused_variables))]
    pub fn configured(mut self, config: &Config) -> Self {
        #[cfg(feature = "deflate")]
        if let Some(options) = config.deflate() {
            self.wishes.deflate.get_or_insert(options.wishes());
        }
        self
    }

    /// The answer to this request (RFC 6455 §4.2.2), and what it agrees on.
    pub(crate) fn answer(
        self,
        request: &Request,
        accept: &str,
    ) -> Result<(Vec<u8>, Agreed), AcceptError> {
        let (fields, agreed) = self.agree(request)?;
        let mut out = Vec::from(SWITCHING_PROTOCOLS);
        write_field("Sec-WebSocket-Accept", accept.as_bytes(), &mut out);
        for (name, value) in fields {
            write_field(&name, value.as_bytes(), &mut out);
        }
        out.extend_from_slice(b"\r\n");
        Ok((out, agreed))
    }

    /// The subprotocol that it chooses.
    #[cfg(feature = "http")]
    pub(crate) fn chosen(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// The header fields that say what is agreed on, and those of the application.
    pub(crate) fn agree(self, request: &Request) -> Result<(Fields, Agreed), AcceptError> {
        let mut fields = Vec::new();
        if let Some(chosen) = self.subprotocol {
            if !request.subprotocols().any(|offered| offered == chosen) {
                return Err(AcceptError::Subprotocol);
            }
            fields.push((String::from("Sec-WebSocket-Protocol"), chosen));
        }
        let (agreed, extensions) = self.wishes.accept(request.extensions());
        if let Some(extensions) = extensions {
            fields.push((String::from("Sec-WebSocket-Extensions"), extensions));
        }
        for (name, value) in self.headers {
            check_added(&name, &value, &RESERVED)?;
            fields.push((name, value));
        }
        Ok((fields, agreed))
    }
}

/// How to reject a request. Checked when it is used. `Debug` shows no values of headers, and of the
/// body only how much there is.
///
/// ```
/// use tidegate_core::handshake::Rejection;
///
/// let rejection = Rejection::new(401).header("WWW-Authenticate", "Basic").body("who are you?\n");
/// ```
#[derive(Clone, PartialEq, Eq)]
#[must_use = "it is an answer only when it is given to `reject`"]
pub struct Rejection {
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Rejection {
    /// With this status, 300 to 599, and an empty body. `Content-Length` and `Connection: close`
    /// are added.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }

    /// Adds a header field.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body. What it is says a `Content-Type` of the caller's.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The answer, and the status that is recorded.
    pub(crate) fn answer(self) -> Result<(Vec<u8>, u16), AcceptError> {
        let status = self.status;
        if !(300..=599).contains(&status) {
            return Err(AcceptError::Status { status });
        }
        let mut out = status_line(status);
        write_added(&self.headers, &mut out)?;
        write_end(CLOSE, &self.body, &mut out);
        Ok((out, status))
    }
}

impl fmt::Debug for Acceptance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptance")
            .field("has_subprotocol", &self.subprotocol.is_some())
            .field("headers", &Names(&self.headers))
            .field("wishes", &self.wishes)
            .finish()
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejection")
            .field("status", &self.status)
            .field("headers", &Names(&self.headers))
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// Shows the names of fields.
struct Names<'f>(&'f [(String, String)]);

impl fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Names and values.
pub(crate) type Fields = Vec<(String, String)>;

/// What a refusal says: a status, header fields, and words for people.
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) fields: &'static [(&'static str, &'static str)],
    pub(crate) text: &'static str,
}

/// The answer to a request that is not valid; `None` if there is nobody to answer.
pub(crate) fn refusal(failure: HandshakeError) -> Option<Vec<u8>> {
    let Refusal { status, fields, text } = refusal_of(failure)?;
    let mut out = status_line(status);
    for (name, value) in fields {
        write_field(name, value.as_bytes(), &mut out);
    }
    write_field("Content-Type", b"text/plain; charset=utf-8", &mut out);
    // Upgrade concerns the next hop only, and Connection says so (RFC 9110 §7.8).
    let connection = if status == 426 { "close, Upgrade" } else { CLOSE };
    write_end(connection, format!("{text}\n").as_bytes(), &mut out);
    Some(out)
}

/// What the answer says to a request that is not valid.
pub(crate) fn refusal_of(failure: HandshakeError) -> Option<Refusal> {
    let (status, fields, text): (_, &[(&str, &str)], _) = match failure {
        HandshakeError::Malformed { what } => (400, &[], what),
        HandshakeError::NotHttp { .. } => (400, &[], "this port speaks HTTP"),
        HandshakeError::TlsClient => (400, &[], "this port does not speak TLS: use ws://"),
        HandshakeError::TooLarge { .. } => (431, &[], "the head of the request is too large"),
        // "The origin server MUST generate an Allow header field in a 405 response" (RFC 9110
        // §15.5.6), and an Upgrade header field in a 426 response (§15.5.22).
        HandshakeError::Method => (405, &[("Allow", "GET")], "the method must be GET"),
        HandshakeError::HttpVersion => (505, &[], "the HTTP version must be 1.1"),
        HandshakeError::Host => (400, &[], "there must be one valid Host header"),
        HandshakeError::Body => (400, &[], "there must be no body"),
        HandshakeError::Upgrade => {
            (426, &[("Upgrade", "websocket")], "this is a WebSocket: Upgrade must be websocket")
        }
        HandshakeError::Connection => {
            (426, &[("Upgrade", "websocket")], "this is a WebSocket: Connection must be Upgrade")
        }
        // RFC 6455 §4.4.
        HandshakeError::Version => (
            426,
            &[("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")],
            "Sec-WebSocket-Version must be 13",
        ),
        HandshakeError::Key => {
            (400, &[], "there must be one Sec-WebSocket-Key of 16 octets in base64")
        }
        HandshakeError::Subprotocol => (400, &[], "Sec-WebSocket-Protocol is malformed"),
        HandshakeError::Extensions => (400, &[], "Sec-WebSocket-Extensions is malformed"),
        HandshakeError::Timeout => (408, &[], "the request took too long"),
        HandshakeError::EndOfStream
        | HandshakeError::TlsServer
        | HandshakeError::Status { .. }
        | HandshakeError::Location
        | HandshakeError::Accept
        | HandshakeError::Rejected { .. } => return None,
    };
    Some(Refusal { status, fields, text })
}

fn write_added(headers: &[(String, String)], out: &mut Vec<u8>) -> Result<(), HeaderError> {
    for (name, value) in headers {
        check_added(name, value, &RESERVED)?;
        write_field(name, value.as_bytes(), out);
    }
    Ok(())
}

fn write_end(connection: &str, body: &[u8], out: &mut Vec<u8>) {
    write_field("Connection", connection.as_bytes(), out);
    write_field("Content-Length", body.len().to_string().as_bytes(), out);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
}

fn status_line(status: u16) -> Vec<u8> {
    format!("HTTP/1.1 {status} {}\r\n", reason(status)).into_bytes()
}

/// What the statuses are called that a WebSocket server is likely to use (RFC 9110 §15). Nothing
/// depends on it, and the others go without.
const fn reason(status: u16) -> &'static str {
    match status {
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        410 => "Gone",
        421 => "Misdirected Request",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

const SWITCHING_PROTOCOLS: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";

const CLOSE: &str = "close";

/// What the server writes itself, beside everything of the handshake's own.
const RESERVED: [&str; 4] = ["Upgrade", "Connection", "Content-Length", "Transfer-Encoding"];
