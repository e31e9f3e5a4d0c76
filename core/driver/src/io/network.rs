//! What a client needs of a runtime to connect: name lookup, sockets, a clock, and perhaps TLS.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use crate::io::clock::Clock;
use crate::io::stream::ByteStream;

/// The network of a runtime, for a [`Client`](crate::Client). Each adapter implements it.
///
/// Its futures own everything they need, because a client stores them, runs several at the same time
/// and may drop them at any time. Dropping one cancels its work.
pub trait Network: Debug + Send + Sync + 'static {
    /// A TCP stream.
    type Stream: ByteStream + Debug + Send + 'static;
    /// A TLS stream on top of [`Stream`](Self::Stream); [`NoTls`](crate::NoTls) if there is no TLS.
    type Tls: ByteStream + Debug + Send + 'static;
    /// The clock of the runtime.
    type Clock: Clock + Debug + Send + 'static;

    /// Creates a clock that starts now, or at any earlier time.
    fn clock(&self) -> Self::Clock;

    /// Looks up the addresses of a host name.
    fn resolve(&self, host: String, port: u16) -> BoxFuture<io::Result<Vec<SocketAddr>>>;

    /// Opens a TCP connection to one address.
    fn connect(
        &self,
        address: SocketAddr,
        options: SocketOptions,
    ) -> BoxFuture<io::Result<Self::Stream>>;

    /// Whether [`secure`](Self::secure) is implemented. If not, the client refuses `wss://`.
    fn has_tls(&self) -> bool;

    /// Makes the TLS handshake on a stream to this host, which is a name or an IP address without
    /// brackets. The error is the reason why it failed, such as the certificate.
    fn secure(&self, stream: Self::Stream, host: &str) -> BoxFuture<io::Result<Self::Tls>>;
}

/// A boxed future that borrows nothing and may move to another thread.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The settings of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketOptions {
    /// Whether small writes are sent at once (`TCP_NODELAY`). Default: yes.
    pub nodelay: bool,
    /// The local address to connect from. Default: the system chooses.
    pub bind: Option<IpAddr>,
}

impl Default for SocketOptions {
    fn default() -> Self {
        // A message is on its way when `send` returns. For many small ones there are `feed` and
        // `flush`.
        Self { nodelay: true, bind: None }
    }
}
