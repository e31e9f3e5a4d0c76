//! Control frames (ping, pong, Close) that the caller wants to send and cannot.

use core::fmt;

use crate::close::CloseCode;

/// A ping, pong or close that was not accepted. Nothing was sent, and the connection is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ControlError {
    /// The payload is longer than the 125 bytes of a control frame (RFC 6455 §5.5).
    PayloadTooLong {
        /// Its length.
        length: usize,
    },
    /// The reason is longer than the 123 bytes that a close frame has left (RFC 6455 §5.5).
    ReasonTooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// The close code must not be sent (RFC 6455 §7.4).
    InvalidCode {
        /// The code.
        code: CloseCode,
    },
    /// As many pings as are kept already wait to be sent.
    Full,
    /// The connection is closing or closed.
    Closed,
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PayloadTooLong { length } => {
                write!(f, "a control frame carries 125 bytes at most, not {length}")
            }
            Self::ReasonTooLong { length } => {
                write!(f, "a close reason has 123 bytes at most, not {length}")
            }
            Self::InvalidCode { code } => {
                write!(
                    f,
                    "the close code {code} must not be sent; 1000 to 1003, 1007 to 1014 and 3000 \
                     to 4999 may, and 1005 without a reason, which is an empty close frame"
                )
            }
            Self::Full => f.write_str("too many pings wait to be sent"),
            Self::Closed => f.write_str(CLOSED),
        }
    }
}

impl core::error::Error for ControlError {}

pub(crate) const CLOSED: &str = "the connection is closing or closed";
