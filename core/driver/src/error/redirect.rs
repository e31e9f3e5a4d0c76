//! The error for a redirect that a client does not follow.

use std::fmt;

/// Why a redirect is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RedirectError {
    /// There is no `Location`, or it is not an address with a scheme of WebSocket or HTTP.
    Location,
    /// It leads from `wss://` to `ws://`, which would send secrets unencrypted.
    Downgrade,
    /// It leads to an address that has redirected before.
    Loop,
    /// There were more redirects than the options allow.
    TooMany {
        /// How many the options allow.
        limit: usize,
    },
}

impl fmt::Display for RedirectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Location => f.write_str("the redirection does not say where to"),
            Self::Downgrade => f.write_str("the redirection leads from wss:// to ws://"),
            Self::Loop => f.write_str("the redirections lead in a circle"),
            Self::TooMany { limit } => {
                write!(f, "there are more redirections than `redirects` allows: {limit}")
            }
        }
    }
}

impl std::error::Error for RedirectError {}
