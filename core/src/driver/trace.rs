//! Spans and events for `tracing`. Without that feature there is nothing of them.

#[cfg(not(feature = "tracing"))]
pub(super) use off::{Seen, Span, within};
#[cfg(feature = "tracing")]
pub(super) use on::{Seen, Span, within};

#[cfg(feature = "tracing")]
mod on {
    use std::io;

    use tracing::Instrument;
    use tracing::{debug, debug_span, error, info, trace, warn};

    use crate::driver::error::Error;
    use crate::driver::serve::{BoxError, Remote, in_full, is_of_connection};
    use crate::{Closed, Connection};

    /// What happens, and to whom.
    #[derive(Clone, Debug)]
    pub(in crate::driver) struct Span(tracing::Span);

    impl Span {
        pub(in crate::driver) fn connect(host: &str, target: &str) -> Self {
            // A query often has a token in it.
            let path = target.split('?').next();
            Self(debug_span!("connect", host, path))
        }

        pub(in crate::driver) fn accept() -> Self {
            Self(debug_span!("accept"))
        }

        /// A server's connection, its handshake included.
        pub(in crate::driver) fn served(peer: &Remote) -> Self {
            Self(debug_span!("served", %peer))
        }

        pub(in crate::driver) fn accept_failed(error: &io::Error) {
            warn!(%error, "accept failed");
        }

        pub(in crate::driver) fn stopping(open: usize) {
            info!(open, "shutting down");
        }

        pub(in crate::driver) fn refused() {
            debug!("request refused");
        }

        pub(in crate::driver) fn handshake_failed() {
            debug!("handshake failed");
        }

        /// How a connection ended is its peer's doing; anything else the application's.
        pub(in crate::driver) fn handler_failed(error: &BoxError) {
            let in_full = in_full(error);
            if is_of_connection(error) {
                debug!(error = in_full, "handler failed");
            } else {
                warn!(error = in_full, "handler failed");
            }
        }

        pub(in crate::driver) fn displaced() {
            debug!("handshake gives way to a newer one");
        }

        pub(in crate::driver) fn too_many(peer: &Remote) {
            debug!(%peer, "too many connections of one address");
        }

        pub(in crate::driver) fn panicked() {
            error!("handler panicked");
        }

        pub(in crate::driver) fn cut() {
            debug!("cut");
        }

        pub(in crate::driver) fn opened<T>(result: &Result<T, Error>) {
            if let Err(error) = result {
                Self::opening_failed(error);
            }
        }

        pub(in crate::driver) fn opening_failed(error: &Error) {
            debug!(%error, "opening handshake failed");
        }
    }

    /// Runs a future in a span.
    pub(in crate::driver) fn within<F: Future>(
        span: Span,
        future: F,
    ) -> impl Future<Output = F::Output> {
        future.instrument(span.0)
    }

    /// What was told of a connection.
    #[derive(Debug)]
    pub(in crate::driver) struct Seen {
        span: tracing::Span,
        is_gate_closed: bool,
        has_faulted: bool,
        is_closed: bool,
    }

    impl Seen {
        pub(in crate::driver) fn new(connection: &Connection, subprotocol: Option<&str>) -> Self {
            let role = connection.role();
            let span = debug_span!("connection", ?role, subprotocol);
            Self { span, is_gate_closed: false, has_faulted: false, is_closed: false }
        }

        /// All that it is, leaving one behind that tells nothing.
        pub(in crate::driver) fn take_out(&mut self) -> Self {
            let none = Self { span: tracing::Span::none(), ..*self };
            core::mem::replace(self, none)
        }

        /// Tells what has changed.
        pub(in crate::driver) fn observe(
            &mut self,
            connection: &Connection,
            fault: Option<&io::Error>,
        ) {
            let is_gate_closed = !connection.is_gate_open();
            if is_gate_closed != self.is_gate_closed {
                self.is_gate_closed = is_gate_closed;
                let (messages, bytes) = (connection.queued_messages(), connection.queued_bytes());
                if is_gate_closed {
                    trace!(parent: &self.span, messages, bytes, "gate closed");
                } else {
                    trace!(parent: &self.span, messages, bytes, "gate opened");
                }
            }
            if let Some(error) = fault
                && !self.has_faulted
            {
                self.has_faulted = true;
                debug!(parent: &self.span, %error, "transport failed");
            }
            if let Some(closed) = connection.closed()
                && !self.is_closed
            {
                self.is_closed = true;
                self.closed(closed);
            }
        }

        /// Time limits and violations are told here too: they are why it closed.
        fn closed(&self, closed: &Closed) {
            let is_clean = closed.is_clean();
            debug!(parent: &self.span, is_clean, %closed, "closed");
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    use std::io;

    use crate::Connection;
    use crate::driver::error::Error;
    use crate::driver::serve::{BoxError, Remote};

    #[derive(Clone, Debug)]
    pub(in crate::driver) struct Span;

    impl Span {
        pub(in crate::driver) fn connect(_host: &str, _target: &str) -> Self {
            Self
        }
        pub(in crate::driver) fn accept() -> Self {
            Self
        }
        pub(in crate::driver) fn served(_peer: &Remote) -> Self {
            Self
        }
        pub(in crate::driver) fn accept_failed(_error: &io::Error) {}
        pub(in crate::driver) fn stopping(_open: usize) {}
        pub(in crate::driver) fn refused() {}
        pub(in crate::driver) fn handshake_failed() {}
        pub(in crate::driver) fn handler_failed(_error: &BoxError) {}
        pub(in crate::driver) fn displaced() {}
        pub(in crate::driver) fn too_many(_peer: &Remote) {}
        pub(in crate::driver) fn panicked() {}
        pub(in crate::driver) fn cut() {}
        pub(in crate::driver) fn opened<T>(_result: &Result<T, Error>) {}
        pub(in crate::driver) fn opening_failed(_error: &Error) {}
    }

    pub(in crate::driver) fn within<F: Future>(_span: Span, future: F) -> F {
        future
    }

    #[derive(Debug)]
    pub(in crate::driver) struct Seen;

    impl Seen {
        pub(in crate::driver) fn new(_connection: &Connection, _subprotocol: Option<&str>) -> Self {
            Self
        }
        pub(in crate::driver) fn take_out(&mut self) -> Self {
            Self
        }
        pub(in crate::driver) fn observe(
            &mut self,
            _connection: &Connection,
            _fault: Option<&io::Error>,
        ) {
        }
    }
}
