//! The event loop between the protocol core and a runtime, shared by all runtime adapters.
//!
//! A runtime provides a [`ByteStream`] and a [`Clock`], which are both small. Everything else is
//! here: [`WebSocket`], the opening handshakes, the client, the server, the errors. The driver uses
//! only the public interface of the core, so it also serves as an example for your own driver.
//!
//! # Guarantees
//!
//! 1. A call that waits has left its waker with every source that can end the wait.
//! 2. It never wakes itself without progress, and it yields after a bounded number of reads.
//! 3. A blocked write never stops reading while [`Connection::wants_input`] is true, and a closed
//!    gate never stops writing. While the gate is closed, the stream is not polled for reading.
//! 4. Output is offered to the stream before an event is handed to the application.
//! 5. The clock decides whether a deadline has passed; the timer only wakes.
//! 6. The stream is flushed once after all output is written. A write of zero bytes is an error.
//! 7. Every call can be cancelled: all state is in the connection, which takes messages whole.
//! 8. Once the connection says [`Transport::Close`], the stream is closed, even if output is left.
//!
//! [`Connection::wants_input`]: tidegate_core::Connection::wants_input
//! [`Transport::Close`]: tidegate_core::Transport::Close

#![forbid(unsafe_code)]
#![allow(clippy::wildcard_enum_match_arm, reason = "the enums of the core may grow")]

mod adapter;
mod client;
mod error;
mod event_loop;
mod handshake;
mod io;
mod serve;
mod split;
mod trace;
mod websocket;

#[doc(hidden)]
pub use tidegate_core;
pub use tidegate_core::{ByteString, Bytes};

pub use crate::client::{
    Backoff, BackoffBuilder, Client, ClientSocket, FailedAttempt, Options, OptionsBuilder, Proxy,
    Reconnect, Url,
};
pub use crate::error::{
    ConnectError, ConnectFault, EntropyError, EnvironmentError, Error, Peer, RedirectError, Stage,
    UrlError,
};
pub use crate::handshake::{Incoming, client};
#[cfg(feature = "futures-io")]
pub use crate::io::FuturesStream;
#[cfg(feature = "rustls")]
pub use crate::io::tls;
#[cfg(feature = "async-io")]
pub use crate::io::{AsyncIoTimer, connect_async_io};
pub use crate::io::{
    BoxFuture, ByteStream, Clock, MaybeTls, Network, NoTls, SocketOptions, Timer, TimerClock,
};
pub use crate::serve::{
    BoxError, ClientInfo, Counters, Decision, HandlerOutcome, Listener, Origins, Remote, Runtime,
    ServeOptions, ServeOptionsBuilder, Server, ServerHandle, serve, serve_any_outcome,
};
pub use crate::split::{Driver, OnDrop, Receiver, ReuniteError, Sender};
pub use crate::split::{Outcome, Slow, broadcast, broadcast_until};
pub use crate::websocket::{
    Closer, MessageReader, MessageSource, MessageTarget, MessageWriter, WebSocket,
};
