//! The end of each case: whatever the peer does, the connection must end.

use tidegate_core::Transport;

use crate::operations::Both;
use crate::reference::Times;
use crate::setup::Operation;

/// What the peer does after the last operation.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    /// Sends the rest of its input, and ends the stream.
    Eof,
    /// Sends nothing more.
    Silent,
    /// Sends nothing more, and reads nothing.
    Stuck,
}

impl Both {
    /// Takes all events, and checks R5: the connection ends, whatever the peer does.
    pub(crate) fn end(&mut self, ending: Ending, times: Times) {
        match ending {
            Ending::Eof => {
                while !self.input.is_empty() {
                    self.apply(&Operation::Input(500));
                    self.compare();
                    while self.take() {}
                }
                self.apply(&Operation::Eof);
                self.compare();
                while self.take() {}
                self.apply(&Operation::Write(usize::MAX));
                self.compare();
                assert!(self.reference.end.is_some(), "it has ended");
            }
            Ending::Silent | Ending::Stuck => {
                for _ in 0..100 {
                    while self.take() {}
                    if matches!(ending, Ending::Silent) {
                        self.apply(&Operation::Write(usize::MAX));
                        self.compare();
                    }
                    self.apply(&Operation::Deadline);
                    self.compare();
                }
                while self.take() {}
                if !self.reference.is_waiting() {
                    assert_eq!(self.core.poll_timeout(), None, "nothing to wait for");
                }
                let limit = if matches!(ending, Ending::Silent) { times.pong } else { times.write };
                // Frequent pings fill their queue, which `timeout` then writes.
                let are_pings_rare = times.ping >= limit.map(|limit| limit / 8);
                if times.ping.is_some()
                    && times.close.is_some()
                    && limit.is_some()
                    && are_pings_rare
                {
                    assert_eq!(self.core.transport(), Transport::Close, "every peer ends");
                }
            }
        }
    }
}
