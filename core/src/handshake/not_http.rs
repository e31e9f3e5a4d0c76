//! Recognizes peers that do not speak HTTP by the first bytes that they send.

use crate::handshake::error::HandshakeError;
use crate::handshake::excerpt::Excerpt;
use crate::handshake::syntax::is_token;

/// Which head is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadKind {
    /// A server reads it, to the letter.
    Request,
    /// A client reads it, as leniently as browsers do.
    Response,
}

impl HeadKind {
    /// Whether the beginning of a first line looks like HTTP, valid or not. An empty beginning
    /// does.
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
                // The last test recognizes HTTP that is malformed before its version, such as tabs
                // for blanks. Its sender is told of that fault, and not that it speaks another
                // protocol.
                line.is_empty()
                    || is_token(method) && target.starts_with(b"/")
                    || line.windows(HTTP.len()).any(|word| word == HTTP)
            }
        }
    }

    /// Whether a complete first line is HTTP, valid or not.
    pub(crate) fn is_http(self, line: &[u8]) -> bool {
        match self {
            Self::Response => line.starts_with(HTTP),
            Self::Request => self.looks_like_http(line),
        }
    }

    /// The error for a peer that speaks another protocol, and whose first line begins like this.
    pub(crate) fn other_protocol(self, line: &[u8]) -> HandshakeError {
        match (self, line) {
            (Self::Request, [TLS_FIRST..=TLS_LAST, TLS_MAJOR, ..]) => HandshakeError::TlsClient,
            (Self::Response, [TLS_FIRST..=TLS_LAST, TLS_MAJOR, ..]) => HandshakeError::TlsServer,
            // The banner of a server is public. A client may begin with a password (`PASS
            // secret`), so the error shows only its first word.
            (Self::Request, _) => {
                let word = line.split(|byte| *byte == b' ').next().unwrap_or_default();
                HandshakeError::NotHttp { seen: Excerpt::new(word) }
            }
            (Self::Response, _) => HandshakeError::NotHttp { seen: Excerpt::new(line) },
        }
    }
}

/// Whether this may be the first byte of a TLS record (RFC 8446 §5.1). The second byte decides.
pub(crate) const fn may_be_tls(byte: u8) -> bool {
    matches!(byte, TLS_FIRST..=TLS_LAST)
}

const HTTP: &[u8] = b"HTTP/";

/// Content types of records: change_cipher_spec, alert, handshake, application_data.
const TLS_FIRST: u8 = 0x14;
const TLS_LAST: u8 = 0x17;
/// "legacy_record_version" is 3.x in all versions of TLS.
const TLS_MAJOR: u8 = 0x03;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines_of_http_and_of_other_protocols() {
        for line in ["", "H", "HTTP/", "HTTP/1.1 200", "HTTP/x"] {
            assert!(HeadKind::Response.looks_like_http(line.as_bytes()), "{line}");
        }
        for line in ["h", "HTTP 1.1", "SSH-2.0", "RFB 003.008", " HTTP/1.1", "ICY 200 OK"] {
            assert!(!HeadKind::Response.looks_like_http(line.as_bytes()), "{line}");
        }
        for line in ["", "GET /", "G /x y z", "PRI * HTTP/2.0", "GET\t/\tHTTP/1.1", "( HTTP/1.1"] {
            assert!(HeadKind::Request.looks_like_http(line.as_bytes()), "{line}");
        }
        for line in ["hi", "EHLO a", "{}", "SSH-2.0-x", "PASS secret", "\x10", "( /x"] {
            assert!(!HeadKind::Request.looks_like_http(line.as_bytes()), "{line}");
        }
    }
}
