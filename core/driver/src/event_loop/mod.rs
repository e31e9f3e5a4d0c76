//! The loop that every call runs: write output, check the time, try to finish the call, read input,
//! and only then wait.

mod endpoint;
mod protocol;

pub(crate) use self::endpoint::{Endpoint, READ_INTERVAL};
pub(crate) use self::protocol::ProtocolMachine;

use std::task::{Context, Poll};

use self::endpoint::StreamPoll;
use crate::io::{ByteStream, Clock};

/// An owner of an [`Endpoint`] and a [`ProtocolMachine`], which gets the loop that drives them.
pub(crate) trait EventLoop {
    type Stream: ByteStream;
    type Clock: Clock;
    type Machine: ProtocolMachine;

    fn parts(&mut self) -> (&mut Endpoint<Self::Stream, Self::Clock>, &mut Self::Machine);

    /// Runs first in every call: carries out what another task has asked for.
    fn before_polling(&mut self, _cx: &mut Context<'_>) {}

    /// Runs last in every call: logs what has changed.
    fn after_polling(&mut self) {}

    /// Runs after a call that could finish without reading has read all the same.
    fn after_extra_read(&mut self) {}

    /// Polls until `attempt` says that the call is done. Every public call ends here.
    ///
    /// Nothing is lost when the call is cancelled: all state is in the machine and the endpoint.
    ///
    /// It returns `Pending` without waking itself only after a round without progress. In such a
    /// round output was offered after the machine's last change, the stream was polled for reading
    /// if input is wanted, and the timer was set. So each of them holds our waker.
    fn poll_until<T>(
        &mut self,
        cx: &mut Context<'_>,
        attempt: impl FnMut(&mut Self) -> Attempt<T>,
    ) -> Poll<T> {
        self.before_polling(cx);
        let poll = self.poll_rounds(cx, attempt);
        self.after_polling();
        poll
    }

    /// The rounds of [`poll_until`](Self::poll_until).
    fn poll_rounds<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut attempt: impl FnMut(&mut Self) -> Attempt<T>,
    ) -> Poll<T> {
        // Asking the clock costs more than a short message. Within one call the time matters only
        // at the beginning and when the timer has fired; input is passed on with a time of its own.
        let mut is_time_due = true;
        for _ in 0..MAX_ROUNDS {
            let (endpoint, machine) = self.parts();
            // Output before time: output that the peer takes now is not overdue.
            let mut output = endpoint.poll_output(cx, machine);
            if is_time_due {
                is_time_due = false;
                if endpoint.handle_time(cx, machine) {
                    output = endpoint.poll_output(cx, machine);
                }
            }
            let before = (machine.wants_output(), machine.transport());
            match attempt(self) {
                Attempt::Done(value) => {
                    let (endpoint, machine) = self.parts();
                    if endpoint.read_if_due(cx, machine) {
                        self.after_extra_read();
                    }
                    let (endpoint, machine) = self.parts();
                    // Taking an event or the extra read may have produced output, for example a
                    // pong. It must not wait for the application's next call.
                    let is_left = machine.wants_output() || endpoint.wants_shutdown();
                    if is_left && output == StreamPoll::Waits {
                        endpoint.poll_output(cx, machine);
                    }
                    return Poll::Ready(value);
                }
                Attempt::Again => continue,
                Attempt::Wait => {}
            }
            let (endpoint, machine) = self.parts();
            // Asking for an event may have produced output too: a peer's Close is answered when the
            // events before it are taken. The new output is offered before anything waits.
            if before != (machine.wants_output(), machine.transport()) {
                continue;
            }
            let input = endpoint.poll_input(cx, machine);
            if input == StreamPoll::Waits && output == StreamPoll::Waits {
                if endpoint.poll_deadline(cx, machine).is_pending() {
                    return Poll::Pending;
                }
                is_time_due = true;
            }
        }
        // Every round made progress and there is more to do: let other tasks run first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The result of one attempt to finish a call.
pub(crate) enum Attempt<T> {
    /// The call returns this value.
    Done(T),
    /// The attempt has changed the machine: try again before waiting.
    Again,
    /// The call needs more input, output or time.
    Wait,
}

/// Rounds in one poll, and so reads: at most 1 MiB before other tasks get their turn.
const MAX_ROUNDS: usize = 16;
