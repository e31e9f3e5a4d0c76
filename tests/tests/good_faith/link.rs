//! One direction of TCP: the sender's buffer, the wire, the receiver's buffer, all bounded.

use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};

use tidegate_core::Timestamp;
use tidegate_driver::ByteStream;

use crate::world::{Party, World};

/// The link between the two programs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    /// Bytes a second.
    pub(crate) rate: u64,
    /// The delay in one direction.
    pub(crate) latency: Duration,
    /// The sizes of the sender's and the receiver's kernel buffer.
    pub(crate) buffer: usize,
}

impl Link {
    /// A local network.
    pub(crate) const FINE: Self =
        Self { rate: 100_000_000, latency: Duration::from_micros(200), buffer: 64 * 1024 };

    pub(crate) const fn rate(rate: u64) -> Self {
        Self { rate, ..Self::FINE }
    }

    pub(crate) const fn latency(self, latency: Duration) -> Self {
        Self { latency, ..self }
    }

    pub(crate) const fn buffer(self, buffer: usize) -> Self {
        Self { buffer, ..self }
    }

    /// How long this many bytes take.
    pub(crate) fn time(&self, bytes: usize) -> Duration {
        Duration::from_micros(bytes as u64 * 1_000_000 / self.rate)
    }
}

#[derive(Debug)]
pub(crate) struct Pipe {
    link: Link,
    outgoing: VecDeque<u8>,
    flying: VecDeque<(Timestamp, Vec<u8>)>,
    in_flight: usize,
    incoming: VecDeque<u8>,
    busy_until: Timestamp,
    pub(crate) pauses: Vec<(Timestamp, Timestamp)>,
    last: Last,
    /// The receiving program has closed its socket.
    is_abandoned: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// How the stream ends after the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Open,
    /// A FIN after the bytes that are still to be carried.
    Ending,
    Ended,
    /// A reset that arrives at this time, after the bytes already in flight.
    Resetting(Timestamp),
    Reset,
}

impl Pipe {
    pub(crate) fn new(link: Link) -> Self {
        Self {
            link,
            outgoing: VecDeque::new(),
            flying: VecDeque::new(),
            in_flight: 0,
            incoming: VecDeque::new(),
            busy_until: Timestamp::ZERO,
            pauses: Vec::new(),
            last: Last::Open,
            is_abandoned: false,
            reader: None,
            writer: None,
        }
    }

    /// Carries the bytes that are due by now. `back` is the other direction.
    pub(crate) fn carry(&mut self, now: Timestamp, back: &mut Self, wakers: &mut Vec<Waker>) {
        let mut has_arrived = false;
        while self.flying.front().is_some_and(|(arrival, _)| *arrival <= now)
            && let Some((_, bytes)) = self.flying.pop_front()
        {
            self.in_flight -= bytes.len();
            if self.is_abandoned {
                // Linux resets the connection when bytes arrive that nobody can read.
                back.reset(now);
            } else {
                self.incoming.extend(bytes);
                has_arrived = true;
            }
        }
        while self.busy_until <= now && self.window() > 0 && !self.outgoing.is_empty() {
            let piece = usize::try_from(self.link.rate / 20).unwrap().clamp(64, 65_536);
            let piece = piece.min(self.window()).min(self.outgoing.len());
            let start = self.after_pause(now.max(self.busy_until));
            self.busy_until = start + self.link.time(piece).max(Duration::from_micros(1));
            self.in_flight += piece;
            let bytes = self.outgoing.drain(..piece).collect();
            self.flying.push_back((self.busy_until + self.link.latency, bytes));
        }
        match self.last {
            Last::Ending if self.outgoing.is_empty() && self.flying.is_empty() => {
                self.last = Last::Ended;
                has_arrived = true;
            }
            Last::Resetting(arrival) if arrival <= now && self.flying.is_empty() => {
                self.last = Last::Reset;
                has_arrived = true;
                wakers.extend(back.writer.take());
            }
            _ => {}
        }
        if has_arrived {
            wakers.extend(self.reader.take());
        }
        // Like Linux, wakes a writer only when a good part of the buffer is free.
        if self.room() >= self.link.buffer / 3 {
            wakers.extend(self.writer.take());
        }
    }

    pub(crate) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let arrival = self.flying.front().map(|(arrival, _)| *arrival);
        let is_waiting = !self.outgoing.is_empty() && self.window() > 0 && self.busy_until > now;
        let wire = is_waiting.then_some(self.busy_until);
        let reset = match self.last {
            Last::Resetting(arrival) => Some(arrival),
            _ => None,
        };
        arrival.into_iter().chain(wire).chain(reset).min()
    }

    fn window(&self) -> usize {
        self.link.buffer.saturating_sub(self.in_flight + self.incoming.len())
    }

    fn room(&self) -> usize {
        self.link.buffer.saturating_sub(self.outgoing.len())
    }

    fn after_pause(&self, time: Timestamp) -> Timestamp {
        let pauses = self.pauses.iter().filter(|(from, to)| *from <= time && time < *to);
        pauses.map(|(_, to)| *to).max().unwrap_or(time)
    }

    fn is_reset(&self) -> bool {
        self.last == Last::Reset
    }

    /// Bytes that are not on the wire are lost, and the reader gets an error after those that are.
    fn reset(&mut self, now: Timestamp) {
        if !matches!(self.last, Last::Resetting(_) | Last::Reset) {
            self.outgoing.clear();
            let last = self.flying.back().map_or(now, |(arrival, _)| *arrival);
            self.last = Last::Resetting(last.max(now + self.link.latency));
        }
    }
}

/// One program's end of the connection.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) world: World,
    pub(crate) party: Party,
}

impl End {
    /// Closes the socket so that the other side is reset.
    pub(crate) fn reset(&self) {
        let state = &mut *self.world.0.borrow_mut();
        let now = state.now;
        state.pipes[self.out()].reset(now);
    }

    fn out(&self) -> usize {
        usize::from(self.party == Party::Peer)
    }
}

impl ByteStream for End {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let state = &mut *self.world.0.borrow_mut();
        let pipe = &mut state.pipes[1 - self.out()];
        let count = pipe.incoming.len().min(buffer.len());
        if count == 0 {
            return match pipe.last {
                Last::Ended => Poll::Ready(Ok(0)),
                Last::Reset => Poll::Ready(Err(ErrorKind::ConnectionReset.into())),
                _ => {
                    pipe.reader = Some(cx.waker().clone());
                    Poll::Pending
                }
            };
        }
        for (to, from) in buffer.iter_mut().zip(pipe.incoming.drain(..count)) {
            *to = from;
        }
        Poll::Ready(Ok(count))
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let out = self.out();
        let state = &mut *self.world.0.borrow_mut();
        if state.pipes[1 - out].is_reset() {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        let pipe = &mut state.pipes[out];
        if pipe.last != Last::Open {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let room = pipe.room();
        if room == 0 {
            pipe.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let before = pipe.outgoing.len();
        pipe.outgoing.extend(slices.iter().flat_map(|slice| slice.iter()).take(room));
        Poll::Ready(Ok(pipe.outgoing.len() - before))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let out = self.out();
        let state = &mut *self.world.0.borrow_mut();
        if state.pipes[out].last == Last::Open {
            state.pipes[out].last = Last::Ending;
        }
        Poll::Ready(Ok(()))
    }
}

/// As on Linux, a program that closes its socket with unread data resets the other side, and loses
/// what its kernel had still to send.
impl Drop for End {
    fn drop(&mut self) {
        let out = self.out();
        let state = &mut *self.world.0.borrow_mut();
        let now = state.now;
        state.pipes[1 - out].is_abandoned = true;
        if state.pipes[1 - out].incoming.is_empty() {
            if state.pipes[out].last == Last::Open {
                state.pipes[out].last = Last::Ending;
            }
        } else {
            state.pipes[out].reset(now);
        }
    }
}
