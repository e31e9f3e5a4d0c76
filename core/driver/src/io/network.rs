//! What the driver asks of a runtime to connect: names, sockets, a clock, and perhaps TLS.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use crate::io::clock::Clock;
use crate::io::stream::ByteStream;

/// What a runtime brings for a [`Client`](crate::Client). Adapters implement it in a few lines.
///
/// Its futures own what they need: they are kept, raced and dropped at any time, and dropping one
/// gives up what it was doing.
pub trait Network: Debug + Send + Sync + 'static {
    /// A TCP stream.
    type Stream: ByteStream + Debug + Send + 'static;
    /// TLS on such a stream; [`NoTls`](crate::NoTls) if there is none.
    type Tls: ByteStream + Debug + Send + 'static;
    /// The clock of the runtime.
    type Clock: Clock + Debug + Send + 'static;

    /// A clock that begins now, or at any earlier time.
    fn clock(&self) -> Self::Clock;

    /// Looks a name up.
    fn resolve(&self, host: String, port: u16) -> BoxFuture<io::Result<Vec<SocketAddr>>>;

    /// Connects to one address.
    fn dial(
        &self,
        address: SocketAddr,
        options: SocketOptions,
    ) -> BoxFuture<io::Result<Self::Stream>>;

    /// Whether [`secure`](Self::secure) can work: whether `wss://` is accepted.
    fn has_tls(&self) -> bool;

    /// Puts TLS on a stream to this host, a name or an IP address without brackets. What fails, the
    /// certificate for example, is the error.
    fn secure(&self, stream: Self::Stream, host: &str) -> BoxFuture<io::Result<Self::Tls>>;
}

/// A future that owns what it needs and may go to another thread.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// How a socket is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketOptions {
    /// Whether small writes go out at once (`TCP_NODELAY`). Default: yes.
    pub nodelay: bool,
    /// The local address to connect from. Default: the system chooses.
    pub bind: Option<IpAddr>,
}

impl Default for SocketOptions {
    fn default() -> Self {
        // Messages go out when they are sent; who has many small ones feeds and flushes.
        Self { nodelay: true, bind: None }
    }
}
