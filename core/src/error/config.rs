//! Mistakes in a configuration.

use core::fmt;
use core::time::Duration;

/// A configuration that contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// A low mark is above its high mark: what stopped would never go on in order.
    LowAboveHigh {
        /// The high mark.
        high: usize,
        /// The low mark.
        low: usize,
    },
    /// A high mark is zero: nothing could ever pass.
    HighIsZero,
    /// A duration is zero, or less than the microsecond that time is counted in: it would be over
    /// before it began, and a loop would never sleep.
    ZeroDuration {
        /// The setting.
        setting: &'static str,
    },
    /// A limit on a size or a number is zero: nothing could ever pass.
    ZeroLimit {
        /// The setting.
        setting: &'static str,
    },
    /// A value is outside of what there is.
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

impl ConfigError {
    /// Refuses a duration below one microsecond, the unit of [`Timestamp`](crate::Timestamp), as if
    /// it were zero. `None` is no duration at all, and passes. The one place where a setting that is
    /// a duration is checked; public for drivers that have settings of their own.
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
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LowAboveHigh { high, low } => {
                write!(f, "the low mark {low} is above the high mark {high}")
            }
            Self::HighIsZero => f.write_str("a high mark of 0 lets nothing pass, the least is 1"),
            Self::ZeroDuration { setting } => {
                write!(f, "{setting} is less than a microsecond; leave it out to have none")
            }
            Self::ZeroLimit { setting } => write!(f, "{setting} of 0 lets nothing pass"),
            Self::OutOfRange { setting, value, least, most } => {
                write!(f, "{setting} is {value}, it may be {least} to {most}")
            }
        }
    }
}

impl core::error::Error for ConfigError {}
