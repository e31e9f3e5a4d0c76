//! Client or server: the two roles, and what differs between them.

/// Which end of a connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "RFC 6455 defines two roles")]
pub enum Role {
    /// Opened the connection. Masks the frames it sends, and lets the server close TCP.
    Client,
    /// Accepted the connection. Does not mask the frames it sends, and closes TCP.
    Server,
}

impl Role {
    /// The role of the other end.
    pub const fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// Whether frames sent in this role are masked: a client's always, a server's never (RFC 6455
    /// §5.1).
    pub const fn masks(self) -> bool {
        matches!(self, Self::Client)
    }
}
