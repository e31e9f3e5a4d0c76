//! Client or server, and the few facts in which they differ.

/// Which end of the connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "RFC 6455 knows two roles")]
pub enum Role {
    /// Opened the connection: masks what it sends, lets the server end TCP.
    Client,
    /// Accepted the connection: sends unmasked, ends TCP.
    Server,
}

impl Role {
    /// The other end's role.
    pub const fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// Whether frames sent in this role are masked (RFC 6455 §5.1: the client's are, always; the
    /// server's are not, ever).
    pub const fn masks(self) -> bool {
        matches!(self, Self::Client)
    }
}
