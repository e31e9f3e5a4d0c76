//! The last look: before a time limit blames the peer, the caller reads the socket once more.

use core::time::Duration;

use crate::time::Timestamp;

/// When the last look ends for a limit whose `deadline` has passed. Until then the caller's loop has
/// time for one more turn, in which it reads what has arrived and offers output.
///
/// If the loop came late, the last look is as long as the delay, but not longer than the limit: while
/// the loop was busy nothing could be read, and that is not the peer's fault.
pub(crate) fn last_look(deadline: Timestamp, now: Timestamp, limit: Duration) -> Timestamp {
    let late = now.saturating_duration_since(deadline);
    // `max` last: a limit below one millisecond still gets its turn.
    now + late.min(limit).max(ONE_TURN)
}

/// The shortest last look. It must not be zero: a caller that calls `handle_timeout` twice in a row
/// would have no reason to read in between.
const ONE_TURN: Duration = Duration::from_millis(1);

/// How many bytes one last look reads at most. Operating systems buffer less than this for a socket,
/// so everything that had arrived in time is seen. More can only come from a peer that never stops.
pub(crate) const LOOK_BYTES: u32 = 8 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_loop_gets_its_delay_again_but_not_more_than_the_limit() {
        let at = Timestamp::from_millis;
        let limit = Duration::from_secs(1);
        for (now, judged) in [(100, 101), (350, 600), (1100, 2100), (9000, 10_000)] {
            assert_eq!(last_look(at(100), at(now), limit), at(judged), "at {now} ms");
        }
    }
}
