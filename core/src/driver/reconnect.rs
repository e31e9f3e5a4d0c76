//! Connections to one address, one after the other, for as long as the application wants them.

use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;

use futures_core::Stream;

use super::clock::Clock;
use super::connect::{Client, ClientSocket};
use super::error::Error;
use super::network::{BoxFuture, Network};
use super::url::Url;
use crate::{ConfigError, Timestamp};

/// How long to wait before the next attempt.
///
/// The waits grow from `initial` by `factor` up to `maximum`, and each is shortened at random by up
/// to `jitter` of itself, so that the clients of a server that restarts do not all come at once.
///
/// ```
/// use core::time::Duration;
/// use tidegate_core::driver::Backoff;
///
/// let backoff = Backoff::new()
///     .initial(Duration::from_millis(100))
///     .maximum(Duration::from_secs(10))
///     .jitter(0.2)
///     .attempts(8);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "it is used when it is given to `reconnect`"]
pub struct Backoff {
    initial: Duration,
    maximum: Duration,
    factor: f64,
    jitter: f64,
    reset_after: Duration,
    attempts: Option<u32>,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            // Longer than a server process takes to be replaced behind a balancer.
            initial: Duration::from_millis(500),
            // A user who looks at the screen sees it come back.
            maximum: Duration::from_secs(30),
            factor: 2.0,
            jitter: 0.5,
            // Longer than a server that accepts everybody and then fails.
            reset_after: Duration::from_secs(10),
            attempts: None,
        }
    }
}

impl Backoff {
    /// 0.5 s, doubled up to 30 s, up to half of it less, without end.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the first wait. Default: 0.5 s; less than 1 µs is refused by [`Client::reconnect`].
    pub fn initial(mut self, wait: Duration) -> Self {
        self.initial = wait;
        self
    }

    /// Sets the longest wait. Default: 30 s; less than 1 µs is refused by [`Client::reconnect`].
    pub fn maximum(mut self, wait: Duration) -> Self {
        self.maximum = wait;
        self
    }

    /// Sets by what each wait is longer than the one before. Default: 2; less than 1 counts as 1.
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// Sets which part of a wait is random: from 0 (none) to 1 (all of it). Default: 0.5.
    pub fn jitter(mut self, part: f64) -> Self {
        self.jitter = part;
        self
    }

    /// Sets how long a connection must have lived for the waits to begin anew. Default: 10 s.
    pub fn reset_after(mut self, lifetime: Duration) -> Self {
        self.reset_after = lifetime;
        self
    }

    /// Sets how many attempts may be made without a connection that lives long enough. Default:
    /// `None`, no end.
    pub fn attempts(mut self, attempts: impl Into<Option<u32>>) -> Self {
        self.attempts = attempts.into();
        self
    }

    /// Without waits a client would do nothing but connect. That a connection counts as soon as it
    /// is there, by a `reset_after` of zero, is a choice.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        ConfigError::check_duration("initial", self.initial)?;
        ConfigError::check_duration("maximum", self.maximum)
    }

    /// The wait behind so many attempts in vain. `random` is from 0 to 1.
    fn wait(&self, failures: u32, random: f64) -> Duration {
        let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        // `max` and `min` give the other one for what is not a number; `clamp` would keep it.
        let grown = self.initial.as_secs_f64() * self.factor.max(1.0).powi(exponent);
        let wait = grown.min(self.maximum.as_secs_f64());
        #[allow(clippy::manual_clamp, reason = "it keeps what is not a number")]
        let part = self.jitter.max(0.0).min(1.0);
        Duration::try_from_secs_f64(wait * (1.0 - part * random)).unwrap_or(self.maximum)
    }
}

/// Connections to one address, one after the other. Made by [`Client::reconnect`].
///
/// [`next`](Self::next) connects, at first at once, and after that behind a wait that grows while it
/// fails. Ask for the next one when the last one has ended: how long that took is how long it lived.
///
/// It ends behind an error: when the attempts of [`Backoff::attempts`] are used up, and for what
/// will not change (an address or a request that is not valid).
///
/// It is also a `Stream`.
pub struct Reconnect<N: Network> {
    client: Client<N>,
    url: Url,
    backoff: Backoff,
    clock: N::Clock,
    state: State<N>,
    failures: u32,
    last_error: Option<Error>,
}

enum State<N: Network> {
    /// To be connected at once.
    Ready,
    Waiting(Timestamp),
    Connecting(BoxFuture<Result<ClientSocket<N>, Error>>),
    /// The application has a connection since then.
    Given(Timestamp),
    Over,
}

impl<N: Network> Reconnect<N> {
    pub(super) fn new(client: Client<N>, url: Url, backoff: Backoff) -> Self {
        let clock = client.network().clock();
        Self { client, url, backoff, clock, state: State::Ready, failures: 0, last_error: None }
    }

    /// The next connection; `None` behind an error.
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

    /// How many attempts were made since a connection lived long enough.
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
                    if now.saturating_duration_since(*since) >= self.backoff.reset_after {
                        self.failures = 0;
                    } else if self.is_used_up() {
                        self.state = State::Over;
                        continue;
                    }
                    self.wait(now);
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
                    self.failures = self.failures.saturating_add(1);
                    let error = match result {
                        Ok(socket) => {
                            self.last_error = None;
                            self.state = State::Given(self.clock.now());
                            return Poll::Ready(Some(Ok(socket)));
                        }
                        Err(error) => error,
                    };
                    if self.is_used_up() || is_permanent(&error) {
                        self.state = State::Over;
                        return Poll::Ready(Some(Err(error)));
                    }
                    self.last_error = Some(error);
                    self.wait(self.clock.now());
                }
                State::Over => return Poll::Ready(None),
            }
        }
    }

    fn is_used_up(&self) -> bool {
        self.backoff.attempts.is_some_and(|attempts| self.failures >= attempts)
    }

    fn wait(&mut self, now: Timestamp) {
        self.state = State::Waiting(now + self.backoff.wait(self.failures, random()));
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

/// What no other attempt changes.
fn is_permanent(error: &Error) -> bool {
    matches!(error, Error::Url(_) | Error::Request(_))
}

/// From 0 to 1; the middle if the system has no random bytes.
fn random() -> f64 {
    let mut bytes = [0; 4];
    match getrandom::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_maximum_and_are_shortened() {
        let backoff = Backoff::new().initial(Duration::from_millis(100));
        let backoff = backoff.maximum(Duration::from_secs(1)).jitter(0.5);
        let waits = |random| {
            [0, 1, 2, 3, 4, 5, 99, u32::MAX]
                .map(|failures| backoff.wait(failures, random).as_millis())
        };
        assert_eq!(waits(0.0), [100, 100, 200, 400, 800, 1000, 1000, 1000]);
        assert_eq!(waits(1.0), [50, 50, 100, 200, 400, 500, 500, 500]);
        for (factor, jitter) in [(f64::NAN, f64::NAN), (-1.0, -1.0), (0.0, 0.0)] {
            let odd = backoff.clone().factor(factor).jitter(jitter);
            assert_eq!(odd.wait(5, 1.0), Duration::from_millis(100), "{factor}");
        }
        let odd = backoff.clone().factor(f64::INFINITY).jitter(f64::INFINITY);
        assert_eq!(odd.wait(5, 1.0), Duration::ZERO);
        assert!((0.0..=1.0).contains(&random()));
    }
}
