//! Ends a connection: applies the steps of the closing handshake to it.

use alloc::boxed::Box;

use crate::close::CloseFrame;
use crate::connection::event::{Closed, Event, Failure};
use crate::connection::phase::{Phase, Step};
use crate::connection::receive::{PendingEnd, PendingInput};
use crate::connection::timers::Timer;
use crate::connection::{Connection, Ending};
use crate::deflate::session::Compression;
use crate::error::ProtocolError;

impl Connection {
    /// How the connection ended, as soon as that is decided. [`Event::Closed`] says the same, but only
    /// after all messages that were received before.
    pub fn closed(&self) -> Option<&Closed> {
        match self.ending.as_deref() {
            Some(Ending::Decided { closed, .. }) => Some(closed),
            Some(Ending::Undecided { .. }) | None => None,
        }
    }

    /// Counts and drops input that came after the peer's Close or violation. Too much of it cuts the
    /// stream.
    #[cold]
    pub(super) fn discard_input(&mut self, length: usize) {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        // The Close waits until the application has taken earlier messages. Its phase has not
        // begun, so the count is kept with it and moves over in `release`.
        if let Some(PendingEnd::Close { trailing, .. }) = self.pending_input.end_mut() {
            *trailing = trailing.saturating_add(length);
            return;
        }
        let most = match self.phase {
            Phase::Closed => MAX_TRAILING,
            Phase::Failed => MAX_DISCARDED,
            Phase::Open | Phase::Closing | Phase::Cut | Phase::Ended => return,
        };
        if let Some(Ending::Decided { trailing, .. }) = self.ending.as_deref_mut() {
            *trailing = trailing.saturating_add(length);
            if *trailing >= most {
                self.step(Step::Cut, CloseFrame::EMPTY, None);
            }
        }
    }

    /// Defers a Close or a violation until the application has taken all earlier events, so that it
    /// can still answer them.
    pub(super) fn hold(&mut self, held: PendingEnd) {
        self.pending_input.hold_end(held);
    }

    /// Lets a deferred Close or violation take effect.
    pub(super) fn release(&mut self) {
        match self.pending_input.take_end() {
            Some(PendingEnd::Close { frame, trailing: so_far }) => {
                // An endpoint "typically echos the status code it received" (RFC 6455 §5.5.1). We
                // echo the reason too, because browsers show the page the reason they receive.
                let reply = frame.clone();
                self.step(Step::PeerClose, reply, Some(Cause::Received(frame)));
                if let Some(Ending::Decided { trailing, .. }) = self.ending.as_deref_mut() {
                    *trailing = so_far;
                }
            }
            Some(PendingEnd::Violation(error)) => self.fail(error),
            None => return,
        }
        if self.end_of_stream || self.phase == Phase::Cut {
            self.end();
        }
    }

    /// Called when no event is queued. Returns [`Event::Closed`] once, when nothing can come before it
    /// any more.
    pub(super) fn poll_end(&mut self) -> Option<Event> {
        self.release();
        let is_all_decoded = self.is_all_decoded();
        match self.ending.as_deref_mut() {
            Some(Ending::Decided { closed, reported: reported @ false, .. }) if is_all_decoded => {
                *reported = true;
                Some(Event::Closed(closed.clone()))
            }
            Some(Ending::Decided { .. } | Ending::Undecided { .. }) | None => None,
        }
    }

    /// Whether all input is decoded, and no Close or violation is deferred.
    pub(super) fn is_all_decoded(&self) -> bool {
        self.pending_input.is_empty() && !self.data_frames.has_compressed_input()
    }

    /// Takes the end of the stream, after everything before it was decoded.
    pub(super) fn end(&mut self) {
        let is_early = self.closed().is_none();
        self.step(Step::EndOfStream, CloseFrame::EMPTY, Some(Cause::Failure(Failure::EndOfStream)));
        // If the end was decided before, the output is kept: our Close may still be in it, and the
        // peer may read although it has ended its own side.
        if is_early {
            self.output.outbox.clear();
        }
    }

    fn fail(&mut self, error: ProtocolError) {
        let frame = CloseFrame::new(error.close_code(), error.close_reason());
        self.step(Step::Violation, frame, Some(Cause::Failure(Failure::Protocol(error))));
    }

    /// Gives the stream up: a time limit has passed, or the application aborts.
    pub(super) fn cut(&mut self, failure: Failure) {
        self.step(Step::Cut, CloseFrame::EMPTY, Some(Cause::Failure(failure)));
        self.output.outbox.clear();
        if self.is_all_decoded() {
            self.end();
        }
    }

    /// Moves to the next phase by the table. `close` is queued after all accepted output if the table
    /// says so; `cause` is how the connection ends if the table says that this step decides it.
    pub(super) fn step(&mut self, step: Step, close: CloseFrame, cause: Option<Cause>) {
        // Read before the step, which leaves `Open`. Had we begun to close, the phase would be
        // `Closing`.
        let by_peer = self.phase == Phase::Open;
        let moved = self.phase.on(step);
        // How a connection ends is decided once. Later steps may still change the phase.
        if self.closed().is_none() {
            if moved.send_close {
                self.ending = Some(Box::new(Ending::Undecided { sent: close.clone() }));
                self.output.outbox.push_close(close);
                // `close_timeout` starts only when the transport has taken the Close. Until then
                // `write_timeout` ends a connection whose peer reads nothing.
                self.watch_output();
            }
            if let (Some(_), Some(cause)) = (moved.outcome, cause) {
                let sent = match self.ending.as_deref() {
                    Some(Ending::Undecided { sent }) => Some(sent.clone()),
                    Some(Ending::Decided { .. }) | None => None,
                };
                let closed = match cause {
                    Cause::Received(frame) => {
                        Closed::clean(frame, sent.unwrap_or(CloseFrame::EMPTY), by_peer)
                    }
                    Cause::Failure(failure) => Closed::failed(failure, sent, by_peer),
                };
                self.ending =
                    Some(Box::new(Ending::Decided { closed, reported: false, trailing: 0 }));
            }
        }
        self.enter(moved.phase);
    }

    /// Enters a phase: stops and starts timers, and frees what is no longer needed.
    fn enter(&mut self, phase: Phase) {
        if self.phase == phase {
            return;
        }
        self.phase = phase;
        self.timers.clear(Timer::Ping);
        self.timers.clear(Timer::Pong);
        match phase {
            // `close_timeout` starts when the transport has taken our Close.
            Phase::Open | Phase::Closing | Phase::Closed => {}
            Phase::Cut | Phase::Ended if !self.wants_output() => {
                self.timers.clear(Timer::Write);
                self.timers.clear(Timer::Close);
            }
            // A peer that broke the protocol or is gone need not take our Close first.
            Phase::Failed | Phase::Cut | Phase::Ended => self.limit_closing(),
        }
        if !phase.decodes() {
            // Nothing is compressed or inflated any more.
            self.compression = Compression::default();
            self.pending_input = PendingInput::default();
            self.data_frames.clear();
        }
    }
}

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum Cause {
    Received(CloseFrame),
    Failure(Failure),
}

/// How many bytes are read after the peer's Close. A correct peer sends none (RFC 6455 §5.5.1); the
/// limit ends the connection to a peer that never stops.
pub(super) const MAX_TRAILING: u32 = 1024 * 1024;

/// How many bytes are read after a violation. A well-meaning peer may be sending a message that is
/// too long; reading on gives it the chance to see our Close.
const MAX_DISCARDED: u32 = 64 * 1024 * 1024;
