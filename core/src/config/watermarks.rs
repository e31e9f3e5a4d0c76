//! High and low watermarks: when a queue counts as full, and when as free again.

use crate::error::ConfigError;

/// Two marks on a level: at or above `high` something stops, at or below `low` it goes on.
///
/// There are two of them because a single mark would stop and start at every message. Marks are
/// checked with the other settings, by [`ConfigBuilder::build`](crate::ConfigBuilder::build): `high`
/// is at least 1, and `low` is not above it.
///
/// ```
/// use tidegate_core::{Config, Watermarks};
///
/// let marks = Watermarks::new(16, 4);
/// assert_eq!((marks.high(), marks.low()), (16, 4));
/// let build = |marks| Config::builder().message_marks(marks).build();
/// assert!(build(marks).is_ok());
/// assert!(build(Watermarks::new(4, 16)).is_err());
/// assert!(build(Watermarks::new(0, 0)).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Watermarks {
    high: usize,
    low: usize,
}

impl Watermarks {
    /// No marks: the level may rise without limit and nothing ever stops.
    ///
    /// Memory is then bounded only by what the peer sends. Use it for experiments, or for one kind
    /// of marks when another kind is bound enough.
    pub const UNLIMITED: Self = Self { high: usize::MAX, low: usize::MAX };

    /// Marks at `high` and `low`, in the unit of the setting: messages or bytes.
    pub const fn new(high: usize, low: usize) -> Self {
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

    /// Checks that something can pass at all, and that what has stopped can go on.
    pub(crate) const fn check(self, setting: &'static str) -> Result<(), ConfigError> {
        let Self { high, low } = self;
        if high == 0 {
            Err(ConfigError::ZeroLimit { setting })
        } else if low > high {
            Err(ConfigError::LowAboveHigh { setting, high, low })
        } else {
            Ok(())
        }
    }
}
