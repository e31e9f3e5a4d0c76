//! Reconnecting: connections to one address, one after the other, with waits between failed attempts.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;

use crate::client::backoff::{Backoff, random};
use crate::client::connect::{Client, ClientSocket};
use crate::client::url::Url;
use crate::error::Error;
use crate::io::{BoxFuture, Clock, Network};
use crate::trace::Span;
use tidegate_core::Timestamp;

/// Connections to one address, one after the other. Made by [`Client::reconnect`].
///
/// [`next`](Self::next) connects: the first time at once, later after a wait that grows from failure
/// to failure. Call it when the last connection has ended: the time between two calls counts as the
/// lifetime of the connection.
///
/// The series ends with an error: when the attempts of [`Backoff::attempts`] are used up, or when
/// another attempt would fail in the same way (a status such as 401 or 404, a certificate that is not
/// trusted, a server that does not speak WebSocket: see [`Error::is_temporary`]).
/// [`retry_if`](Self::retry_if) changes which errors these are. [`on_failure`](Self::on_failure)
/// learns of each failed attempt, and so does `tracing` with the feature of that name.
///
/// ```no_run
/// # use tidegate_driver::{Backoff, Client, Error, Network};
/// # async fn example<N: Network>(client: Client<N>) -> Result<(), Error> {
/// let mut connections = client
///     .reconnect("wss://example.org/feed", Backoff::default())?
///     .on_failure(|attempt| match attempt.next_wait() {
///         Some(wait) => eprintln!("{}; again in {wait:?}", attempt.error()),
///         None => eprintln!("{}; giving up", attempt.error()),
///     });
/// while let Some(connection) = connections.next().await {
///     let mut socket = connection?;
///     while let Ok(Some(message)) = socket.recv().await {
///         println!("{message:?}");
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// It is also a `Stream`.
#[must_use = "it connects when it is asked for the next connection"]
pub struct Reconnect<N: Network> {
    client: Client<N>,
    url: Url,
    backoff: Backoff,
    clock: N::Clock,
    state: ReconnectState<N>,
    /// Failed attempts since the last connection.
    failures: u32,
    /// All attempts since a connection lived long enough.
    attempts: u32,
    last_error: Option<Error>,
    decide: Option<Box<Decide>>,
    tell: Option<Box<Tell>>,
}

type Decide = dyn FnMut(&Error) -> bool + Send;
type Tell = dyn FnMut(&FailedAttempt<'_>) + Send;

enum ReconnectState<N: Network> {
    /// The next call starts an attempt.
    Ready,
    /// Waiting until then for the next attempt.
    Waiting(Timestamp),
    Connecting(BoxFuture<Result<ClientSocket<N>, Error>>),
    /// The application got a connection at that time.
    Connected(Timestamp),
    Over,
}

/// A failed attempt to connect, and what happens next.
#[derive(Clone, Copy, Debug)]
pub struct FailedAttempt<'e> {
    error: &'e Error,
    failures: u32,
    next_wait: Option<Duration>,
}

impl<'e> FailedAttempt<'e> {
    /// Why it failed.
    pub const fn error(&self) -> &'e Error {
        self.error
    }

    /// How many attempts have failed since the last connection, including this one.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// The time until the next attempt. `None`: this was the last one.
    pub const fn next_wait(&self) -> Option<Duration> {
        self.next_wait
    }
}

impl<N: Network> Reconnect<N> {
    fn new(client: Client<N>, url: Url, backoff: Backoff) -> Self {
        let clock = client.network().clock();
        Self {
            client,
            url,
            backoff,
            clock,
            state: ReconnectState::Ready,
            failures: 0,
            attempts: 0,
            last_error: None,
            decide: None,
            tell: None,
        }
    }

    /// Sets the errors after which there is another attempt. Default: [`Error::is_temporary`].
    ///
    /// ```no_run
    /// # use tidegate_driver::{Error, Network, Reconnect};
    /// use tidegate_core::handshake::HandshakeError;
    ///
    /// # fn example<N: Network>(connections: Reconnect<N>) -> Reconnect<N> {
    /// // The load balancer answers 404 while the server is being replaced.
    /// let absent = |error: &Error| {
    ///     matches!(error, Error::Handshake { error: HandshakeError::Status { status: 404 }, .. })
    /// };
    /// connections.retry_if(move |error| error.is_temporary() || absent(error))
    /// # }
    /// ```
    pub fn retry_if(mut self, decide: impl FnMut(&Error) -> bool + Send + 'static) -> Self {
        self.decide = Some(Box::new(decide));
        self
    }

    /// Calls `tell` after each failed attempt, before the wait. That includes the last attempt.
    pub fn on_failure(mut self, tell: impl FnMut(&FailedAttempt<'_>) + Send + 'static) -> Self {
        self.tell = Some(Box::new(tell));
        self
    }

    /// Waits for the next connection. Returns `None` after an error, or if the last allowed attempt
    /// made a connection that did not live long enough.
    ///
    /// # Errors
    ///
    /// Those of [`Client::connect`], for the last attempt only.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: the next call continues the wait or the attempt.
    pub async fn next(&mut self) -> Option<Result<ClientSocket<N>, Error>> {
        poll_fn(|cx| self.poll_connection(cx)).await
    }

    /// How many attempts have failed since the last connection, or since the beginning.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// The error of the last failed attempt, if there was no connection after it.
    pub fn last_error(&self) -> Option<&Error> {
        self.last_error.as_ref()
    }

    fn poll_connection(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<ClientSocket<N>, Error>>> {
        loop {
            match &mut self.state {
                ReconnectState::Ready => {
                    let (client, url) = (self.client.clone(), self.url.clone());
                    self.state = ReconnectState::Connecting(Box::pin(async move {
                        client.connect_to(url).await
                    }));
                }
                ReconnectState::Connected(since) => {
                    let now = self.clock.now();
                    // A server that accepts and closes at once counts as one that fails. Otherwise
                    // the client would come back to it quickly, without end.
                    if self.backoff.is_long_lived(now.saturating_duration_since(*since)) {
                        self.attempts = 0;
                    } else if self.backoff.is_used_up(self.attempts) {
                        self.state = ReconnectState::Over;
                        continue;
                    }
                    self.state =
                        ReconnectState::Waiting(now + self.backoff.wait(self.attempts, random()));
                }
                ReconnectState::Waiting(until) => {
                    let until = *until;
                    ready!(self.clock.poll_deadline(cx, until));
                    if self.clock.now() < until {
                        // The timer fired too early and holds no waker any more: poll it again.
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    self.state = ReconnectState::Ready;
                }
                ReconnectState::Connecting(connecting) => {
                    let result = ready!(connecting.as_mut().poll(cx));
                    self.attempts = self.attempts.saturating_add(1);
                    match result {
                        Ok(socket) => {
                            (self.failures, self.last_error) = (0, None);
                            self.state = ReconnectState::Connected(self.clock.now());
                            return Poll::Ready(Some(Ok(socket)));
                        }
                        Err(error) => {
                            if let Some(error) = self.handle_failure(error) {
                                return Poll::Ready(Some(Err(error)));
                            }
                        }
                    }
                }
                ReconnectState::Over => return Poll::Ready(None),
            }
        }
    }

    /// Handles a failed attempt. Returns the error if it was the last attempt.
    fn handle_failure(&mut self, error: Error) -> Option<Error> {
        // If a function of the application panics, the series is over.
        self.state = ReconnectState::Over;
        self.failures = self.failures.saturating_add(1);
        let may_retry = !self.backoff.is_used_up(self.attempts)
            && match &mut self.decide {
                Some(decide) => decide(&error),
                None => error.is_temporary(),
            };
        let next_wait = may_retry.then(|| self.backoff.wait_after(&error, self.attempts, random()));
        let server = (self.url.host(), self.url.port());
        Span::attempt_failed(server, self.failures, next_wait, &error);
        let attempt = FailedAttempt { error: &error, failures: self.failures, next_wait };
        if let Some(tell) = &mut self.tell {
            tell(&attempt);
        }
        let Some(wait) = next_wait else { return Some(error) };
        self.last_error = Some(error);
        self.state = ReconnectState::Waiting(self.clock.now() + wait);
        None
    }
}

impl<N: Network> Client<N> {
    /// Connects to an address as often as the application asks for a connection: see [`Reconnect`].
    ///
    /// # Errors
    ///
    /// [`Error::Url`]: not the address of a WebSocket.
    pub fn reconnect(&self, url: &str, backoff: Backoff) -> Result<Reconnect<N>, Error> {
        let url = url.parse()?;
        self.check(&url)?;
        Ok(Reconnect::new(self.clone(), url, backoff))
    }
}

impl<N: Network> Stream for Reconnect<N> {
    type Item = Result<ClientSocket<N>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_connection(cx)
    }
}

// Nothing in it is pinned in place: the attempt that is running is boxed.
impl<N: Network> Unpin for Reconnect<N> {}

impl<N: Network> fmt::Debug for Reconnect<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconnect")
            .field("url", &self.url)
            .field("backoff", &self.backoff)
            .field("failures", &self.failures)
            .field("last_error", &self.last_error)
            .finish_non_exhaustive()
    }
}
