//! A small generator of numbers that look random: the same seed, the same schedule.

/// SplitMix64. Good enough to shake a schedule, and reproducible from one number.
///
/// ```
/// use tidegate_core::testing::Random;
///
/// let (mut one, mut other) = (Random::new(5), Random::new(5));
/// assert_eq!(one.bytes(10), other.bytes(10));
/// assert!(one.below(6) < 6);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator for this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; zero if that is zero.
    pub const fn below(&mut self, limit: usize) -> usize {
        if limit == 0 {
            return 0;
        }
        #[allow(clippy::cast_possible_truncation, reason = "the remainder is below a usize")]
        let number = (self.next() % limit as u64) as usize;
        number
    }

    /// True once in `times`.
    pub const fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        choices.get(self.below(choices.len())).copied()
    }

    /// This many bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}
