//! The server's answers to requests that are not valid.

use alloc::format;
use alloc::vec::Vec;

use crate::handshake::error::HandshakeError;
use crate::handshake::server::response::{CLOSE, status_line, write_end};
use crate::handshake::syntax::write_field;

/// The answer to a request that is not valid: a status, header fields, and a text for people.
pub(crate) struct ErrorAnswer {
    pub(crate) status: u16,
    pub(crate) fields: &'static [(&'static str, &'static str)],
    pub(crate) text: &'static str,
}

/// The bytes of the answer; `None` if there is nobody to answer.
pub(crate) fn encode(failure: HandshakeError) -> Option<Vec<u8>> {
    let ErrorAnswer { status, fields, text } = of(failure)?;
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

/// The answer to a request that failed like this; `None` if there is nobody to answer.
pub(crate) fn of(failure: HandshakeError) -> Option<ErrorAnswer> {
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
    Some(ErrorAnswer { status, fields, text })
}
