//! Opening handshakes for a server: a refused client comes back as soon as it has its response, so that
//! the server can wait for the end of its stream within limits of its own.

use std::task::{Context, Poll};

use crate::handshake::{Incoming, Opening};
use crate::io::{ByteStream, Clock};
use crate::trace::{Span, within};
use crate::websocket::WebSocket;
use tidegate_core::handshake::{Limits, Rejection, ServerSteps};

/// A client that was refused and has its response. Its stream is still open.
pub(crate) struct RefusedClient<S, C>(Box<Opening<S, C, ServerSteps>>);

impl<S: ByteStream, C: Clock> RefusedClient<S, C> {
    pub(crate) fn clock(&self) -> &C {
        &self.0.endpoint.clock
    }

    /// Waits until the client has closed the stream, or the handshake's time limit has passed.
    pub(crate) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_finish(cx)
    }
}

impl<S: ByteStream, C: Clock> Incoming<S, C> {
    /// As [`receive`](Self::receive), but returns as soon as a refused client has its response.
    pub(crate) async fn receive_or_refuse(
        stream: S,
        clock: C,
        limits: Limits,
    ) -> Result<Self, RefusedClient<S, C>> {
        let receiving = async {
            Self::wait(stream, clock, limits).await.map_err(|opening| {
                Span::opening_failed(&opening.error());
                RefusedClient(opening)
            })
        };
        // Boxed, so that the task of the connection does not stay as large as its opening
        // handshake.
        within(Span::accept(), Box::pin(receiving)).await
    }

    /// As [`accept`](Self::accept), but returns as soon as a refused client has its response.
    pub(crate) async fn accept_or_refuse(
        self,
    ) -> Result<WebSocket<S, C>, Option<RefusedClient<S, C>>> {
        Box::pin(self.answer()).await.map_err(|(error, opening)| {
            Span::opening_failed(&error);
            opening.map(RefusedClient)
        })
    }

    /// As [`reject_with`](Self::reject_with), but returns as soon as the client has its response. A
    /// rejection that cannot be sent becomes a 500.
    pub(crate) async fn refuse(self, rejection: Rejection) -> RefusedClient<S, C> {
        let mut opening = self.opening;
        // The client gets a response although the application's rejection is wrong.
        if opening.handshake.reject(rejection).is_err() {
            let _ = opening.handshake.reject(Rejection::new(500));
        }
        opening.answered().await;
        RefusedClient(opening)
    }
}
