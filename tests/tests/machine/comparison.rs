//! Compares everything observable of the core with the reference.

use tidegate_core::Closed;

use crate::operations::Both;
use crate::reference::{End, Stage};

impl Both {
    /// The outbox's level must be between what certainly counts and what may count.
    fn outbox(&mut self) {
        let unwritten = &self.reference.unwritten;
        let data: usize = unwritten.data.iter().map(|part| part.payload.len()).sum();
        let least = data.saturating_sub(self.written.ahead() + self.written.within());
        // The header of each frame, at most 14 bytes, and control frames with their headers.
        let frames: usize = match self.fragment_size {
            Some(size) => unwritten.data.iter().map(|part| part.payload.len() / size + 1).sum(),
            None => unwritten.data.len(),
        };
        let control = unwritten.pings.len() + unwritten.pongs.len() + 1;
        let most = data.saturating_sub(self.written.ahead()) + 14 * frames + 139 * control;
        let level = self.core.queued_output();
        assert!((least..=most).contains(&level), "{level} is not in {least}..={most}");
        let marks = self.core.config().send_marks();
        let was_full = self.is_full;
        self.is_full = !self.core.can_send_chunk() && self.reference.stage == Stage::Open;
        let can_send = self.core.can_send_chunk() && self.unfinished.is_none();
        assert_eq!(self.core.can_send(), can_send);
        assert_eq!(self.core.is_message_unfinished(), self.unfinished.is_some());
        if self.reference.stage == Stage::Open {
            // If both watermarks are equal, rising to them stops sending, and falling to them allows it.
            let is_both = level == marks.high() && level == marks.low();
            let is_high = level >= marks.high() && !is_both;
            assert!(!is_high || self.is_full || control > 1, "no more at the high mark");
            let is_low = level <= marks.low() && !is_both;
            assert!(!is_low || !self.is_full, "more at the low mark");
            self.was_low |= level <= marks.low();
            assert!(!was_full || self.was_low || self.is_full, "and nothing in between");
        }
        self.was_low = level <= marks.low();
    }

    pub(crate) fn compare(&mut self) {
        let marks = self.core.config().send_marks();
        let level = self.core.queued_output();
        let is_full = match self.reference.stage {
            Stage::Open => (!self.core.can_send_chunk(), !self.core.can_send_chunk()),
            // Otherwise unknown: between the watermarks both are possible.
            _ => (level > marks.high(), level >= marks.low()),
        };
        self.reference.follow(&self.core);
        self.reference.settle(is_full.0, is_full.1);
        let (core, reference) = (&self.core, &self.reference);
        assert_eq!(core.queued_messages(), reference.queued_messages(), "messages");
        assert_eq!(core.queued_bytes(), reference.queued_bytes(), "bytes");
        assert_eq!(core.is_gate_open(), reference.is_gate_open(), "the gate");
        assert_eq!(core.wants_input(), reference.wants_input(), "wants_input");
        assert_eq!(core.wants_output(), !reference.unwritten.is_empty(), "wants_output");
        assert_eq!(core.transport(), reference.transport(), "transport");
        reference.check_timer(core.poll_timeout());
        assert_eq!(core.is_closing(), reference.stage != Stage::Open, "is_closing");
        compare_ends(core.closed(), reference.end.as_ref());
        reference.check_latency(core.latency());
        assert_eq!(core.is_ping_outstanding(), reference.is_ping_outstanding(), "outstanding");
        for (number, is_answered) in reference.answers() {
            assert_eq!(core.is_ping_answered(number), is_answered, "ping {number}");
        }
        let stats = core.stats();
        assert_eq!(stats.times_closed, reference.times_closed, "times closed");
        assert_eq!((stats.peak_messages, stats.peak_bytes), reference.peaks, "peaks");
        self.outbox();
    }
}

/// What `Closed` must contain according to its documentation.
fn compare_ends(closed: Option<&Closed>, end: Option<&End>) {
    let (closed, end) = match (closed, end) {
        (Some(closed), Some(end)) => (closed, end),
        (None, None) => return,
        other => panic!("one has ended: {other:?}"),
    };
    match end {
        End::Clean { received, sent, by_peer } => {
            assert_eq!((closed.failure(), closed.is_clean()), (None, true));
            assert_eq!((closed.received(), closed.sent()), (Some(received), Some(sent)));
            assert_eq!((closed.code(), closed.reason()), (received.code, &*received.reason));
            assert_eq!(closed.is_by_peer(), *by_peer, "who began");
            let is_farewell = matches!(received.code.as_u16(), 1000 | 1001 | 1005);
            assert_eq!(closed.is_normal(), is_farewell || !by_peer, "is_normal");
        }
        End::Failed { failure, by_peer } => {
            assert_eq!((closed.failure(), closed.is_clean()), (Some(*failure), false));
            assert_eq!((closed.code().as_u16(), closed.reason()), (1006, ""));
            assert_eq!((closed.received(), closed.is_normal()), (None, false));
            assert_eq!(closed.is_by_peer(), *by_peer, "who began");
        }
    }
}
