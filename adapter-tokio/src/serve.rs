//! A server on tokio: its listeners, tasks and clocks.

use core::future::{Ready, ready};
use std::io;

use tidegate_driver::{
    Arrival, Error, HandlerOutcome, Listener, Remote, Runtime, ServeOptions, Server,
};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

use crate::{TokioClock, TokioStream};

/// Serves WebSockets on a TCP or Unix listener: decides about each request by `options`, and runs
/// `handler` for each connection in a task of its own.
///
/// ```
/// use core::time::Duration;
/// use tidegate_tokio::{ServeOptions, serve};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let options = ServeOptions::builder().subprotocols(["echo"]).build()?;
/// let server = serve(listener, options, |mut socket, _arrival| async move {
///     while let Some(message) = socket.recv().await? {
///         socket.send(message).await?;
///     }
///     Ok(())
/// });
/// let stop = async {}; // a signal of the operating system, for example
/// let counters = server.until(stop, Duration::from_secs(10)).await;
/// assert_eq!(counters.open, 0);
/// # Ok(())
/// # }
/// ```
///
/// The end by [`ServerHandle::shutdown`](crate::ServerHandle::shutdown) reaches a handler in
/// whatever call on its socket it waits. See also [`Server`] and [`ServeOptions`].
pub fn serve<L, H, F>(listener: L, options: ServeOptions, handler: H) -> Server
where
    TokioListener<L>: Listener,
    H: Fn(
            tidegate_driver::WebSocket<<TokioListener<L> as Listener>::Stream, TokioClock>,
            Arrival,
        ) -> F
        + Send
        + Sync
        + 'static,
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    serve_on(TokioListener(listener), options, handler)
}

/// Serves WebSockets on a listener of the application's: TLS, or something that is no socket at
/// all. See [`serve`].
pub fn serve_on<L, H, F>(listener: L, options: ServeOptions, handler: H) -> Server
where
    L: Listener,
    H: Fn(tidegate_driver::WebSocket<L::Stream, TokioClock>, Arrival) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    tidegate_driver::serve(Tokio, listener, options, handler)
}

/// As [`serve`], for a handler that returns nothing, or a `Result` with an error of any type:
/// `anyhow::Error`, one of the application's own.
///
/// ```
/// use tidegate_tokio::{ServeOptions, serve_any_outcome};
///
/// # fn example(listener: Listener) {
/// let server = serve_any_outcome(listener, ServeOptions::default(), |mut socket, _| async move {
///     while let Some(message) = socket.recv().await? {
///         let number: u64 = message.as_text().unwrap_or_default().parse()?;
///         socket.send((number + 1).to_string()).await?;
///     }
///     Ok::<(), Box<dyn core::error::Error + Send + Sync>>(())
/// });
/// # }
/// # type Listener = tokio::net::TcpListener;
/// ```
pub fn serve_any_outcome<L, H, F>(listener: L, options: ServeOptions, handler: H) -> Server
where
    TokioListener<L>: Listener,
    H: Fn(
            tidegate_driver::WebSocket<<TokioListener<L> as Listener>::Stream, TokioClock>,
            Arrival,
        ) -> F
        + Send
        + Sync
        + 'static,
    F: Future<Output: HandlerOutcome> + Send + 'static,
{
    serve_any_outcome_on(TokioListener(listener), options, handler)
}

/// As [`serve_any_outcome`], on a listener of the application's, as [`serve_on`].
pub fn serve_any_outcome_on<L, H, F>(listener: L, options: ServeOptions, handler: H) -> Server
where
    L: Listener,
    H: Fn(tidegate_driver::WebSocket<L::Stream, TokioClock>, Arrival) -> F + Send + Sync + 'static,
    F: Future<Output: HandlerOutcome> + Send + 'static,
{
    tidegate_driver::serve_any_outcome(Tokio, listener, options, handler)
}

/// A listener of tokio. `TCP_NODELAY` is set on its streams.
#[derive(Debug)]
pub struct TokioListener<L>(pub L);

impl Listener for TokioListener<TcpListener> {
    type Stream = TokioStream<TcpStream>;
    type Opening = Ready<io::Result<Self::Stream>>;

    async fn accept(&mut self) -> io::Result<(Self::Opening, Remote)> {
        let (stream, address) = self.0.accept().await?;
        let opened = stream.set_nodelay(true).map(|()| TokioStream::new(stream));
        Ok((ready(opened), Remote::Ip(address)))
    }
}

#[cfg(unix)]
impl Listener for TokioListener<UnixListener> {
    type Stream = TokioStream<UnixStream>;
    type Opening = Ready<io::Result<Self::Stream>>;

    async fn accept(&mut self) -> io::Result<(Self::Opening, Remote)> {
        let (stream, address) = self.0.accept().await?;
        let peer = Remote::Unix(address.as_pathname().map(Into::into));
        Ok((ready(Ok(TokioStream::new(stream))), peer))
    }
}

/// The tasks and clocks of tokio.
#[derive(Clone, Copy, Debug)]
struct Tokio;

impl Runtime for Tokio {
    type Clock = TokioClock;

    fn clock(&self) -> TokioClock {
        TokioClock::new()
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(tokio::spawn(task));
    }
}
