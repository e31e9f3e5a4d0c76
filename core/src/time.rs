//! Points in time on the caller's clock.

use core::fmt;
use core::ops::Add;
use core::time::Duration;

/// A point in time on a monotonic clock that the caller owns, in microseconds from any origin.
///
/// The core never reads a clock; the caller passes the time in. A typical caller keeps one
/// `std::time::Instant` as the origin and passes [`Timestamp::from_duration`] of the time that has
/// elapsed since. A test or a simulator passes any times it likes.
///
/// ```
/// use core::time::Duration;
/// use tidegate_core::Timestamp;
///
/// let start = Timestamp::from_millis(5);
/// assert_eq!(start + Duration::from_millis(2), Timestamp::from_micros(7_000));
/// assert_eq!(start + Duration::MAX, Timestamp::MAX); // saturates, never wraps
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The origin of the clock.
    pub const ZERO: Self = Self(0);
    /// The latest possible time, some 584,000 years after the origin.
    pub const MAX: Self = Self(u64::MAX);

    /// A time in microseconds after the origin.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// A time in milliseconds after the origin. Saturates at [`Timestamp::MAX`].
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// A time in seconds after the origin. Saturates at [`Timestamp::MAX`].
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// The time at which `elapsed` has passed since the origin. Saturates at [`Timestamp::MAX`].
    pub fn from_duration(elapsed: Duration) -> Self {
        Self(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX))
    }

    /// Microseconds since the origin.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, delay: Duration) -> Self {
        Self(self.0.saturating_add(Self::from_duration(delay).0))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}
