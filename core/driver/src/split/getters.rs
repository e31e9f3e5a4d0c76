//! What both sides of a split connection can see of it.

use std::time::Duration;

use crate::split::receiver::Receiver;
use crate::split::sender::Sender;
use tidegate_core::{Closed, Connection, Stats};

macro_rules! observers {
    ($($part:ty),+) => {$(
        impl $part {
            /// How the connection ended, once that is decided; messages may still have to be
            /// received.
            pub fn closed(&self) -> Option<Closed> {
                self.look(|connection| connection.closed().cloned())
            }

            /// Whether nothing can be sent any more.
            pub fn is_closed(&self) -> bool {
                self.shared.lock().cannot_write()
            }

            /// The subprotocol that was agreed on, if one was.
            pub fn subprotocol(&self) -> Option<String> {
                self.shared.lock().subprotocol.as_deref().map(String::from)
            }

            /// How long the newest answered ping took.
            pub fn latency(&self) -> Option<Duration> {
                self.look(Connection::latency)
            }

            /// Counters so far.
            pub fn stats(&self) -> Stats {
                self.look(Connection::stats)
            }

            /// How many messages are read and not received by the application.
            pub fn queued_messages(&self) -> usize {
                self.look(Connection::queued_messages)
            }

            /// How many bytes of payload are read and not received by the application.
            pub fn queued_bytes(&self) -> usize {
                self.look(Connection::queued_bytes)
            }

            /// How many bytes of output wait.
            pub fn queued_output(&self) -> usize {
                self.look(Connection::queued_output)
            }

            /// Whether messages are read ahead: fewer are queued than the marks allow.
            pub fn is_gate_open(&self) -> bool {
                self.look(Connection::is_gate_open)
            }

            fn look<T>(&self, look: impl FnOnce(&Connection) -> T) -> T {
                look(&self.shared.lock().connection)
            }
        }
    )+};
}
observers!(Sender, Receiver);
