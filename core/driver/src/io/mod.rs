//! What a runtime brings, as traits of our own: streams, clocks and the network. And TLS, which the
//! adapters share.

pub(crate) mod clock;
#[cfg(feature = "futures-io")]
pub(crate) mod futures_io;
pub(crate) mod maybe_tls;
pub(crate) mod network;
pub(crate) mod read_buffer;
pub(crate) mod stream;
#[cfg(feature = "rustls")]
pub mod tls;
pub(crate) mod waker_slot;

pub use self::clock::Clock;
#[cfg(feature = "futures-io")]
pub use self::futures_io::{FuturesStream, begin_connecting, end_connecting};
pub use self::maybe_tls::{MaybeTls, NoTls};
pub use self::network::{BoxFuture, Network, SocketOptions};
pub(crate) use self::read_buffer::with_read_buffer;
pub use self::stream::ByteStream;
pub(crate) use self::waker_slot::{lock, look_and_leave};
