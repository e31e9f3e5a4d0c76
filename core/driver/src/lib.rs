//! The poll loop between the protocol core and a runtime, shared by every runtime adapter.
//!
//! A runtime brings a [`ByteStream`] and a [`Clock`], both small; everything else is here:
//! [`WebSocket`], the opening handshakes, errors. It is written against the public interface of the
//! core alone, so it is also the example for those who write their own.
//!
//! # What it promises
//!
//! 1. It never waits without having left its waker with every source that could help.
//! 2. It never wakes itself without progress, and yields after a bounded number of reads.
//! 3. A blocked write never stops reading while [`Connection::wants_input`] is true, and a closed
//!    gate never stops writing. While it is false, the stream is not polled for reading at all.
//! 4. Output is offered to the stream before an event is handed to the application.
//! 5. The clock decides whether a deadline has passed; the timer only wakes.
//! 6. The stream is flushed once after output empties; a write of nothing is an error.
//! 7. Every call can be cancelled: all state is in the connection, messages enter it whole.
//! 8. Once the connection says [`Transport::Close`], the stream is closed, whatever is left.
//!
//! [`Connection::wants_input`]: tidegate_core::Connection::wants_input
//! [`Transport::Close`]: tidegate_core::Transport::Close

#![forbid(unsafe_code)]
#![allow(clippy::wildcard_enum_match_arm, reason = "the enums of the core may grow")]

mod backoff;
mod buffer;
mod clock;
mod close;
mod closer;
mod connect;
mod connect_error;
mod dial;
mod end_wait;
mod environment;
mod error;
#[cfg(feature = "futures-io")]
mod futures;
#[cfg(feature = "futures-io")]
mod futures_messages;
mod handshake;
mod home;
mod host;
mod intake;
mod leaving;
mod link;
mod maybe_tls;
mod network;
mod no_proxy;
mod options;
mod poll;
mod proxy;
mod reader;
mod reconnect;
mod redirect;
mod retry;
mod send;
mod serve;
mod sink;
mod split;
mod stream;
#[cfg(feature = "rustls")]
pub mod tls;
mod trace;
mod tunnel;
mod url;
mod url_error;
mod waker_slot;
mod websocket;
mod writer;

pub use backoff::Backoff;
pub use clock::Clock;
pub use closer::Closer;
pub use connect::{Client, ClientSocket};
pub use connect_error::{ConnectError, ConnectFault, Peer, Stage};
pub use environment::EnvironmentError;
pub use error::{EntropyError, Error};
#[cfg(feature = "futures-io")]
pub use futures::{FuturesStream, begin_connecting, end_connecting};
pub use handshake::{Incoming, client};
pub use maybe_tls::{MaybeTls, NoTls};
pub use network::{BoxFuture, Network, SocketOptions};
pub use options::Options;
pub use proxy::Proxy;
pub use reader::{MessageReader, MessageSource};
pub use reconnect::{FailedAttempt, Reconnect};
pub use redirect::RedirectError;
pub use serve::{
    Accept, Arrival, BoxError, Counters, Decision, HandlerOutcome, Listener, Origins, Remote,
    Runtime, ServeOptions, Server, ServerHandle, serve, serve_any_outcome,
};
pub use split::{Driver, OnDrop, Receiver, ReuniteError, Sender};
pub use split::{Outcome, Slow, broadcast, broadcast_until};
pub use stream::ByteStream;
pub use url::Url;
pub use url_error::UrlError;
pub use websocket::WebSocket;
pub use writer::{MessageTarget, MessageWriter};
