//! A stream and a clock under a machine: time in, output out, input in.

use core::task::{Context, Poll};
use std::io::{self, ErrorKind, IoSlice};

use bytes::Buf;

use super::buffer::with_read_buffer;
use super::clock::Clock;
use super::poll::{Flow, Machine};
use super::stream::ByteStream;
use crate::Transport;

/// A stream and a clock. The two directions of the stream end independently.
#[derive(Debug)]
pub(super) struct Link<S, C> {
    /// `None` once it is closed.
    pub(super) stream: Option<S>,
    pub(super) clock: C,
    reading: Reading,
    writing: Writing,
    /// What the transport failed with.
    pub(super) fault: Option<io::Error>,
}

impl<S: ByteStream, C: Clock> Link<S, C> {
    pub(super) const fn new(stream: S, clock: C) -> Self {
        Self {
            stream: Some(stream),
            clock,
            reading: Reading::Open,
            writing: Writing::Flushed,
            fault: None,
        }
    }

    /// All that it is, leaving one behind that is closed.
    pub(super) fn take_out(&mut self) -> Self {
        Self {
            stream: self.stream.take(),
            clock: self.clock.clone(),
            reading: self.reading,
            writing: self.writing,
            fault: self.fault.take(),
        }
    }

    /// Whether everything written has left the stream's own buffers.
    pub(super) fn is_flushed(&self) -> bool {
        self.writing != Writing::Unflushed
    }

    pub(super) fn has_write_failed(&self) -> bool {
        self.writing == Writing::Failed
    }

    /// Tells the machine the time if it waits for it.
    pub(super) fn handle_time(&mut self, machine: &mut impl Machine) {
        if let Some(deadline) = machine.poll_timeout() {
            let now = self.clock.now();
            if deadline <= now {
                machine.handle_timeout(now);
            }
        }
    }

    /// Sets the timer to the machine's deadline.
    pub(super) fn poll_deadline(
        &mut self,
        cx: &mut Context<'_>,
        machine: &impl Machine,
    ) -> Poll<()> {
        match machine.poll_timeout() {
            Some(deadline) if self.stream.is_some() => self.clock.poll_deadline(cx, deadline),
            _ => Poll::Pending,
        }
    }

    /// Offers output, and follows the machine's instructions for the stream.
    pub(super) fn poll_output(&mut self, cx: &mut Context<'_>, machine: &mut impl Machine) -> Flow {
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
        if transport == Transport::ShutdownWrite && self.writing == Writing::Flushed {
            match stream.poll_shutdown(cx) {
                Poll::Ready(Ok(())) => self.writing = Writing::ShutDown,
                Poll::Ready(Err(error)) => self.write_failed(error),
                Poll::Pending => {}
            }
        }
        Flow::Waits
    }

    /// Reads once, if the machine wants input, or to the end once all is said.
    pub(super) fn poll_input(&mut self, cx: &mut Context<'_>, machine: &mut impl Machine) -> Flow {
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

/// Slices in one vectored write: a window of output has rarely more.
const SLICES: usize = 16;
