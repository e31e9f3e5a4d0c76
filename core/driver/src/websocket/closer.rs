//! Closing a connection from outside the task that uses it.

use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Waker};

#[cfg(doc)]
use crate::WebSocket;
#[cfg(doc)]
use crate::error::Error;
use crate::io::{lock, look_and_leave};
use tidegate_core::{CloseFrame, ControlError};

/// Closes a [`WebSocket`] from another task: from a server that shuts down, or from a list of
/// sessions.
///
/// It takes effect in whatever call the application waits in. Clones close the same connection.
/// A `Closer` does not keep the connection alive: once that is dropped, the calls do nothing.
///
/// ```
/// # use tidegate_driver::{ByteStream, Clock, Error, WebSocket};
/// use tidegate_core::CloseCode;
///
/// # async fn example<S: ByteStream, C: Clock>(mut socket: WebSocket<S, C>) -> Result<(), Error> {
/// let closer = socket.closer();
/// // In another task:
/// closer.close(CloseCode::GOING_AWAY).map_err(Error::Control)?;
/// // In the task of the connection: goes on to the end of the closing handshake.
/// while let Some(message) = socket.recv().await? {}
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Closer(Arc<Mutex<PendingRequests>>);

/// What was asked of the connection, and which tasks to wake for that.
#[derive(Debug, Default)]
struct PendingRequests {
    /// Taken by the connection when it carries it out.
    close: Option<CloseFrame>,
    /// Never reset, unlike `close`.
    is_aborted: bool,
    /// Whether `close` or `abort` was ever called.
    was_called: bool,
    /// The opening handshake should give way to a newer one, unless its request has arrived.
    is_displaced: bool,
    /// The task that polls the socket.
    socket_task: Option<Waker>,
    /// The task in which a server polls the handler; perhaps the same one.
    handler_task: Option<Waker>,
    handler_poll: HandlerPoll,
}

/// Whether a server is polling the connection's handler at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum HandlerPoll {
    #[default]
    NotRunning,
    Running,
    /// It is running, and has dropped parts of a split connection.
    RunningAndDropped,
}

impl Closer {
    /// Begins the closing handshake, unless that has begun already: sends a Close after the
    /// messages that were accepted before. Calls that wait for messages go on to the end of the
    /// handshake; calls that send return [`Error::Closing`].
    ///
    /// The Close is sent by the call that the application waits in, or else by its next call.
    ///
    /// # Errors
    ///
    /// [`ControlError`]: the code must not be sent, or the reason is longer than 123 bytes.
    pub fn close(&self, frame: impl Into<CloseFrame>) -> Result<(), ControlError> {
        let frame = frame.into();
        frame.check()?;
        let before = self.request(|requests| {
            requests.was_called = true;
            requests.close.replace(frame)
        });
        // The frame of an earlier call is dropped without the lock. The buffer of its reason may
        // be the application's, and so may the code that frees it.
        drop(before);
        Ok(())
    }

    /// Closes the stream at once, without a closing handshake, as [`WebSocket::abort`] does.
    pub fn abort(&self) {
        self.request(|requests| {
            requests.is_aborted = true;
            requests.was_called = true;
        });
    }

    /// Ends an opening handshake, unless the client's request has arrived.
    pub(crate) fn displace(&self) {
        self.request(|requests| requests.is_displaced = true);
    }

    fn request<T>(&self, change: impl FnOnce(&mut PendingRequests) -> T) -> T {
        let (done, wakers) = {
            let mut requests = self.lock();
            // Both are woken, since the handler may have given the socket to another task. Each
            // leaves its waker again when it looks for requests.
            (change(&mut requests), [requests.socket_task.take(), requests.handler_task.take()])
        };
        // Woken without the lock: wakers run code of the executor.
        for waker in wakers.into_iter().flatten() {
            waker.wake();
        }
        done
    }

    /// Called before each poll of the handler. Returns false if the connection was aborted; the
    /// handler must not be polled then. Registers the waker of the handler's task.
    pub(crate) fn begin_handler_poll(&self, cx: &Context<'_>) -> bool {
        look_and_leave(
            &self.0,
            cx,
            |requests| &mut requests.handler_task,
            |requests| {
                if !requests.is_aborted {
                    requests.handler_poll = HandlerPoll::Running;
                }
                !requests.is_aborted
            },
        )
    }

    /// Called after each poll of the handler. Returns whether the handler has dropped parts of a
    /// split connection that would have closed it: the server has to do that now.
    pub(crate) fn end_handler_poll(&self) -> bool {
        std::mem::take(&mut self.lock().handler_poll) == HandlerPoll::RunningAndDropped
    }

    /// Called when a part of a split connection is dropped that should close the connection.
    /// Returns whether the server does it instead: a moment later it knows whether the handler has
    /// returned, and which close code fits.
    pub(crate) fn is_left_to_server(&self) -> bool {
        let mut requests = self.lock();
        if requests.handler_poll != HandlerPoll::NotRunning {
            requests.handler_poll = HandlerPoll::RunningAndDropped;
        }
        requests.handler_poll != HandlerPoll::NotRunning
    }

    /// Whether [`close`](Self::close) or [`abort`](Self::abort) was called. Registers no waker:
    /// [`begin_handler_poll`](Self::begin_handler_poll) has done that.
    pub(crate) fn was_called(&self) -> bool {
        self.lock().was_called
    }

    /// Whether [`displace`](Self::displace) was called.
    pub(crate) fn is_displaced(&self) -> bool {
        self.lock().is_displaced
    }

    /// Takes what was asked of the connection. Registers the waker of the task that polls it.
    pub(crate) fn take_request(&self, cx: &Context<'_>) -> CloseRequest {
        look_and_leave(
            &self.0,
            cx,
            |requests| &mut requests.socket_task,
            |requests| {
                if requests.is_aborted {
                    CloseRequest::Abort
                } else {
                    requests.close.take().map_or(CloseRequest::None, CloseRequest::Close)
                }
            },
        )
    }

    fn lock(&self) -> MutexGuard<'_, PendingRequests> {
        lock(&self.0)
    }
}

/// What another task asks of the connection.
#[derive(Debug)]
pub(crate) enum CloseRequest {
    None,
    Close(CloseFrame),
    Abort,
}
