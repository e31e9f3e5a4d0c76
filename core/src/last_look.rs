//! The last look: a limit that blames the peer asks for one more turn before it takes effect.

use core::time::Duration;

use crate::time::Timestamp;

/// When a limit may be judged whose `deadline` has passed: after one more turn of the caller's
/// loop, which reads what has arrived meanwhile and offers output.
///
/// A loop that came late gets as long as it was late, and the limit itself at most: while nobody
/// called, nothing could be read, and that is not the peer's fault.
pub(crate) fn last_look(deadline: Timestamp, now: Timestamp, limit: Duration) -> Timestamp {
    let late = now.saturating_duration_since(deadline);
    now + late.min(limit).max(ONE_TURN)
}

/// What a turn takes at least. Without it, a caller that tells the time twice in a row would have
/// no reason to read in between.
const ONE_TURN: Duration = Duration::from_millis(1);

/// How many bytes one last look reads at most: more than an operating system keeps for a socket, so
/// all that had arrived is seen. Where more comes after that, it is a peer that goes on for ever.
pub(crate) const LOOK_BYTES: u32 = 8 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_came_late_has_as_long_again_within_the_limit() {
        let at = Timestamp::from_millis;
        let limit = Duration::from_secs(1);
        for (now, judged) in [(100, 101), (350, 600), (1100, 2100), (9000, 10_000)] {
            assert_eq!(last_look(at(100), at(now), limit), at(judged), "at {now} ms");
        }
    }
}
