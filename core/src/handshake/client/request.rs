//! The request that opens a WebSocket (RFC 6455 §4.1): how a client builds it, and its bytes.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

#[cfg(feature = "deflate")]
use crate::deflate::DeflateOffer;
use crate::handshake::compression::OfferedCompression;
use crate::handshake::error::{HeaderError, RequestError};
use crate::handshake::headers::Headers;
use crate::handshake::syntax::{
    check_added, is_authority, is_subprotocol, is_target_byte, path_of, write_field,
};

/// A request for a WebSocket, which [`ClientRequestBuilder::build`] has checked.
///
/// `Debug` shows no values of headers, no subprotocols (some servers take a token as one) and no
/// query.
///
/// ```
/// use tidegate_core::handshake::{ClientRequest, HeaderError, RequestError};
///
/// let request = ClientRequest::builder("example.org:8080", "/chat")
///     .subprotocol("chat")
///     .origin("https://example.org")
///     .header("Authorization", "Bearer abc")
///     .build()?;
/// assert_eq!(request.origin(), Some("https://example.org"));
///
/// let split = request.to_builder().header("X-Name", "a\r\nX-Other: b").build();
/// assert_eq!(split, Err(RequestError::Header(HeaderError::Value)));
/// # Ok::<(), RequestError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ClientRequest {
    host: String,
    target: String,
    subprotocols: Vec<String>,
    origin: Option<String>,
    headers: Headers,
    offer: OfferedCompression,
}

/// The settings. The setter of the same name in [`ClientRequestBuilder`] says what each one does.
impl ClientRequest {
    /// Asks this host for this target, and for nothing else: short for [`builder`](Self::builder)
    /// and [`build`](ClientRequestBuilder::build).
    ///
    /// # Errors
    ///
    /// [`RequestError::Host`], [`RequestError::Target`].
    pub fn new(host: impl Into<String>, target: impl Into<String>) -> Result<Self, RequestError> {
        Self::builder(host, target).build()
    }

    /// Begins a request to this host for this target. The host includes the port, unless it is the
    /// default port of the scheme. The target is a path and perhaps a query, as in `/chat?room=1`.
    pub fn builder(host: impl Into<String>, target: impl Into<String>) -> ClientRequestBuilder {
        let request = Self {
            host: host.into(),
            target: target.into(),
            subprotocols: Vec::new(),
            origin: None,
            headers: Headers::default(),
            offer: OfferedCompression::default(),
        };
        ClientRequestBuilder { request }
    }

    /// Begins with what this request asks for.
    pub fn to_builder(&self) -> ClientRequestBuilder {
        ClientRequestBuilder { request: self.clone() }
    }

    /// The host that is asked, with its port if it has one.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The path and query that are asked for.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The subprotocols that are offered, the most preferred first. Default: none.
    pub fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// The origin that is sent. Default: `None`, none is sent.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// The header fields that were added to those of the handshake. Default: none.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The offer of permessage-deflate. Default: `None`, it is not offered.
    #[cfg(feature = "deflate")]
    pub fn deflate(&self) -> Option<DeflateOffer> {
        self.offer.deflate
    }

    /// The compression that is offered.
    pub(crate) fn offer(&self) -> OfferedCompression {
        self.offer
    }

    /// The bytes of the request with this key.
    pub(crate) fn encode(&self, key: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        for part in ["GET ", &self.target, " HTTP/1.1\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        write_field("Host", self.host.as_bytes(), &mut out);
        write_field("Upgrade", b"websocket", &mut out);
        write_field("Connection", b"Upgrade", &mut out);
        write_field("Sec-WebSocket-Key", key.as_bytes(), &mut out);
        write_field("Sec-WebSocket-Version", b"13", &mut out);
        if let Some(origin) = &self.origin {
            write_field("Origin", origin.as_bytes(), &mut out);
        }
        if !self.subprotocols.is_empty() {
            let offered = self.subprotocols.join(", ");
            write_field("Sec-WebSocket-Protocol", offered.as_bytes(), &mut out);
        }
        if let Some(extensions) = self.offer.header() {
            write_field("Sec-WebSocket-Extensions", extensions.as_bytes(), &mut out);
        }
        for (name, value) in self.headers.iter() {
            write_field(name, value, &mut out);
        }
        out.extend_from_slice(b"\r\n");
        out
    }
}

/// Builds a [`ClientRequest`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct ClientRequestBuilder {
    request: ClientRequest,
}

impl ClientRequestBuilder {
    /// Offers a subprotocol, after those that are already offered: the most preferred comes first. A
    /// name is visible ASCII without a comma, as in `chat` or `ogmios.v1:compact`. Default: none.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.request.subprotocols.push(name.into());
        self
    }

    /// Sends this origin, as a browser would: some servers want one. Default: none.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.request.origin = Some(origin.into());
        self
    }

    /// Adds a header field. Default: none but those of the handshake.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request.headers.push(name, value.as_bytes());
        self
    }

    /// Offers permessage-deflate. Default: `None`, it is not offered.
    #[cfg(feature = "deflate")]
    pub fn deflate(mut self, offer: impl Into<Option<DeflateOffer>>) -> Self {
        self.request.offer.deflate = offer.into();
        self
    }

    /// Checks the request.
    ///
    /// # Errors
    ///
    /// [`RequestError`] says which part of the request is not valid, and what is allowed.
    pub fn build(self) -> Result<ClientRequest, RequestError> {
        let request = self.request;
        if !is_authority(request.host.as_bytes()) {
            return Err(RequestError::Host);
        }
        if !request.target.starts_with('/') || !request.target.bytes().all(is_target_byte) {
            return Err(RequestError::Target);
        }
        let mut offered = request.subprotocols.as_slice();
        while let [name, after @ ..] = offered {
            if !is_subprotocol(name.as_bytes()) {
                return Err(RequestError::Subprotocol);
            }
            if after.contains(name) {
                return Err(RequestError::DuplicateSubprotocol);
            }
            offered = after;
        }
        if let Some(origin) = &request.origin
            && (origin.is_empty() || !origin.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            return Err(RequestError::Origin);
        }
        for (name, value) in request.headers.iter() {
            let value = core::str::from_utf8(value).map_err(|_| HeaderError::Value)?;
            check_added(name, value, &RESERVED)?;
        }
        #[cfg(feature = "deflate")]
        if request.offer.deflate.is_some_and(|offer| !offer.is_valid()) {
            return Err(RequestError::WindowBits);
        }
        Ok(request)
    }
}

impl fmt::Debug for ClientRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRequest")
            .field("host", &self.host)
            .field("path", &path_of(&self.target))
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

/// Header fields that the application may not add, besides those that begin with `Sec-WebSocket-`:
/// those that the request writes itself, and those that would announce a body.
const RESERVED: [&str; 6] =
    ["Host", "Upgrade", "Connection", "Origin", "Content-Length", "Transfer-Encoding"];
