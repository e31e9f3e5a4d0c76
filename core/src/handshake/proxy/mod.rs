//! Ways through a proxy to the server, without I/O: [`HttpConnect`] and [`Socks5`].
//!
//! Two machines of the same shape as the opening handshakes, which come behind them on the same
//! transport: bytes and time come in, bytes and a deadline come out, until
//! [`is_open`](HttpConnect::is_open). The same bytes have the same effect in whatever pieces they
//! come.
//!
//! ```
//! use tidegate_core::Timestamp;
//! use tidegate_core::handshake::Limits;
//! use tidegate_core::handshake::proxy::HttpConnect;
//!
//! let now = Timestamp::ZERO;
//! let mut proxy = HttpConnect::new(now, "example.org", 443, None, &Limits::default())?;
//! assert!(proxy.output().starts_with(b"CONNECT example.org:443 HTTP/1.1\r\n"));
//! proxy.handle_input(now, b"HTTP/1.1 200 Connection established\r\n\r\n");
//! assert!(proxy.is_open() && proxy.rest().is_empty());
//! # Ok::<(), tidegate_core::handshake::proxy::ProxyRequestError>(())
//! ```

mod http_connect;
mod socks5;

use core::fmt;

pub use self::http_connect::HttpConnect;
pub use self::socks5::Socks5;
use crate::handshake::error::HandshakeError;
use crate::handshake::foreign::Excerpt;

/// Why a proxy gives no way to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyError {
    /// The answer is not of the protocol.
    Malformed {
        /// What is wrong with it.
        what: &'static str,
    },
    /// It speaks another protocol than HTTP.
    NotHttp {
        /// How it began.
        seen: Excerpt,
    },
    /// It speaks TLS, and was asked without.
    Tls,
    /// The head of the answer is larger than a limit allows.
    TooLarge {
        /// The setting in [`Limits`](crate::handshake::Limits).
        setting: &'static str,
        /// Its value.
        limit: usize,
    },
    /// An HTTP proxy answered with another status than 2xx: 407 wants credentials or others.
    Status {
        /// The status.
        status: u16,
    },
    /// A SOCKS proxy takes none of the ways to authenticate that were offered: with credentials,
    /// both, and without, none at all (RFC 1928 §3).
    NoMethod,
    /// A SOCKS proxy does not take the credentials (RFC 1929 §2).
    Credentials,
    /// A SOCKS proxy did not connect (RFC 1928 §6).
    Refused {
        /// Why, as a number: 2 is not allowed, 3 and 4 cannot be reached, 5 is refused.
        reply: u8,
    },
    /// Bytes came behind the answer, before the server was asked anything: not the server's.
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
            // The collector of heads knows no others.
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

/// What a SOCKS proxy says by a number (RFC 1928 §6).
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

/// What a proxy cannot be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyRequestError {
    /// The host is neither a name nor an IP address, or longer than 255 bytes.
    Host,
    /// The user name is empty, or it or the password is longer than the 255 bytes that SOCKS has
    /// room for (RFC 1929 §2).
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
