//! Settings that cannot be used.

use core::fmt;
use core::time::Duration;

/// A setting that cannot be used. Says which one, its value, and what is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// A low mark is above its high mark: what has stopped would go on at once.
    LowAboveHigh {
        /// The setting.
        setting: &'static str,
        /// The high mark.
        high: usize,
        /// The low mark.
        low: usize,
    },
    /// A duration is zero, or less than the microsecond that time is counted in: it would be over
    /// before it began, and an event loop would never sleep.
    ZeroDuration {
        /// The setting.
        setting: &'static str,
    },
    /// A limit on a size or a number, or a high mark, is zero: nothing could ever pass.
    ZeroLimit {
        /// The setting.
        setting: &'static str,
    },
    /// A value is outside of its range.
    OutOfRange {
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: u8,
        /// The least value.
        least: u8,
        /// The greatest value.
        most: u8,
    },
}

/// The checks of settings are public for drivers that have settings of their own.
impl ConfigError {
    /// Refuses a duration below one microsecond, the unit of [`Timestamp`](crate::Timestamp), as if
    /// it were zero. `None`, which means no limit, passes.
    ///
    /// # Errors
    ///
    /// [`ConfigError::ZeroDuration`] with the name of the setting.
    pub fn check_duration(
        setting: &'static str,
        duration: impl Into<Option<Duration>>,
    ) -> Result<(), Self> {
        match duration.into() {
            Some(duration) if duration < Duration::from_micros(1) => {
                Err(Self::ZeroDuration { setting })
            }
            _ => Ok(()),
        }
    }

    /// Refuses a size or a number of zero. `None`, which means no limit, passes.
    ///
    /// # Errors
    ///
    /// [`ConfigError::ZeroLimit`] with the name of the setting.
    pub fn check_limit(setting: &'static str, limit: impl Into<Option<usize>>) -> Result<(), Self> {
        match limit.into() {
            Some(0) => Err(Self::ZeroLimit { setting }),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LowAboveHigh { setting, high, low } => {
                write!(f, "{setting}: the low mark {low} is above the high mark {high}")
            }
            Self::ZeroDuration { setting } => {
                write!(f, "{setting} is less than a microsecond, which is the least")
            }
            Self::ZeroLimit { setting } => {
                write!(f, "{setting} of 0 lets nothing pass, the least is 1")
            }
            Self::OutOfRange { setting, value, least, most } => {
                write!(f, "{setting} is {value}, it may be {least} to {most}")
            }
        }
    }
}

impl core::error::Error for ConfigError {}
