//! Gauges: how full a queue is, compared with its high and low watermarks.

use crate::config::Watermarks;

/// The number of bytes in a queue, and its peak. Only the gauge adds and subtracts, so the level
/// cannot drift away from the queue. The watermarks are passed in by each call: they are stored once,
/// in the configuration that many connections share.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gauge {
    level: usize,
    /// The peak before the last decrease. [`peak`](Self::peak) also looks at the current level, so
    /// that `add`, which is called more often than `subtract`, stays cheap.
    peak: usize,
}

impl Gauge {
    #[inline]
    pub(crate) fn add(&mut self, amount: usize) {
        // Cannot overflow, because the bytes that are counted are in memory.
        self.level += amount;
    }

    #[inline]
    pub(crate) fn subtract(&mut self, amount: usize) {
        self.peak = self.peak.max(self.level);
        debug_assert!(amount <= self.level, "a gauge gives back only what it took");
        self.level = self.level.saturating_sub(amount);
    }

    /// The queue is empty.
    #[inline]
    pub(crate) const fn clear(&mut self) {
        self.peak = self.peak();
        self.level = 0;
    }

    pub(crate) const fn level(&self) -> usize {
        self.level
    }

    pub(crate) const fn peak(&self) -> usize {
        if self.level > self.peak { self.level } else { self.peak }
    }

    /// Whether the level has reached the high watermark, so that the queue counts as full.
    #[inline]
    pub(crate) const fn is_high(&self, marks: Watermarks) -> bool {
        self.level >= marks.high() && marks.high() != usize::MAX
    }

    /// Whether the level has fallen to the low watermark.
    pub(crate) const fn is_low(&self, marks: Watermarks) -> bool {
        self.level <= marks.low()
    }
}

/// The number of events in a queue, and its peak. It has half the size of a [`Gauge`]: at `u32::MAX`
/// the queue counts as full, whatever the watermarks say.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    level: u32,
    peak: u32,
}

impl Tally {
    #[inline]
    pub(crate) fn add_one(&mut self) {
        debug_assert!(self.level < u32::MAX, "a full tally takes nothing");
        self.level = self.level.saturating_add(1);
        self.peak = self.peak.max(self.level);
    }

    #[inline]
    pub(crate) fn subtract_one(&mut self) {
        debug_assert!(self.level > 0, "a tally gives back only what it took");
        self.level = self.level.saturating_sub(1);
    }

    /// The queue is empty.
    #[inline]
    pub(crate) const fn clear(&mut self) {
        self.level = 0;
    }

    pub(crate) const fn level(&self) -> usize {
        self.level as usize
    }

    pub(crate) const fn peak(&self) -> usize {
        self.peak as usize
    }

    /// Whether the level has reached the high watermark.
    pub(crate) const fn is_high(&self, marks: Watermarks) -> bool {
        self.level() >= marks.high() || self.level == u32::MAX
    }

    /// Whether the level has fallen to the low watermark.
    pub(crate) const fn is_low(&self, marks: Watermarks) -> bool {
        self.level() <= marks.low()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::error::ConfigError;

    #[test]
    fn a_gauge_is_high_exactly_at_the_high_mark_and_low_exactly_at_the_low_mark() {
        let marks = Watermarks::new(90, 60);
        let mut gauge = Gauge::default();
        gauge.add(89);
        assert!(!gauge.is_high(marks));
        gauge.add(1);
        assert!(gauge.is_high(marks));
        gauge.subtract(29);
        assert!(!gauge.is_low(marks), "61 is above 60");
        gauge.subtract(1);
        assert!(gauge.is_low(marks));
        assert_eq!((gauge.level(), gauge.peak()), (60, 90));
    }

    #[test]
    fn a_tally_is_high_exactly_at_the_high_mark_and_low_exactly_at_the_low_mark() {
        let marks = Watermarks::new(3, 1);
        let mut tally = Tally::default();
        for is_high in [false, false, true] {
            tally.add_one();
            assert_eq!(tally.is_high(marks), is_high);
        }
        tally.subtract_one();
        assert!(!tally.is_low(marks), "2 is above 1");
        tally.subtract_one();
        assert!(tally.is_low(marks));
        assert_eq!((tally.level(), tally.peak()), (1, 3));
        assert!(!tally.is_high(Watermarks::UNLIMITED) && tally.is_low(Watermarks::UNLIMITED));
        let full = Tally { level: u32::MAX, peak: u32::MAX };
        assert!(full.is_high(Watermarks::UNLIMITED), "at the limit of its type it is full");
    }

    #[test]
    fn marks_keep_their_values_and_are_in_order() {
        let marks = Watermarks::new(16, 4);
        assert_eq!((marks.high(), marks.low()), (16, 4));
        let setting = "send_marks";
        let check = |high, low| Watermarks::new(high, low).check(setting);
        assert_eq!(check(16, 4), Ok(()));
        assert_eq!(check(3, 3), Ok(()), "both marks may be equal");
        assert_eq!(check(3, 4), Err(ConfigError::LowAboveHigh { setting, high: 3, low: 4 }));
        assert_eq!(check(0, 0), Err(ConfigError::ZeroLimit { setting }));
        assert_eq!(check(1, 0), Ok(()));
        assert_eq!(Watermarks::new(1, 0).low(), 0);
    }

    #[test]
    #[cfg_attr(debug_assertions, should_panic(expected = "gives back only what it took"))]
    fn a_gauge_does_not_go_below_zero() {
        let mut gauge = Gauge::default();
        gauge.add(1);
        gauge.subtract(2);
        assert_eq!(gauge.level(), 0);
    }

    #[test]
    fn an_unlimited_gauge_is_never_high() {
        let mut gauge = Gauge::default();
        gauge.add(usize::MAX);
        assert!(!gauge.is_high(Watermarks::UNLIMITED));
        assert!(gauge.is_low(Watermarks::UNLIMITED));
    }
}
