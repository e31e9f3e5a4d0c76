//! What a server needs from a runtime: a listener, tasks and clocks.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::io::{ByteStream, Clock};

/// Accepts the streams of a server.
pub trait Listener: Send + 'static {
    /// The stream to a client.
    type Stream: ByteStream + Send + 'static;

    /// The future that makes an accepted stream usable: a TLS handshake, or
    /// [`std::future::Ready`]. It runs in the connection's own task, within the time limit of an
    /// opening handshake.
    type Opening: Future<Output = io::Result<Self::Stream>> + Send + 'static;

    /// Waits for the next client.
    ///
    /// # Cancel safety
    ///
    /// The server cancels it when it shuts down or has to wait for room. An implementation must not
    /// lose a stream then.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Opening, Remote)>> + Send;
}

/// Spawns the tasks of a server and gives them clocks.
pub trait Runtime: Clone + Send + Sync + 'static {
    /// The clock of this runtime.
    type Clock: Clock + Send + 'static;

    /// Returns a clock for one connection.
    fn clock(&self) -> Self::Clock;

    /// Spawns a task, which runs to its end without being awaited.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);
}

/// The address of the other end of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Remote {
    /// A TCP address, of the client or of a proxy before it.
    Ip(SocketAddr),
    /// A Unix socket. The client's end seldom has a path.
    Unix(Option<PathBuf>),
    /// Something else, as text.
    Other(String),
}

impl Remote {
    /// Returns the address, if it is a TCP address.
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
            Self::Other(text) => f.write_str(text),
        }
    }
}
