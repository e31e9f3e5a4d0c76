//! Our end of the transport: reads from the stream, writes to it, and keeps the time.

use std::io::{self, ErrorKind, IoSlice};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Buf;

use crate::event_loop::protocol::ProtocolMachine;
use crate::io::{ByteStream, Clock, with_read_buffer};
use tidegate_core::{READ_SIZE, Timestamp, Transport};

/// The stream, the clock with its timer, and what is known of both.
///
/// The two directions of the stream end independently of each other.
#[derive(Debug)]
pub(crate) struct Endpoint<S, C> {
    /// `None` once the stream is closed.
    pub(crate) stream: Option<S>,
    pub(crate) clock: C,
    reading: Reading,
    writing: Writing,
    /// The first error of the transport.
    pub(crate) fault: Option<io::Error>,
    /// The time that the clock gave last.
    now: Timestamp,
    /// When a call that could finish without reading reads all the same.
    next_read: Timestamp,
    /// Whether the stream was read until nothing more came since the machine was last told that a
    /// deadline has passed.
    has_read: bool,
    /// A deadline of the call that waits (for a pong, for example), beside the machine's own.
    pub(crate) alarm: Option<Timestamp>,
    /// The application was told how the connection ended, and may never call again. So the writing
    /// side is shut down at once; a client does not wait for the server to do that first.
    pub(crate) is_end_reported: bool,
    /// How many bytes may still be discarded after the end.
    discards: usize,
}

impl<S: ByteStream, C: Clock> Endpoint<S, C> {
    pub(crate) const fn new(stream: S, clock: C) -> Self {
        Self {
            stream: Some(stream),
            clock,
            reading: Reading::Open,
            writing: Writing::Flushed,
            fault: None,
            now: Timestamp::ZERO,
            next_read: Timestamp::ZERO,
            has_read: true,
            alarm: None,
            is_end_reported: false,
            discards: 0,
        }
    }

    /// The time that the clock gave last.
    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    /// Asks the clock. Returns whether it is time to read again, though nothing is needed.
    pub(crate) fn is_read_due(&mut self) -> bool {
        self.now = self.clock.now();
        self.now >= self.next_read
    }

    /// Moves everything out; what remains is closed.
    pub(crate) fn take_out(&mut self) -> Self {
        Self {
            stream: self.stream.take(),
            clock: self.clock.clone(),
            reading: self.reading,
            writing: self.writing,
            fault: self.fault.take(),
            now: self.now,
            next_read: self.next_read,
            has_read: self.has_read,
            alarm: self.alarm,
            is_end_reported: self.is_end_reported,
            discards: self.discards,
        }
    }

    /// Whether everything that was written has left the stream's own buffers.
    pub(crate) fn is_flushed(&self) -> bool {
        self.writing != Writing::Unflushed
    }

    /// Whether the writing side can be shut down now, because the application was told of the end.
    pub(crate) fn wants_shutdown(&self) -> bool {
        self.is_end_reported && self.writing == Writing::Flushed && self.stream.is_some()
    }

    pub(crate) fn has_write_failed(&self) -> bool {
        self.writing == Writing::Failed
    }

    /// Tells the machine the time if one of its deadlines has passed. Returns whether one had.
    ///
    /// A deadline may blame the peer for silence. So before the machine hears of it, the stream is
    /// read until nothing more comes or nothing is wanted, at least once since the last time that
    /// the machine heard of one. The caller has offered output before.
    pub(crate) fn handle_time(
        &mut self,
        cx: &mut Context<'_>,
        machine: &mut impl ProtocolMachine,
    ) -> bool {
        self.now = self.clock.now();
        // An alarm in the past would make `poll_deadline` ready in every round, so that the loop
        // never waits. A call that still needs it sets it again.
        self.alarm = self.alarm.filter(|alarm| *alarm > self.now);
        let is_due =
            |machine: &_, now| ProtocolMachine::poll_timeout(machine).is_some_and(|at| at <= now);
        if !is_due(machine, self.now) {
            return false;
        }
        if !self.has_read {
            self.read_what_came(cx, machine);
        }
        machine.handle_timeout(self.now);
        self.has_read = false;
        true
    }

    /// Reads in a call that could finish without reading, if the last read was a while ago. This is
    /// how an application that only sends answers pings and notices that the peer closes.
    ///
    /// Returns whether it was time to read.
    pub(crate) fn read_if_due(
        &mut self,
        cx: &mut Context<'_>,
        machine: &mut impl ProtocolMachine,
    ) -> bool {
        let is_due = self.now >= self.next_read;
        if is_due {
            self.read_what_came(cx, machine);
            // Set here too, because nothing is read where no input is wanted.
            self.next_read = self.now + READ_INTERVAL;
        }
        is_due
    }

    fn read_what_came(&mut self, cx: &mut Context<'_>, machine: &mut impl ProtocolMachine) {
        for _ in 0..MAX_READS {
            if self.poll_input(cx, machine) == StreamPoll::Waits {
                break;
            }
        }
    }

    /// Sets the timer to the machine's deadline or to the alarm, whichever comes first.
    pub(crate) fn poll_deadline(
        &mut self,
        cx: &mut Context<'_>,
        machine: &impl ProtocolMachine,
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

    /// Writes output. When none is left, flushes, shuts down or closes the stream as the machine
    /// says.
    pub(crate) fn poll_output(
        &mut self,
        cx: &mut Context<'_>,
        machine: &mut impl ProtocolMachine,
    ) -> StreamPoll {
        for _ in 0..MAX_WRITES {
            if !machine.wants_output() || self.writing == Writing::Failed {
                return self.poll_transport(cx, machine);
            }
            let Some(stream) = &mut self.stream else { return StreamPoll::Waits };
            let output = machine.output();
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let count = output.chunks_vectored(&mut slices);
            match stream.poll_write(cx, slices.get(..count).unwrap_or_default()) {
                Poll::Ready(Ok(0)) => self.write_failed(ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => {
                    output.advance(count);
                    self.writing = Writing::Unflushed;
                }
                Poll::Ready(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
                Poll::Ready(Err(error)) => self.write_failed(error),
                Poll::Pending => return StreamPoll::Waits,
            }
        }
        StreamPoll::Progress
    }

    /// Flushes, shuts down or closes the stream, once no output waits or none can be written.
    fn poll_transport(
        &mut self,
        cx: &mut Context<'_>,
        machine: &impl ProtocolMachine,
    ) -> StreamPoll {
        let transport = machine.transport();
        let Some(stream) = &mut self.stream else { return StreamPoll::Waits };
        let is_dead = self.writing == Writing::Failed
            && (self.reading == Reading::Ended || machine.is_decided());
        if transport == Transport::Close || is_dead {
            // Gives the stream a chance to send its own last bytes (TLS `close_notify`). Only if
            // that needs no waiting: from here on no timer runs that would limit it.
            if self.writing == Writing::Unflushed {
                let _ = stream.poll_flush(cx);
            }
            if !matches!(self.writing, Writing::Failed | Writing::ShutDown) {
                let _ = stream.poll_shutdown(cx);
            }
            self.stream = None;
            return StreamPoll::Waits;
        }
        if self.writing == Writing::Unflushed {
            match stream.poll_flush(cx) {
                Poll::Ready(Ok(())) => self.writing = Writing::Flushed,
                Poll::Ready(Err(error)) => {
                    self.write_failed(error);
                    return StreamPoll::Progress;
                }
                Poll::Pending => return StreamPoll::Waits,
            }
        }
        // Only after the flush: what comes before the end must have left first.
        let is_last = transport == Transport::ShutdownWrite || self.is_end_reported;
        if is_last && self.writing == Writing::Flushed {
            match stream.poll_shutdown(cx) {
                Poll::Ready(Ok(())) => self.writing = Writing::ShutDown,
                Poll::Ready(Err(error)) => self.write_failed(error),
                Poll::Pending => {}
            }
        }
        StreamPoll::Waits
    }

    /// Reads once if the machine wants input, or waits for the end of the stream after closing.
    pub(crate) fn poll_input(
        &mut self,
        cx: &mut Context<'_>,
        machine: &mut impl ProtocolMachine,
    ) -> StreamPoll {
        let flow = self.poll_read(cx, machine);
        self.has_read |= flow == StreamPoll::Waits;
        self.next_read = self.now + READ_INTERVAL;
        flow
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        machine: &mut impl ProtocolMachine,
    ) -> StreamPoll {
        let wanted = machine.wants_input() || machine.transport() == Transport::ShutdownWrite;
        let Some(stream) = &mut self.stream else { return StreamPoll::Waits };
        if !wanted || self.reading == Reading::Ended {
            return StreamPoll::Waits;
        }
        let clock = &self.clock;
        let read = with_read_buffer(machine.read_size(), |buffer| {
            let read = stream.poll_read(cx, buffer);
            if let Poll::Ready(Ok(count)) = read {
                // A stream that claims more bytes than the buffer has must not cause a panic.
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
            // Nothing can be written any more, and all that had arrived is read: this is the end.
            Poll::Pending if self.writing == Writing::Failed => self.end_of_stream(machine),
            Poll::Pending => return StreamPoll::Waits,
        }
        StreamPoll::Progress
    }

    /// Sets how much [`poll_discard`](Self::poll_discard) may read. After a clean close nothing
    /// should come. After a failure the peer goes on sending until it has seen our Close.
    pub(crate) fn limit_discarded(&mut self, is_clean: bool) {
        self.discards = if is_clean { 1024 * 1024 } else { 64 * 1024 * 1024 };
    }

    /// Reads and drops what still comes, until the stream ends or too much has come.
    ///
    /// Closing a socket with unread input makes most systems send a reset, which can destroy our
    /// Close before the peer has read it.
    pub(crate) fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..MAX_READS {
            let Some(stream) = &mut self.stream else { return Poll::Ready(()) };
            let read = with_read_buffer(READ_SIZE, |buffer| stream.poll_read(cx, buffer));
            match read {
                // The limit is for a peer that never stops sending: every connection has to end.
                Poll::Ready(Ok(count @ 1..)) if count < self.discards => self.discards -= count,
                Poll::Ready(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
                Poll::Ready(_) => self.stream = None,
                Poll::Pending => return Poll::Pending,
            }
        }
        // Other tasks run first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn end_of_stream(&mut self, machine: &mut impl ProtocolMachine) {
        self.reading = Reading::Ended;
        machine.handle_eof(self.clock.now());
    }

    fn write_failed(&mut self, error: io::Error) {
        self.writing = Writing::Failed;
        self.fault.get_or_insert(error);
    }
}

/// What polling the stream came to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamPoll {
    /// Something has changed, so the loop goes round again.
    Progress,
    /// There is nothing to do, or the stream holds our waker.
    Waits,
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

/// Writes in one round. A peer that takes everything at once must not keep us from reading.
const MAX_WRITES: usize = 4;

/// Reads in a row before a deadline is judged: operating systems seldom buffer more for a socket.
const MAX_READS: usize = 16;

/// How long calls that need not read do without reading. Peers wait much longer than this for a
/// pong, and reading this seldom costs next to nothing.
pub(crate) const READ_INTERVAL: Duration = Duration::from_millis(50);

/// Slices in one vectored write. Output rarely consists of more.
const MAX_SLICES: usize = 16;
