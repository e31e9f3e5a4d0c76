//! The loop: output, time, the caller's goal, input, and then to wait.

pub(crate) mod end_wait;
pub(crate) mod endpoint;

use std::task::{Context, Poll};

use bytes::Buf;

use crate::event_loop::endpoint::Link;
use crate::io::ByteStream;
use crate::io::Clock;
use tidegate_core::handshake::proxy::{HttpConnect, Socks5};
use tidegate_core::handshake::{ClientHandshake, ServerHandshake};
use tidegate_core::{Connection, READ_SIZE, Timestamp, Transport};

/// A protocol machine: a connection, or an opening handshake or a proxy's on the way to one. All have the shape
/// of [`Connection`], and so one loop drives them all.
pub(crate) trait Machine {
    fn handle_input(&mut self, now: Timestamp, input: &[u8]);
    fn handle_eof(&mut self, now: Timestamp);
    fn handle_timeout(&mut self, now: Timestamp);
    fn output(&mut self) -> &mut impl Buf;
    fn wants_input(&self) -> bool;
    fn wants_output(&self) -> bool;
    fn poll_timeout(&self) -> Option<Timestamp>;
    fn transport(&self) -> Transport;
    /// Whether it is decided how this ends: what is read does not matter any more.
    fn is_decided(&self) -> bool;
    /// How much to read at a time.
    fn read_size(&self) -> usize {
        READ_SIZE
    }
}

macro_rules! machines {
    ($($machine:ty: $is_decided:expr $(, $read_size:expr)?);+) => {$(
        impl Machine for $machine {
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
            $(fn read_size(&self) -> usize {
                $read_size(self)
            })?
        }
    )+};
}
machines!(
    Connection: |connection: &Self| connection.closed().is_some(), Self::read_size;
    ServerHandshake: |server: &Self| server.failure().is_some();
    ClientHandshake: |client: &Self| client.failure().is_some() && !client.wants_input();
    HttpConnect: |proxy: &Self| proxy.failure().is_some();
    Socks5: |proxy: &Self| proxy.failure().is_some()
);

/// A machine on a link, and whatever else its owner keeps beside them.
pub(crate) trait Driven {
    type Stream: ByteStream;
    type Clock: Clock;
    type Machine: Machine;

    fn parts(&mut self) -> (&mut Link<Self::Stream, Self::Clock>, &mut Self::Machine);

    /// What comes first in every call: wishes from outside.
    fn before(&mut self, _cx: &mut Context<'_>) {}

    /// What comes last in every call: to tell what has changed.
    fn after(&mut self) {}

    /// A call that did not wait has looked at the stream now: what that has shown may be due.
    fn looked(&mut self) {}

    /// Runs the machine until the goal is reached. Every public call ends here.
    ///
    /// `Pending` is returned only from a round in which nothing moved: output was offered after the
    /// last change of the machine, the stream was polled for reading if it is to be read, and the
    /// timer was set.
    fn poll_until<T>(
        &mut self,
        cx: &mut Context<'_>,
        goal: impl FnMut(&mut Self) -> Goal<T>,
    ) -> Poll<T> {
        self.before(cx);
        let poll = self.poll_rounds(cx, goal);
        self.after();
        poll
    }

    /// The rounds of [`poll_until`](Self::poll_until).
    fn poll_rounds<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut goal: impl FnMut(&mut Self) -> Goal<T>,
    ) -> Poll<T> {
        // Within a call time passes only while it waits: it is asked for at its beginning, and when
        // a deadline has come. Input brings its own.
        let mut is_time = true;
        for _ in 0..ROUNDS {
            let (link, machine) = self.parts();
            // Output comes first: what the peer takes now is not overdue.
            let mut output = link.poll_output(cx, machine);
            if is_time {
                is_time = false;
                if link.handle_time(cx, machine) {
                    output = link.poll_output(cx, machine);
                }
            }
            let before = (machine.wants_output(), machine.transport());
            match goal(self) {
                Goal::Done(value) => {
                    let (link, machine) = self.parts();
                    if link.look(cx, machine) {
                        self.looked();
                    }
                    let (link, machine) = self.parts();
                    // Taking an event may have made output, or the look: it does not wait for the
                    // next call.
                    let is_left = machine.wants_output() || link.wants_shutdown();
                    if is_left && output == Flow::Waits {
                        link.poll_output(cx, machine);
                    }
                    return Poll::Ready(value);
                }
                Goal::Again => continue,
                Goal::Wait => {}
            }
            let (link, machine) = self.parts();
            // Looking for an event may have made output too: a Close has its turn then.
            if before != (machine.wants_output(), machine.transport()) {
                continue;
            }
            let input = link.poll_input(cx, machine);
            if input == Flow::Waits && output == Flow::Waits {
                if link.poll_deadline(cx, machine).is_pending() {
                    return Poll::Pending;
                }
                is_time = true;
            }
        }
        // There was progress in each of these rounds, and there is more: others come first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// How far a caller's goal is.
pub(crate) enum Goal<T> {
    /// Reached.
    Done(T),
    /// The machine was changed on the way: look again before waiting.
    Again,
    /// More input, output or time is needed.
    Wait,
}

/// What polling the stream came to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Something has changed: the loop goes round.
    Moved,
    /// Nothing to do, or the stream holds our waker.
    Waits,
}

/// Rounds, and so reads, in one poll: 1 MiB at most, after which other tasks come first.
const ROUNDS: usize = 16;
