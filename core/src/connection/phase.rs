//! The closing handshake as a table (RFC 6455 §7). Knows no bytes, no role, no clock.

/// How far the connection is on its way to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nobody has begun to close.
    Open,
    /// We have sent a Close, or queued it; the peer's is awaited.
    Closing,
    /// A time limit cut the stream. What had arrived before is still decoded.
    Cut,
    // Up to here input is decoded: one comparison for every message.
    /// Both have sent a Close: only the end of the stream is awaited.
    Closed,
    /// The peer broke the protocol: only the end of the stream is awaited.
    Failed,
    /// It is over.
    Ended,
}

/// What moves the connection on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The application closes.
    LocalClose,
    /// A valid Close of the peer was decoded.
    PeerClose,
    /// The peer broke the protocol.
    Violation,
    /// The stream has ended, and all that came before its end was decoded.
    EndOfStream,
    /// A time limit has passed, or the application gives up.
    Cut,
}

/// What follows from a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Move {
    /// Where the connection is now.
    pub(crate) phase: Phase,
    /// Whether a Close goes out: our first and only one.
    pub(crate) send_close: bool,
    /// Whether the step decides how the connection ends, and how.
    pub(crate) outcome: Option<Outcome>,
}

/// How a connection ends. Decided once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Both Closes were exchanged.
    Clean,
    /// They were not.
    Unclean,
}

impl Phase {
    /// The table.
    pub(crate) const fn on(self, step: Step) -> Move {
        use Outcome::{Clean, Unclean};
        use Phase::{Closed, Closing, Cut, Ended, Failed, Open};

        let (phase, send_close, outcome) = match (self, step) {
            (Open, Step::LocalClose) => (Closing, true, None),
            (Open, Step::PeerClose) => (Closed, true, Some(Clean)),
            (Open, Step::Violation) => (Failed, true, Some(Unclean)),
            (Open | Closing, Step::EndOfStream) => (Ended, false, Some(Unclean)),
            (Open | Closing, Step::Cut) => (Cut, false, Some(Unclean)),

            (Closing, Step::PeerClose) => (Closed, false, Some(Clean)),
            (Closing, Step::Violation) => (Failed, false, Some(Unclean)),

            (Closed | Failed, Step::EndOfStream | Step::Cut) => (Ended, false, None),
            // What was cut off goes on only to the first thing that would have ended it.
            (Cut, Step::PeerClose | Step::Violation | Step::EndOfStream) => (Ended, false, None),

            (phase, _) => (phase, false, None),
        };
        Move { phase, send_close, outcome }
    }

    /// Whether input is decoded.
    pub(crate) const fn decodes(self) -> bool {
        matches!(self, Self::Open | Self::Closing | Self::Cut)
    }

    /// Whether pings are answered: "unless it already received a Close frame" (RFC 6455 §5.5.2).
    pub(crate) const fn answers_pings(self) -> bool {
        matches!(self, Self::Open | Self::Closing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;

    /// Every phase and every step: what is not listed changes nothing.
    #[test]
    fn the_table() {
        let phases =
            [Phase::Open, Phase::Closing, Phase::Closed, Phase::Failed, Phase::Cut, Phase::Ended];
        let steps =
            [Step::LocalClose, Step::PeerClose, Step::Violation, Step::EndOfStream, Step::Cut];
        let mut table = String::new();
        for phase in phases {
            for step in steps {
                let Move { phase: next, send_close, outcome } = phase.on(step);
                if next == phase {
                    assert!(!send_close && outcome.is_none(), "{phase:?} {step:?}");
                    continue;
                }
                let close = if send_close { ", sends a Close" } else { "" };
                let outcome = outcome.map_or(String::new(), |outcome| format!(", {outcome:?}"));
                table += &format!("{phase:?} + {step:?} = {next:?}{close}{outcome}\n");
            }
        }
        assert_eq!(
            table,
            "Open + LocalClose = Closing, sends a Close\n\
             Open + PeerClose = Closed, sends a Close, Clean\n\
             Open + Violation = Failed, sends a Close, Unclean\n\
             Open + EndOfStream = Ended, Unclean\n\
             Open + Cut = Cut, Unclean\n\
             Closing + PeerClose = Closed, Clean\n\
             Closing + Violation = Failed, Unclean\n\
             Closing + EndOfStream = Ended, Unclean\n\
             Closing + Cut = Cut, Unclean\n\
             Closed + EndOfStream = Ended\n\
             Closed + Cut = Ended\n\
             Failed + EndOfStream = Ended\n\
             Failed + Cut = Ended\n\
             Cut + PeerClose = Ended\n\
             Cut + Violation = Ended\n\
             Cut + EndOfStream = Ended\n"
        );
    }

    #[test]
    fn input_counts_until_both_closes_are_there_and_pings_until_it_is_cut() {
        let decode = [Phase::Open, Phase::Closing, Phase::Cut];
        let answer = [Phase::Open, Phase::Closing];
        for phase in
            [Phase::Open, Phase::Closing, Phase::Closed, Phase::Failed, Phase::Cut, Phase::Ended]
        {
            assert_eq!(phase.decodes(), decode.contains(&phase), "{phase:?}");
            assert_eq!(phase.answers_pings(), answer.contains(&phase), "{phase:?}");
        }
    }
}
