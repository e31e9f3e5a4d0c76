//! The closing handshake as a table of phases (RFC 6455 §7). Knows no bytes, no role and no clock.

/// How far the closing handshake has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Neither side has begun to close.
    Open,
    /// Our Close is sent or queued, and we wait for the peer's.
    Closing,
    /// We gave the stream up, after a time limit or on request. What had arrived is still decoded.
    Cut,
    // In the phases above input is decoded, in those below it is not. This order makes
    // `decodes` a single comparison, which is done for every message.
    /// Both sides have sent a Close. Only the end of the stream is missing.
    Closed,
    /// The peer broke the protocol. Only the end of the stream is missing.
    Failed,
    /// The connection is over.
    Ended,
}

/// What moves a connection to another phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The application closes the connection.
    LocalClose,
    /// A valid Close of the peer takes effect.
    PeerClose,
    /// The peer broke the protocol.
    Violation,
    /// The stream has ended, and everything before its end is decoded.
    EndOfStream,
    /// A time limit has passed, or the application aborts the connection.
    Cut,
}

/// What follows from a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Move {
    /// The phase after the step.
    pub(crate) phase: Phase,
    /// Whether a Close is sent. No connection sends a second one.
    pub(crate) send_close: bool,
    /// How the connection ends, if this step decides it.
    pub(crate) outcome: Option<EndKind>,
}

/// How a connection ends. Decided once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndKind {
    /// Both sides sent a Close.
    Clean,
    /// At least one side did not.
    Unclean,
}

impl Phase {
    /// The table: what a step does in this phase. Steps that are not listed change nothing.
    pub(crate) const fn on(self, step: Step) -> Move {
        use EndKind::{Clean, Unclean};
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
            // After a cut, the first thing that would end the connection ends it.
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

    /// Every phase with every step. Pairs that are not listed change nothing.
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
    fn input_is_decoded_until_both_sides_have_closed_and_pings_are_answered_until_a_cut() {
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
