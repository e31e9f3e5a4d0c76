//! Closing a connection that someone else holds.

use std::sync::Arc;
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Waker};

use crate::error::Error;
use crate::io::ByteStream;
use crate::io::Clock;
use crate::io::{lock, look_and_leave};
use crate::websocket::WebSocket;
use tidegate_core::{CloseFrame, ControlError};

/// Closes a [`WebSocket`] from outside: from a server that shuts down, from a list of sessions.
///
/// It reaches the application inside whatever call it waits in. Clones close the same connection.
/// It does not keep the connection: once that is gone, the calls do nothing.
///
/// ```
/// # use tidegate_driver::{ByteStream, Clock, Error, WebSocket};
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
    /// It is to go if it has nothing to show for itself.
    is_displaced: bool,
    /// Who polls the socket.
    socket: Option<Waker>,
    /// Who runs the handler, perhaps the same.
    task: Option<Waker>,
    turn: Turn,
}

/// Whether a server polls the connection's handler just now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Turn {
    #[default]
    Out,
    In,
    /// It does, and parts of the connection were dropped meanwhile.
    Parted,
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
        let before = self.ring(|state| {
            state.is_asked = true;
            state.close.replace(frame)
        });
        drop(before);
        Ok(())
    }

    /// Gives the connection up, as [`WebSocket::abort`] does.
    pub fn abort(&self) {
        self.ring(|state| {
            state.is_cut = true;
            state.is_asked = true;
        });
    }

    /// Lets a handshake go that has nothing to show for itself.
    pub(crate) fn displace(&self) {
        self.ring(|state| state.is_displaced = true);
    }

    fn ring<T>(&self, wish: impl FnOnce(&mut State) -> T) -> T {
        let (done, wakers) = {
            let mut state = self.state();
            (wish(&mut state), [state.socket.take(), state.task.take()])
        };
        for waker in wakers.into_iter().flatten() {
            waker.wake();
        }
        done
    }

    /// Gives the handler its turn, until [`end_turn`](Self::end_turn), unless the connection is cut:
    /// then `false`. Leaves the waker of its task.
    pub(crate) fn begin_turn(&self, cx: &Context<'_>) -> bool {
        look_and_leave(
            &self.0,
            cx,
            |state| &mut state.task,
            |state| {
                if !state.is_cut {
                    state.turn = Turn::In;
                }
                !state.is_cut
            },
        )
    }

    /// The handler had its turn. Whether parts of its connection that would close it were dropped
    /// meanwhile: then this is left to be done.
    pub(crate) fn end_turn(&self) -> bool {
        std::mem::take(&mut self.state().turn) == Turn::Parted
    }

    /// A part of a split connection is dropped, which is to close it. Whether that is left to the
    /// server: it knows a moment later whether the handler has returned, and how.
    pub(crate) fn is_left_to_server(&self) -> bool {
        let mut state = self.state();
        if state.turn != Turn::Out {
            state.turn = Turn::Parted;
        }
        state.turn != Turn::Out
    }

    /// Whether anything was wished, taken or not. The waker of the task was left when its turn began.
    pub(crate) fn is_asked(&self) -> bool {
        self.state().is_asked
    }

    /// Whether it was [displaced](Self::displace).
    pub(crate) fn is_displaced(&self) -> bool {
        self.state().is_displaced
    }

    /// What is wished: that the connection is cut, or closed. Leaves the waker of who polls the
    /// socket where a wish finds it.
    pub(crate) fn take_wish(&self, cx: &Context<'_>) -> Wish {
        look_and_leave(
            &self.0,
            cx,
            |state| &mut state.socket,
            |state| {
                if state.is_cut {
                    Wish::Cut
                } else {
                    state.close.take().map_or(Wish::None, Wish::Close)
                }
            },
        )
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

impl<S: ByteStream, C: Clock> WebSocket<S, C> {
    /// What closes this connection from elsewhere.
    pub fn closer(&mut self) -> Closer {
        self.closer.get_or_insert_default().clone()
    }

    /// Leaves the waker where a wish finds it, and does what was wished.
    pub(crate) fn obey(&mut self, cx: &Context<'_>) {
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
pub(crate) enum Wish {
    None,
    Close(CloseFrame),
    Cut,
}
