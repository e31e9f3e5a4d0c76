//! Errors of the calls that send control frames: ping, pong and close.

use core::fmt;

use crate::close::CloseCode;

/// Why a ping, pong or close was not accepted. Nothing was sent, and the connection is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ControlError {
    /// The payload is longer than the 125 bytes of a control frame (RFC 6455 §5.5).
    PayloadTooLong {
        /// The length of the payload in bytes.
        length: usize,
    },
    /// The reason is longer than 123 bytes, the most that fits in a close frame (RFC 6455 §5.5).
    ReasonTooLong {
        /// The length of the reason in bytes.
        length: usize,
    },
    /// The close code must not be sent (RFC 6455 §7.4).
    InvalidCode {
        /// The code.
        code: CloseCode,
    },
    /// Too many pings wait to be sent: [`max_pings`](crate::ConfigBuilder::max_pings).
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
