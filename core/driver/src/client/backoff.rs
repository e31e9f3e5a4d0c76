//! How long a client waits between two attempts to connect.

use std::time::Duration;

use crate::error::Error;
use tidegate_core::ConfigError;

/// How long to wait before the next attempt.
///
/// The waits grow from `initial` by `factor` up to `maximum`. Each is shortened at random, by up to
/// the fraction `jitter`, so that not all clients of a restarting server come back at the same time.
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
#[must_use = "it has an effect only when it is passed to `reconnect`"]
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
            // Longer than a load balancer takes to replace a server process.
            initial: Duration::from_millis(500),
            // A user who watches the screen sees the connection come back.
            maximum: Duration::from_secs(30),
            factor: 2.0,
            jitter: 0.5,
            // Longer than the connections of a server that accepts everything and then fails.
            reset_after: Duration::from_secs(10),
            // A user would not wait for a server that asks for more time than this.
            retry_after: Duration::from_secs(300),
            attempts: None,
        }
    }
}

impl Backoff {
    /// The defaults: 0.5 s, doubled up to 30 s, each shortened by up to a half, without a limit on
    /// the number of attempts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the first wait. Default: 0.5 s.
    /// [`Client::reconnect`](crate::Client::reconnect) refuses less than 1 µs.
    pub fn initial(mut self, wait: Duration) -> Self {
        self.initial = wait;
        self
    }

    /// Sets the longest wait. Default: 30 s.
    /// [`Client::reconnect`](crate::Client::reconnect) refuses less than 1 µs.
    pub fn maximum(mut self, wait: Duration) -> Self {
        self.maximum = wait;
        self
    }

    /// Sets the factor by which the waits grow. Default: 2. Less than 1 counts as 1.
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// Sets the random fraction of a wait, from 0 (none) to 1 (all of it). Default: 0.5.
    pub fn jitter(mut self, part: f64) -> Self {
        self.jitter = part;
        self
    }

    /// Sets how long a connection must live so that the next waits start from `initial` again.
    /// Default: 10 s.
    pub fn reset_after(mut self, lifetime: Duration) -> Self {
        self.reset_after = lifetime;
        self
    }

    /// Sets the longest `Retry-After` that is honoured. Default: 5 min.
    ///
    /// If a server refuses with `Retry-After`, the client waits for that time and then for the usual
    /// wait, so that not all clients come back at the same time. A longer time counts as `longest`;
    /// with zero the header is ignored. A date in the header is ignored too, because both clocks
    /// would have to agree.
    pub fn retry_after(mut self, longest: Duration) -> Self {
        self.retry_after = longest;
        self
    }

    /// Sets how many attempts may be made without a connection that lives for `reset_after`. Default:
    /// `None`, no limit.
    pub fn attempts(mut self, attempts: impl Into<Option<u32>>) -> Self {
        self.attempts = attempts.into();
        self
    }

    /// Refuses waits of zero, with which a client would connect in a busy loop. A `reset_after` of
    /// zero is allowed: then every connection lives long enough.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        ConfigError::check_duration("initial", self.initial)?;
        ConfigError::check_duration("maximum", self.maximum)
    }

    pub(crate) fn is_used_up(&self, attempts: u32) -> bool {
        self.attempts.is_some_and(|limit| attempts >= limit)
    }

    pub(crate) fn is_long_lived(&self, lifetime: Duration) -> bool {
        lifetime >= self.reset_after
    }

    /// The wait after `error`, which is the result of the last one of `attempts`.
    pub(crate) fn wait_after(&self, error: &Error, attempts: u32, random: f64) -> Duration {
        let asked = retry_after(error).unwrap_or_default().min(self.retry_after);
        asked.saturating_add(self.wait(attempts, random))
    }

    /// The wait after so many failed attempts. `random` is from 0 to 1.
    pub(crate) fn wait(&self, failures: u32, random: f64) -> Duration {
        let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        // For NaN, `max` and `min` return the other operand; `clamp` would return NaN.
        let grown = self.initial.as_secs_f64() * self.factor.max(1.0).powi(exponent);
        let wait = grown.min(self.maximum.as_secs_f64());
        #[allow(clippy::manual_clamp, reason = "it returns NaN for NaN")]
        let part = self.jitter.max(0.0).min(1.0);
        Duration::try_from_secs_f64(wait * (1.0 - part * random)).unwrap_or(self.maximum)
    }
}

/// The `Retry-After` of a response, in seconds (RFC 9110 §10.2.3).
fn retry_after(error: &Error) -> Option<Duration> {
    let Error::Handshake { response: Some(response), .. } = error else { return None };
    let value = response.headers().get("Retry-After")?.trim();
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    // A number that is too large still means a long time.
    is_number.then(|| Duration::from_secs(value.parse().unwrap_or(u64::MAX)))
}

/// A random number from 0 to 1. Returns 0.5 if the system has no random bytes.
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
