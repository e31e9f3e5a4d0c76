//! How a server answers a valid request: with an acceptance or a rejection.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use crate::config::Config;
use crate::handshake::compression::{AcceptableCompression, AgreedCompression};
use crate::handshake::error::{AcceptError, HeaderError};
use crate::handshake::server::request::Request;
use crate::handshake::syntax::{check_added, write_field};

/// How to accept a request. It is checked when it is used. `Debug` shows no values of headers.
///
/// ```
/// use tidegate_core::handshake::Acceptance;
///
/// let acceptance = Acceptance::new().subprotocol("chat").header("Set-Cookie", "a=b");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[must_use = "pass it to `accept`"]
pub struct Acceptance {
    subprotocol: Option<String>,
    headers: Vec<(String, String)>,
    compression: AcceptableCompression,
    config: Option<Arc<Config>>,
}

impl Acceptance {
    /// Accepts without a subprotocol and without additional headers.
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

    /// Accepts permessage-deflate with these parameters, if the client offers it and they fit its
    /// offer. If the client asks for smaller windows or for no context takeover, it gets that.
    /// `ServerHandshake::deflate` then returns what was agreed on.
    #[cfg(feature = "deflate")]
    pub fn deflate(mut self, params: crate::deflate::DeflateParams) -> Self {
        self.compression.deflate = Some(params);
        self
    }

    /// Sets the configuration of the connection. If it has options for permessage-deflate, that is
    /// accepted when the client offers it.
    ///
    /// A [`ServerHandshake`](crate::handshake::ServerHandshake) uses it for the answer alone: pass it
    /// to [`into_connection`](crate::handshake::Handshake::into_connection) too.
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = Some(config.into());
        self
    }

    /// The subprotocol that was set.
    pub fn chosen_subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// The configuration that was set.
    pub fn chosen_config(&self) -> Option<&Arc<Config>> {
        self.config.as_ref()
    }

    /// The bytes of the answer to this request (RFC 6455 §4.2.2), and what it agrees on.
    pub(crate) fn answer(
        self,
        request: &Request,
        accept: &str,
    ) -> Result<(Vec<u8>, AgreedCompression), AcceptError> {
        let (fields, agreed) = self.agree(request)?;
        let mut out = Vec::from(SWITCHING_PROTOCOLS);
        write_field("Sec-WebSocket-Accept", accept.as_bytes(), &mut out);
        for (name, value) in fields {
            write_field(&name, value.as_bytes(), &mut out);
        }
        out.extend_from_slice(b"\r\n");
        Ok((out, agreed))
    }

    /// Checks this answer against the request. Returns the header fields that are sent, those of the
    /// application included, and what they agree on.
    pub(crate) fn agree(
        self,
        request: &Request,
    ) -> Result<(Fields, AgreedCompression), AcceptError> {
        let compression = self.compression();
        let mut fields = Vec::new();
        if let Some(chosen) = self.subprotocol {
            // A client must fail the connection if the server selects what was not offered (RFC
            // 6455 §4.1), so the mistake is reported here, to the application that made it.
            if !request.subprotocols().any(|offered| offered == chosen) {
                return Err(AcceptError::Subprotocol);
            }
            fields.push((String::from("Sec-WebSocket-Protocol"), chosen));
        }
        let (agreed, extensions) = compression.answer(request.extensions());
        if let Some(extensions) = extensions {
            fields.push((String::from("Sec-WebSocket-Extensions"), extensions));
        }
        for (name, value) in self.headers {
            // The value may come from user input. A line end in it would split the response.
            check_added(&name, &value, &RESERVED)?;
            fields.push((name, value));
        }
        Ok((fields, agreed))
    }

    /// The compression that was set, or else the one of the configuration.
    #[cfg(feature = "deflate")]
    fn compression(&self) -> AcceptableCompression {
        let options = self.config.as_ref().and_then(|config| config.deflate());
        let configured = options.map(crate::deflate::DeflateOptions::params);
        AcceptableCompression { deflate: self.compression.deflate.or(configured) }
    }

    #[cfg(not(feature = "deflate"))]
    fn compression(&self) -> AcceptableCompression {
        self.compression
    }
}

/// How to reject a request. It is checked when it is used. `Debug` shows no values of headers, and
/// only the length of the body.
///
/// ```
/// use tidegate_core::handshake::Rejection;
///
/// let rejection = Rejection::new(401).header("WWW-Authenticate", "Basic").body("who are you?\n");
/// ```
#[derive(Clone, PartialEq, Eq)]
#[must_use = "pass it to `reject`"]
pub struct Rejection {
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Rejection {
    /// Rejects with this status, 300 to 599, and an empty body. `Content-Length` and `Connection:
    /// close` are added.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }

    /// Adds a header field.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body. For a `Content-Type`, add a header.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The bytes of the answer, and its status.
    pub(crate) fn answer(self) -> Result<(Vec<u8>, u16), AcceptError> {
        let status = self.status;
        // A 1xx is no final response (RFC 9110 §15.2), and a 2xx would claim success.
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
            .field("compression", &self.compression)
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

/// Shows only the names of header fields.
struct Names<'f>(&'f [(String, String)]);

impl fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Names and values.
pub(crate) type Fields = Vec<(String, String)>;

fn write_added(headers: &[(String, String)], out: &mut Vec<u8>) -> Result<(), HeaderError> {
    for (name, value) in headers {
        check_added(name, value, &RESERVED)?;
        write_field(name, value.as_bytes(), out);
    }
    Ok(())
}

/// Writes the last headers and the body.
pub(crate) fn write_end(connection: &str, body: &[u8], out: &mut Vec<u8>) {
    write_field("Connection", connection.as_bytes(), out);
    write_field("Content-Length", body.len().to_string().as_bytes(), out);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
}

pub(crate) fn status_line(status: u16) -> Vec<u8> {
    format!("HTTP/1.1 {status} {}\r\n", reason(status)).into_bytes()
}

const SWITCHING_PROTOCOLS: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";

pub(crate) const CLOSE: &str = "close";

/// Headers that cannot be added: the server writes them itself. Those that begin with
/// `Sec-WebSocket-` cannot be added either.
const RESERVED: [&str; 4] = ["Upgrade", "Connection", "Content-Length", "Transfer-Encoding"];

/// The reason phrases of the statuses that a WebSocket server is likely to use (RFC 9110 §15). The
/// others have none, since nothing depends on it.
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
