//! What a server asks of a runtime: new streams, tasks and clocks.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::io::ByteStream;
use crate::io::Clock;

/// Where a server's streams come from.
pub trait Listener: Send + 'static {
    /// A stream to a client.
    type Stream: ByteStream + Send + 'static;

    /// What is left to do until a stream can be used: a TLS handshake, or nothing
    /// ([`std::future::Ready`]). It is done in the connection's own task, within the limits of a
    /// handshake.
    type Opening: Future<Output = io::Result<Self::Stream>> + Send + 'static;

    /// Waits for the next client.
    ///
    /// # Cancel safety
    ///
    /// An implementation must lose no stream when it is cancelled.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Opening, Remote)>> + Send;
}

/// Tasks and clocks.
pub trait Runtime: Clone + Send + Sync + 'static {
    /// Its clock.
    type Clock: Clock + Send + 'static;

    /// A clock for one connection.
    fn clock(&self) -> Self::Clock;

    /// Runs a task to its end, whoever is still interested.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);
}

/// Who is at the other end of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Remote {
    /// An address of TCP: the client's, or a proxy's.
    Ip(SocketAddr),
    /// A Unix socket, which a client seldom gives a name.
    Unix(Option<PathBuf>),
    /// Something else, in words.
    Other(String),
}

impl Remote {
    /// The address, if it is one of TCP.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Unix(_) | Self::Other(_) => None,
        }
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(Some(path)) => write!(f, "unix:{}", path.display()),
            Self::Unix(None) => f.write_str("unix"),
            Self::Other(words) => f.write_str(words),
        }
    }
}
