//! The loop that accepts clients, and the shutdown that follows it.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::io::{Clock, before_deadline};
use crate::serve::connection_task;
use crate::serve::counters::Counters;
use crate::serve::decision::ClientInfo;
use crate::serve::handler_outcome::HandlerOutcome;
use crate::serve::listener::{Listener, Remote, Runtime};
use crate::serve::options::ServeOptions;
use crate::serve::server_state::SharedServer;
use crate::trace::{Span, within};
use crate::websocket::WebSocket;

pub(crate) struct AcceptLoop<R: Runtime, L, H> {
    pub(crate) runtime: R,
    pub(crate) clock: R::Clock,
    pub(crate) listener: L,
    pub(crate) options: Arc<ServeOptions>,
    pub(crate) handler: Arc<H>,
    pub(crate) shared: Arc<SharedServer>,
}

impl<R, L, H, F> AcceptLoop<R, L, H>
where
    R: Runtime,
    L: Listener,
    H: Fn(WebSocket<L::Stream, R::Clock>, ClientInfo) -> F + Send + Sync + 'static,
    F: Future<Output: HandlerOutcome> + Send + 'static,
{
    pub(crate) async fn run(mut self) -> Counters {
        let mut failures = 0;
        while let Some(accepted) = self.accept().await {
            match accepted {
                Ok((opening, peer)) => {
                    failures = 0;
                    // Checked before the wait for room: that wait drops another client's handshake,
                    // and an address with too many connections must not cause that.
                    if self.shared.is_too_many(&peer, &self.options) {
                        Span::too_many(&peer);
                        continue;
                    }
                    // `accept` may return a client without there being room: it counts a silent
                    // client as room. That client has to leave first.
                    if !poll_fn(|cx| self.shared.poll_room(cx, &self.options)).await {
                        break;
                    }
                    // Another thread may stop the server after `poll_room` has looked.
                    let Some(permit) = self.shared.admit(&peer, &self.options) else { break };
                    let (options, handler) = (Arc::clone(&self.options), Arc::clone(&self.handler));
                    let clock = self.runtime.clock();
                    let span = Span::served(&peer);
                    let task = connection_task::run(opening, peer, clock, permit, options, handler);
                    self.runtime.spawn(within(span, task));
                }
                Err(error) => {
                    Span::accept_failed(&error);
                    self.shared.count(|counters| counters.accept_errors += 1);
                    failures += 1;
                    // A listener that fails again and again must not take the whole processor.
                    if !concerns_one_connection(&error) || failures > MAX_FAILURES {
                        self.pause().await;
                    }
                }
            }
        }
        self.drain().await
    }

    /// Waits for a client while there is room for one. `None` when the server is to stop.
    async fn accept(&mut self) -> Option<io::Result<(L::Opening, Remote)>> {
        let mut accept = pin!(self.listener.accept());
        // The state is asked first, and leaves the waker in any case. Without room the listener is
        // not polled, so clients wait in the backlog of the operating system. The future of the
        // listener is kept meanwhile, so it loses no client. A stop drops it.
        poll_fn(|cx| match self.shared.poll_wants_client(cx, &self.options) {
            Poll::Ready(true) => accept.as_mut().poll(cx).map(Some),
            Poll::Ready(false) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Waits a little, so that the reason why the listener fails can pass. Ends early when the server
    /// is to stop.
    async fn pause(&mut self) {
        let Self { clock, shared, .. } = self;
        let stopped = poll_fn(|cx| match shared.poll_stop(cx) {
            Some(_) => Poll::Ready(()),
            None => Poll::Pending,
        });
        let deadline = clock.now() + PAUSE;
        before_deadline(clock, Some(deadline), stopped).await;
    }

    /// Waits until all clients are gone, aborts those that take too long, and waits for those.
    async fn drain(self) -> Counters {
        let Self { mut clock, listener, shared, .. } = self;
        // From now on the system refuses new clients. Otherwise they would wait in the backlog
        // until the drain is over.
        drop(listener);
        let begin = clock.now();
        poll_fn(|cx| {
            if shared.poll_empty(cx).is_ready() {
                return Poll::Ready(());
            }
            // Asked each time, because a later `shutdown` may shorten it.
            // The loop ends only after a stop, so there is a time, and the default is never used.
            let drain = shared.poll_stop(cx).unwrap_or_default();
            let deadline = begin + drain;
            if clock.now() >= deadline {
                return Poll::Ready(());
            }
            // If the deadline has passed since the clock was asked, or if the timer fired too
            // early, the timer holds no waker any more: poll it again.
            if clock.poll_deadline(cx, deadline).is_ready() {
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await;
        shared.abort_all();
        // An aborted handler is dropped in the next poll of its task. A handler that blocks its
        // thread is not polled, and must not delay the end of the server for ever.
        let deadline = clock.now() + ABORT_TIMEOUT;
        before_deadline(&mut clock, Some(deadline), poll_fn(|cx| shared.poll_empty(cx))).await;
        shared.counters()
    }
}

/// Whether the error is about one connection only, so that the next one can be accepted at once.
/// Linux reports network errors that are pending on a new socket as errors of `accept` (accept(2)).
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::Interrupted
            | ErrorKind::WouldBlock
            | ErrorKind::TimedOut
    )
}

/// How long the loop pauses after an error: file descriptors become free as connections end.
const PAUSE: Duration = Duration::from_millis(100);

/// How many errors in a row about one connection each are tolerated without a pause.
const MAX_FAILURES: u32 = 16;

/// How long the server waits for the tasks that it has aborted.
const ABORT_TIMEOUT: Duration = Duration::from_secs(1);
