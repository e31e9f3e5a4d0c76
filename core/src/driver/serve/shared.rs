//! What a server's tasks share: counters, who is there, and whether it is to end.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::handle::Counters;
use super::options::ServeOptions;
use crate::driver::closer::Closer;
use crate::driver::trace::Span;
use crate::{CloseCode, CloseFrame};

/// The lock is held for a few instructions, and never while someone else's code runs.
#[derive(Debug, Default)]
pub(super) struct Shared(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    counters: Counters,
    /// By number: those who came first are told first.
    closers: BTreeMap<u64, Closer>,
    next: u64,
    /// How long those that are open may take.
    stopping: Option<Duration>,
    /// The task that accepts.
    server: Option<Waker>,
}

/// One connection's place among those that there may be. Dropping it gives the place back.
#[derive(Debug)]
pub(super) struct Place {
    shared: Arc<Shared>,
    number: u64,
    is_open: bool,
    pub(super) closer: Closer,
}

impl Shared {
    /// Counts something.
    pub(super) fn count(&self, count: impl FnOnce(&mut Counters)) {
        count(&mut self.state().counters);
    }

    pub(super) fn counters(&self) -> Counters {
        self.state().counters
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.state().stopping.is_some()
    }

    pub(super) fn stop(&self, drain: Duration) {
        let (open, server, closers) = {
            let mut state = self.state();
            let is_first = state.stopping.is_none();
            state.stopping = Some(state.stopping.map_or(drain, |before| before.min(drain)));
            let closers: Vec<Closer> =
                if is_first { state.closers.values().cloned().collect() } else { Vec::new() };
            (is_first.then_some(state.counters.open), state.server.take(), closers)
        };
        if let Some(open) = open {
            Span::stopping(open);
        }
        for closer in closers {
            // The frame is one that may be sent.
            let _ = closer.close(CloseFrame::new(CloseCode::GOING_AWAY, GOING_AWAY));
        }
        if let Some(server) = server {
            server.wake();
        }
    }

    /// Cuts everything that is still there.
    pub(super) fn cut(&self) {
        let closers: Vec<Closer> = self.state().closers.values().cloned().collect();
        for closer in closers {
            closer.abort();
        }
    }

    /// A place for one more. `None` if the server was stopped meanwhile.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Place> {
        let closer = Closer::default();
        let mut state = self.state();
        state.counters.accepted += 1;
        if state.stopping.is_some() {
            return None;
        }
        let number = state.next;
        state.next += 1;
        state.closers.insert(number, closer.clone());
        state.counters.handshakes += 1;
        Some(Place { shared: Arc::clone(self), number, is_open: false, closer })
    }

    /// Waits for room under the limits: true; or for the stop: false.
    pub(super) fn poll_room(&self, cx: &Context<'_>, options: &ServeOptions) -> Poll<bool> {
        let state = self.watched(cx);
        let Counters { handshakes, open, .. } = state.counters;
        let has_room = options.max_connections.is_none_or(|most| handshakes + open < most.get())
            && options.max_handshakes.is_none_or(|most| handshakes < most.get());
        if state.stopping.is_some() {
            Poll::Ready(false)
        } else if has_room {
            Poll::Ready(true)
        } else {
            Poll::Pending
        }
    }

    /// Whether the server is to stop, and how long it may take.
    pub(super) fn poll_stop(&self, cx: &Context<'_>) -> Option<Duration> {
        self.watched(cx).stopping
    }

    /// Waits until nobody is there.
    pub(super) fn poll_empty(&self, cx: &Context<'_>) -> Poll<()> {
        if self.watched(cx).closers.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn watched(&self, cx: &Context<'_>) -> MutexGuard<'_, State> {
        let mut state = self.state();
        match &mut state.server {
            Some(waker) => waker.clone_from(cx.waker()),
            waker @ None => *waker = Some(cx.waker().clone()),
        }
        state
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The handshake is over: this is a connection.
    pub(super) fn open(&mut self) {
        let waker = {
            let mut state = self.shared.state();
            state.counters.handshakes -= 1;
            state.counters.open += 1;
            state.counters.opened += 1;
            state.server.take()
        };
        self.is_open = true;
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let waker = {
            let mut state = self.shared.state();
            let counter = if self.is_open {
                &mut state.counters.open
            } else {
                &mut state.counters.handshakes
            };
            *counter -= 1;
            state.closers.remove(&self.number);
            state.server.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

const GOING_AWAY: &str = "the server goes down";
