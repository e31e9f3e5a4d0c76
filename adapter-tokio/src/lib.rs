//! WebSocket on [tokio], with read-side flow control.
//!
//! When the application is slow, the connection stops reading its socket. The kernel's buffer
//! fills, the TCP window closes, and the *sender* has to wait. So memory stays below
//! [`Config::memory_bound`], whatever the peer sends.
//!
//! # A client
//!
//! ```no_run
//! # async fn example() -> Result<(), tidegate_tokio::Error> {
//! let mut socket = tidegate_tokio::connect("ws://example.org/chat").await?;
//! socket.send("hello").await?;
//! while let Some(message) = socket.recv().await? {
//!     socket.send(message).await?;
//! } // `None`: closed with 1000, 1001 or no code. Any other end is an error that says why.
//! # Ok(())
//! # }
//! ```
//!
//! # A server
//!
//! ```
//! use tidegate_tokio::{CloseCode, Error};
//! use tokio::net::{TcpListener, TcpStream};
//!
//! async fn serve(stream: TcpStream) -> Result<(), Error> {
//!     let incoming = tidegate_tokio::accept(stream).await?; // the request; nothing is decided yet
//!     if incoming.request().path() != "/chat" {
//!         return incoming.reject(404, "not here\n").await;
//!     }
//!     let mut socket = match incoming.request().select_subprotocol(&["chat"]).map(String::from) {
//!         Some(chosen) => incoming.subprotocol(chosen).accept().await?,
//!         None => incoming.accept().await?,
//!     };
//!     while let Some(message) = socket.recv().await? {
//!         socket.send(message).await?;
//!     }
//!     Ok(())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let address = listener.local_addr()?;
//! let server = tokio::spawn(async move { serve(listener.accept().await?.0).await });
//!
//! let mut socket = tidegate_tokio::connect(&format!("ws://{address}/chat")).await?;
//! socket.send("hello").await?;
//! assert_eq!(socket.recv().await?, Some("hello".into()));
//! socket.close(CloseCode::NORMAL, "done").await?;
//! server.await.expect("it does not panic")
//! # }
//! ```
//!
//! [`serve`] does this for a whole listener, with limits, decisions about requests, and graceful
//! shutdown.
//!
//! # Connecting
//!
//! A [`Client`] adds what is often needed on the way to a server: one timeout for everything, a
//! proxy, redirects, TLS settings, and automatic reconnecting. It tries the addresses of a host as
//! RFC 8305 ("Happy Eyeballs") recommends.
//!
//! ```no_run
//! use tidegate_tokio::{Backoff, Client, Options, TokioNetwork};
//!
//! # async fn example() -> Result<(), tidegate_tokio::Error> {
//! let options = Options::builder().subprotocol("chat").proxy_from_environment().build()?;
//! let client = Client::new(TokioNetwork::new(), options);
//! let mut connections = client.reconnect("ws://example.org/chat", Backoff::default())?;
//! while let Some(socket) = connections.next().await {
//!     let mut socket = socket?; // an error here is final: there is no further attempt
//!     while let Ok(Some(message)) = socket.recv().await {
//!         println!("{message:?}");
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Several tasks
//!
//! [`split_spawn`] returns a [`Sender`], which can be cloned, and a [`Receiver`]. A task in the
//! background answers pings, keeps the connection alive, and reads ahead until the receive queue is
//! full.
//!
//! ```no_run
//! # async fn example() -> Result<(), tidegate_tokio::Error> {
//! let socket = tidegate_tokio::connect("ws://example.org/chat").await?;
//! let (sender, mut receiver) = tidegate_tokio::split_spawn(socket);
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
//! [`read_message`](WebSocket::read_message) and [`write_message`](WebSocket::write_message) stream
//! a message: with [`Delivery::Chunks`], one of any length needs only constant memory.
//! [`broadcast`] sends one [`Prepared`] message to many connections and reports the ones that were
//! too slow.
//!
//! # TLS
//!
//! The feature `rustls` adds `wss://` and `accept_tls`, on rustls with ring. Certificates are
//! verified with Mozilla's roots, built in (feature `rustls-webpki-roots`), by the platform
//! (`rustls-platform-verifier`, which takes precedence), or by your own `ClientConfig`:
//! `TokioNetwork::new().tls(config)`. If that names no protocol (ALPN), `http/1.1` is added. With any
//! other TLS library, pass its stream to [`client`] or [`accept`].
//!
//! If TCP ends without the end of TLS (`close_notify`), the connection ends with an error of the
//! kind `UnexpectedEof`, because somebody may have cut it. After both Close frames it no longer
//! matters.
//!
//! # Features
//!
//! - `deflate`: permessage-deflate, if the configuration enables it.
//! - `tracing`: spans and events.
//! - `hyper` and `axum`: upgrades of HTTP requests; see the modules of these names.
//! - `idna`: host names beyond ASCII.
//!
//! # Guarantees
//!
//! - While the receive queue is full, the socket is not polled for reading. A blocked write never
//!   stops reading otherwise.
//! - Every call that waits also answers pings.
//! - Every call can be cancelled, for example by `select!`. Its documentation says what that does.
//! - `close_timeout` bounds the closing handshake, and so [`close`](WebSocket::close).
//!
//! [tokio]: https://tokio.rs

extern crate alloc;

#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "hyper")]
pub mod hyper;
mod message;
mod stream;
mod tcp;
mod timer;

use tokio::io::{AsyncRead, AsyncWrite};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
#[cfg(feature = "rustls")]
pub use tokio_rustls::{self, rustls};

pub use crate::message::MessageIo;
pub use crate::stream::TokioStream;

tidegate_driver::define_adapter! {
    crate: "tidegate_tokio",
    runtime: "tokio",
    block_on: "tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on",
    stream: TokioStream<S> where S: (AsyncRead + AsyncWrite + Unpin),
    /// The clock and the timer of tokio. In a test, `tokio::time::pause` stops it and
    /// `tokio::time::advance` moves it.
    clock: TokioClock(timer::TokioTimer),
    network: TokioNetwork,
    resolve: |host, port| tokio::net::lookup_host((host, port)).await.map(Iterator::collect),
    connect: |address, bind| tcp::connect(address, bind).await,
    listener: TokioListener,
    tcp: (tokio::net::TcpListener, tokio::net::TcpStream),
    unix: (UnixListener, UnixStream),
    rustls: tokio_rustls,
    ///
    /// # Panics
    ///
    /// Outside of a runtime, like `tokio::spawn`.
    spawn: |task| drop(tokio::spawn(task)),
}
