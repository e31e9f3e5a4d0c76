//! A simulated network and clock: the seed determines every read, write and timer.

use core::cell::RefCell;
use core::task::{Context, Poll, Waker};
use std::io::{self, ErrorKind, IoSlice};
use std::rc::Rc;

use tidegate_core::testing::{Conditions, Pipe, Random};
use tidegate_core::{Config, Connection, Timestamp};
use tidegate_driver::{ByteStream, Clock, WebSocket};

/// A failure of one direction, after this many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The stream ends, and the other direction goes on.
    HalfClose(usize),
    /// Both directions fail with an error.
    Reset(usize),
    /// Nothing arrives any more, without an error.
    Silence(usize),
}

/// The network and clock that all tasks of a run share.
#[derive(Clone, Debug)]
pub(crate) struct World(Rc<RefCell<State>>);

#[derive(Debug)]
struct State {
    now: Timestamp,
    random: Random,
    wires: [Wire; 2],
    is_reset: bool,
    alarms: Vec<Option<(Timestamp, Waker)>>,
    /// Counts progress: bytes, messages, timers, ends.
    progress: u64,
    /// A hash of everything that happened.
    trace: u64,
}

#[derive(Debug)]
struct Wire {
    pipe: Pipe,
    fault: Option<Fault>,
    is_silent: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl World {
    /// Creates a network with these conditions. The fault affects the first direction (client to
    /// server) or the second.
    pub(crate) fn new(conditions: Conditions, seed: u64, fault: Option<(usize, Fault)>) -> Self {
        let wire = |index: usize| {
            let fault = fault.filter(|(hit, _)| *hit == index).map(|(_, fault)| fault);
            let conditions = match fault {
                Some(Fault::HalfClose(bytes)) => conditions.cut_after(bytes),
                _ => conditions,
            };
            let pipe = Pipe::new(conditions, seed ^ index as u64);
            let is_silent = fault == Some(Fault::Silence(0));
            Wire { pipe, fault, is_silent, reader: None, writer: None }
        };
        Self(Rc::new(RefCell::new(State {
            now: Timestamp::ZERO,
            random: Random::new(!seed),
            wires: [wire(0), wire(1)],
            is_reset: false,
            alarms: Vec::new(),
            progress: 0,
            trace: 0xCBF2_9CE4_8422_2325,
        })))
    }

    /// The client's end and the server's.
    pub(crate) fn streams(&self) -> (End, End) {
        (End { world: self.clone(), out: 0 }, End { world: self.clone(), out: 1 })
    }

    /// A client on this network, and the server's end of its stream.
    pub(crate) fn client(&self, config: Config) -> (WebSocket<End, Time>, End) {
        let (near, far) = self.streams();
        let connection = Connection::client(self.now(), config, [7; 32]);
        (WebSocket::from_connection(near, self.clock(), connection), far)
    }

    /// A clock with one alarm.
    pub(crate) fn clock(&self) -> Time {
        let mut state = self.0.borrow_mut();
        state.alarms.push(None);
        Time { world: self.clone(), alarm: state.alarms.len() - 1 }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.borrow().now
    }

    pub(crate) fn progress(&self) -> u64 {
        self.0.borrow().progress
    }

    pub(crate) fn trace(&self) -> u64 {
        self.0.borrow().trace
    }

    pub(crate) fn below(&self, limit: usize) -> usize {
        self.0.borrow_mut().random.below(limit)
    }

    /// Records progress.
    pub(crate) fn note(&self, what: u64) {
        self.0.borrow_mut().note(what);
    }

    /// Records an event without progress: a poll.
    pub(crate) fn note_poll(&self, task: usize) {
        self.0.borrow_mut().fold(1 << 32 | task as u64);
    }

    /// Wakes the tasks that can make progress now.
    pub(crate) fn deliver(&self) {
        let mut wakers = Vec::new();
        {
            let mut state = self.0.borrow_mut();
            let (now, is_reset) = (state.now, state.is_reset);
            for wire in &mut state.wires {
                if is_reset || wire.next_arrival().is_some_and(|arrival| arrival <= now) {
                    wakers.extend(wire.reader.take());
                }
                if is_reset || wire.has_room() {
                    wakers.extend(wire.writer.take());
                }
            }
            let mut fired = 0;
            for alarm in &mut state.alarms {
                if let Some((_, waker)) = alarm.take_if(|(deadline, _)| *deadline <= now) {
                    fired += 1;
                    wakers.push(waker);
                }
            }
            state.progress += fired;
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Moves the time to the next thing that a task waits for. Returns false if there is none.
    pub(crate) fn advance(&self) -> bool {
        let next = {
            let state = self.0.borrow();
            let arrivals = state.wires.iter().filter(|wire| wire.reader.is_some());
            let arrivals = arrivals.filter_map(Wire::next_arrival);
            let alarms = state.alarms.iter().flatten().map(|(deadline, _)| *deadline);
            arrivals.chain(alarms).min()
        };
        let Some(next) = next else { return false };
        let mut state = self.0.borrow_mut();
        assert!(next > state.now, "what is due now was delivered");
        state.now = next;
        state.fold(next.as_micros());
        true
    }
}

impl State {
    fn note(&mut self, what: u64) {
        self.progress += 1;
        self.fold(what);
    }

    fn fold(&mut self, what: u64) {
        let mixed = self.trace ^ what ^ self.now.as_micros().rotate_left(20);
        self.trace = mixed.wrapping_mul(0x0100_0000_01B3).rotate_left(7);
    }
}

impl Wire {
    fn next_arrival(&self) -> Option<Timestamp> {
        self.pipe.next_arrival().filter(|_| !self.is_silent)
    }

    fn has_room(&self) -> bool {
        self.pipe.has_room()
    }
}

/// One end of the connection.
#[derive(Debug)]
pub(crate) struct End {
    world: World,
    out: usize,
}

impl ByteStream for End {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let state = &mut *self.world.0.borrow_mut();
        if state.is_reset {
            state.note(11);
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        // Runtimes sometimes return `Pending` although there is data, to let other tasks run.
        if state.random.one_in(40) {
            state.note(12);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let now = state.now;
        let wire = &mut state.wires[1 - self.out];
        let piece = if wire.is_silent { None } else { wire.pipe.read(now, buffer.len()) };
        let Some(piece) = piece else {
            wire.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        buffer[..piece.len()].copy_from_slice(&piece);
        state.note(13 << 32 | piece.len() as u64);
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        assert!(!slices[0].is_empty(), "there is something to write");
        let state = &mut *self.world.0.borrow_mut();
        if state.is_reset {
            state.note(14);
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        // Some streams write one slice at a time.
        let count = if state.random.one_in(3) { 1 } else { slices.len() };
        let bytes: Vec<u8> =
            slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect();
        let now = state.now;
        let wire = &mut state.wires[self.out];
        let count = wire.pipe.write(now, &bytes);
        if count == 0 {
            wire.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        match wire.fault {
            Some(Fault::Reset(behind)) if wire.pipe.carried() >= behind => state.is_reset = true,
            Some(Fault::Silence(behind)) if wire.pipe.carried() >= behind => wire.is_silent = true,
            _ => {}
        }
        state.note(15 << 32 | count as u64);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let state = &mut *self.world.0.borrow_mut();
        let now = state.now;
        state.wires[self.out].pipe.shut_down(now);
        state.note(16);
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let state = &mut *self.world.0.borrow_mut();
        let now = state.now;
        state.wires[self.out].pipe.shut_down(now);
        state.wires[1 - self.out].pipe.abandon(now);
        state.note(17);
    }
}

/// A clock with one alarm, which rings at the exact time.
#[derive(Clone, Debug)]
pub(crate) struct Time {
    world: World,
    alarm: usize,
}

impl Time {
    /// Waits for this long.
    pub(crate) async fn sleep(&mut self, time: core::time::Duration) {
        let deadline = self.now() + time;
        core::future::poll_fn(|cx| self.poll_deadline(cx, deadline)).await;
    }
}

impl Clock for Time {
    fn now(&self) -> Timestamp {
        self.world.now()
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>, deadline: Timestamp) -> Poll<()> {
        let state = &mut *self.world.0.borrow_mut();
        if deadline <= state.now {
            state.alarms[self.alarm] = None;
            return Poll::Ready(());
        }
        state.alarms[self.alarm] = Some((deadline, cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Time {
    fn drop(&mut self) {
        self.world.0.borrow_mut().alarms[self.alarm] = None;
    }
}
