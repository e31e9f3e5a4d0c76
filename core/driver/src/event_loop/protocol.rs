//! What the event loop polls: a WebSocket connection, or one of the handshakes that come before it.

use bytes::Buf;

use tidegate_core::handshake::{Handshake, Steps};
use tidegate_core::{Connection, READ_SIZE, Timestamp, Transport};

/// A state machine of the core: a connection, an opening handshake, or a handshake with a proxy.
///
/// They all have the methods of [`Connection`], so that one event loop can drive each of them.
pub(crate) trait ProtocolMachine {
    fn handle_input(&mut self, now: Timestamp, input: &[u8]);
    fn handle_eof(&mut self, now: Timestamp);
    fn handle_timeout(&mut self, now: Timestamp);
    fn output(&mut self) -> &mut impl Buf;
    fn wants_input(&self) -> bool;
    fn wants_output(&self) -> bool;
    fn poll_timeout(&self) -> Option<Timestamp>;
    fn transport(&self) -> Transport;
    /// Whether it is known how this ends, so that more input cannot change the result.
    fn is_decided(&self) -> bool;
    /// The size of the buffer for one read.
    fn read_size(&self) -> usize;
}

macro_rules! protocol_machine {
    ([$($generics:tt)*] $machine:ty: $is_decided:expr, $read_size:expr) => {
        impl<$($generics)*> ProtocolMachine for $machine {
            fn handle_input(&mut self, now: Timestamp, input: &[u8]) {
                self.handle_input(now, input);
            }
            fn handle_eof(&mut self, now: Timestamp) {
                self.handle_eof(now);
            }
            fn handle_timeout(&mut self, now: Timestamp) {
                self.handle_timeout(now);
            }
            fn output(&mut self) -> &mut impl Buf {
                self.output()
            }
            fn wants_input(&self) -> bool {
                self.wants_input()
            }
            fn wants_output(&self) -> bool {
                self.wants_output()
            }
            fn poll_timeout(&self) -> Option<Timestamp> {
                self.poll_timeout()
            }
            fn transport(&self) -> Transport {
                self.transport()
            }
            fn is_decided(&self) -> bool {
                $is_decided(self)
            }
            fn read_size(&self) -> usize {
                $read_size(self)
            }
        }
    };
}
protocol_machine!([] Connection: |machine: &Self| machine.closed().is_some(), Self::read_size);
// A client that has failed may still be reading the body of the server's refusal.
protocol_machine!(
    [S: Steps] Handshake<S>:
    |machine: &Self| machine.failure().is_some() && !machine.wants_input(),
    |_: &Self| READ_SIZE
);
