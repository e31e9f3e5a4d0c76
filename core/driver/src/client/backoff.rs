//! How long a client waits between attempts to connect.

use std::time::Duration;

use crate::error::Error;
use tidegate_core::ConfigError;

/// How long to wait before the next attempt.
///
/// The waits grow from `initial` by `factor` up to `maximum`, and each is shortened at random by up
/// to `jitter` of itself, so that the clients of a server that restarts do not all come at once.
///
/// ```
/// use std::time::Duration;
/// use tidegate_driver::Backoff;
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
    retry_after: Duration,
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
            // A server that asks for more is one for whose return a user would not wait.
            retry_after: Duration::from_secs(300),
            attempts: None,
        }
    }
}

impl Backoff {
    /// 0.5 s, doubled up to 30 s, up to half of it less, without end.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the first wait. Default: 0.5 s; less than 1 µs is refused by [`Client::reconnect`](crate::Client::reconnect).
    pub fn initial(mut self, wait: Duration) -> Self {
        self.initial = wait;
        self
    }

    /// Sets the longest wait. Default: 30 s; less than 1 µs is refused by [`Client::reconnect`](crate::Client::reconnect).
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

    /// Sets the longest `Retry-After` that is honoured: a server that refuses with it is asked again
    /// after that time and the usual wait, which keeps its clients from coming all at once. What is
    /// longer counts as this long; zero: the field is not looked at. It is read in seconds; a date,
    /// for which the clocks of both would have to agree, is passed over. Default: 5 min.
    pub fn retry_after(mut self, longest: Duration) -> Self {
        self.retry_after = longest;
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
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        ConfigError::check_duration("initial", self.initial)?;
        ConfigError::check_duration("maximum", self.maximum)
    }

    pub(crate) fn is_used_up(&self, attempts: u32) -> bool {
        self.attempts.is_some_and(|most| attempts >= most)
    }

    pub(crate) fn is_long(&self, lifetime: Duration) -> bool {
        lifetime >= self.reset_after
    }

    /// The wait after this error, which ended so many attempts.
    pub(crate) fn wait_after(&self, error: &Error, attempts: u32, random: f64) -> Duration {
        let asked = retry_after(error).unwrap_or_default().min(self.retry_after);
        asked.saturating_add(self.wait(attempts, random))
    }

    /// The wait after so many attempts in vain. `random` is from 0 to 1.
    pub(crate) fn wait(&self, failures: u32, random: f64) -> Duration {
        let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        // `max` and `min` give the other one for what is not a number; `clamp` would keep it.
        let grown = self.initial.as_secs_f64() * self.factor.max(1.0).powi(exponent);
        let wait = grown.min(self.maximum.as_secs_f64());
        #[allow(clippy::manual_clamp, reason = "it keeps what is not a number")]
        let part = self.jitter.max(0.0).min(1.0);
        Duration::try_from_secs_f64(wait * (1.0 - part * random)).unwrap_or(self.maximum)
    }
}

/// What the server asks for, in seconds (RFC 9110 §10.2.3).
fn retry_after(error: &Error) -> Option<Duration> {
    let Error::Handshake { response: Some(response), .. } = error else { return None };
    let value = response.headers().get("Retry-After")?.trim();
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    // A number that is too large is a long time.
    is_number.then(|| Duration::from_secs(value.parse().unwrap_or(u64::MAX)))
}

/// From 0 to 1; the middle if the system has no random bytes.
pub(crate) fn random() -> f64 {
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
