//! WebSocket on [smol], with read-side flow control.
//!
//! When the application is slow, the connection stops reading its socket. The kernel's buffer
//! fills, the TCP window closes, and the *sender* has to wait. So memory stays below
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
//! } // `None`: closed with 1000, 1001 or no code. Any other end is an error that says why.
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
//!     let incoming = tidegate_smol::accept(stream).await?; // the request; nothing is decided yet
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
//! use tidegate_smol::{Backoff, Client, Options, SmolNetwork};
//!
//! # async fn example() -> Result<(), tidegate_smol::Error> {
//! let options = Options::builder().subprotocol("chat").proxy_from_environment().build()?;
//! let client = Client::new(SmolNetwork::new(), options);
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
//! `SmolNetwork::new().tls(config)`. If that names no protocol (ALPN), `http/1.1` is added. With any
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
//! - `idna`: host names beyond ASCII.
//!
//! # Guarantees
//!
//! - While the receive queue is full, the socket is not polled for reading. A blocked write never
//!   stops reading otherwise.
//! - Every call that waits also answers pings.
//! - Every call can be cancelled, for example by a timeout. Its documentation says what that does.
//! - `close_timeout` bounds the closing handshake, and so [`close`](WebSocket::close).
//!
//! [smol]: https://docs.rs/smol

#[cfg(unix)]
use async_net::unix::{UnixListener, UnixStream};
#[cfg(feature = "rustls")]
pub use futures_rustls::{self, rustls};
pub use tidegate_driver::FuturesStream;
use tidegate_driver::{AsyncIoTimer, connect_async_io};

tidegate_driver::define_adapter! {
    crate: "tidegate_smol",
    runtime: "smol",
    block_on: "async_io::block_on",
    stream: FuturesStream<S> where S: (futures_io::AsyncRead + futures_io::AsyncWrite + Unpin),
    /// The system's monotonic clock and a timer of async-io, on which smol runs.
    clock: SmolClock(AsyncIoTimer),
    network: SmolNetwork,
    resolve: |host, port| async_net::resolve((host, port)).await,
    connect: |address, bind| connect_async_io(address, bind).await.map(Into::into),
    listener: SmolListener,
    tcp: (async_net::TcpListener, async_net::TcpStream),
    unix: (UnixListener, UnixStream),
    rustls: futures_rustls,
    ///
    /// The task runs on smol's global executor. For another executor, spawn the [`Driver`] that
    /// [`WebSocket::split`] returns.
    spawn: |task| smol::spawn(task).detach(),
}
