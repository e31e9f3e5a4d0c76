//! How a connection ends when its handler has returned.

use alloc::sync::Arc;
use core::task::{Context, Poll};

use super::accept::until;
use super::shared::Place;
use crate::driver::clock::Clock;
use crate::driver::home::Home;
use crate::driver::poll::{Driven, Goal};
use crate::driver::stream::ByteStream;
use crate::driver::websocket::WebSocket;
use crate::{CloseCode, CloseFrame};

/// What became of a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It has returned without an error.
    Well,
    /// It has returned an error, or panicked.
    Badly,
    /// The connection was cut.
    Cut,
}

impl Ended {
    /// How the server closes the connection then.
    pub(super) fn close(self, place: &Place) -> CloseFrame {
        match self {
            Self::Well if place.shared().is_stopping() => going_away(),
            Self::Well => CloseCode::NORMAL.into(),
            Self::Badly | Self::Cut => CloseCode::INTERNAL_ERROR.into(),
        }
    }
}

pub(super) fn going_away() -> CloseFrame {
    CloseFrame::new(CloseCode::GOING_AWAY, "the server goes down")
}

/// Waits for the socket, or for its parts to be dropped, wherever the handler has left them.
pub(super) async fn returned<S, C>(home: Arc<Home<S, C>>) -> Option<Box<WebSocket<S, C>>> {
    core::future::poll_fn(|cx| home.poll_return(cx)).await
}

/// Closes a socket that its handler has let go of: what was accepted is written, the Close behind
/// it, and the stream is closed in order, all within `close_timeout`.
pub(super) async fn close<S: ByteStream, C: Clock>(
    mut socket: Box<WebSocket<S, C>>,
    frame: CloseFrame,
) {
    let mut clock = socket.link.clock.clone();
    let timeout = socket.connection.config().close_timeout();
    // The frame is one that may be sent.
    let _ = socket.begin_close(frame);
    until(&mut clock, timeout, |cx| socket.poll_leave(cx)).await;
}

impl<S: ByteStream, C: Clock> WebSocket<S, C> {
    /// Drops what is received until the stream is closed.
    fn poll_leave(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_until(cx, |socket| {
            let mut has_taken = false;
            while let Some(event) = socket.take_event() {
                socket.intake.discard(&event);
                has_taken = true;
            }
            match socket.link.stream {
                None => Goal::Done(()),
                Some(_) if has_taken => Goal::Again,
                Some(_) => Goal::Wait,
            }
        })
    }
}
