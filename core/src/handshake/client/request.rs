//! The request that a client sends to open a WebSocket (RFC 6455 §4.1).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::handshake::compression::OfferedCompression;
use crate::handshake::error::RequestError;
use crate::handshake::headers::Headers;
use crate::handshake::syntax::{
    check_added, is_authority, is_subprotocol, is_target_byte, path_of, write_field,
};

/// A request for a WebSocket. Checked as it is put together, so it is always valid.
///
/// `Debug` shows no values of headers, no subprotocols (some servers take a token as one) and no
/// query.
///
/// ```
/// use tidegate_core::handshake::{ClientRequest, HeaderError, RequestError};
///
/// let request = ClientRequest::new("example.org:8080", "/chat")?
///     .subprotocol("chat")?
///     .origin("https://example.org")?
///     .header("Authorization", "Bearer abc")?;
/// let split = request.header("X-Name", "a\r\nX-Other: b");
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

impl ClientRequest {
    /// Asks this host for this target. The host has a port if it is not the default one of the
    /// scheme. The target is a path and perhaps a query, as in `/chat?room=1`.
    ///
    /// # Errors
    ///
    /// [`RequestError::Host`], [`RequestError::Target`].
    pub fn new(host: impl Into<String>, target: impl Into<String>) -> Result<Self, RequestError> {
        let (host, target) = (host.into(), target.into());
        if !is_authority(host.as_bytes()) {
            return Err(RequestError::Host);
        }
        if !target.starts_with('/') || !target.bytes().all(is_target_byte) {
            return Err(RequestError::Target);
        }
        let headers = Headers::default();
        let (subprotocols, origin) = (Vec::new(), None);
        Ok(Self {
            host,
            target,
            subprotocols,
            origin,
            headers,
            offer: OfferedCompression::default(),
        })
    }

    /// Offers a subprotocol, after those that are offered already: the most preferred comes first.
    /// A name is visible ASCII without a comma, as in `chat` or `ogmios.v1:compact`.
    ///
    /// # Errors
    ///
    /// [`RequestError::Subprotocol`], [`RequestError::DuplicateSubprotocol`].
    pub fn subprotocol(mut self, name: impl Into<String>) -> Result<Self, RequestError> {
        let name = name.into();
        if !is_subprotocol(name.as_bytes()) {
            return Err(RequestError::Subprotocol);
        }
        if self.subprotocols.contains(&name) {
            return Err(RequestError::DuplicateSubprotocol);
        }
        self.subprotocols.push(name);
        Ok(self)
    }

    /// Says the origin, as a browser would: some servers want one.
    ///
    /// # Errors
    ///
    /// [`RequestError::Origin`].
    pub fn origin(mut self, origin: impl Into<String>) -> Result<Self, RequestError> {
        let origin = origin.into();
        if origin.is_empty() || !origin.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(RequestError::Origin);
        }
        self.origin = Some(origin);
        Ok(self)
    }

    /// Adds a header field.
    ///
    /// # Errors
    ///
    /// [`RequestError::Header`].
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, RequestError> {
        check_added(name, value, &RESERVED)?;
        self.headers.push(name, value.as_bytes());
        Ok(self)
    }

    /// Offers permessage-deflate.
    ///
    /// # Errors
    ///
    /// [`RequestError::WindowBits`].
    #[cfg(feature = "deflate")]
    pub fn deflate(mut self, offer: crate::deflate::DeflateOffer) -> Result<Self, RequestError> {
        if !offer.is_valid() {
            return Err(RequestError::WindowBits);
        }
        self.offer.deflate = Some(offer);
        Ok(self)
    }

    /// The compression that is offered.
    pub(crate) fn offer(&self) -> OfferedCompression {
        self.offer
    }

    /// The subprotocols that are offered, most preferred first.
    pub(crate) fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// The bytes of the request, with this key.
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

    /// The host, with its port if it was given.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The path, and the query if there is one.
    pub fn target(&self) -> &str {
        &self.target
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

/// Headers that cannot be added: the request writes them itself, or they would announce a body.
/// Those that begin with `Sec-WebSocket-` cannot be added either.
const RESERVED: [&str; 6] =
    ["Host", "Upgrade", "Connection", "Origin", "Content-Length", "Transfer-Encoding"];
