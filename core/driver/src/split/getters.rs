//! Getters of both the sender and the receiver of a split connection.

use std::time::Duration;

use crate::split::receiver::Receiver;
use crate::split::sender::Sender;
use tidegate_core::{Closed, Connection, Stats};

macro_rules! getters {
    ($($part:ty),+) => {$(
        impl $part {
            /// Returns how the connection ended, as soon as that is decided. There may still be
            /// messages to receive.
            pub fn closed(&self) -> Option<Closed> {
                self.look(|connection| connection.closed().cloned())
            }

            /// Returns whether nothing can be sent any more.
            pub fn is_closed(&self) -> bool {
                self.shared.lock().cannot_write()
            }

            /// Returns the subprotocol that was agreed on, if any.
            pub fn subprotocol(&self) -> Option<String> {
                self.shared.lock().subprotocol.as_deref().map(String::from)
            }

            /// Returns the round-trip time of the newest ping that was answered.
            pub fn latency(&self) -> Option<Duration> {
                self.look(Connection::latency)
            }

            /// Returns the counters of this connection.
            pub fn stats(&self) -> Stats {
                self.look(Connection::stats)
            }

            /// Returns how many messages were read and are not yet received by the application.
            pub fn queued_messages(&self) -> usize {
                self.look(Connection::queued_messages)
            }

            /// Returns how many bytes of payload were read and are not yet received by the
            /// application.
            pub fn queued_bytes(&self) -> usize {
                self.look(Connection::queued_bytes)
            }

            /// Returns how many bytes wait to be written.
            pub fn queued_output(&self) -> usize {
                self.look(Connection::queued_output)
            }

            /// Returns whether messages are read ahead. While the gate is closed, nothing is read.
            pub fn is_gate_open(&self) -> bool {
                self.look(Connection::is_gate_open)
            }

            fn look<T>(&self, look: impl FnOnce(&Connection) -> T) -> T {
                look(&self.shared.lock().connection)
            }
        }
    )+};
}
getters!(Sender, Receiver);
