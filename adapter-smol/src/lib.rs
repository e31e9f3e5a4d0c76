//! WebSocket on [smol], with read-side flow control.
//!
//! A connection whose application is slow stops reading its socket, so the kernel's buffer fills,
//! the TCP window closes, and the *sender* waits: memory stays below
//! [`Config::memory_bound`], whatever the peer sends.
//!
//! # A client
//!
//! ```no_run
//! # async fn example() -> Result<(), tidegate_smol::Error> {
//! let mut socket = tidegate_smol::connect("ws://example.org/chat").await?;
//! socket.send("hello").await?;
//! while let Some(message) = socket.recv().await? {
//!     socket.send(message).await?;
//! } // `None`: closed with 1000, 1001 or no code; any other end is an error that says why
//! # Ok(())
//! # }
//! ```
//!
//! # A server
//!
//! ```
//! use async_net::{TcpListener, TcpStream};
//! use tidegate_smol::{CloseCode, Error};
//!
//! async fn serve(stream: TcpStream) -> Result<(), Error> {
//!     let incoming = tidegate_smol::accept(stream).await?; // the request, before you decide
//!     if incoming.request().path() != "/chat" {
//!         return incoming.reject(404, "not here\n").await;
//!     }
//!     let mut socket = incoming.accept().await?;
//!     while let Some(message) = socket.recv().await? {
//!         socket.send(message).await?;
//!     }
//!     Ok(())
//! }
//!
//! # fn main() -> Result<(), Error> {
//! # let (sender, address) = std::sync::mpsc::channel();
//! # let server = std::thread::spawn(move || async_io::block_on(async {
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! # sender.send(listener.local_addr()?).expect("it is awaited");
//! let (stream, _) = listener.accept().await?;
//! serve(stream).await
//! # }));
//! # let address = address.recv().expect("it is sent");
//! # async_io::block_on(async {
//! let mut socket = tidegate_smol::connect(&format!("ws://{address}/chat")).await?;
//! socket.send("hello").await?;
//! assert_eq!(socket.recv().await?, Some("hello".into()));
//! socket.close(CloseCode::NORMAL, "done").await?;
//! # Ok::<(), Error>(())
//! # })?;
//! # server.join().expect("it does not panic")
//! # }
//! ```
//!
//! [`serve`] does this for a listener: limits, decisions, graceful shutdown.
//!
//! # Connecting
//!
//! A [`Client`] has what people need between them and a server: addresses tried as RFC 8305
//! says, one limit for everything, a proxy, redirections, TLS, and connections again and again:
//!
//! ```no_run
//! use tidegate_smol::{Backoff, Client, Options, SmolNetwork};
//!
//! # async fn example() -> Result<(), tidegate_smol::Error> {
//! let options = Options::builder().subprotocol("chat").proxy_from_environment().build()?;
//! let client = Client::new(SmolNetwork::new(), options);
//! let mut connections = client.reconnect("ws://example.org/chat", Backoff::default())?;
//! while let Some(socket) = connections.next().await {
//!     let mut socket = socket?; // an error: there will be no other attempt
//!     while let Ok(Some(message)) = socket.recv().await {
//!         println!("{message:?}");
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # In several tasks
//!
//! [`split_spawn`] gives a [`Sender`] to clone and a [`Receiver`], and leaves the rest to a task of
//! its own: it answers pings, keeps the connection alive, and reads ahead up to the gate.
//!
//! ```no_run
//! # async fn example() -> Result<(), tidegate_smol::Error> {
//! let socket = tidegate_smol::connect("ws://example.org/chat").await?;
//! let (sender, mut receiver) = tidegate_smol::split_spawn(socket);
//! let greeter = sender.clone(); // for any other task
//! greeter.send("hello").await?;
//! while let Some(message) = receiver.recv().await? {
//!     sender.send(message).await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Long messages, and many connections
//!
//! [`read_message`](WebSocket::read_message) and [`write_message`](WebSocket::write_message) take a
//! message as a stream: with [`Delivery::Chunks`] one of any length passes through constant memory.
//! [`broadcast`] sends one [`Prepared`] message to many connections, and says who was too slow.
//!
//! # TLS
//!
//! The feature `rustls` brings `wss://` and `accept_tls`, on rustls with ring. Certificates
//! are checked by Mozilla's roots, built in (feature `rustls-webpki-roots`), by the platform
//! (`rustls-platform-verifier`, which comes first), or by a `ClientConfig` of your own:
//! `SmolNetwork::new().tls(config)`. If it names no protocol (ALPN), `http/1.1` is added. Any other
//! TLS works too: hand its stream to [`client`] or [`accept`].
//!
//! If TCP ends and TLS did not say so, the connection ends with an error of the kind
//! `UnexpectedEof`: somebody may have cut it. Behind both Closes it does not matter any more.
//!
//! # Features
//!
//! `deflate`: permessage-deflate, where the configuration asks for it. `tracing`: spans and events. `idna`: host
//! names beyond ASCII.
//!
//! # Guarantees
//!
//! While the gate is closed the socket is not polled for reading; a blocked write does not stop
//! reading while it is open. Pings are answered inside every call that waits. Every call can be
//! cancelled, by a race for example: each says what that does. A closing handshake, and so
//! [`close`](WebSocket::close), is bounded by `close_timeout`.
//!
//! [smol]: https://docs.rs/smol

extern crate alloc;

mod clock;
mod connect;
mod network;
mod serve;
mod split;
#[cfg(feature = "rustls")]
mod tls;

use async_net::TcpStream;
#[cfg(feature = "rustls")]
pub use futures_rustls::{self, rustls};
#[cfg(feature = "deflate")]
pub use tidegate_core::deflate;
pub use tidegate_core::handshake;
pub use tidegate_core::handshake::{
    ClientRequest, ClientRequestBuilder, HandshakeError, Limits, LimitsBuilder, Rejection, Request,
    Response,
};
pub use tidegate_core::{
    Chunk, ChunkError, CloseCode, CloseFrame, Closed, Compress, Config, ConfigBuilder, ConfigError,
    Connection, ControlError, Event, Failure, Message, MessageKind, MessageRef, PongPolicy,
    ProtocolError, Refusal, SendError, Stats, Watermarks,
};
pub use tidegate_core::{Delivery, Prepared};
pub use tidegate_driver::{
    Accept, Arrival, Backoff, BackoffBuilder, BoxError, Closer, ConnectError, ConnectFault,
    Counters, Decision, Driver, EntropyError, EnvironmentError, Error, FailedAttempt,
    FuturesStream, HandlerOutcome, Listener, MaybeTls, MessageReader, MessageWriter, OnDrop,
    Options, OptionsBuilder, Origins, Outcome, Peer, Proxy, Receiver, RedirectError, Remote,
    ReuniteError, Sender, ServeOptions, ServeOptionsBuilder, Server, ServerHandle, Slow, Stage,
    Url, UrlError, broadcast, broadcast_until,
};

pub use crate::clock::SmolClock;
pub use crate::connect::{accept, accept_with, client, connect, connect_with};
pub use crate::network::{SmolNetwork, Tls};
pub use crate::serve::{SmolListener, serve, serve_any_outcome, serve_any_outcome_on, serve_on};
pub use crate::split::split_spawn;
#[cfg(feature = "rustls")]
pub use crate::tls::{accept_tls, accept_tls_with};

/// A WebSocket on a stream of smol.
pub type WebSocket<S = TcpStream> = tidegate_driver::WebSocket<FuturesStream<S>, SmolClock>;

/// A request on a stream of smol, for the application to accept or reject.
pub type Incoming<S = TcpStream> = tidegate_driver::Incoming<FuturesStream<S>, SmolClock>;

/// Makes connections with the same options, once or again and again.
pub type Client = tidegate_driver::Client<SmolNetwork>;

/// What [`connect`] and a [`Client`] give: a WebSocket on a TCP stream or on TLS.
pub type ClientSocket = tidegate_driver::ClientSocket<SmolNetwork>;

/// Connections to one address, one after the other.
pub type Reconnect = tidegate_driver::Reconnect<SmolNetwork>;
