//! How a connection ends: what the steps of the closing handshake do to it.

use alloc::boxed::Box;

use crate::close::CloseFrame;
use crate::connection::event::{Closed, Event, Failure};
use crate::connection::phase::{Phase, Step};
use crate::connection::receive::pending_input::{Held, Stash};
use crate::connection::timers::Timer;
use crate::connection::{Connection, Ending, MAX_TRAILING};
use crate::deflate::session::Compression;
use crate::error::ProtocolError;

impl Connection {
    /// How the connection ended, once that is decided; the event may still be behind messages.
    pub fn closed(&self) -> Option<&Closed> {
        match self.ending.as_deref() {
            Some(Ending::Decided { closed, .. }) => Some(closed),
            Some(Ending::Undecided { .. }) | None => None,
        }
    }

    /// Takes input that does not count: it comes after what ends the connection. That has its turn
    /// when the next event is asked for, not because more input comes.
    #[cold]
    pub(super) fn discard_input(&mut self, length: usize) {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        if let Some(Held::Close { trailing, .. }) = self.stash.held_mut() {
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

    /// A Close or a fault has its turn like everything else: it takes effect when all that came
    /// before it is taken. Until then answers to that can still be sent, if any can.
    pub(super) fn hold(&mut self, held: Held) {
        self.stash.hold(held);
    }

    /// Everything before the Close or the fault is taken.
    pub(super) fn release(&mut self) {
        match self.stash.release() {
            Some(Held::Close { frame, trailing: so_far }) => {
                // "It SHOULD echo the status code it received" (RFC 6455 §5.5.1). The reason, too:
                // browsers show the page the one that they receive.
                let reply = frame.clone();
                self.step(Step::PeerClose, reply, Some(Cause::Received(frame)));
                if let Some(Ending::Decided { trailing, .. }) = self.ending.as_deref_mut() {
                    *trailing = so_far;
                }
            }
            Some(Held::Violation(error)) => self.fail(error),
            None => return,
        }
        if self.end_of_stream || self.phase == Phase::Cut {
            self.end();
        }
    }

    /// No event waits: what ended the connection has its turn. It is given out once, when nothing
    /// can come before it any more.
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

    /// Whether nothing that was received waits for its turn.
    pub(super) fn is_all_decoded(&self) -> bool {
        self.stash.is_empty() && !self.delivering.is_waiting()
    }

    /// The stream has ended and all of it is decoded.
    pub(super) fn end(&mut self) {
        let is_early = self.closed().is_none();
        self.step(Step::EndOfStream, CloseFrame::EMPTY, Some(Cause::Failure(Failure::EndOfStream)));
        if is_early {
            self.output.outbox.clear();
        }
    }

    fn fail(&mut self, error: ProtocolError) {
        let frame = CloseFrame::new(error.close_code(), error.close_reason());
        self.step(Step::Violation, frame, Some(Cause::Failure(Failure::Protocol(error))));
    }

    /// Cuts the stream: a time limit has passed, or the application gives up.
    pub(super) fn cut(&mut self, failure: Failure) {
        self.step(Step::Cut, CloseFrame::EMPTY, Some(Cause::Failure(failure)));
        self.output.outbox.clear();
        if self.is_all_decoded() {
            self.end();
        }
    }

    /// Moves on by the table. `close` goes out if the table says so, behind what was accepted
    /// before; `cause` is how the connection ends if the table says that this decides it.
    pub(super) fn step(&mut self, step: Step, close: CloseFrame, cause: Option<Cause>) {
        let by_peer = self.phase == Phase::Open;
        let moved = self.phase.on(step);
        if self.closed().is_none() {
            if moved.send_close {
                self.ending = Some(Box::new(Ending::Undecided { sent: close.clone() }));
                self.output.outbox.push_close(close);
                // Until the transport has taken it, nothing else ends the connection.
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

    /// Takes up a phase: its timers, and what it no longer needs.
    fn enter(&mut self, phase: Phase) {
        if self.phase == phase {
            return;
        }
        self.phase = phase;
        self.timers.clear(Timer::Ping);
        self.timers.clear(Timer::Pong);
        match phase {
            // What the peer has to answer has a limit from when our Close has left.
            Phase::Open | Phase::Closing | Phase::Closed => {}
            Phase::Cut | Phase::Ended if !self.wants_output() => {
                self.timers.clear(Timer::Write);
                self.timers.clear(Timer::Close);
            }
            // Who broke the protocol, or is gone, has less patience to expect.
            Phase::Failed | Phase::Cut | Phase::Ended => self.limit_closing(),
        }
        if !phase.decodes() {
            // Nothing is inflated or compressed any more: the contexts go.
            self.compression = Compression::default();
            self.stash = Stash::default();
            self.delivering.clear();
        }
    }
}

/// What decides how a connection ends.
#[derive(Debug)]
pub(super) enum Cause {
    Received(CloseFrame),
    Failure(Failure),
}

/// How many bytes may come after a fault. A peer in good faith may be in the middle of a message that
/// is too long: it is read on until the peer has had a chance to see our Close.
const MAX_DISCARDED: u32 = 64 * 1024 * 1024;
