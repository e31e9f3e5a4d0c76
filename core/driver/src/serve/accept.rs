//! The loop that accepts, and what follows when it is stopped.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::io::Clock;
use crate::serve::connection;
use crate::serve::decision::Arrival;
use crate::serve::handle::Counters;
use crate::serve::listener::{Listener, Remote, Runtime};
use crate::serve::options::ServeOptions;
use crate::serve::outcome::HandlerOutcome;
use crate::serve::shared::Shared;
use crate::trace::{Span, within};
use crate::websocket::WebSocket;

/// A server that accepts.
pub(crate) struct Accepting<R: Runtime, L, H> {
    pub(crate) runtime: R,
    pub(crate) clock: R::Clock,
    pub(crate) listener: L,
    pub(crate) options: Arc<ServeOptions>,
    pub(crate) handler: Arc<H>,
    pub(crate) shared: Arc<Shared>,
}

impl<R, L, H, F> Accepting<R, L, H>
where
    R: Runtime,
    L: Listener,
    H: Fn(WebSocket<L::Stream, R::Clock>, Arrival) -> F + Send + Sync + 'static,
    F: Future<Output: HandlerOutcome> + Send + 'static,
{
    pub(crate) async fn run(mut self) -> Counters {
        let mut failures = 0;
        while let Some(accepted) = self.accept().await {
            match accepted {
                Ok((opening, peer)) => {
                    failures = 0;
                    if self.shared.is_too_many(&peer, &self.options) {
                        Span::too_many(&peer);
                        continue;
                    }
                    if !poll_fn(|cx| self.shared.poll_room(cx, &self.options)).await {
                        break;
                    }
                    let Some(place) = self.shared.enter(&peer, &self.options) else { break };
                    let (options, handler) = (Arc::clone(&self.options), Arc::clone(&self.handler));
                    let clock = self.runtime.clock();
                    let span = Span::served(&peer);
                    let task = connection::run(opening, peer, clock, place, options, handler);
                    self.runtime.spawn(within(span, task));
                }
                Err(error) => {
                    Span::accept_failed(&error);
                    self.shared.count(|counters| counters.accept_errors += 1);
                    failures += 1;
                    // A listener that fails for ever does not take the processor.
                    if !concerns_one_connection(&error) || failures > FAILURES {
                        self.pause().await;
                    }
                }
            }
        }
        self.drain().await
    }

    /// Waits for a client, while one is wanted, or for the stop.
    async fn accept(&mut self) -> Option<io::Result<(L::Opening, Remote)>> {
        let mut accept = pin!(self.listener.accept());
        poll_fn(|cx| match self.shared.poll_wanted(cx, &self.options) {
            Poll::Ready(true) => accept.as_mut().poll(cx).map(Some),
            Poll::Ready(false) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Waits for what keeps the listener from accepting to pass, or for the stop.
    async fn pause(&mut self) {
        let Self { clock, shared, .. } = self;
        until(clock, PAUSE, |cx| match shared.poll_stop(cx) {
            Some(_) => Poll::Ready(()),
            None => Poll::Pending,
        })
        .await;
    }

    /// Waits for everyone to leave, cuts those that do not in time, and waits for those.
    async fn drain(self) -> Counters {
        let Self { mut clock, listener, shared, .. } = self;
        drop(listener);
        let begin = clock.now();
        poll_fn(|cx| {
            if shared.poll_empty(cx).is_ready() {
                return Poll::Ready(());
            }
            // It may be shortened meanwhile.
            let drain = shared.poll_stop(cx).unwrap_or_default();
            let deadline = begin + drain;
            if clock.now() >= deadline {
                return Poll::Ready(());
            }
            if clock.poll_deadline(cx, deadline).is_ready() {
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await;
        shared.cut();
        until(&mut clock, STUCK, |cx| shared.poll_empty(cx)).await;
        shared.counters()
    }
}

/// Waits for something, but not for longer than this.
pub(crate) async fn until<T>(
    clock: &mut impl Clock,
    time: impl Into<Option<Duration>>,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Option<T> {
    let deadline = time.into().map(|time| clock.now() + time);
    poll_fn(|cx| {
        if let Poll::Ready(value) = poll(cx) {
            return Poll::Ready(Some(value));
        }
        let Some(deadline) = deadline else { return Poll::Pending };
        if clock.poll_deadline(cx, deadline).is_ready() {
            if clock.now() >= deadline {
                return Poll::Ready(None);
            }
            // The timer was early, and is asked again.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await
}

/// Whether the next connection can be accepted at once. Linux reports errors of the network that
/// wait on a new socket as errors of accept (accept(2)).
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

/// How long accepting rests when it fails: file descriptors come back as connections end.
const PAUSE: Duration = Duration::from_millis(100);

/// How many failures in a row are passed over without a rest.
const FAILURES: u32 = 16;

/// How long a task may take to notice that it was cut.
const STUCK: Duration = Duration::from_secs(1);
