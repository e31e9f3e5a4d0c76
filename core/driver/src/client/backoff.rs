//! How long a client waits before it connects again.

use std::time::Duration;

use crate::error::Error;
use tidegate_core::ConfigError;

/// How long to wait before the next attempt to connect. [`BackoffBuilder::build`] has checked it.
///
/// The waits grow from `initial` by `factor` up to `maximum`, and each is shortened at random by up
/// to `jitter` of itself, so that the clients of a server that restarts do not all come at once.
///
/// ```
/// use std::time::Duration;
/// use tidegate_driver::Backoff;
///
/// let backoff = Backoff::builder()
///     .initial(Duration::from_millis(100))
///     .maximum(Duration::from_secs(10))
///     .jitter(0.2)
///     .attempts(8)
///     .build()?;
/// # Ok::<(), tidegate_core::ConfigError>(())
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
            // Longer than it takes to replace a server process behind a load balancer.
            initial: Duration::from_millis(500),
            // A user who looks at the screen sees the connection come back.
            maximum: Duration::from_secs(30),
            factor: 2.0,
            jitter: 0.5,
            // Longer than a connection to a server that accepts everybody and then fails.
            reset_after: Duration::from_secs(10),
            // If a server asks for more, a user would not wait for it.
            retry_after: Duration::from_secs(300),
            attempts: None,
        }
    }
}

/// The settings. The setter of the same name in [`BackoffBuilder`] says what each one does.
impl Backoff {
    /// Begins with the defaults: 0.5 s, doubled up to 30 s, shortened by up to half, without end.
    pub fn builder() -> BackoffBuilder {
        BackoffBuilder { backoff: Self::default() }
    }

    /// Begins with these settings.
    pub fn to_builder(&self) -> BackoffBuilder {
        BackoffBuilder { backoff: self.clone() }
    }

    /// The first wait. Default: 0.5 s.
    pub fn initial(&self) -> Duration {
        self.initial
    }

    /// The longest wait. Default: 30 s.
    pub fn maximum(&self) -> Duration {
        self.maximum
    }

    /// By how much each wait is longer than the one before. Default: 2.
    pub fn factor(&self) -> f64 {
        self.factor
    }

    /// Which part of a wait is random. Default: 0.5.
    pub fn jitter(&self) -> f64 {
        self.jitter
    }

    /// How long a connection must live for the waits to begin anew. Default: 10 s.
    pub fn reset_after(&self) -> Duration {
        self.reset_after
    }

    /// The longest `Retry-After` that is honoured. Default: 5 min.
    pub fn retry_after(&self) -> Duration {
        self.retry_after
    }

    /// How many attempts may be made. Default: `None`, any number.
    pub fn attempts(&self) -> Option<u32> {
        self.attempts
    }

    pub(crate) fn is_used_up(&self, attempts: u32) -> bool {
        self.attempts.is_some_and(|most| attempts >= most)
    }

    pub(crate) fn is_long_lived(&self, lifetime: Duration) -> bool {
        lifetime >= self.reset_after
    }

    /// The wait after this error, with which the last of so many attempts failed.
    pub(crate) fn wait_after(&self, error: &Error, attempts: u32, random: f64) -> Duration {
        let asked = retry_after(error).unwrap_or_default().min(self.retry_after);
        asked.saturating_add(self.wait(attempts, random))
    }

    /// The wait after so many failed attempts. `random` is from 0 to 1.
    pub(crate) fn wait(&self, failures: u32, random: f64) -> Duration {
        let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        // If one value is NaN, `max` and `min` give the other one; `clamp` would give NaN.
        let grown = self.initial.as_secs_f64() * self.factor.max(1.0).powi(exponent);
        let wait = grown.min(self.maximum.as_secs_f64());
        #[allow(clippy::manual_clamp, reason = "`clamp` keeps NaN")]
        let part = self.jitter.max(0.0).min(1.0);
        Duration::try_from_secs_f64(wait * (1.0 - part * random)).unwrap_or(self.maximum)
    }
}

/// Builds a [`Backoff`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct BackoffBuilder {
    backoff: Backoff,
}

impl BackoffBuilder {
    /// The first wait. Default: 0.5 s.
    pub fn initial(mut self, wait: Duration) -> Self {
        self.backoff.initial = wait;
        self
    }

    /// The longest wait. Default: 30 s.
    pub fn maximum(mut self, wait: Duration) -> Self {
        self.backoff.maximum = wait;
        self
    }

    /// By how much each wait is longer than the one before. Less than 1 counts as 1. Default: 2.
    pub fn factor(mut self, factor: f64) -> Self {
        self.backoff.factor = factor;
        self
    }

    /// Which part of a wait is random: from 0 (none) to 1 (all of it). Less counts as 0, more as 1.
    /// Default: 0.5.
    pub fn jitter(mut self, part: f64) -> Self {
        self.backoff.jitter = part;
        self
    }

    /// How long a connection must live for the waits to begin anew. Default: 10 s; zero: every
    /// connection is long enough.
    pub fn reset_after(mut self, lifetime: Duration) -> Self {
        self.backoff.reset_after = lifetime;
        self
    }

    /// The longest `Retry-After` that is honoured.
    ///
    /// A server that refuses with `Retry-After` is asked again after that time and the usual wait,
    /// which keeps its clients from coming all at once. A longer time counts as this one. The field
    /// is read in seconds; a date is ignored, because it would be right only if the clocks of both
    /// agree. Default: 5 min; zero: the field is ignored.
    pub fn retry_after(mut self, longest: Duration) -> Self {
        self.backoff.retry_after = longest;
        self
    }

    /// How many attempts may be made without a connection that lives long enough. Default: `None`,
    /// any number.
    pub fn attempts(mut self, attempts: impl Into<Option<u32>>) -> Self {
        self.backoff.attempts = attempts.into();
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`ConfigError::ZeroDuration`] if `initial` or `maximum` is less than a microsecond: a client
    /// that does not wait would do nothing but connect.
    pub fn build(self) -> Result<Backoff, ConfigError> {
        ConfigError::check_duration("initial", self.backoff.initial)?;
        ConfigError::check_duration("maximum", self.backoff.maximum)?;
        Ok(self.backoff)
    }
}

/// How long the server asks to wait, from `Retry-After` in seconds (RFC 9110 §10.2.3).
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
        let backoff = Backoff::builder().initial(Duration::from_millis(100));
        let backoff = backoff.maximum(Duration::from_secs(1)).jitter(0.5).build().expect("valid");
        let waits = |random| {
            [0, 1, 2, 3, 4, 5, 99, u32::MAX]
                .map(|failures| backoff.wait(failures, random).as_millis())
        };
        assert_eq!(waits(0.0), [100, 100, 200, 400, 800, 1000, 1000, 1000]);
        assert_eq!(waits(1.0), [50, 50, 100, 200, 400, 500, 500, 500]);
        for (factor, jitter) in [(f64::NAN, f64::NAN), (-1.0, -1.0), (0.0, 0.0)] {
            let odd = backoff.to_builder().factor(factor).jitter(jitter).build().expect("valid");
            assert_eq!(odd.wait(5, 1.0), Duration::from_millis(100), "{factor}");
        }
        let odd = backoff.to_builder().factor(f64::INFINITY).jitter(f64::INFINITY);
        let odd = odd.build().expect("valid");
        assert_eq!(odd.wait(5, 1.0), Duration::ZERO);
        assert!((0.0..=1.0).contains(&random()));
    }
}
