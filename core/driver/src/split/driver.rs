//! The driver of a split connection: the future that owns the stream and does all reading, writing
//! and timing.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::error::Error;
use crate::event_loop::{Attempt, Endpoint, EventLoop};
use crate::io::{ByteStream, Clock};
use crate::split::driver_task::DriverTask;
use crate::split::shared::SharedConnection;
use crate::split::state::SplitState;
use crate::split::wakes::Wakes;
use crate::trace::{ConnectionLog, LogChanges};
use crate::websocket::{CloseRequest, Closer, HasDriver, Returned, ServerGuard};
use tidegate_core::{Closed, Connection};

/// The future that drives a split connection. Spawn it, or poll it beside something else.
///
/// It completes when the connection is over, and returns how that ended, as
/// [`WebSocket::close`](crate::WebSocket::close) would.
///
/// Dropping it before that gives the connection up: the stream is closed at once, without a closing
/// handshake, and the other parts get errors. Messages that were decoded before can still be
/// received. If a handler of [`serve`](fn@crate::serve) drops it when it returns, the server closes
/// the connection in order instead.
#[must_use = "a split connection does nothing unless its driver is spawned or polled"]
pub struct Driver<S, C> {
    /// `None` once the parts are reunited.
    pub(crate) parts: Option<DriverParts<S, C>>,
    pub(crate) shared: Arc<SharedConnection>,
}

/// What only the driver uses, without a lock.
pub(crate) struct DriverParts<S, C> {
    pub(crate) endpoint: Endpoint<S, C>,
    pub(crate) closer: Option<Closer>,
    /// Dropped when the stream is closed.
    pub(crate) return_guard: Option<ServerGuard<S, C>>,
    pub(crate) log: ConnectionLog,
}

impl<S, C> HasDriver<C> for S {
    type Driver = Driver<S, C>;
}

impl<S, C> DriverParts<S, C> {
    /// Whether a server closes the connection if this is dropped now.
    fn is_left_to_server(&mut self) -> bool {
        // The `Closer` is asked last, because its answer also leaves a note for the server.
        self.endpoint.stream.is_some()
            && self.return_guard.is_some()
            && self.closer.as_ref().is_some_and(Closer::is_left_to_server)
    }
}

impl<S, C> Driver<S, C> {
    pub(crate) const fn new(parts: DriverParts<S, C>, shared: Arc<SharedConnection>) -> Self {
        Self { parts: Some(parts), shared }
    }
}

impl<S: ByteStream, C: Clock> Driver<S, C> {
    /// A clock, and the limit for closing the connection.
    pub(crate) fn close_timeout(&self) -> Option<(C, Option<Duration>)> {
        let clock = self.parts.as_ref()?.endpoint.clock.clone();
        Some((clock, self.shared.lock().connection.config().close_timeout()))
    }
}

impl<S: ByteStream, C: Clock> Future for Driver<S, C> {
    type Output = Result<Closed, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { parts, shared } = &mut *self;
        // After `reunite` another owner has the stream, and there is nothing to wait for.
        let Some(DriverParts { endpoint, closer, return_guard, log }) = parts else {
            return Poll::Pending;
        };
        // Dropping a waker runs code of the executor: this one is dropped after the lock is
        // released.
        let mut replaced = DriverTask::Gone;
        let mut poll = DriverPoll {
            endpoint,
            closer: closer.as_ref(),
            log,
            shared,
            guard: None,
            log_changes: LogChanges::default(),
        };
        let task = &mut poll.state().driver;
        let waker = match std::mem::replace(task, DriverTask::Awake { is_notified: false }) {
            DriverTask::Asleep(waker) if waker.will_wake(cx.waker()) => waker,
            task @ (DriverTask::Asleep(_)
            | DriverTask::Awake { .. }
            | DriverTask::Gone
            | DriverTask::Reunited) => {
                replaced = task;
                cx.waker().clone()
            }
        };
        let ended = poll.poll_until(cx, DriverPoll::run_round);
        // No wake-up is lost here: the lock is held since `run_round` has looked for notifications.
        poll.state().driver =
            if ended.is_pending() { DriverTask::Asleep(waker) } else { DriverTask::Gone };
        let DriverPoll { endpoint, log, log_changes, guard, .. } = poll;
        drop(guard);
        // Without the lock: a subscriber of `tracing` is code of the application.
        log.write(log_changes);
        drop(replaced);
        if endpoint.stream.is_none() {
            // The server stops counting the connection.
            *return_guard = None;
        }
        ended
    }
}

impl<S, C> Drop for Driver<S, C> {
    fn drop(&mut self) {
        let mut parts = self.parts.take();
        if let Some(mut parts) = parts.take_if(DriverParts::is_left_to_server)
            && let Some(guard) = parts.return_guard.take()
        {
            let driver = Self::new(parts, Arc::clone(&self.shared));
            guard.give_back(Returned::Driver(Box::new(driver)));
            return;
        }
        if let Some(parts) = &mut parts {
            // Closed without the lock: the stream is code of the application.
            parts.endpoint.stream = None;
        }
        let mut wakes = Wakes::default();
        let mut state = self.shared.lock();
        // The connection lives on in a `WebSocket`, so there is nothing to abort.
        if matches!(state.driver, DriverTask::Reunited) {
            return;
        }
        // It may hold a waker, so it too is dropped after the lock is released.
        let replaced = std::mem::replace(&mut state.driver, DriverTask::Gone);
        state.connection.abort();
        // Nobody is left to begin it.
        state.close = None;
        state.stream.is_open = false;
        if state.is_discarding {
            state.discard(&mut wakes);
        }
        // Nothing is accepted any more. This wakes the calls that wait for room, so that they
        // return an error.
        state.accept_waiting(&mut wakes);
        state.wake_answered(&mut wakes);
        drop(state);
        wakes.wake();
        drop(replaced);
    }
}

impl<S, C> fmt::Debug for Driver<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}

/// One poll of the driver. It locks the connection when it needs it, and releases the lock once in
/// each round.
struct DriverPoll<'a, S, C> {
    endpoint: &'a mut Endpoint<S, C>,
    closer: Option<&'a Closer>,
    log: &'a mut ConnectionLog,
    shared: &'a SharedConnection,
    guard: Option<MutexGuard<'a, SplitState>>,
    /// Logged when the lock is released.
    log_changes: LogChanges,
}

impl<S: ByteStream, C: Clock> DriverPoll<'_, S, C> {
    fn state(&mut self) -> &mut SplitState {
        let shared = self.shared;
        self.guard.get_or_insert_with(|| shared.lock())
    }

    /// Runs in each round after output was offered: carries out what the other parts have asked for,
    /// fills free room in the outbox, and wakes the calls that have an answer now.
    fn run_round(&mut self) -> Attempt<Result<Closed, Error>> {
        let Self { endpoint, shared, guard, .. } = self;
        let state = guard.get_or_insert_with(|| shared.lock());
        let mut wakes = Wakes::default();
        state.note_stream(endpoint);
        // The driver acts now on everything it was not woken for.
        state.is_untold = false;
        let mut has_changed = state.carry_out_requests(endpoint);
        if state.is_discarding {
            has_changed |= state.discard(&mut wakes);
        }
        has_changed |= state.accept_waiting(&mut wakes);
        state.wake_answered(&mut wakes);
        let result = state.driver_result();
        // Lets the other parts use the connection between two rounds.
        *guard = None;
        wakes.wake();
        // Asks under a new lock: a part may have notified the driver while the lock was released.
        match result {
            Some(result) => Attempt::Done(result),
            None if self.state().take_notified() || has_changed => Attempt::Again,
            None => Attempt::Wait,
        }
    }
}

impl<S: ByteStream, C: Clock> EventLoop for DriverPoll<'_, S, C> {
    type Stream = S;
    type Clock = C;
    type Machine = Connection;

    fn parts(&mut self) -> (&mut Endpoint<S, C>, &mut Connection) {
        let shared = self.shared;
        let state = self.guard.get_or_insert_with(|| shared.lock());
        (self.endpoint, &mut state.connection)
    }

    fn before_polling(&mut self, cx: &mut Context<'_>) {
        let Some(closer) = self.closer else { return };
        match closer.take_request(cx) {
            CloseRequest::Abort if self.endpoint.stream.is_some() => {
                self.state().connection.abort();
                self.endpoint.stream = None;
            }
            CloseRequest::Close(frame) => {
                let mut wakes = Wakes::default();
                self.state().begin_close(frame, &mut wakes);
                // It would wake only the driver, which is running.
                drop(wakes);
            }
            CloseRequest::Abort | CloseRequest::None => {}
        }
    }

    fn after_polling(&mut self) {
        let shared = self.shared;
        let state = self.guard.get_or_insert_with(|| shared.lock());
        self.log_changes = self.log.changes(&state.connection, self.endpoint.fault.as_ref());
    }
}
