//! High and low watermarks.

use crate::error::ConfigError;

/// Two marks on a level: at or above `high` something stops, at or below `low` it goes on.
///
/// Two, because one mark for both would start and stop at every message.
///
/// ```
/// use tidegate_core::Watermarks;
///
/// let marks = Watermarks::new(16, 4)?;
/// assert_eq!((marks.high(), marks.low()), (16, 4));
/// assert!(Watermarks::new(4, 16).is_err());
/// assert!(Watermarks::new(0, 0).is_err());
/// # Ok::<(), tidegate_core::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Watermarks {
    high: usize,
    low: usize,
}

impl Watermarks {
    /// No marks: the level may rise without limit and nothing ever stops.
    ///
    /// Memory is then bounded only by what the peer sends. It is meant for experiments, and for
    /// one of two marks when the other one bounds enough.
    pub const UNLIMITED: Self = Self { high: usize::MAX, low: usize::MAX };

    /// Marks at `high` and `low`, in the unit of the level they are for.
    ///
    /// # Errors
    ///
    /// [`ConfigError::LowAboveHigh`] and [`ConfigError::HighIsZero`] (nothing could ever pass).
    pub const fn new(high: usize, low: usize) -> Result<Self, ConfigError> {
        if high == 0 {
            Err(ConfigError::HighIsZero)
        } else if low > high {
            Err(ConfigError::LowAboveHigh { high, low })
        } else {
            Ok(Self { high, low })
        }
    }

    /// Marks that are known to be valid when the program is compiled.
    pub(crate) const fn literal(high: usize, low: usize) -> Self {
        assert!(high >= 1 && low <= high, "valid marks");
        Self { high, low }
    }

    /// The level at which something stops (`>=`).
    pub const fn high(self) -> usize {
        self.high
    }

    /// The level at which it goes on (`<=`).
    pub const fn low(self) -> usize {
        self.low
    }
}
