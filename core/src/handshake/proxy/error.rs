//! Why a proxy does not connect to the server, and what a proxy cannot be asked for.

use core::fmt;

use crate::handshake::error::HandshakeError;
use crate::handshake::excerpt::Excerpt;

/// Why a proxy does not connect to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyError {
    /// The answer breaks the proxy's protocol.
    Malformed {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The proxy speaks another protocol than HTTP.
    NotHttp {
        /// How it began.
        seen: Excerpt,
    },
    /// The proxy speaks TLS, and the request was sent without.
    Tls,
    /// The head of the answer is larger than a limit allows.
    TooLarge {
        /// The setting in [`Limits`](crate::handshake::Limits).
        setting: &'static str,
        /// Its value.
        limit: usize,
    },
    /// An HTTP proxy answered with another status than 2xx. 407: it wants credentials, or others.
    Status {
        /// The status.
        status: u16,
    },
    /// A SOCKS proxy accepts none of the offered authentication methods (RFC 1928 §3): with
    /// credentials, password and none are offered; without credentials, only none.
    NoMethod,
    /// A SOCKS proxy does not accept the credentials (RFC 1929 §2).
    Credentials,
    /// A SOCKS proxy did not connect (RFC 1928 §6).
    Refused {
        /// The proxy's reason. 2: not allowed; 3: network unreachable; 4: host unreachable; 5:
        /// connection refused.
        reply: u8,
    },
    /// Bytes came after the proxy's answer, before anything was sent to the server. The server
    /// cannot have sent them.
    EarlyData,
    /// The stream ended before the answer was complete.
    EndOfStream,
    /// The answer was not complete within the timeout.
    Timeout,
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { what } => write!(f, "the answer is malformed: {what}"),
            Self::NotHttp { seen } => write!(f, "it does not speak HTTP: it began with {seen}"),
            Self::Tls => f.write_str("it speaks TLS, which is not supported for proxies"),
            Self::TooLarge { setting, limit } => {
                write!(f, "the answer is too large: {setting} is {limit}")
            }
            Self::Status { status: 407 } => {
                f.write_str("it wants credentials, or others (status 407)")
            }
            Self::Status { status } => write!(f, "it answered with status {status}"),
            Self::NoMethod => f.write_str("it takes none of the offered ways to authenticate"),
            Self::Credentials => f.write_str("it does not take the credentials"),
            Self::Refused { reply } => write!(f, "it did not connect: {}", reason(*reply)),
            Self::EarlyData => f.write_str("bytes came before the server was asked anything"),
            Self::EndOfStream => f.write_str("the stream ended before the answer was complete"),
            Self::Timeout => f.write_str("it did not answer within the timeout of Limits"),
        }
    }
}

impl core::error::Error for ProxyError {}

impl From<HandshakeError> for ProxyError {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::Malformed { what } => Self::Malformed { what },
            HandshakeError::NotHttp { seen } => Self::NotHttp { seen },
            HandshakeError::TlsServer => Self::Tls,
            HandshakeError::TooLarge { setting, limit } => Self::TooLarge { setting, limit },
            HandshakeError::Timeout => Self::Timeout,
            HandshakeError::EndOfStream => Self::EndOfStream,
            HandshakeError::HttpVersion => Self::Malformed { what: "HTTP version" },
            // Reading a head gives no other errors.
            HandshakeError::Method
            | HandshakeError::TlsClient
            | HandshakeError::Host
            | HandshakeError::Upgrade
            | HandshakeError::Connection
            | HandshakeError::Key
            | HandshakeError::Version
            | HandshakeError::Body
            | HandshakeError::Extensions
            | HandshakeError::Subprotocol
            | HandshakeError::Status { .. }
            | HandshakeError::Accept
            | HandshakeError::Location
            | HandshakeError::Rejected { .. } => Self::Malformed { what: "head" },
        }
    }
}

/// What the reply of a SOCKS proxy means (RFC 1928 §6).
const fn reason(reply: u8) -> &'static str {
    match reply {
        1 => "general failure (1)",
        2 => "not allowed by its rules (2)",
        3 => "the network cannot be reached (3)",
        4 => "the host cannot be reached (4)",
        5 => "the server refused (5)",
        6 => "the time to live has passed (6)",
        7 => "it does not know the command (7)",
        8 => "it does not know the kind of address (8)",
        _ => "for a reason that RFC 1928 does not know",
    }
}

/// A request that cannot be sent to a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyRequestError {
    /// The host is neither a name nor an IP address, or longer than 255 bytes.
    Host,
    /// The user name is empty, or the user name or the password is longer than 255 bytes, the limit
    /// of SOCKS (RFC 1929 §2).
    Credentials,
}

impl fmt::Display for ProxyRequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "the host is neither a name of at most 255 bytes nor an IP address",
            Self::Credentials => "a SOCKS user name has 1 to 255 bytes, and a password 255 at most",
        })
    }
}

impl core::error::Error for ProxyRequestError {}
