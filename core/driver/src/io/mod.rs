//! What a runtime brings, as small traits: streams, a clock, the network. Also the read buffer of a
//! thread, and TLS.

#[cfg(feature = "async-io")]
mod async_io;
mod clock;
mod deadline;
#[cfg(feature = "futures-io")]
mod futures_io;
mod maybe_tls;
mod network;
mod read_buffer;
mod stream;
#[cfg(feature = "rustls")]
pub mod tls;
mod waker_slot;

#[cfg(feature = "async-io")]
pub use self::async_io::{AsyncIoTimer, connect_async_io};
#[cfg(test)]
pub(crate) use self::clock::ManualClock;
pub use self::clock::{Clock, Timer, TimerClock};
pub(crate) use self::deadline::before_deadline;
#[cfg(feature = "futures-io")]
pub use self::futures_io::FuturesStream;
pub use self::maybe_tls::{MaybeTls, NoTls};
pub use self::network::{BoxFuture, Network, SocketOptions};
pub(crate) use self::read_buffer::with_read_buffer;
pub use self::stream::ByteStream;
pub(crate) use self::waker_slot::{lock, look_and_leave};
