//! A server on smol: its listeners, tasks and clocks.

use core::future::{Ready, ready};
use std::io;

#[cfg(unix)]
use async_net::unix::{UnixListener, UnixStream};
use async_net::{TcpListener, TcpStream};
use tidegate_driver::{
    Arrival, Error, HandlerOutcome, Listener, Remote, Runtime, ServeOptions, Server,
};

use crate::{FuturesStream, SmolClock};

/// Serves WebSockets on a TCP or Unix listener: decides about each request by `options`, and runs
/// `handler` for each connection in a task of its own.
///
/// ```
/// use core::time::Duration;
/// use tidegate_smol::{ServeOptions, serve};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # async_io::block_on(async {
/// let listener = async_net::TcpListener::bind("127.0.0.1:0").await?;
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
/// # })
/// # }
/// ```
///
/// The end by [`ServerHandle::shutdown`](crate::ServerHandle::shutdown) reaches a handler in
/// whatever call on its socket it waits. See also [`Server`] and [`ServeOptions`].
pub fn serve<L, H, F>(listener: L, options: ServeOptions, handler: H) -> Server
where
    SmolListener<L>: Listener,
    H: Fn(
            tidegate_driver::WebSocket<<SmolListener<L> as Listener>::Stream, SmolClock>,
            Arrival,
        ) -> F
        + Send
        + Sync
        + 'static,
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    serve_on(SmolListener(listener), options, handler)
}

/// Serves WebSockets on a listener of the application's: TLS, or something that is no socket at
/// all. See [`serve`].
pub fn serve_on<L, H, F>(listener: L, options: ServeOptions, handler: H) -> Server
where
    L: Listener,
    H: Fn(tidegate_driver::WebSocket<L::Stream, SmolClock>, Arrival) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    tidegate_driver::serve(Smol, listener, options, handler)
}

/// As [`serve`], for a handler that returns nothing, or a `Result` with an error of any type:
/// `anyhow::Error`, one of the application's own.
///
/// ```
/// use tidegate_smol::{ServeOptions, serve_any_outcome};
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
/// # type Listener = async_net::TcpListener;
/// ```
pub fn serve_any_outcome<L, H, F>(listener: L, options: ServeOptions, handler: H) -> Server
where
    SmolListener<L>: Listener,
    H: Fn(
            tidegate_driver::WebSocket<<SmolListener<L> as Listener>::Stream, SmolClock>,
            Arrival,
        ) -> F
        + Send
        + Sync
        + 'static,
    F: Future<Output: HandlerOutcome> + Send + 'static,
{
    serve_any_outcome_on(SmolListener(listener), options, handler)
}

/// As [`serve_any_outcome`], on a listener of the application's, as [`serve_on`].
pub fn serve_any_outcome_on<L, H, F>(listener: L, options: ServeOptions, handler: H) -> Server
where
    L: Listener,
    H: Fn(tidegate_driver::WebSocket<L::Stream, SmolClock>, Arrival) -> F + Send + Sync + 'static,
    F: Future<Output: HandlerOutcome> + Send + 'static,
{
    tidegate_driver::serve_any_outcome(Smol, listener, options, handler)
}

/// A listener of smol. `TCP_NODELAY` is set on its streams.
#[derive(Debug)]
pub struct SmolListener<L>(pub L);

impl Listener for SmolListener<TcpListener> {
    type Stream = FuturesStream<TcpStream>;
    type Opening = Ready<io::Result<Self::Stream>>;

    async fn accept(&mut self) -> io::Result<(Self::Opening, Remote)> {
        let (stream, address) = self.0.accept().await?;
        let opened = stream.set_nodelay(true).map(|()| FuturesStream::new(stream));
        Ok((ready(opened), Remote::Ip(address)))
    }
}

#[cfg(unix)]
impl Listener for SmolListener<UnixListener> {
    type Stream = FuturesStream<UnixStream>;
    type Opening = Ready<io::Result<Self::Stream>>;

    async fn accept(&mut self) -> io::Result<(Self::Opening, Remote)> {
        let (stream, address) = self.0.accept().await?;
        let peer = Remote::Unix(address.as_pathname().map(Into::into));
        Ok((ready(Ok(FuturesStream::new(stream))), peer))
    }
}

/// The tasks and clocks of smol.
#[derive(Clone, Copy, Debug)]
struct Smol;

impl Runtime for Smol {
    type Clock = SmolClock;

    fn clock(&self) -> SmolClock {
        SmolClock::new()
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(task).detach();
    }
}
