//! Closing a connection that someone else holds.

use alloc::sync::Arc;
use core::task::{Context, Waker};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::clock::Clock;
use super::error::Error;
use super::stream::ByteStream;
use super::websocket::WebSocket;
use crate::{CloseFrame, ControlError};

/// Closes a [`WebSocket`] from outside: from a server that shuts down, from a list of sessions.
///
/// It reaches the application inside whatever call it waits in. Clones close the same connection.
/// It does not keep the connection: once that is gone, the calls do nothing.
///
/// ```
/// # use tidegate_core::driver::{ByteStream, Clock, Error, WebSocket};
/// use tidegate_core::CloseCode;
///
/// # async fn example<S: ByteStream, C: Clock>(mut socket: WebSocket<S, C>) -> Result<(), Error> {
/// let closer = socket.closer();
/// // elsewhere:
/// closer.close(CloseCode::GOING_AWAY).map_err(Error::Control)?;
/// // and the application, wherever it waits:
/// while let Some(message) = socket.recv().await? {} // goes on to the end of the closing handshake
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Closer(Arc<Mutex<State>>);

/// Wishes on their way to the connection, and who is to be woken for them.
#[derive(Debug, Default)]
struct State {
    close: Option<CloseFrame>,
    /// Stays, unlike a Close.
    is_cut: bool,
    is_asked: bool,
    /// Who polls the socket.
    socket: Option<Waker>,
    /// Who runs the handler, perhaps the same.
    task: Option<Waker>,
}

impl Closer {
    /// Begins the closing handshake, if nobody has: a Close goes out behind what was accepted
    /// before. Calls that wait for messages go on to its end; calls that send give
    /// [`Error::Closing`].
    ///
    /// The application must be in a call on the socket, or come back to one.
    ///
    /// # Errors
    ///
    /// [`ControlError`]: the code must not be sent, or the reason is over 123 bytes.
    pub fn close(&self, frame: impl Into<CloseFrame>) -> Result<(), ControlError> {
        let frame = frame.into();
        frame.check()?;
        self.ring(|state| {
            state.close = Some(frame);
            state.is_asked = true;
        });
        Ok(())
    }

    /// Gives the connection up, as [`WebSocket::abort`] does.
    pub fn abort(&self) {
        self.ring(|state| {
            state.is_cut = true;
            state.is_asked = true;
        });
    }

    fn ring(&self, wish: impl FnOnce(&mut State)) {
        let wakers = {
            let mut state = self.state();
            wish(&mut state);
            [state.socket.take(), state.task.take()]
        };
        for waker in wakers.into_iter().flatten() {
            waker.wake();
        }
    }

    /// Whether the handler is to be dropped. Leaves the waker of its task.
    pub(super) fn poll_cut(&self, cx: &Context<'_>) -> bool {
        let mut state = self.state();
        keep(&mut state.task, cx);
        state.is_cut
    }

    /// Whether anything was wished, taken or not. Leaves the waker of the task.
    pub(super) fn poll_asked(&self, cx: &Context<'_>) -> bool {
        let mut state = self.state();
        keep(&mut state.task, cx);
        state.is_asked
    }

    /// What is wished: that the connection is cut, or closed. Leaves the waker of who polls the
    /// socket where a wish finds it.
    pub(super) fn take_wish(&self, cx: &Context<'_>) -> Wish {
        let mut state = self.state();
        keep(&mut state.socket, cx);
        if state.is_cut { Wish::Cut } else { state.close.take().map_or(Wish::None, Wish::Close) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: ByteStream, C: Clock> WebSocket<S, C> {
    /// What closes this connection from elsewhere.
    pub fn closer(&mut self) -> Closer {
        self.closer.get_or_insert_default().clone()
    }

    /// Leaves the waker where a wish finds it, and does what was wished.
    pub(super) fn obey(&mut self, cx: &Context<'_>) {
        let Some(closer) = &self.closer else { return };
        match closer.take_wish(cx) {
            Wish::Cut if self.link.stream.is_some() => self.abort(),
            Wish::Close(frame) => {
                // It was checked when it was given.
                let _: Result<(), Error> = self.begin_close(frame);
            }
            Wish::Cut | Wish::None => {}
        }
    }
}

/// What is to become of a connection.
#[derive(Debug)]
pub(super) enum Wish {
    None,
    Close(CloseFrame),
    Cut,
}

fn keep(place: &mut Option<Waker>, cx: &Context<'_>) {
    match place {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *place = Some(cx.waker().clone()),
    }
}
