//! Refusing a client without waiting until it has closed the stream: for a server, which has its own
//! limits for that.

use std::task::{Context, Poll};

use crate::handshake::{Incoming, Opening, failed};
use crate::io::ByteStream;
use crate::io::Clock;
use crate::trace::{Span, within};
use crate::websocket::WebSocket;
use tidegate_core::handshake::{Limits, Rejection, ServerHandshake};

/// A client that was refused and has its answer, and whose stream is still open.
pub(crate) struct Leaving<S, C>(pub(crate) Box<Opening<S, C, ServerHandshake>>);

impl<S: ByteStream, C: Clock> Leaving<S, C> {
    pub(crate) fn clock(&self) -> &C {
        &self.0.link.clock
    }

    /// Waits until the client has closed the stream, or time is up.
    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_finish(cx)
    }
}

impl<S: ByteStream, C: Clock> Incoming<S, C> {
    /// As [`receive`](Self::receive), but returns as soon as a client that is refused has its answer.
    pub(crate) async fn receive_or_refuse(
        stream: S,
        clock: C,
        limits: Limits,
    ) -> Result<Self, Leaving<S, C>> {
        let receiving = async {
            Self::wait(stream, clock, limits).await.map_err(|opening| {
                Span::opening_failed(&failed(&opening.link, &opening.handshake));
                Leaving(opening)
            })
        };
        within(Span::accept(), Box::pin(receiving)).await
    }

    /// As [`accept`](Self::accept), but returns as soon as a client that is refused has its answer.
    pub(crate) async fn accept_or_refuse(self) -> Result<WebSocket<S, C>, Option<Leaving<S, C>>> {
        Box::pin(self.answer()).await.map_err(|(error, leaving)| {
            Span::opening_failed(&error);
            leaving
        })
    }

    /// As [`reject_with`](Self::reject_with), but returns as soon as the client has its answer: 500
    /// for a rejection that cannot be sent.
    pub(crate) async fn refuse(self, rejection: Rejection) -> Leaving<S, C> {
        let mut opening = self.opening;
        if opening.handshake.reject(rejection).is_err() {
            let _ = opening.handshake.reject(Rejection::new(500));
        }
        opening.answered().await;
        Leaving(opening)
    }
}
