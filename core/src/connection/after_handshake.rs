//! Begins a connection with what is left of its opening handshake.

use bytes::Bytes;

use crate::connection::Connection;
use crate::time::Timestamp;

impl Connection {
    /// Takes over from the opening handshake: `output` is written before everything else, and
    /// `early`, the input after the handshake, is decoded as far as the gate allows.
    pub(crate) fn after_handshake(
        mut self,
        now: Timestamp,
        output: Bytes,
        early: &[u8],
        end_of_stream: bool,
    ) -> Self {
        if !output.is_empty() {
            self.output.outbox.push_raw(output.into());
            // The 101 has a limit like any output: a client that reads nothing must not hold the
            // connection.
            self.watch_output();
        }
        self.handle_input(now, early);
        if end_of_stream {
            self.handle_eof(now);
        }
        self
    }
}
