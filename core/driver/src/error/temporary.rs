//! Which errors are temporary, so that a later attempt to connect may succeed.

use std::io::{self, ErrorKind};

use crate::error::Error;
use crate::error::connect::{ConnectError, ConnectFault};
use tidegate_core::handshake::HandshakeError;
use tidegate_core::handshake::proxy::ProxyError;

impl Error {
    /// Whether a later attempt to connect may succeed although nobody has changed anything on either
    /// side. [`Reconnect`](crate::Reconnect) tries again after such errors.
    ///
    /// True for: a network that fails, a name that is not found, a timeout, and the statuses 408,
    /// 425, 429 and 5xx (but not 501 and 505) from a server or a proxy.
    ///
    /// False for: other statuses (400, 401, 403, 404, 426, a redirect that is not followed), a
    /// certificate that is not trusted, a peer that does not speak TLS, an answer that does not
    /// follow RFC 6455, and an address, a request or a setting that cannot be used.
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
        // RFC 1928 §6. Permanent are: forbidden by the proxy's rules (2), and a command or a kind
        // of address that the proxy does not support (7, 8).
        ConnectFault::Proxy(ProxyError::Refused { reply }) => matches!(reply, 1 | 3..=6),
        ConnectFault::Proxy(error) => {
            matches!(error, ProxyError::EndOfStream | ProxyError::Timeout)
        }
        ConnectFault::ProxyEnvironment(_)
        | ConnectFault::ProxyRequest(_)
        | ConnectFault::Redirect(_) => false,
    }
}

/// TLS libraries report their own errors, such as a bad certificate, as `InvalidData`. Errors of the
/// transport below keep their kind.
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
