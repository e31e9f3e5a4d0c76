//! A server: connections from a listener, each to a handler, within limits, until it is shut down.

pub(crate) mod accept;
pub(crate) mod connection;
pub(crate) mod crowd;
pub(crate) mod decision;
pub(crate) mod guarded;
pub(crate) mod handle;
pub(crate) mod leaving;
pub(crate) mod listener;
pub(crate) mod opening;
pub(crate) mod options;
pub(crate) mod origins;
pub(crate) mod outcome;
pub(crate) mod shared;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::error::Error;
use crate::websocket::WebSocket;
use accept::Accepting;
use shared::Shared;

pub use decision::{Accept, Arrival, Decision};
pub use handle::{Counters, ServerHandle};
pub use listener::{Listener, Remote, Runtime};
pub use options::{ServeOptions, ServeOptionsBuilder};
pub use origins::Origins;
pub use outcome::{BoxError, HandlerOutcome};
#[cfg(feature = "tracing")]
pub(crate) use outcome::{in_full, is_of_connection};

/// Serves WebSockets: accepts from `listener`, decides by `options`, and runs `handler` for each
/// connection in a task of its own. The adapters' `serve` bring a runtime and its listeners.
///
/// Nothing happens until the [`Server`] is awaited or spawned. It ends only when it is shut down:
/// no error of the listener ends it. What concerns one connection (reset before it was accepted) is
/// passed over; for anything else, such as having no file descriptor left, it pauses for 100 ms and
/// goes on.
///
/// # How a connection ends
///
/// When the handler returns, what it has sent or fed is written and the connection is closed: with
/// 1000 if it returns `Ok`, with 1011 if it returns an error or panics (if panics unwind), all
/// within `close_timeout`. That is so for the socket, wherever it is dropped. Of one that was split,
/// the parts that the handler still has when it returns close it so; if it has given them away,
/// they do as they always do. A handler that closes the connection itself has nothing more to do.
///
/// A handler that panics costs its own connection only. One that returns an error is counted, and
/// its error is logged with what it comes from: as a warning, unless it is about how the connection
/// ended. For a handler that returns nothing, or errors of another type, there is
/// [`serve_any_outcome`].
pub fn serve<R, L, H, F>(runtime: R, listener: L, options: ServeOptions, handler: H) -> Server
where
    R: Runtime,
    L: Listener,
    H: Fn(WebSocket<L::Stream, R::Clock>, Arrival) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    serve_any_outcome(runtime, listener, options, handler)
}

/// As [`serve`], for a handler that returns nothing, or a `Result` with an error of any type:
/// `anyhow::Error`, one of the application's own. It is a function of its own since in a handler
/// that only says `Ok(())` the type of the error would not be known.
pub fn serve_any_outcome<R, L, H, F>(
    runtime: R,
    listener: L,
    options: ServeOptions,
    handler: H,
) -> Server
where
    R: Runtime,
    L: Listener,
    H: Fn(WebSocket<L::Stream, R::Clock>, Arrival) -> F + Send + Sync + 'static,
    F: Future<Output: HandlerOutcome> + Send + 'static,
{
    let shared = Arc::new(Shared::default());
    let handle = ServerHandle(Arc::clone(&shared));
    let accepting = Accepting {
        clock: runtime.clock(),
        runtime,
        listener,
        options: Arc::new(options),
        handler: Arc::new(handler),
        shared,
    };
    Server { handle, running: Box::pin(accepting.run()) }
}

/// A server that runs while it is polled: await it, or spawn it. Gives its counters when it was
/// shut down and all connections are gone.
///
/// Dropping it closes the listener. Connections that are open go on.
#[must_use = "it accepts nothing until it is awaited or spawned"]
pub struct Server {
    handle: ServerHandle,
    running: Pin<Box<dyn Future<Output = Counters> + Send>>,
}

impl Server {
    /// What shuts it down and tells how it stands, from anywhere.
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }

    /// Runs until `signal` is ready, then shuts down: see [`ServerHandle::shutdown`].
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
