//! Spans and events for `tracing`. Without that feature they compile to nothing.
//!
//! What is logged is passed in as plain values, so that every other module may log.

#[cfg(not(feature = "tracing"))]
pub(crate) use off::{ConnectionLog, LogChanges, Span, within};
#[cfg(feature = "tracing")]
pub(crate) use on::{ConnectionLog, LogChanges, Span, within};

#[cfg(feature = "tracing")]
mod on {
    use std::fmt;
    use std::io;
    use std::time::Duration;

    use tracing::Instrument;
    use tracing::{debug, debug_span, error, info, trace, warn};

    use crate::error::{Error, copy};
    use tidegate_core::{Closed, Connection};

    /// A client's attempt to connect, or a connection of a server, with the events in it.
    #[derive(Clone, Debug)]
    pub(crate) struct Span(tracing::Span);

    impl Span {
        pub(crate) fn connect(host: &str, target: &str) -> Self {
            // A query often contains a secret token.
            let path = target.split('?').next();
            Self(debug_span!("connect", host, path))
        }

        pub(crate) fn accept() -> Self {
            Self(debug_span!("accept"))
        }

        /// A client failed before the opening handshake, which has an event of its own.
        pub(crate) fn connected<T>((host, port): (&str, u16), result: &Result<T, Error>) {
            if let Err(error @ Error::Connect(_)) = result {
                debug!(host, port, error = %Chain(error), "not connected");
            }
        }

        /// An attempt of a client that reconnects failed. `wait` is the time until the next one.
        pub(crate) fn attempt_failed(
            (host, port): (&str, u16),
            failures: u32,
            wait: Option<Duration>,
            error: &Error,
        ) {
            let error = Chain(error);
            match wait {
                Some(wait) => warn!(host, port, failures, ?wait, %error, "attempt failed"),
                None => warn!(host, port, failures, %error, "last attempt failed"),
            }
        }

        /// A connection of a server, including its opening handshake.
        pub(crate) fn served(peer: impl fmt::Display) -> Self {
            Self(debug_span!("served", %peer))
        }

        pub(crate) fn accept_failed(error: &io::Error) {
            warn!(%error, "accept failed");
        }

        pub(crate) fn stopping(open: usize) {
            info!(open, "shutting down");
        }

        pub(crate) fn refused() {
            debug!("request refused");
        }

        pub(crate) fn handshake_failed() {
            debug!("handshake failed");
        }

        /// A handler returned an error. `in_full` writes out the error with its sources.
        ///
        /// It is no warning if it only reports how the connection ended: that is the peer's doing.
        pub(crate) fn handler_failed(is_of_connection: bool, in_full: impl FnOnce() -> String) {
            let in_full = in_full();
            if is_of_connection {
                debug!(error = in_full, "handler failed");
            } else {
                warn!(error = in_full, "handler failed");
            }
        }

        pub(crate) fn displaced() {
            debug!("handshake gives way to a newer one");
        }

        pub(crate) fn too_many(peer: impl fmt::Display) {
            debug!(%peer, "too many connections of one address");
        }

        pub(crate) fn panicked() {
            error!("handler panicked");
        }

        pub(crate) fn cut() {
            debug!("cut");
        }

        pub(crate) fn opened<T>(result: &Result<T, Error>) {
            if let Err(error) = result {
                Self::opening_failed(error);
            }
        }

        pub(crate) fn opening_failed(error: &Error) {
            debug!(%error, "opening handshake failed");
        }
    }

    /// An error and its sources, in one line.
    struct Chain<'e>(&'e dyn std::error::Error);

    impl fmt::Display for Chain<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{}", self.0)?;
            let mut next = self.0.source();
            while let Some(error) = next {
                write!(f, ": {error}")?;
                next = error.source();
            }
            Ok(())
        }
    }

    /// Runs a future inside a span.
    pub(crate) fn within<F: Future>(span: Span, future: F) -> impl Future<Output = F::Output> {
        future.instrument(span.0)
    }

    /// What was logged of a connection so far.
    #[derive(Debug)]
    pub(crate) struct ConnectionLog {
        span: tracing::Span,
        is_gate_closed: bool,
        has_faulted: bool,
        is_closed: bool,
    }

    impl ConnectionLog {
        pub(crate) fn new(connection: &Connection, subprotocol: Option<&str>) -> Self {
            let role = connection.role();
            let span = debug_span!("connection", ?role, subprotocol);
            Self { span, is_gate_closed: false, has_faulted: false, is_closed: false }
        }

        /// Moves everything out; what remains logs nothing.
        pub(crate) fn take_out(&mut self) -> Self {
            let none = Self { span: tracing::Span::none(), ..*self };
            std::mem::replace(self, none)
        }

        /// What has changed since the last call.
        pub(crate) fn changes(
            &mut self,
            connection: &Connection,
            fault: Option<&io::Error>,
        ) -> LogChanges {
            let mut changes = LogChanges::default();
            let is_gate_closed = !connection.is_gate_open();
            if is_gate_closed != self.is_gate_closed {
                self.is_gate_closed = is_gate_closed;
                let queued = (connection.queued_messages(), connection.queued_bytes());
                changes.gate = Some((is_gate_closed, queued));
            }
            if let Some(error) = fault
                && !self.has_faulted
            {
                self.has_faulted = true;
                changes.fault = Some(copy(error));
            }
            if let Some(closed) = connection.closed()
                && !self.is_closed
            {
                self.is_closed = true;
                changes.closed = Some(closed.clone());
            }
            changes
        }

        /// Logs the changes. Must not be called under a lock: a subscriber of `tracing` is code of
        /// the application, and may call back.
        pub(crate) fn write(&self, changes: LogChanges) {
            match changes.gate {
                Some((true, (messages, bytes))) => {
                    trace!(parent: &self.span, messages, bytes, "gate closed");
                }
                Some((false, (messages, bytes))) => {
                    trace!(parent: &self.span, messages, bytes, "gate opened");
                }
                None => {}
            }
            if let Some(error) = changes.fault {
                debug!(parent: &self.span, %error, "transport failed");
            }
            // This covers time limits and protocol errors too: they are why it closed.
            if let Some(closed) = changes.closed {
                let is_clean = closed.is_clean();
                debug!(parent: &self.span, is_clean, %closed, "closed");
            }
        }
    }

    /// What is to be logged of a connection.
    #[derive(Debug, Default)]
    pub(crate) struct LogChanges {
        gate: Option<(bool, (usize, usize))>,
        fault: Option<io::Error>,
        closed: Option<Closed>,
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    use std::fmt;
    use std::io;
    use std::time::Duration;

    use crate::error::Error;
    use tidegate_core::Connection;

    #[derive(Clone, Debug)]
    pub(crate) struct Span;

    impl Span {
        pub(crate) fn connect(_host: &str, _target: &str) -> Self {
            Self
        }
        pub(crate) fn accept() -> Self {
            Self
        }
        pub(crate) fn served(_peer: impl fmt::Display) -> Self {
            Self
        }
        pub(crate) fn accept_failed(_error: &io::Error) {}
        pub(crate) fn stopping(_open: usize) {}
        pub(crate) fn refused() {}
        pub(crate) fn handshake_failed() {}
        pub(crate) fn handler_failed(_is_of_connection: bool, _in_full: impl FnOnce() -> String) {}
        pub(crate) fn displaced() {}
        pub(crate) fn too_many(_peer: impl fmt::Display) {}
        pub(crate) fn panicked() {}
        pub(crate) fn cut() {}
        pub(crate) fn connected<T>(_server: (&str, u16), _result: &Result<T, Error>) {}
        pub(crate) fn attempt_failed(
            _server: (&str, u16),
            _failures: u32,
            _wait: Option<Duration>,
            _error: &Error,
        ) {
        }
        pub(crate) fn opened<T>(_result: &Result<T, Error>) {}
        pub(crate) fn opening_failed(_error: &Error) {}
    }

    pub(crate) fn within<F: Future>(_span: Span, future: F) -> F {
        future
    }

    #[derive(Debug)]
    pub(crate) struct ConnectionLog;

    impl ConnectionLog {
        pub(crate) fn new(_connection: &Connection, _subprotocol: Option<&str>) -> Self {
            Self
        }
        pub(crate) fn take_out(&mut self) -> Self {
            Self
        }
        pub(crate) fn changes(
            &mut self,
            _connection: &Connection,
            _fault: Option<&io::Error>,
        ) -> LogChanges {
            LogChanges(())
        }
        pub(crate) fn write(&self, _changes: LogChanges) {}
    }

    #[derive(Debug, Default)]
    pub(crate) struct LogChanges(());
}
