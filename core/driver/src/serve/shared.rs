//! What a server's tasks share: counters, who is there, and whether it is to end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::io::{lock, look_and_leave};
use crate::serve::crowd::{Crowd, Stage};
use crate::serve::handle::Counters;
use crate::serve::listener::Remote;
use crate::serve::options::ServeOptions;
use crate::trace::Span;
use crate::websocket::closer::Closer;
use tidegate_core::{CloseCode, CloseFrame};

/// The lock is held for a few instructions, and never while someone else's code runs: wakers and
/// closers, which hold wakers, are cloned before and dropped after.
#[derive(Debug, Default)]
pub(crate) struct Shared(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    counters: Counters,
    /// By number: those who came first are told first.
    closers: BTreeMap<u64, Closer>,
    crowd: Crowd,
    next: u64,
    /// How long those that are open may take.
    stopping: Option<Duration>,
    /// The task that accepts.
    server: Option<Waker>,
}

/// One connection's place among those that there may be. Dropping it gives the place back.
#[derive(Debug)]
pub(crate) struct Place {
    shared: Arc<Shared>,
    number: u64,
    pub(crate) closer: Closer,
}

impl Shared {
    /// Counts something.
    pub(crate) fn count(&self, count: impl FnOnce(&mut Counters)) {
        count(&mut self.state().counters);
    }

    pub(crate) fn counters(&self) -> Counters {
        let state = self.state();
        let (handshakes, open, lingering) = state.crowd.counts();
        Counters { handshakes, open, lingering, ..state.counters }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.state().stopping.is_some()
    }

    pub(crate) fn stop(&self, drain: Duration) {
        let (open, server, closers) = {
            let mut state = self.state();
            let is_first = state.stopping.is_none();
            state.stopping = Some(state.stopping.map_or(drain, |before| before.min(drain)));
            let closers: Vec<Closer> =
                if is_first { state.closers.values().cloned().collect() } else { Vec::new() };
            (is_first.then_some(state.crowd.counts().1), state.server.take(), closers)
        };
        if let Some(open) = open {
            Span::stopping(open);
        }
        for closer in closers {
            // The frame is one that may be sent.
            let _ = closer.close(going_away());
        }
        if let Some(server) = server {
            server.wake();
        }
    }

    /// Cuts everything that is still there.
    pub(crate) fn cut(&self) {
        let closers: Vec<Closer> = {
            let mut state = self.state();
            let (handshakes, open, _) = state.crowd.counts();
            state.counters.cut += (handshakes + open) as u64;
            state.closers.values().cloned().collect()
        };
        for closer in closers {
            closer.abort();
        }
    }

    /// Waits until a client would get a place: true; or for the stop: false. A handshake without a
    /// request does not count against it, since it gives way.
    pub(crate) fn poll_wanted(&self, cx: &Context<'_>, options: &ServeOptions) -> Poll<bool> {
        self.watch(cx, |state| {
            if state.stopping.is_some() {
                Poll::Ready(false)
            } else if state.crowd.has_room(options) || state.crowd.has_silent() {
                Poll::Ready(true)
            } else {
                Poll::Pending
            }
        })
    }

    /// Waits until there is a place for one who was accepted: true; or for the stop: false. If there
    /// is none, the oldest handshake that has not asked for anything gives way.
    pub(crate) fn poll_room(&self, cx: &Context<'_>, options: &ServeOptions) -> Poll<bool> {
        let mut displaced = None;
        let poll = self.watch(cx, |state| {
            if state.stopping.is_some() {
                Poll::Ready(false)
            } else if state.crowd.has_room(options) {
                Poll::Ready(true)
            } else {
                // One at a time: its place is there when its stream is closed.
                let number = state.crowd.displace();
                displaced = number.and_then(|number| state.closers.get(&number).cloned());
                Poll::Pending
            }
        });
        if let Some(closer) = displaced {
            closer.displace();
        }
        poll
    }

    /// A stream came from here. Whether its address has as many connections as it may have.
    pub(crate) fn is_too_many(&self, peer: &Remote, options: &ServeOptions) -> bool {
        let mut state = self.state();
        state.counters.accepted += 1;
        let is_too_many = state.crowd.is_too_many(peer, options);
        state.counters.too_many_of_address += u64::from(is_too_many);
        is_too_many
    }

    /// A place for one more. `None` if the server was stopped meanwhile.
    pub(crate) fn enter(self: &Arc<Self>, peer: &Remote, options: &ServeOptions) -> Option<Place> {
        let closer = Closer::default();
        let mut state = self.state();
        if state.stopping.is_some() {
            return None;
        }
        let number = state.next;
        state.next += 1;
        state.closers.insert(number, closer.clone());
        state.crowd.enter(number, peer, options);
        drop(state);
        Some(Place { shared: Arc::clone(self), number, closer })
    }

    /// Whether the server is to stop, and how long it may take.
    pub(crate) fn poll_stop(&self, cx: &Context<'_>) -> Option<Duration> {
        self.watch(cx, |state| state.stopping)
    }

    /// Waits until nobody is there.
    pub(crate) fn poll_empty(&self, cx: &Context<'_>) -> Poll<()> {
        self.watch(
            cx,
            |state| {
                if state.closers.is_empty() { Poll::Ready(()) } else { Poll::Pending }
            },
        )
    }

    fn watch<T>(&self, cx: &Context<'_>, look: impl FnOnce(&mut State) -> T) -> T {
        look_and_leave(&self.0, cx, |state| &mut state.server, look)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

impl Place {
    /// The request is complete: it does not give way any more.
    pub(crate) fn has_asked(&self) {
        self.change(|state, number| state.crowd.go_on(number, Stage::Asked));
    }

    /// The handshake is over: this is a connection.
    pub(crate) fn open(&self) {
        self.change(|state, number| {
            state.counters.opened += 1;
            state.crowd.go_on(number, Stage::Open);
        });
    }

    /// The client was refused and has its answer. It is no handshake any more, and of many such
    /// the oldest leaves.
    pub(crate) fn linger(&self) {
        let oldest = self.change(|state, number| {
            state.crowd.go_on(number, Stage::Lingering);
            let oldest = state.crowd.displace_lingering()?;
            state.closers.get(&oldest).cloned()
        });
        if let Some(closer) = oldest {
            closer.abort();
        }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Changes something that may make room.
    fn change<T>(&self, change: impl FnOnce(&mut State, u64) -> T) -> T {
        let (changed, server) = {
            let mut state = self.shared.state();
            (change(&mut state, self.number), state.server.take())
        };
        if let Some(server) = server {
            server.wake();
        }
        changed
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let closer = self.change(|state, number| {
            state.crowd.leave(number);
            state.closers.remove(&number)
        });
        drop(closer);
    }
}

/// What the server says to its clients when it is shut down.
pub(crate) fn going_away() -> CloseFrame {
    CloseFrame::new(CloseCode::GOING_AWAY, "the server goes down")
}
