//! Level, high, low and hysteresis: the only place that compares with a watermark.

use crate::config::Watermarks;

/// A level under two marks. It owns every addition and subtraction, so it cannot drift. The marks
/// stand in the configuration, once for all connections, and come with the question.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gauge {
    level: usize,
    /// The highest level from which it fell. A level that rises is its own peak: there is more that
    /// adds than that takes off.
    peak: usize,
}

impl Gauge {
    #[inline]
    pub(crate) fn add(&mut self, amount: usize) {
        // What is counted is in memory, so it cannot overflow.
        self.level += amount;
    }

    #[inline]
    pub(crate) fn subtract(&mut self, amount: usize) {
        self.peak = self.peak.max(self.level);
        debug_assert!(amount <= self.level, "a gauge gives back only what it took");
        self.level = self.level.saturating_sub(amount);
    }

    /// Nothing is left of what is counted.
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

    /// At or above the high mark: time to stop.
    #[inline]
    pub(crate) const fn is_high(&self, marks: Watermarks) -> bool {
        self.level >= marks.high() && marks.high() != usize::MAX
    }

    /// At or below the low mark: time to go on.
    pub(crate) const fn is_low(&self, marks: Watermarks) -> bool {
        self.level <= marks.low()
    }
}

/// A level of things that are counted one by one, likewise. There are never more than `u32` counts:
/// that many count as too many, whatever the marks say.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    level: u32,
    peak: u32,
}

impl Tally {
    #[inline]
    pub(crate) fn add_one(&mut self) {
        debug_assert!(self.level < u32::MAX, "that many are too many");
        self.level = self.level.saturating_add(1);
        self.peak = self.peak.max(self.level);
    }

    #[inline]
    pub(crate) fn subtract_one(&mut self) {
        debug_assert!(self.level > 0, "a tally gives back only what it took");
        self.level = self.level.saturating_sub(1);
    }

    /// Nothing is left of what is counted.
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

    /// At or above the high mark: time to stop.
    pub(crate) const fn is_high(&self, marks: Watermarks) -> bool {
        self.level() >= marks.high() || self.level == u32::MAX
    }

    /// At or below the low mark: time to go on.
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
    fn stops_exactly_at_high_and_goes_on_exactly_at_low() {
        let marks = Watermarks::literal(90, 60);
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
    fn a_tally_stops_exactly_at_high_and_goes_on_exactly_at_low() {
        let marks = Watermarks::literal(3, 1);
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
        assert!(full.is_high(Watermarks::UNLIMITED), "there is no room for one more");
    }

    #[test]
    fn marks_are_what_they_were_made_of_and_in_order() {
        let marks = Watermarks::new(16, 4).unwrap();
        assert_eq!((marks.high(), marks.low()), (16, 4));
        assert_eq!(Watermarks::literal(16, 4), marks);
        assert_eq!(Watermarks::new(3, 3), Ok(Watermarks::literal(3, 3)), "one mark is two");
        assert_eq!(Watermarks::new(3, 4), Err(ConfigError::LowAboveHigh { high: 3, low: 4 }));
        assert_eq!(Watermarks::new(0, 0), Err(ConfigError::HighIsZero));
        assert_eq!(Watermarks::literal(1, 0).low(), 0);
    }

    #[test]
    #[should_panic(expected = "valid marks")]
    fn a_literal_high_mark_is_not_zero() {
        Watermarks::literal(0, 0);
    }

    #[test]
    #[should_panic(expected = "valid marks")]
    fn a_literal_low_mark_is_not_above_the_high_one() {
        Watermarks::literal(1, 2);
    }

    #[test]
    #[cfg_attr(debug_assertions, should_panic(expected = "gives back only what it took"))]
    fn a_gauge_does_not_go_below_nothing() {
        let mut gauge = Gauge::default();
        gauge.add(1);
        gauge.subtract(2);
        assert_eq!(gauge.level(), 0);
    }

    #[test]
    fn unlimited_never_stops() {
        let mut gauge = Gauge::default();
        gauge.add(usize::MAX);
        assert!(!gauge.is_high(Watermarks::UNLIMITED));
        assert!(gauge.is_low(Watermarks::UNLIMITED));
    }
}
