//! The state that the tasks of a server share: its clients, its counters, and whether it is to stop.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::io::{lock, look_and_leave};
use crate::serve::connections::{ClientStage, Connections};
use crate::serve::counters::Counters;
use crate::serve::listener::Remote;
use crate::serve::options::ServeOptions;
use crate::trace::Span;
use crate::websocket::Closer;
use tidegate_core::{CloseCode, CloseFrame};

/// The state under its lock. The lock is held for a few instructions and never while code of others
/// runs. So wakers, and closers, which hold wakers, are cloned before and dropped after.
#[derive(Debug, Default)]
pub(crate) struct SharedServer(Mutex<ServerState>);

#[derive(Debug, Default)]
struct ServerState {
    counters: Counters,
    /// By the client's number, so that a shutdown tells the oldest client first.
    closers: BTreeMap<u64, Closer>,
    connections: Connections,
    next_number: u64,
    /// Set by the shutdown: how long open connections may take to end.
    stopping: Option<Duration>,
    /// The task of the accept loop.
    server: Option<Waker>,
}

/// The permission for one client to be there. Dropping it makes room for another client.
#[derive(Debug)]
pub(crate) struct Permit {
    shared: Arc<SharedServer>,
    number: u64,
    pub(crate) closer: Closer,
}

impl SharedServer {
    /// Changes the counters.
    pub(crate) fn count(&self, count: impl FnOnce(&mut Counters)) {
        count(&mut self.state().counters);
    }

    pub(crate) fn counters(&self) -> Counters {
        let state = self.state();
        let (handshakes, open, lingering) = state.connections.counts();
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
                // The first call has told all clients, and none was admitted after it.
                if is_first { state.closers.values().cloned().collect() } else { Vec::new() };
            (is_first.then_some(state.connections.counts().1), state.server.take(), closers)
        };
        // A subscriber of `tracing` may use the server, so this happens without the lock.
        if let Some(open) = open {
            Span::stopping(open);
        }
        for closer in closers {
            // This frame may be sent, so there is no error.
            let _ = closer.close(going_away());
        }
        // This happens after a later call too: the drain has to look at the shorter time.
        if let Some(server) = server {
            server.wake();
        }
    }

    /// Aborts all handshakes and connections that are left.
    pub(crate) fn abort_all(&self) {
        let closers: Vec<Closer> = {
            let mut state = self.state();
            let (handshakes, open, _) = state.connections.counts();
            // Refused clients are closed too, but they have their response: nothing of theirs is
            // cut.
            state.counters.cut += (handshakes + open) as u64;
            state.closers.values().cloned().collect()
        };
        for closer in closers {
            closer.abort();
        }
    }

    /// Waits until there is room for a client, and returns true; false if the server is to stop. A
    /// client without a complete request counts as room, because it gives way.
    pub(crate) fn poll_wants_client(&self, cx: &Context<'_>, options: &ServeOptions) -> Poll<bool> {
        self.watch(cx, |state| {
            if state.stopping.is_some() {
                Poll::Ready(false)
            // Without the second condition, silent clients (Slowloris) could take all places, and
            // all others would wait in the backlog.
            } else if state.connections.has_room(options) || state.connections.has_silent() {
                Poll::Ready(true)
            } else {
                Poll::Pending
            }
        })
    }

    /// Waits until there is room for a client that was accepted, and returns true; false if the server
    /// is to stop. If there is no room, the oldest client without a complete request gives way.
    pub(crate) fn poll_room(&self, cx: &Context<'_>, options: &ServeOptions) -> Poll<bool> {
        let mut displaced = None;
        let poll = self.watch(cx, |state| {
            if state.stopping.is_some() {
                Poll::Ready(false)
            } else if state.connections.has_room(options) {
                Poll::Ready(true)
            } else {
                // Only one at a time: there is room when its stream is closed.
                let number = state.connections.displace();
                displaced = number.and_then(|number| state.closers.get(&number).cloned());
                // The waker of the accept loop is left in the same look. It is woken when the
                // stream is closed, and also when the request of the displaced client has arrived
                // after all: then the next silent client gives way.
                Poll::Pending
            }
        });
        // Without the lock: it wakes the task of the connection.
        if let Some(closer) = displaced {
            closer.displace();
        }
        poll
    }

    /// Counts an accepted stream. Returns whether its address has too many connections already.
    pub(crate) fn is_too_many(&self, peer: &Remote, options: &ServeOptions) -> bool {
        let mut state = self.state();
        state.counters.accepted += 1;
        let is_too_many = state.connections.is_too_many(peer, options);
        state.counters.too_many_of_address += u64::from(is_too_many);
        is_too_many
    }

    /// Admits a client. `None` if the server was stopped meanwhile.
    pub(crate) fn admit(self: &Arc<Self>, peer: &Remote, options: &ServeOptions) -> Option<Permit> {
        let closer = Closer::default();
        let mut state = self.state();
        // Checked under the lock under which the closer is added: `stop` tells only the closers
        // that it finds.
        if state.stopping.is_some() {
            return None;
        }
        let number = state.next_number;
        state.next_number += 1;
        state.closers.insert(number, closer.clone());
        state.connections.add(number, peer, options);
        drop(state);
        Some(Permit { shared: Arc::clone(self), number, closer })
    }

    /// Whether the server is to stop, and within which time.
    pub(crate) fn poll_stop(&self, cx: &Context<'_>) -> Option<Duration> {
        self.watch(cx, |state| state.stopping)
    }

    /// Waits until all clients are gone.
    pub(crate) fn poll_empty(&self, cx: &Context<'_>) -> Poll<()> {
        self.watch(
            cx,
            |state| {
                if state.closers.is_empty() { Poll::Ready(()) } else { Poll::Pending }
            },
        )
    }

    /// Looks at the state, and registers the waker of the accept loop for its next change.
    fn watch<T>(&self, cx: &Context<'_>, look: impl FnOnce(&mut ServerState) -> T) -> T {
        look_and_leave(&self.0, cx, |state| &mut state.server, look)
    }

    fn state(&self) -> MutexGuard<'_, ServerState> {
        lock(&self.0)
    }
}

impl Permit {
    /// The request is complete: from now on the client does not give way.
    pub(crate) fn request_arrived(&self) {
        self.change(|state, number| state.connections.advance(number, ClientStage::Requested));
    }

    /// The handshake is done: the connection is open.
    pub(crate) fn open(&self) {
        self.change(|state, number| {
            state.counters.opened += 1;
            state.connections.advance(number, ClientStage::Open);
        });
    }

    /// The client was refused and has its response. It does not count as a handshake any more. If
    /// there are many such clients, the oldest is closed.
    pub(crate) fn linger(&self) {
        let oldest = self.change(|state, number| {
            state.connections.advance(number, ClientStage::Lingering);
            let oldest = state.connections.displace_lingering()?;
            state.closers.get(&oldest).cloned()
        });
        if let Some(closer) = oldest {
            closer.abort();
        }
    }

    pub(crate) fn shared(&self) -> &SharedServer {
        &self.shared
    }

    /// Makes a change that may make room for a client, and wakes the accept loop.
    fn change<T>(&self, change: impl FnOnce(&mut ServerState, u64) -> T) -> T {
        let (changed, server) = {
            let mut state = self.shared.state();
            // The accept loop leaves its waker in each look at the state. So a waker that is taken
            // here is left again before the loop waits.
            (change(&mut state, self.number), state.server.take())
        };
        if let Some(server) = server {
            server.wake();
        }
        changed
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        // The closer is taken out of the lock before it is dropped: it may hold a waker, and
        // dropping that runs code of the executor.
        let closer = self.change(|state, number| {
            state.connections.remove(number);
            state.closers.remove(&number)
        });
        drop(closer);
    }
}

/// The Close that a server sends when it is shut down.
pub(crate) fn going_away() -> CloseFrame {
    CloseFrame::new(CloseCode::GOING_AWAY, "the server goes down")
}
