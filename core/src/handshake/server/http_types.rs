//! The server's opening handshake on the types of the crate `http`: for servers that leave HTTP to
//! another library.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

use ::http::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use ::http::{HeaderMap, HeaderName, Method, Response, StatusCode, Uri, Version, request};
use bytes::Bytes;

use crate::config::Config;
use crate::connection::Connection;
use crate::handshake::compression::AgreedCompression;
use crate::handshake::error::{AcceptError, HandshakeError, HeaderError};
use crate::handshake::headers::Headers;
use crate::handshake::key;
use crate::handshake::server::error_answer::{self, ErrorAnswer};
use crate::handshake::server::request::Request;
use crate::handshake::server::response::Acceptance;
use crate::handshake::start_line::{RequestLine, StartLine};
use crate::time::Timestamp;

/// A valid request that another HTTP library has received: an upgrade of HTTP/1.1 (RFC 6455), or an
/// extended CONNECT of HTTP/2 or HTTP/3 (RFC 8441, RFC 9220). The checks are those of
/// [`ServerHandshake`](crate::handshake::ServerHandshake).
///
/// ```
/// use tidegate_core::handshake::{Acceptance, HttpUpgrade, error_response};
/// use tidegate_core::{Config, Timestamp};
///
/// let request = http::Request::get("/chat")
///     .header("Host", "example.org")
///     .header("Upgrade", "websocket")
///     .header("Connection", "Upgrade")
///     .header("Sec-WebSocket-Version", "13")
///     .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
///     .body(())?;
/// let answer = match HttpUpgrade::check(&request, None) {
///     Err(error) => error_response(error, request.version()),
///     Ok(upgrade) => {
///         let config = Config::default();
///         let (response, accepted) = upgrade.accept(Acceptance::new().config(config.clone()))?;
///         // When the response is sent, on the stream that follows:
///         let connection = accepted.into_connection(Timestamp::ZERO, config);
///         response.map(|()| bytes::Bytes::new())
///     }
/// };
/// assert_eq!(answer.status(), 101);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct HttpUpgrade {
    request: Request,
    /// The value of `Sec-WebSocket-Accept`. An extended CONNECT needs none.
    accept: Option<String>,
    is_extended: bool,
}

impl HttpUpgrade {
    /// Checks a request. `protocol` is the pseudo-header `:protocol` of an extended CONNECT. HTTP
    /// libraries keep it in the extensions of the request, in a type of their own.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`]: see [`error_response`] for the answer.
    pub fn check<B>(
        request: &::http::Request<B>,
        protocol: Option<&str>,
    ) -> Result<Self, HandshakeError> {
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        Self::check_head(method, uri, request.version(), headers, protocol)
    }

    /// Checks the head of a request. See [`check`](Self::check).
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn check_parts(
        head: &request::Parts,
        protocol: Option<&str>,
    ) -> Result<Self, HandshakeError> {
        Self::check_head(&head.method, &head.uri, head.version, &head.headers, protocol)
    }

    fn check_head(
        method: &Method,
        target: &Uri,
        version: Version,
        headers: &HeaderMap,
        protocol: Option<&str>,
    ) -> Result<Self, HandshakeError> {
        let headers = self::headers(headers);
        match version {
            Version::HTTP_2 | Version::HTTP_3 => {
                if method != Method::CONNECT {
                    return Err(HandshakeError::Method);
                }
                if protocol != Some("websocket") {
                    return Err(HandshakeError::Upgrade);
                }
                // Written as a request of HTTP/1.1, so that the target goes through the same
                // parser.
                let line = RequestLine::parse(format!("GET {target} HTTP/1.1").as_bytes())?;
                let request = Request::check_extended(line, headers)?;
                // RFC 8441 §5 has no use for a key. But some proxies (Envoy) pass on the key of an
                // HTTP/1.1 client, and pass the answer back, which that client needs.
                let key = request.headers().only("Sec-WebSocket-Key");
                let accept = key.filter(|key| key::is_key(key)).map(key::accept_value);
                Ok(Self { request, accept, is_extended: true })
            }
            version => {
                let line = format!("{method} {target} {version:?}");
                let line = RequestLine::parse(line.as_bytes())?;
                let (request, accept) = Request::check(line, headers)?;
                Ok(Self { request, accept: Some(accept), is_extended: false })
            }
        }
    }

    /// The client's request.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Returns the response that accepts: 101, or 200 to an extended CONNECT. When it is sent, the
    /// rest of the stream belongs to the connection. A valid `Sec-WebSocket-Key` is answered in both
    /// cases: an extended CONNECT does not need one (RFC 8441 §5), but proxies pass it on.
    ///
    /// # Errors
    ///
    /// [`AcceptError`]: the client did not offer the subprotocol, or a header cannot be added.
    pub fn accept(
        self,
        acceptance: Acceptance,
    ) -> Result<(Response<()>, AcceptedUpgrade), AcceptError> {
        let subprotocol = acceptance.chosen_subprotocol().map(String::from);
        let (fields, agreed) = acceptance.agree(&self.request)?;
        let mut response = Response::new(());
        let headers = response.headers_mut();
        if let Some(accept) = self.accept {
            headers.insert(SEC_WEBSOCKET_ACCEPT, value(&accept)?);
        }
        if !self.is_extended {
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        }
        for (name, text) in fields {
            let name = HeaderName::try_from(name).map_err(|_| HeaderError::Name)?;
            // Not `insert`, which would keep only the last of several `Set-Cookie` fields.
            response.headers_mut().append(name, value(&text)?);
        }
        Ok((response, AcceptedUpgrade { agreed, subprotocol }))
    }
}

/// An accepted request, which becomes a connection when the response is sent.
#[derive(Clone)]
#[must_use = "make the connection with `into_connection`"]
pub struct AcceptedUpgrade {
    agreed: AgreedCompression,
    subprotocol: Option<String>,
}

impl AcceptedUpgrade {
    /// The server's end of the connection.
    pub fn into_connection(self, now: Timestamp, config: impl Into<Arc<Config>>) -> Connection {
        self.agreed.apply(Connection::server(now, config))
    }

    /// The chosen subprotocol.
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }
}

/// Without the subprotocol: some servers take a token as one.
impl fmt::Debug for AcceptedUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptedUpgrade").field("agreed", &self.agreed).finish_non_exhaustive()
    }
}

/// The answer to a request that is not valid, in the HTTP version of the request.
pub fn error_response(failure: HandshakeError, version: Version) -> Response<Bytes> {
    let has_upgrade = version <= Version::HTTP_11;
    let unknown = ErrorAnswer { status: 400, fields: &[], text: "bad request" };
    let ErrorAnswer { status, fields, text } = error_answer::of(failure).unwrap_or(unknown);
    // HTTP/2 has no Upgrade, and so no status that asks for it.
    let status = if status == 426 && !has_upgrade { 400 } else { status };
    let mut response = Response::new(Bytes::from(format!("{text}\n")));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    for (name, text) in fields {
        if let Ok(name) = HeaderName::from_bytes(name.as_bytes())
            && (has_upgrade || name != UPGRADE)
        {
            headers.insert(name, HeaderValue::from_static(text));
        }
    }
    if status == 426 {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    }
    // Replaces the `GET` above: over HTTP/2 a WebSocket is opened by CONNECT (RFC 8441 §4).
    if failure == HandshakeError::Method && !has_upgrade {
        headers.insert(ALLOW, HeaderValue::from_static("CONNECT"));
    }
    response
}

fn headers(map: &HeaderMap) -> Headers {
    let mut headers = Headers::default();
    for (name, value) in map {
        headers.push(name.as_str(), value.as_bytes());
    }
    headers
}

fn value(text: &str) -> Result<HeaderValue, HeaderError> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| HeaderError::Value)
}
