//! Where a served socket goes when its handler lets go of it: back to the server, which closes it.

use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use crate::event_loop::endpoint::Link;
use crate::io::ByteStream;
use crate::io::Clock;
use crate::io::{lock, look_and_leave};
use crate::split::Driver;
use crate::websocket::WebSocket;

/// The server's side: waits for the socket to come back, or to be no more.
pub(crate) struct Home<S, C>(Mutex<State<S, C>>);

struct State<S, C> {
    socket: Whereabouts<S, C>,
    server: Option<Waker>,
}

enum Whereabouts<S, C> {
    /// Someone has it, whole or in parts.
    Away,
    /// It was dropped with its stream open.
    Back(Returned<S, C>),
    /// Its stream is closed, or the application has taken it out.
    Gone,
}

/// A connection that came back.
pub(crate) enum Returned<S, C> {
    Whole(Box<WebSocket<S, C>>),
    /// The application may still have the other parts.
    InParts(Box<Driver<S, C>>),
    /// The application was told how it ended, and may keep the socket: the stream that is left.
    Stream(Box<Link<S, C>>),
}

/// The socket's side. It stays beside the stream, in whatever part of the connection owns that, and
/// is dropped with it: as long as it lives, the server counts the connection.
pub(crate) struct WayHome<S, C> {
    home: Arc<Home<S, C>>,
    /// Written where the bounds are known that a `Drop` of the socket has not.
    take: fn(&mut WebSocket<S, C>) -> WebSocket<S, C>,
}

impl<S, C> Home<S, C> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { socket: Whereabouts::Away, server: None })))
    }

    /// What has come back already.
    pub(crate) fn take_returned(&self) -> Option<Returned<S, C>> {
        let mut state = lock(&self.0);
        match std::mem::replace(&mut state.socket, Whereabouts::Gone) {
            Whereabouts::Back(returned) => Some(returned),
            before @ (Whereabouts::Away | Whereabouts::Gone) => {
                state.socket = before;
                None
            }
        }
    }

    /// Waits for the socket; `None` if it does not come back.
    pub(crate) fn poll_return(&self, cx: &Context<'_>) -> Poll<Option<Returned<S, C>>> {
        look_and_leave(
            &self.0,
            cx,
            |state| &mut state.server,
            |state| match std::mem::replace(&mut state.socket, Whereabouts::Gone) {
                Whereabouts::Away => {
                    state.socket = Whereabouts::Away;
                    Poll::Pending
                }
                Whereabouts::Back(returned) => Poll::Ready(Some(returned)),
                Whereabouts::Gone => Poll::Ready(None),
            },
        )
    }
}

impl<S: ByteStream, C: Clock> WayHome<S, C> {
    pub(crate) fn to(home: &Arc<Home<S, C>>) -> Self {
        Self { home: Arc::clone(home), take: WebSocket::take_out }
    }
}

impl<S, C> WayHome<S, C> {
    /// The socket is being dropped: its contents go home.
    pub(crate) fn bring(self, socket: &mut WebSocket<S, C>) {
        let socket = Box::new((self.take)(socket));
        lock(&self.home.0).socket = Whereabouts::Back(Returned::Whole(socket));
    }

    /// All is said, and the application may never call again: the stream goes home.
    pub(crate) fn bring_stream(self, link: Link<S, C>) {
        lock(&self.home.0).socket = Whereabouts::Back(Returned::Stream(Box::new(link)));
    }

    /// The driver of a split connection is being dropped: another one goes home.
    pub(crate) fn bring_parts(self, driver: Driver<S, C>) {
        let driver = Box::new(driver);
        lock(&self.home.0).socket = Whereabouts::Back(Returned::InParts(driver));
    }
}

impl<S, C> Drop for WayHome<S, C> {
    fn drop(&mut self) {
        let server = {
            let mut state = lock(&self.home.0);
            if matches!(state.socket, Whereabouts::Away) {
                state.socket = Whereabouts::Gone;
            }
            state.server.take()
        };
        if let Some(server) = server {
            server.wake();
        }
    }
}

impl<S, C> fmt::Debug for WayHome<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WayHome").finish_non_exhaustive()
    }
}
