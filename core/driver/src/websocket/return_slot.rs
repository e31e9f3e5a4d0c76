//! The way of a served connection back to its server, which closes it in order.
//!
//! A handler may drop its connection at any time and in any task. The connection then goes into a
//! slot in which the server finds it.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use crate::io::{lock, look_and_leave};

/// The server's end: waits until the connection comes back or is closed elsewhere.
pub(crate) struct ReturnSlot<T>(Mutex<Slot<T>>);

struct Slot<T> {
    connection: Whereabouts<T>,
    server: Option<Waker>,
}

enum Whereabouts<T> {
    /// The application has it.
    Away,
    /// It was dropped while its stream was open.
    Back(T),
    /// Its stream is closed, or the application has taken the stream for itself.
    Gone,
}

/// The connection's end: kept beside the stream by whichever part of the connection owns that, and
/// dropped with it. As long as it lives, the server counts the connection.
pub(crate) struct ReturnGuard<T, W> {
    slot: Arc<ReturnSlot<T>>,
    /// Moves the contents out of the `W` that is being dropped. A function pointer, because `Drop`
    /// cannot have the bounds that the function needs.
    take: fn(&mut W) -> T,
}

impl<T> ReturnSlot<T> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Slot { connection: Whereabouts::Away, server: None })))
    }

    pub(crate) fn guard<W>(self: &Arc<Self>, take: fn(&mut W) -> T) -> ReturnGuard<T, W> {
        ReturnGuard { slot: Arc::clone(self), take }
    }

    /// Takes what has come back already.
    pub(crate) fn take_returned(&self) -> Option<T> {
        let mut slot = lock(&self.0);
        match std::mem::replace(&mut slot.connection, Whereabouts::Gone) {
            Whereabouts::Back(returned) => Some(returned),
            before @ (Whereabouts::Away | Whereabouts::Gone) => {
                slot.connection = before;
                None
            }
        }
    }

    /// Waits for the connection; `None` if it does not come back.
    pub(crate) fn poll_return(&self, cx: &Context<'_>) -> Poll<Option<T>> {
        look_and_leave(
            &self.0,
            cx,
            |slot| &mut slot.server,
            |slot| match std::mem::replace(&mut slot.connection, Whereabouts::Gone) {
                Whereabouts::Away => {
                    slot.connection = Whereabouts::Away;
                    Poll::Pending
                }
                Whereabouts::Back(returned) => Poll::Ready(Some(returned)),
                Whereabouts::Gone => Poll::Ready(None),
            },
        )
    }
}

impl<T, W> ReturnGuard<T, W> {
    /// Gives the connection back. The server is woken when the guard is dropped, right after this.
    pub(crate) fn give_back(self, connection: T) {
        lock(&self.slot.0).connection = Whereabouts::Back(connection);
    }

    /// Gives back the contents of the `W` that is being dropped.
    pub(crate) fn give_back_contents(self, dropped: &mut W) {
        let contents = (self.take)(dropped);
        self.give_back(contents);
    }
}

impl<T, W> Drop for ReturnGuard<T, W> {
    fn drop(&mut self) {
        let server = {
            let mut slot = lock(&self.slot.0);
            // `give_back` may have put the connection there just before: that must stay.
            if matches!(slot.connection, Whereabouts::Away) {
                slot.connection = Whereabouts::Gone;
            }
            slot.server.take()
        };
        // Woken without the lock: wakers run code of the executor.
        if let Some(server) = server {
            server.wake();
        }
    }
}

impl<T, W> fmt::Debug for ReturnGuard<T, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReturnGuard").finish_non_exhaustive()
    }
}
