//! The asynchronous WebSocket that all runtime adapters share: event loop, client, server, split
//! connections and errors.
//!
//! A runtime only needs to bring a [`ByteStream`] and a [`Clock`], which are small traits. This crate
//! uses nothing but the public interface of `tidegate-core`, so it is also an example for your own
//! driver. Applications use one of the adapters: `tidegate-tokio`, `tidegate-smol` or
//! `tidegate-async-std`.
//!
//! # Guarantees
//!
//! 1. A call never returns `Pending` without having registered its waker with every source that
//!    could change the answer.
//! 2. A call never wakes itself without progress, and it yields after a bounded number of reads.
//! 3. A blocked write never stops reading while [`Connection::wants_input`] is true, and a full
//!    receive queue never stops writing. While `wants_input` is false, the stream is not polled for
//!    reading at all.
//! 4. Output is offered to the stream before an event is returned to the application.
//! 5. The clock decides whether a deadline has passed; the timer only wakes the task.
//! 6. The stream is flushed once whenever all output is written. A write of zero bytes is an error.
//! 7. Every call can be cancelled: all state is in the connection, and a message enters it as a whole.
//! 8. Once the connection answers [`Transport::Close`], the stream is closed, even if output is left.
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
    Backoff, Client, ClientSocket, FailedAttempt, Options, Proxy, Reconnect, Url,
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
    Accept, Arrival, BoxError, Counters, Decision, HandlerOutcome, Listener, Origins, Remote,
    Runtime, ServeOptions, Server, ServerHandle, serve, serve_any_outcome,
};
pub use crate::split::{Driver, OnDrop, Receiver, ReuniteError, Sender};
pub use crate::split::{Outcome, Slow, broadcast, broadcast_until};
pub use crate::websocket::{
    Closer, MessageReader, MessageSource, MessageTarget, MessageWriter, WebSocket,
};
