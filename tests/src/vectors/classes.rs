//! Maps the core's errors to the error classes of the vectors. The only place that does.

use tidegate_core::handshake::HandshakeError;
use tidegate_core::{Failure, ProtocolError};

/// The class of a failed connection.
pub(super) fn of_failure(failure: Failure) -> &'static str {
    match failure {
        Failure::Protocol(error) => of_protocol_error(error),
        Failure::EndOfStream => "eof",
        Failure::KeepaliveTimeout | Failure::WriteTimeout | Failure::CloseTimeout => "timeout",
        Failure::Aborted => "aborted",
        _ => "unknown",
    }
}

fn of_protocol_error(error: ProtocolError) -> &'static str {
    match error {
        ProtocolError::Masked | ProtocolError::Unmasked => "protocol.mask",
        ProtocolError::ReservedBits { .. } => "protocol.reserved_bits",
        ProtocolError::UnknownOpcode { .. } => "protocol.opcode",
        ProtocolError::NonMinimalLength { .. } | ProtocolError::LengthOverflow => "protocol.length",
        ProtocolError::FragmentedControl { .. } | ProtocolError::OversizedControl { .. } => {
            "protocol.control"
        }
        ProtocolError::UnexpectedContinuation | ProtocolError::ExpectedContinuation { .. } => {
            "protocol.fragmentation"
        }
        ProtocolError::InvalidCloseCode { .. } | ProtocolError::TruncatedCloseCode => {
            "protocol.close"
        }
        ProtocolError::InvalidUtf8 { .. }
        | ProtocolError::TruncatedUtf8
        | ProtocolError::InvalidCloseReason => "utf8",
        ProtocolError::FrameTooLarge { .. } | ProtocolError::MessageTooLarge { .. } => "too_big",
        ProtocolError::InvalidDeflate | ProtocolError::TruncatedDeflate => "deflate",
        _ => "unknown",
    }
}

/// The class of a failed handshake.
pub(super) fn of_handshake_error(error: HandshakeError) -> &'static str {
    match error {
        HandshakeError::Malformed { .. }
        | HandshakeError::NotHttp { .. }
        | HandshakeError::TlsClient
        | HandshakeError::TlsServer => "http.malformed",
        HandshakeError::TooLarge { .. } => "http.too_large",
        HandshakeError::Method => "http.method",
        HandshakeError::HttpVersion => "http.http_version",
        HandshakeError::Host => "http.host",
        HandshakeError::Upgrade => "http.upgrade",
        HandshakeError::Connection => "http.connection",
        HandshakeError::Key => "http.key",
        HandshakeError::Version => "http.ws_version",
        HandshakeError::Body => "http.body",
        HandshakeError::Extensions => "http.extensions",
        HandshakeError::Subprotocol => "http.subprotocol",
        HandshakeError::Status { .. } | HandshakeError::Location => "http.status",
        HandshakeError::Accept => "http.accept",
        HandshakeError::EndOfStream => "http.eof",
        HandshakeError::Timeout => "timeout",
        HandshakeError::Rejected { .. } => "rejected",
        _ => "unknown",
    }
}

/// Whether a class is among those expected. `protocol` alone means any protocol class.
pub(super) fn is_expected(class: &str, expected: &[String]) -> bool {
    let kind = class.split('.').next().unwrap_or_default();
    expected.iter().any(|expected| expected == class || expected == kind)
}
