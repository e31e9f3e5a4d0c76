//! A WebSocket server: accepts clients from a listener, runs a handler for each connection within
//! limits, and shuts down in order.

mod abortable;
mod accept_loop;
mod connection_task;
mod connections;
mod counters;
mod decision;
mod handle;
mod handler_outcome;
mod listener;
mod opening_handshake;
mod options;
mod origins;
mod refused_client;
mod server_state;

pub use self::counters::Counters;
pub use self::decision::{ClientInfo, Decision};
pub use self::handle::ServerHandle;
pub use self::handler_outcome::{BoxError, HandlerOutcome};
pub use self::listener::{Listener, Remote, Runtime};
pub use self::options::{ServeOptions, ServeOptionsBuilder};
pub use self::origins::Origins;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use self::accept_loop::AcceptLoop;
use self::server_state::SharedServer;
use crate::error::Error;
use crate::websocket::WebSocket;

/// Serves WebSockets: accepts clients from `listener`, decides about their requests by `options`, and
/// runs `handler` for each connection in a task of its own. The adapters have a `serve` each, which
/// brings the runtime and its listeners.
///
/// Nothing happens until the [`Server`] is awaited or spawned. Only a shutdown ends it; an error of
/// the listener does not. If the error concerns one connection only, such as one that was reset
/// before it was accepted, the server accepts the next one at once. After any other error, such as
/// having no file descriptor left, it pauses for 100 ms first.
///
/// # How a connection ends
///
/// When the handler returns, the server writes what the handler has sent or fed, and closes the
/// connection: with 1000 if the handler returns `Ok`, with 1011 if it returns an error or panics (if
/// panics unwind). All of this is limited by `close_timeout`. It is the same for a socket that the
/// handler has moved to another task, when that drops the socket. Of a split connection, the server
/// closes the parts that the handler still has when it returns; parts that the handler has given away
/// close the connection as they always do, see [`OnDrop`](crate::OnDrop). A handler that closes the
/// connection itself has nothing more to do.
///
/// A handler that panics ends only its own connection. If it returns an error, the error is counted,
/// and logged with its sources: as a warning, unless it only reports how the connection ended. For a
/// handler that returns nothing, or errors of another type, there is [`serve_any_outcome`].
pub fn serve<R, L, H, F>(runtime: R, listener: L, options: ServeOptions, handler: H) -> Server
where
    R: Runtime,
    L: Listener,
    H: Fn(WebSocket<L::Stream, R::Clock>, ClientInfo) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    serve_any_outcome(runtime, listener, options, handler)
}

/// As [`serve`], for a handler that returns nothing, or a `Result` with an error of any type, such as
/// `anyhow::Error` or an error of the application. It is a separate function because the compiler
/// could not infer the error type of a handler that only returns `Ok(())`.
pub fn serve_any_outcome<R, L, H, F>(
    runtime: R,
    listener: L,
    options: ServeOptions,
    handler: H,
) -> Server
where
    R: Runtime,
    L: Listener,
    H: Fn(WebSocket<L::Stream, R::Clock>, ClientInfo) -> F + Send + Sync + 'static,
    F: Future<Output: HandlerOutcome> + Send + 'static,
{
    let shared = Arc::new(SharedServer::default());
    let handle = ServerHandle(Arc::clone(&shared));
    let accept_loop = AcceptLoop {
        clock: runtime.clock(),
        runtime,
        listener,
        options: Arc::new(options),
        handler: Arc::new(handler),
        shared,
    };
    Server { handle, running: Box::pin(accept_loop.run()) }
}

/// A server, which runs while it is polled: await it or spawn it. It returns its counters when it was
/// shut down and all connections are gone.
///
/// Dropping it closes the listener. Open connections go on.
#[must_use = "it accepts nothing until it is awaited or spawned"]
pub struct Server {
    handle: ServerHandle,
    running: Pin<Box<dyn Future<Output = Counters> + Send>>,
}

impl Server {
    /// Returns a handle that shuts the server down and reads its counters, from any task.
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }

    /// Runs until `signal` is ready, and then shuts down. See [`ServerHandle::shutdown`].
    ///
    /// # Cancel safety
    ///
    /// As dropping the [`Server`].
    pub async fn until(self, signal: impl Future, drain: Duration) -> Counters {
        let handle = self.handle();
        let mut running = std::pin::pin!(self);
        let mut signal = std::pin::pin!(signal);
        let first = std::future::poll_fn(|cx| {
            if signal.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            running.as_mut().poll(cx).map(Some)
        });
        match first.await {
            Some(counters) => counters,
            None => {
                handle.shutdown(drain);
                running.await
            }
        }
    }
}

impl Future for Server {
    type Output = Counters;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Counters> {
        self.running.as_mut().poll(cx)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("handle", &self.handle).finish_non_exhaustive()
    }
}
