//! Connections to one address, one after the other, for as long as the application wants them.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;

use crate::client::backoff::{Backoff, random};
use crate::client::url::Url;
use crate::client::{Client, ClientSocket};
use crate::error::Error;
use crate::io::Clock;
use crate::io::{BoxFuture, Network};
use crate::trace::Span;
use tidegate_core::Timestamp;

/// Connections to one address, one after the other. Made by [`Client::reconnect`].
///
/// [`next`](Self::next) connects, at first at once, and after that behind a wait that grows while it
/// fails. Ask for the next one when the last one has ended: how long that took is how long it lived.
///
/// It ends after an error: when the attempts of [`Backoff::attempts`] are used up, and for what
/// another attempt will not change (a status such as 401 or 404, a certificate that is not trusted,
/// an answer that is no WebSocket's: [`Error::is_temporary`]). [`retry_if`](Self::retry_if) decides
/// otherwise. Each attempt that fails is told to [`on_failure`](Self::on_failure), and to `tracing`
/// with that feature.
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
    state: State<N>,
    /// Since the last connection.
    failures: u32,
    /// Since a connection lived long enough.
    attempts: u32,
    last_error: Option<Error>,
    decide: Option<Box<Decide>>,
    tell: Option<Box<Tell>>,
}

type Decide = dyn FnMut(&Error) -> bool + Send;
type Tell = dyn FnMut(&FailedAttempt<'_>) + Send;

enum State<N: Network> {
    /// To be connected at once.
    Ready,
    Waiting(Timestamp),
    Connecting(BoxFuture<Result<ClientSocket<N>, Error>>),
    /// The application has a connection since then.
    Given(Timestamp),
    Over,
}

/// An attempt to connect that failed, and what comes next.
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

    /// How many attempts have failed since the last connection, this one included.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// How long it will be until the next attempt; `None`: this was the last one.
    pub const fn next_wait(&self) -> Option<Duration> {
        self.next_wait
    }
}

impl<N: Network> Reconnect<N> {
    pub(crate) fn new(client: Client<N>, url: Url, backoff: Backoff) -> Self {
        let clock = client.network().clock();
        Self {
            client,
            url,
            backoff,
            clock,
            state: State::Ready,
            failures: 0,
            attempts: 0,
            last_error: None,
            decide: None,
            tell: None,
        }
    }

    /// Sets after which errors there is another attempt. Default: [`Error::is_temporary`].
    ///
    /// ```no_run
    /// # use tidegate_driver::{Error, Network, Reconnect};
    /// use tidegate_core::handshake::HandshakeError;
    ///
    /// # fn example<N: Network>(connections: Reconnect<N>) -> Reconnect<N> {
    /// // The balancer in front answers 404 while the server is being replaced.
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

    /// Calls this after each attempt that failed, before the wait; the last one included.
    pub fn on_failure(mut self, tell: impl FnMut(&FailedAttempt<'_>) + Send + 'static) -> Self {
        self.tell = Some(Box::new(tell));
        self
    }

    /// The next connection; `None` after an error, or when the last of the attempts gave a
    /// connection that did not live long enough.
    ///
    /// # Errors
    ///
    /// As [`Client::connect`]: of the last attempt there will be.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: the wait and the attempt under way go on with the next call.
    pub async fn next(&mut self) -> Option<Result<ClientSocket<N>, Error>> {
        poll_fn(|cx| self.poll_connection(cx)).await
    }

    /// How many attempts have failed since the last connection, or since the beginning: 0 after one
    /// that connected.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// What the last attempt failed with, if the one after it has not connected.
    pub fn last_error(&self) -> Option<&Error> {
        self.last_error.as_ref()
    }

    fn poll_connection(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<ClientSocket<N>, Error>>> {
        loop {
            match &mut self.state {
                State::Ready => {
                    let (client, url) = (self.client.clone(), self.url.clone());
                    self.state =
                        State::Connecting(Box::pin(async move { client.connect_to(url).await }));
                }
                State::Given(since) => {
                    let now = self.clock.now();
                    if self.backoff.is_long(now.saturating_duration_since(*since)) {
                        self.attempts = 0;
                    } else if self.backoff.is_used_up(self.attempts) {
                        self.state = State::Over;
                        continue;
                    }
                    self.state = State::Waiting(now + self.backoff.wait(self.attempts, random()));
                }
                State::Waiting(until) => {
                    let until = *until;
                    ready!(self.clock.poll_deadline(cx, until));
                    if self.clock.now() < until {
                        // The timer was early, and is asked again.
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    self.state = State::Ready;
                }
                State::Connecting(connecting) => {
                    let result = ready!(connecting.as_mut().poll(cx));
                    self.attempts = self.attempts.saturating_add(1);
                    match result {
                        Ok(socket) => {
                            (self.failures, self.last_error) = (0, None);
                            self.state = State::Given(self.clock.now());
                            return Poll::Ready(Some(Ok(socket)));
                        }
                        Err(error) => {
                            if let Some(error) = self.failed(error) {
                                return Poll::Ready(Some(Err(error)));
                            }
                        }
                    }
                }
                State::Over => return Poll::Ready(None),
            }
        }
    }

    /// Tells of an attempt that failed. Gives the error back if there is no other.
    fn failed(&mut self, error: Error) -> Option<Error> {
        // The application's functions may panic: then it is over.
        self.state = State::Over;
        self.failures = self.failures.saturating_add(1);
        let goes_on = !self.backoff.is_used_up(self.attempts)
            && match &mut self.decide {
                Some(decide) => decide(&error),
                None => error.is_temporary(),
            };
        let next_wait = goes_on.then(|| self.backoff.wait_after(&error, self.attempts, random()));
        let server = (self.url.host(), self.url.port());
        Span::attempt_failed(server, self.failures, next_wait, &error);
        let attempt = FailedAttempt { error: &error, failures: self.failures, next_wait };
        if let Some(tell) = &mut self.tell {
            tell(&attempt);
        }
        let Some(wait) = next_wait else { return Some(error) };
        self.last_error = Some(error);
        self.state = State::Waiting(self.clock.now() + wait);
        None
    }
}

impl<N: Network> Stream for Reconnect<N> {
    type Item = Result<ClientSocket<N>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_connection(cx)
    }
}

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
