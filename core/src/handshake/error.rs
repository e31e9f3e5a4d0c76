//! What can go wrong in the opening handshake: faults of the peer ([`HandshakeError`]) and of the
//! caller ([`HeaderError`], [`RequestError`], [`AcceptError`]).

use core::fmt;

use crate::handshake::excerpt::Excerpt;

/// Why the opening handshake failed.
///
/// The same bytes give the same error in whatever pieces they arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The head is not HTTP/1.1 (RFC 9112).
    Malformed {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The peer speaks neither HTTP nor TLS.
    NotHttp {
        /// How it began: a server's first line, or the first word of a client's.
        seen: Excerpt,
    },
    /// A client speaks TLS to a port that does not: its URL begins with `wss://` or `https://`.
    TlsClient,
    /// The server speaks TLS, and the request was sent without: the URL should begin with `wss://`.
    TlsServer,
    /// The head is larger than a limit allows.
    TooLarge {
        /// The setting in [`Limits`](crate::handshake::Limits).
        setting: &'static str,
        /// Its value.
        limit: usize,
    },
    /// The method is not GET (RFC 6455 §4.2.1).
    Method,
    /// The HTTP version of a request is not 1.1, or that of a response with status 101 is not 1.x.
    /// Other responses give [`Status`](Self::Status), whatever their version is.
    HttpVersion,
    /// There is no `Host`, more than one, or one that is neither empty nor a valid host (RFC 9112
    /// §3.2).
    Host,
    /// `Upgrade` does not contain websocket. In a response: does not contain exactly websocket.
    Upgrade,
    /// `Connection` does not contain the option upgrade.
    Connection,
    /// There is not exactly one `Sec-WebSocket-Key`, or it is not sixteen octets in base64.
    Key,
    /// There is not exactly one `Sec-WebSocket-Version`, or it is not 13.
    Version,
    /// The request announces a body, or has two lengths.
    Body,
    /// `Sec-WebSocket-Extensions` breaks its grammar, or accepts something that was not offered.
    Extensions,
    /// `Sec-WebSocket-Protocol` breaks its grammar, or accepts something that was not offered.
    Subprotocol,
    /// The server answered with another status than 101.
    Status {
        /// The status.
        status: u16,
    },
    /// The server redirects to several `Location`s that differ.
    Location,
    /// There is not exactly one `Sec-WebSocket-Accept`, or it does not fit the key.
    Accept,
    /// The stream ended before the handshake was complete.
    EndOfStream,
    /// The handshake was not complete within the timeout.
    Timeout,
    /// The application rejected the request.
    Rejected {
        /// The status of its answer.
        status: u16,
    },
}

impl HandshakeError {
    pub(crate) const fn malformed(what: &'static str) -> Self {
        Self::Malformed { what }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed { what } => return write!(f, "the head is not valid HTTP/1.1: {what}"),
            Self::NotHttp { seen } => {
                return write!(f, "the peer does not speak HTTP: it began with {seen}");
            }
            Self::TooLarge { setting, limit } => {
                return write!(f, "the head is too large: {setting} is {limit}");
            }
            Self::Status { status } => {
                return write!(f, "the server answered with status {status} instead of 101");
            }
            Self::Rejected { status } => {
                return write!(f, "the application rejected the request with status {status}");
            }
            Self::TlsClient => {
                "received TLS on a plain port: the client uses wss:// or https:// where ws:// is spoken"
            }
            Self::TlsServer => "the server speaks TLS: use wss://",
            Self::Method => "the method of the request is not GET",
            Self::HttpVersion => "the HTTP version is not 1.1",
            Self::Host => "the request does not have exactly one valid Host header",
            Self::Upgrade => "the Upgrade header does not ask for websocket, or not for it alone",
            Self::Connection => "the Connection header does not have the option upgrade",
            Self::Key => {
                "the request does not have exactly one Sec-WebSocket-Key of 16 octets in base64"
            }
            Self::Version => "the request does not have Sec-WebSocket-Version: 13 exactly once",
            Self::Body => "the request announces a body; an opening handshake has none",
            Self::Extensions => {
                "the Sec-WebSocket-Extensions header is malformed or was not asked for"
            }
            Self::Subprotocol => {
                "the Sec-WebSocket-Protocol header is malformed or was not asked for"
            }
            Self::Location => "the redirection has several Location headers that differ",
            Self::Accept => {
                "the response does not have exactly one Sec-WebSocket-Accept that fits the key"
            }
            Self::EndOfStream => "the stream ended before the opening handshake was complete",
            Self::Timeout => "the opening handshake was not complete within the timeout of Limits",
        })
    }
}

impl core::error::Error for HandshakeError {}

/// A header field that cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HeaderError {
    /// The name is not a token (RFC 9110 §5.6.2).
    Name,
    /// The value contains a control character other than the tab.
    Value,
    /// The handshake writes this field itself, or depends on it.
    Reserved,
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => {
                "the name of a header is not a token: letters, digits and !#$%&'*+-.^_`|~"
            }
            Self::Value => "the value of a header has a control character; only the tab may be",
            Self::Reserved => "the header is written by the handshake itself",
        })
    }
}

impl core::error::Error for HeaderError {}

/// A request that cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestError {
    /// The host is not a host with an optional port.
    Host,
    /// The target does not begin with a slash, or has something else than visible ASCII, or `#`.
    Target,
    /// The name of a subprotocol is empty, or has a comma or something else than visible ASCII.
    Subprotocol,
    /// A subprotocol is there already: they "MUST all be unique" (RFC 6455 §4.1).
    DuplicateSubprotocol,
    /// The origin is empty, or has something else than visible ASCII.
    Origin,
    /// A window of permessage-deflate is not of 8 to 15 bits.
    WindowBits,
    /// A header field cannot be added.
    Header(HeaderError),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "the host is not a name or an address with an optional port",
            Self::Target => "the target is not a path of visible ASCII that begins with a slash",
            Self::Subprotocol => "the name of a subprotocol is not visible ASCII without a comma",
            Self::DuplicateSubprotocol => "a subprotocol is offered twice",
            Self::Origin => "the origin is not visible ASCII",
            Self::WindowBits => "a window of permessage-deflate has 8 to 15 bits",
            Self::Header(error) => return error.fmt(f),
        })
    }
}

/// Without a source: the text already says what is wrong with a header.
impl core::error::Error for RequestError {}

impl From<HeaderError> for RequestError {
    fn from(error: HeaderError) -> Self {
        Self::Header(error)
    }
}

/// An answer that cannot be sent. Nothing was sent, and the handshake has not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AcceptError {
    /// No request waits for an answer: it is not complete yet, it has been answered, or the
    /// handshake has failed.
    NoRequest,
    /// The client did not offer this subprotocol (RFC 6455 §4.2.2).
    Subprotocol,
    /// A request cannot be rejected with this status. 300 to 599 are allowed.
    Status {
        /// The status.
        status: u16,
    },
    /// A header field cannot be added.
    Header(HeaderError),
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRequest => f.write_str("no request waits for an answer"),
            Self::Subprotocol => f.write_str("the client did not offer this subprotocol"),
            Self::Status { status } => {
                write!(f, "a request is rejected with a status from 300 to 599, not {status}")
            }
            Self::Header(error) => error.fmt(f),
        }
    }
}

/// Without a source: the text already says what is wrong with a header.
impl core::error::Error for AcceptError {}

impl From<HeaderError> for AcceptError {
    fn from(error: HeaderError) -> Self {
        Self::Header(error)
    }
}
