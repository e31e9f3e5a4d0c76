//! Whether another attempt to connect may succeed.

use std::io::{self, ErrorKind};

use crate::error::Error;
use crate::error::connect::{ConnectError, ConnectFault};
use tidegate_core::handshake::HandshakeError;
use tidegate_core::handshake::proxy::ProxyError;

impl Error {
    /// Whether another attempt to connect, some time later and without a change by anybody who
    /// operates either side, may succeed. It is what a [`Reconnect`](crate::Reconnect) goes by.
    ///
    /// It is so for a network that fails, a name that is not found, time that is up, and of the
    /// statuses that a server or a proxy refuses with, for 408, 425, 429 and all of 5xx but 501 and
    /// 505. It is not so for other statuses (400, 401, 403, 404, 426, a redirection that is not
    /// followed), a certificate that is not trusted or TLS that is none, an answer that is no
    /// WebSocket's, and an address, a request or a setting that cannot be used.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Io(_) | Self::Closed(_) | Self::Closing => true,
            Self::Tls(error) => is_temporary_in_tls(error),
            Self::Connect(error) => is_temporary(error),
            Self::Handshake { error: HandshakeError::Status { status }, .. } => {
                is_temporary_status(*status)
            }
            Self::Handshake { error, .. } => {
                matches!(error, HandshakeError::EndOfStream | HandshakeError::Timeout)
            }
            Self::Unfinished
            | Self::NotReady
            | Self::Chunk(_)
            | Self::Control(_)
            | Self::Url(_)
            | Self::Config(_)
            | Self::Request(_)
            | Self::Accept(_)
            | Self::Entropy(_) => false,
        }
    }
}

fn is_temporary(error: &ConnectError) -> bool {
    match error.fault() {
        ConnectFault::Resolve(_)
        | ConnectFault::NoAddress
        | ConnectFault::Unreachable
        | ConnectFault::Io(_)
        | ConnectFault::TimedOut => true,
        ConnectFault::Tls(error) => is_temporary_in_tls(error),
        ConnectFault::Proxy(ProxyError::Status { status }) => is_temporary_status(*status),
        // RFC 1928 §6: all but the rules of the proxy (2) and what it does not know (7, 8).
        ConnectFault::Proxy(ProxyError::Refused { reply }) => matches!(reply, 1 | 3..=6),
        ConnectFault::Proxy(error) => {
            matches!(error, ProxyError::EndOfStream | ProxyError::Timeout)
        }
        ConnectFault::ProxyEnvironment(_)
        | ConnectFault::ProxyRequest(_)
        | ConnectFault::Redirect(_) => false,
    }
}

/// Libraries of TLS give their own verdicts, of which the certificate is one, as data that is not
/// valid; what the transport does to them keeps its kind.
fn is_temporary_in_tls(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::Unsupported
    )
}

/// RFC 9110 §15.5 and §15.6, RFC 8470 §5.2, RFC 6585 §4.
const fn is_temporary_status(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502..=504 | 506..=599)
}
