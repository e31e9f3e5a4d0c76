//! Spans and events for `tracing`. Without that feature there is nothing of them.

#[cfg(not(feature = "tracing"))]
pub(crate) use off::{News, Seen, Span, within};
#[cfg(feature = "tracing")]
pub(crate) use on::{News, Seen, Span, within};

#[cfg(feature = "tracing")]
mod on {
    use std::fmt;
    use std::io;

    use tracing::Instrument;
    use tracing::{debug, debug_span, error, info, trace, warn};

    use crate::client::{FailedAttempt, Url};
    use crate::error::Error;
    use crate::serve::{BoxError, Remote, in_full, is_of_connection};
    use crate::websocket::close::copy;
    use tidegate_core::{Closed, Connection};

    /// What happens, and to whom.
    #[derive(Clone, Debug)]
    pub(crate) struct Span(tracing::Span);

    impl Span {
        pub(crate) fn connect(host: &str, target: &str) -> Self {
            // A query often has a token in it.
            let path = target.split('?').next();
            Self(debug_span!("connect", host, path))
        }

        pub(crate) fn accept() -> Self {
            Self(debug_span!("accept"))
        }

        /// A client has not come as far as the opening handshake, which has an event of its own.
        pub(crate) fn connected<T>(url: &Url, result: &Result<T, Error>) {
            if let Err(error @ Error::Connect(_)) = result {
                debug!(host = url.host(), port = url.port(), error = %Chain(error), "not connected");
            }
        }

        /// A client that connects again and again.
        pub(crate) fn attempt_failed(url: &Url, attempt: &FailedAttempt<'_>) {
            let (host, port, failures) = (url.host(), url.port(), attempt.failures());
            let error = Chain(attempt.error());
            match attempt.next_wait() {
                Some(wait) => warn!(host, port, failures, ?wait, %error, "attempt failed"),
                None => warn!(host, port, failures, %error, "last attempt failed"),
            }
        }

        /// A server's connection, its handshake included.
        pub(crate) fn served(peer: &Remote) -> Self {
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

        /// How a connection ended is its peer's doing; anything else the application's.
        pub(crate) fn handler_failed(error: &BoxError) {
            let in_full = in_full(error);
            if is_of_connection(error) {
                debug!(error = in_full, "handler failed");
            } else {
                warn!(error = in_full, "handler failed");
            }
        }

        pub(crate) fn displaced() {
            debug!("handshake gives way to a newer one");
        }

        pub(crate) fn too_many(peer: &Remote) {
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

    /// An error and what is behind it, in one line.
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

    /// Runs a future in a span.
    pub(crate) fn within<F: Future>(span: Span, future: F) -> impl Future<Output = F::Output> {
        future.instrument(span.0)
    }

    /// What was told of a connection.
    #[derive(Debug)]
    pub(crate) struct Seen {
        span: tracing::Span,
        is_gate_closed: bool,
        has_faulted: bool,
        is_closed: bool,
    }

    impl Seen {
        pub(crate) fn new(connection: &Connection, subprotocol: Option<&str>) -> Self {
            let role = connection.role();
            let span = debug_span!("connection", ?role, subprotocol);
            Self { span, is_gate_closed: false, has_faulted: false, is_closed: false }
        }

        /// All that it is, leaving one behind that tells nothing.
        pub(crate) fn take_out(&mut self) -> Self {
            let none = Self { span: tracing::Span::none(), ..*self };
            std::mem::replace(self, none)
        }

        /// What has changed since the last look.
        pub(crate) fn look(&mut self, connection: &Connection, fault: Option<&io::Error>) -> News {
            let mut news = News::default();
            let is_gate_closed = !connection.is_gate_open();
            if is_gate_closed != self.is_gate_closed {
                self.is_gate_closed = is_gate_closed;
                let queued = (connection.queued_messages(), connection.queued_bytes());
                news.gate = Some((is_gate_closed, queued));
            }
            if let Some(error) = fault
                && !self.has_faulted
            {
                self.has_faulted = true;
                news.fault = Some(copy(error));
            }
            if let Some(closed) = connection.closed()
                && !self.is_closed
            {
                self.is_closed = true;
                news.closed = Some(closed.clone());
            }
            news
        }

        /// Tells it. To be called without a lock: a subscriber is code of the application.
        pub(crate) fn tell(&self, news: News) {
            match news.gate {
                Some((true, (messages, bytes))) => {
                    trace!(parent: &self.span, messages, bytes, "gate closed");
                }
                Some((false, (messages, bytes))) => {
                    trace!(parent: &self.span, messages, bytes, "gate opened");
                }
                None => {}
            }
            if let Some(error) = news.fault {
                debug!(parent: &self.span, %error, "transport failed");
            }
            // Time limits and violations are told here too: they are why it closed.
            if let Some(closed) = news.closed {
                let is_clean = closed.is_clean();
                debug!(parent: &self.span, is_clean, %closed, "closed");
            }
        }
    }

    /// What is to be told of a connection.
    #[derive(Debug, Default)]
    pub(crate) struct News {
        gate: Option<(bool, (usize, usize))>,
        fault: Option<io::Error>,
        closed: Option<Closed>,
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    use std::io;

    use crate::client::{FailedAttempt, Url};
    use crate::error::Error;
    use crate::serve::{BoxError, Remote};
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
        pub(crate) fn served(_peer: &Remote) -> Self {
            Self
        }
        pub(crate) fn accept_failed(_error: &io::Error) {}
        pub(crate) fn stopping(_open: usize) {}
        pub(crate) fn refused() {}
        pub(crate) fn handshake_failed() {}
        pub(crate) fn handler_failed(_error: &BoxError) {}
        pub(crate) fn displaced() {}
        pub(crate) fn too_many(_peer: &Remote) {}
        pub(crate) fn panicked() {}
        pub(crate) fn cut() {}
        pub(crate) fn connected<T>(_url: &Url, _result: &Result<T, Error>) {}
        pub(crate) fn attempt_failed(_url: &Url, _attempt: &FailedAttempt<'_>) {}
        pub(crate) fn opened<T>(_result: &Result<T, Error>) {}
        pub(crate) fn opening_failed(_error: &Error) {}
    }

    pub(crate) fn within<F: Future>(_span: Span, future: F) -> F {
        future
    }

    #[derive(Debug)]
    pub(crate) struct Seen;

    impl Seen {
        pub(crate) fn new(_connection: &Connection, _subprotocol: Option<&str>) -> Self {
            Self
        }
        pub(crate) fn take_out(&mut self) -> Self {
            Self
        }
        pub(crate) fn look(
            &mut self,
            _connection: &Connection,
            _fault: Option<&io::Error>,
        ) -> News {
            News(())
        }
        pub(crate) fn tell(&self, _news: News) {}
    }

    #[derive(Debug, Default)]
    pub(crate) struct News(());
}
