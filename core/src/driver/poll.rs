//! The loop: time, output, the caller's goal, input, and then to wait.

use core::task::{Context, Poll};
use std::io::{self, ErrorKind, IoSlice};

use bytes::Buf;

use super::buffer::with_read_buffer;
use super::clock::Clock;
use super::stream::ByteStream;
use super::websocket::WebSocket;
use crate::Transport;

/// How far a caller's goal is.
pub(super) enum Goal<T> {
    /// Reached.
    Done(T),
    /// The connection was changed on the way: look again before waiting.
    Again,
    /// More input, output or time is needed.
    Wait,
}

/// What polling the stream came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// Something has changed: the loop goes round.
    Moved,
    /// Nothing to do, or the stream holds our waker.
    Waits,
}

/// How the stream stands. The two directions end independently.
#[derive(Debug)]
pub(super) struct Link<S> {
    /// `None` once it is closed.
    pub(super) stream: Option<S>,
    reading: Reading,
    writing: Writing,
    /// What the transport failed with.
    pub(super) fault: Option<io::Error>,
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

impl<S> Link<S> {
    pub(super) const fn new(stream: S) -> Self {
        Self {
            stream: Some(stream),
            reading: Reading::Open,
            writing: Writing::Flushed,
            fault: None,
        }
    }

    /// Whether everything written has left the stream's own buffers.
    pub(super) fn is_flushed(&self) -> bool {
        self.writing != Writing::Unflushed
    }

    pub(super) fn has_write_failed(&self) -> bool {
        self.writing == Writing::Failed
    }

    fn write_failed(&mut self, error: io::Error) {
        self.writing = Writing::Failed;
        self.fault.get_or_insert(error);
    }
}

impl<S: ByteStream, C: Clock> WebSocket<S, C> {
    /// Runs the connection until the goal is reached. Every public call ends here.
    ///
    /// `Pending` is returned only from a round in which nothing moved: output was offered after the
    /// last change of the connection, the stream was polled for reading if it is to be read, and
    /// the timer was set.
    pub(super) fn poll_until<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut goal: impl FnMut(&mut Self) -> Goal<T>,
    ) -> Poll<T> {
        for _ in 0..ROUNDS {
            self.handle_time();
            let output = self.poll_output(cx);
            match goal(self) {
                Goal::Done(value) => {
                    // Taking an event may have made output: it does not wait for the next call.
                    if self.connection.wants_output() && output == Flow::Waits {
                        self.poll_output(cx);
                    }
                    return Poll::Ready(value);
                }
                Goal::Again => continue,
                Goal::Wait => {}
            }
            let input = self.poll_input(cx);
            if input == Flow::Waits && output == Flow::Waits && self.poll_deadline(cx).is_pending()
            {
                return Poll::Pending;
            }
        }
        // There was progress in each of these rounds, and there is more: others come first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Tells the connection the time if it waits for it.
    fn handle_time(&mut self) {
        if let Some(deadline) = self.connection.poll_timeout() {
            let now = self.clock.now();
            if deadline <= now {
                self.connection.handle_timeout(now);
            }
        }
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.connection.poll_timeout() {
            Some(deadline) if self.link.stream.is_some() => self.clock.poll_deadline(cx, deadline),
            _ => Poll::Pending,
        }
    }

    /// Offers output, and follows the connection's instructions for the stream.
    fn poll_output(&mut self, cx: &mut Context<'_>) -> Flow {
        for _ in 0..WRITES {
            if !self.connection.wants_output() || self.link.writing == Writing::Failed {
                return self.poll_transport(cx);
            }
            let Some(stream) = &mut self.link.stream else { return Flow::Waits };
            let output = self.connection.output();
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = output.chunks_vectored(&mut slices);
            match stream.poll_write(cx, slices.get(..count).unwrap_or_default()) {
                Poll::Ready(Ok(0)) => self.link.write_failed(ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => {
                    self.connection.output().advance(count);
                    self.link.writing = Writing::Unflushed;
                }
                Poll::Ready(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
                Poll::Ready(Err(error)) => self.link.write_failed(error),
                Poll::Pending => return Flow::Waits,
            }
        }
        Flow::Moved
    }

    /// Nothing waits to be written, or nothing can be: what becomes of the stream?
    fn poll_transport(&mut self, cx: &mut Context<'_>) -> Flow {
        let transport = self.connection.transport();
        let Some(stream) = &mut self.link.stream else { return Flow::Waits };
        let is_dead = self.link.writing == Writing::Failed && self.link.reading == Reading::Ended;
        if transport == Transport::Close || is_dead {
            // A last word of the stream itself (TLS), if it can be had without waiting: from here
            // on no timer runs.
            if self.link.writing == Writing::Unflushed {
                let _ = stream.poll_flush(cx);
            }
            if !matches!(self.link.writing, Writing::Failed | Writing::ShutDown) {
                let _ = stream.poll_shutdown(cx);
            }
            self.link.stream = None;
            return Flow::Waits;
        }
        if self.link.writing == Writing::Unflushed {
            match stream.poll_flush(cx) {
                Poll::Ready(Ok(())) => self.link.writing = Writing::Flushed,
                Poll::Ready(Err(error)) => {
                    self.link.write_failed(error);
                    return Flow::Moved;
                }
                Poll::Pending => return Flow::Waits,
            }
        }
        if transport == Transport::ShutdownWrite && self.link.writing == Writing::Flushed {
            match stream.poll_shutdown(cx) {
                Poll::Ready(Ok(())) => self.link.writing = Writing::ShutDown,
                Poll::Ready(Err(error)) => self.link.write_failed(error),
                Poll::Pending => {}
            }
        }
        Flow::Waits
    }

    /// Reads once, if the connection wants input, or to the end once all is said.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Flow {
        let wanted = self.connection.wants_input()
            || self.connection.transport() == Transport::ShutdownWrite;
        let Some(stream) = &mut self.link.stream else { return Flow::Waits };
        if !wanted || self.link.reading == Reading::Ended {
            return Flow::Waits;
        }
        let (clock, connection) = (&self.clock, &mut self.connection);
        let read = with_read_buffer(|buffer| {
            let read = stream.poll_read(cx, buffer);
            if let Poll::Ready(Ok(count)) = read {
                connection.handle_input(clock.now(), buffer.get(..count).unwrap_or(buffer));
            }
            read
        });
        match read {
            Poll::Ready(Ok(0)) => self.end_of_stream(),
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
            Poll::Ready(Err(error)) => {
                self.link.fault.get_or_insert(error);
                self.end_of_stream();
            }
            // What was there is read, and nothing can be said any more: it is over.
            Poll::Pending if self.link.writing == Writing::Failed => self.end_of_stream(),
            Poll::Pending => return Flow::Waits,
        }
        Flow::Moved
    }

    fn end_of_stream(&mut self) {
        self.link.reading = Reading::Ended;
        self.connection.handle_eof(self.clock.now());
    }
}

/// Rounds, and so reads, in one poll: 1 MiB at most, after which other tasks come first.
const ROUNDS: usize = 16;

/// Writes in one round, so that a peer that takes everything at once does not keep us from reading.
const WRITES: usize = 4;

/// Slices in one vectored write: a window of output has rarely more.
const SLICES: usize = 16;
