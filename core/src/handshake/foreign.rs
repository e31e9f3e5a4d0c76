//! Tells peers that do not speak HTTP by the beginning of what they send.

use core::fmt;

use crate::handshake::error::HandshakeError;
use crate::handshake::headers::is_token;

/// The beginning of what a peer sent, 24 bytes at most. `Display` and `Debug` escape everything
/// that is not visible ASCII, so it can be shown and logged.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Excerpt {
    bytes: [u8; Self::MAX],
    length: usize,
}

impl Excerpt {
    /// The most bytes that are kept.
    pub const MAX: usize = 24;

    /// Keeps the beginning of these bytes.
    pub fn new(text: &[u8]) -> Self {
        let mut bytes = [0; Self::MAX];
        let length = text.len().min(Self::MAX);
        for (kept, byte) in bytes.iter_mut().zip(text) {
            *kept = *byte;
        }
        Self { bytes, length }
    }

    /// The bytes as they came.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.as_bytes().escape_ascii())
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By a server, to the letter.
    Request,
    /// By a client, as leniently as browsers read.
    Response,
}

impl Kind {
    /// Whether a first line, as far as it has come, looks like one of HTTP, be it a valid one or
    /// not. An empty one says nothing against it.
    pub(crate) fn looks_like_http(self, line: &[u8]) -> bool {
        match self {
            Self::Response => {
                let known = line.len().min(HTTP.len());
                line.get(..known) == HTTP.get(..known)
            }
            Self::Request => {
                let mut words = line.splitn(2, |byte| *byte == b' ');
                let method = words.next().unwrap_or_default();
                let target = words.next().unwrap_or_default();
                line.is_empty()
                    || is_token(method) && target.starts_with(b"/")
                    || line.windows(HTTP.len()).any(|word| word == HTTP)
            }
        }
    }

    /// Whether a whole first line is one of HTTP, be it a valid one or not.
    pub(crate) fn is_http(self, line: &[u8]) -> bool {
        match self {
            Self::Response => line.starts_with(HTTP),
            Self::Request => self.looks_like_http(line),
        }
    }

    /// The error for a peer whose first line begins like this.
    pub(crate) fn foreign(self, line: &[u8]) -> HandshakeError {
        match (self, line) {
            (Self::Request, [TLS_FIRST..=TLS_LAST, TLS_MAJOR, ..]) => HandshakeError::TlsClient,
            (Self::Response, [TLS_FIRST..=TLS_LAST, TLS_MAJOR, ..]) => HandshakeError::TlsServer,
            // Banners of servers are public. A client may begin with a password (`PASS secret`), so
            // only its first word is shown.
            (Self::Request, _) => {
                let word = line.split(|byte| *byte == b' ').next().unwrap_or_default();
                HandshakeError::NotHttp { seen: Excerpt::new(word) }
            }
            (Self::Response, _) => HandshakeError::NotHttp { seen: Excerpt::new(line) },
        }
    }
}

/// Whether this may be the first byte of a record of TLS (RFC 8446 §5.1), of which the second byte
/// decides.
pub(crate) const fn may_be_tls(byte: u8) -> bool {
    matches!(byte, TLS_FIRST..=TLS_LAST)
}

const HTTP: &[u8] = b"HTTP/";

/// The kinds of records: change_cipher_spec, alert, handshake, application_data.
const TLS_FIRST: u8 = 0x14;
const TLS_LAST: u8 = 0x17;
/// "legacy_record_version" is 3.x in all versions of TLS.
const TLS_MAJOR: u8 = 0x03;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn an_excerpt_is_short_and_visible() {
        let seen = Excerpt::new(b"a\"\x01\xe9\n0123456789012345678901234567890");
        assert_eq!(seen.as_bytes(), b"a\"\x01\xe9\n0123456789012345678");
        assert_eq!(format!("{seen}"), r#""a\"\x01\xe9\n0123456789012345678""#);
        assert_eq!(format!("{seen:?}"), format!("{seen}"));
        assert_eq!(format!("{}", Excerpt::new(b"")), "\"\"");
    }

    #[test]
    fn first_lines_of_http_and_others() {
        for line in ["", "H", "HTTP/", "HTTP/1.1 200", "HTTP/x"] {
            assert!(Kind::Response.looks_like_http(line.as_bytes()), "{line}");
        }
        for line in ["h", "HTTP 1.1", "SSH-2.0", "RFB 003.008", " HTTP/1.1", "ICY 200 OK"] {
            assert!(!Kind::Response.looks_like_http(line.as_bytes()), "{line}");
        }
        for line in ["", "GET /", "G /x y z", "PRI * HTTP/2.0", "GET\t/\tHTTP/1.1", "( HTTP/1.1"] {
            assert!(Kind::Request.looks_like_http(line.as_bytes()), "{line}");
        }
        for line in ["hi", "EHLO a", "{}", "SSH-2.0-x", "PASS secret", "\x10", "( /x"] {
            assert!(!Kind::Request.looks_like_http(line.as_bytes()), "{line}");
        }
    }
}
