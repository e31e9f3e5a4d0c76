//! A stream and a clock under a machine: time in, output out, input in.

use std::io::{self, ErrorKind, IoSlice};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Buf;

use crate::event_loop::{Flow, Machine};
use crate::io::ByteStream;
use crate::io::Clock;
use crate::io::with_read_buffer;
use tidegate_core::{READ_SIZE, Timestamp, Transport};

/// A stream and a clock. The two directions of the stream end independently.
#[derive(Debug)]
pub(crate) struct Link<S, C> {
    /// `None` once it is closed.
    pub(crate) stream: Option<S>,
    pub(crate) clock: C,
    reading: Reading,
    writing: Writing,
    /// What the transport failed with.
    pub(crate) fault: Option<io::Error>,
    /// The time, as it was when it was last asked for.
    now: Timestamp,
    /// When a call reads that could do without.
    next_look: Timestamp,
    /// Whether the stream was read, until nothing came, since the machine was last told that a
    /// deadline has passed.
    has_looked: bool,
    /// When whoever waits in a call wants to look at the clock, beside the machine.
    pub(crate) alarm: Option<Timestamp>,
    /// The application was told how it ended: it may never call again, so a client does not wait
    /// for the server to end the stream first.
    pub(crate) is_told: bool,
    /// How many bytes are still discarded after the end.
    discards: usize,
}

impl<S: ByteStream, C: Clock> Link<S, C> {
    pub(crate) const fn new(stream: S, clock: C) -> Self {
        Self {
            stream: Some(stream),
            clock,
            reading: Reading::Open,
            writing: Writing::Flushed,
            fault: None,
            now: Timestamp::ZERO,
            next_look: Timestamp::ZERO,
            has_looked: true,
            alarm: None,
            is_told: false,
            discards: 0,
        }
    }

    /// The time, as it was when it was last asked for.
    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    /// The time, and whether it is time to look at the stream again.
    pub(crate) fn is_look_due(&mut self) -> bool {
        self.now = self.clock.now();
        self.now >= self.next_look
    }

    /// All that it is, leaving one behind that is closed.
    pub(crate) fn take_out(&mut self) -> Self {
        Self {
            stream: self.stream.take(),
            clock: self.clock.clone(),
            reading: self.reading,
            writing: self.writing,
            fault: self.fault.take(),
            now: self.now,
            next_look: self.next_look,
            has_looked: self.has_looked,
            alarm: self.alarm,
            is_told: self.is_told,
            discards: self.discards,
        }
    }

    /// Whether everything written has left the stream's own buffers.
    pub(crate) fn is_flushed(&self) -> bool {
        self.writing != Writing::Unflushed
    }

    /// Whether the writing side is still to be shut down, for an application that is done.
    pub(crate) fn wants_shutdown(&self) -> bool {
        self.is_told && self.writing == Writing::Flushed && self.stream.is_some()
    }

    pub(crate) fn has_write_failed(&self) -> bool {
        self.writing == Writing::Failed
    }

    /// Tells the machine the time if it waits for it; whether it did.
    ///
    /// Before a limit is judged, what has arrived is read: between two times that are told, the
    /// stream is read until nothing comes or nothing is wanted. (That output was offered is the
    /// caller's part.)
    pub(crate) fn handle_time(&mut self, cx: &mut Context<'_>, machine: &mut impl Machine) -> bool {
        self.now = self.clock.now();
        self.alarm = self.alarm.filter(|alarm| *alarm > self.now);
        let is_due = |machine: &_, now| Machine::poll_timeout(machine).is_some_and(|at| at <= now);
        if !is_due(machine, self.now) {
            return false;
        }
        if !self.has_looked {
            self.read_on(cx, machine);
        }
        machine.handle_timeout(self.now);
        self.has_looked = false;
        true
    }

    /// Reads now and then in calls that are done without: an application that only sends answers
    /// pings and learns that the peer closes.
    ///
    /// Whether it was time to.
    pub(crate) fn look(&mut self, cx: &mut Context<'_>, machine: &mut impl Machine) -> bool {
        let is_due = self.now >= self.next_look;
        if is_due {
            self.read_on(cx, machine);
            // Also where nothing is to be read.
            self.next_look = self.now + LOOK_INTERVAL;
        }
        is_due
    }

    fn read_on(&mut self, cx: &mut Context<'_>, machine: &mut impl Machine) {
        for _ in 0..READS {
            if self.poll_input(cx, machine) == Flow::Waits {
                break;
            }
        }
    }

    /// Sets the timer to the machine's deadline, or to the alarm.
    pub(crate) fn poll_deadline(
        &mut self,
        cx: &mut Context<'_>,
        machine: &impl Machine,
    ) -> Poll<()> {
        let deadline = match (machine.poll_timeout(), self.alarm) {
            (Some(deadline), Some(alarm)) => deadline.min(alarm),
            (Some(deadline), None) | (None, Some(deadline)) => deadline,
            (None, None) => return Poll::Pending,
        };
        if self.stream.is_none() {
            return Poll::Pending;
        }
        self.clock.poll_deadline(cx, deadline)
    }

    /// Offers output, and follows the machine's instructions for the stream.
    pub(crate) fn poll_output(&mut self, cx: &mut Context<'_>, machine: &mut impl Machine) -> Flow {
        for _ in 0..WRITES {
            if !machine.wants_output() || self.writing == Writing::Failed {
                return self.poll_transport(cx, machine);
            }
            let Some(stream) = &mut self.stream else { return Flow::Waits };
            let output = machine.output();
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = output.chunks_vectored(&mut slices);
            match stream.poll_write(cx, slices.get(..count).unwrap_or_default()) {
                Poll::Ready(Ok(0)) => self.write_failed(ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => {
                    output.advance(count);
                    self.writing = Writing::Unflushed;
                }
                Poll::Ready(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
                Poll::Ready(Err(error)) => self.write_failed(error),
                Poll::Pending => return Flow::Waits,
            }
        }
        Flow::Moved
    }

    /// Nothing waits to be written, or nothing can be: what becomes of the stream?
    fn poll_transport(&mut self, cx: &mut Context<'_>, machine: &impl Machine) -> Flow {
        let transport = machine.transport();
        let Some(stream) = &mut self.stream else { return Flow::Waits };
        let is_dead = self.writing == Writing::Failed
            && (self.reading == Reading::Ended || machine.is_decided());
        if transport == Transport::Close || is_dead {
            // A last word of the stream itself (TLS), if it can be had without waiting: from here
            // on no timer runs.
            if self.writing == Writing::Unflushed {
                let _ = stream.poll_flush(cx);
            }
            if !matches!(self.writing, Writing::Failed | Writing::ShutDown) {
                let _ = stream.poll_shutdown(cx);
            }
            self.stream = None;
            return Flow::Waits;
        }
        if self.writing == Writing::Unflushed {
            match stream.poll_flush(cx) {
                Poll::Ready(Ok(())) => self.writing = Writing::Flushed,
                Poll::Ready(Err(error)) => {
                    self.write_failed(error);
                    return Flow::Moved;
                }
                Poll::Pending => return Flow::Waits,
            }
        }
        let is_last = transport == Transport::ShutdownWrite || self.is_told;
        if is_last && self.writing == Writing::Flushed {
            match stream.poll_shutdown(cx) {
                Poll::Ready(Ok(())) => self.writing = Writing::ShutDown,
                Poll::Ready(Err(error)) => self.write_failed(error),
                Poll::Pending => {}
            }
        }
        Flow::Waits
    }

    /// Reads once, if the machine wants input, or to the end once all is said.
    pub(crate) fn poll_input(&mut self, cx: &mut Context<'_>, machine: &mut impl Machine) -> Flow {
        let flow = self.poll_read(cx, machine);
        self.has_looked |= flow == Flow::Waits;
        self.next_look = self.now + LOOK_INTERVAL;
        flow
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, machine: &mut impl Machine) -> Flow {
        let wanted = machine.wants_input() || machine.transport() == Transport::ShutdownWrite;
        let Some(stream) = &mut self.stream else { return Flow::Waits };
        if !wanted || self.reading == Reading::Ended {
            return Flow::Waits;
        }
        let clock = &self.clock;
        let read = with_read_buffer(machine.read_size(), |buffer| {
            let read = stream.poll_read(cx, buffer);
            if let Poll::Ready(Ok(count)) = read {
                machine.handle_input(clock.now(), buffer.get(..count).unwrap_or(buffer));
            }
            read
        });
        match read {
            Poll::Ready(Ok(0)) => self.end_of_stream(machine),
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
            Poll::Ready(Err(error)) => {
                self.fault.get_or_insert(error);
                self.end_of_stream(machine);
            }
            // What was there is read, and nothing can be said any more: it is over.
            Poll::Pending if self.writing == Writing::Failed => self.end_of_stream(machine),
            Poll::Pending => return Flow::Waits,
        }
        Flow::Moved
    }

    /// What may still come after the end, before the stream is closed: nothing should come after a
    /// clean close, and after a fault what is under way, until the peer has seen our Close.
    pub(crate) fn limit_discarded(&mut self, is_clean: bool) {
        self.discards = if is_clean { 1024 * 1024 } else { 64 * 1024 * 1024 };
    }

    /// Reads and drops what still comes, until the stream ends, or too much has come: all is said.
    pub(crate) fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..READS {
            let Some(stream) = &mut self.stream else { return Poll::Ready(()) };
            let read = with_read_buffer(READ_SIZE, |buffer| stream.poll_read(cx, buffer));
            match read {
                Poll::Ready(Ok(count @ 1..)) if count < self.discards => self.discards -= count,
                Poll::Ready(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
                Poll::Ready(_) => self.stream = None,
                Poll::Pending => return Poll::Pending,
            }
        }
        // Others come first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn end_of_stream(&mut self, machine: &mut impl Machine) {
        self.reading = Reading::Ended;
        machine.handle_eof(self.clock.now());
    }

    fn write_failed(&mut self, error: io::Error) {
        self.writing = Writing::Failed;
        self.fault.get_or_insert(error);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Open,
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    Flushed,
    Unflushed,
    ShutDown,
    Failed,
}

/// Writes in one round, so that a peer that takes everything at once does not keep us from reading.
const WRITES: usize = 4;

/// Reads in one look at the stream: what a system keeps for a socket is seldom more.
const READS: usize = 16;

/// How long calls that need not read go without: far below any limit that a peer has for its pong.
/// The looks are seldom enough to cost nothing; what is left is to ask the clock.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Slices in one vectored write: a window of output has rarely more.
const SLICES: usize = 16;
