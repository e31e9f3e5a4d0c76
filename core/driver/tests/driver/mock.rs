//! A stream and a clock that the test controls.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tidegate_core::{Config, Connection, Timestamp};
use tidegate_driver::{ByteStream, Clock, WebSocket};

pub(crate) type Socket = WebSocket<Stream, Time>;

/// What the stream will do, and what was done to it.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The results of reads, in order. After those, reads wait.
    pub(crate) input: VecDeque<Read>,
    /// If this is not empty, each read returns it.
    pub(crate) endless: Vec<u8>,
    /// How many bytes writes accept before they wait.
    pub(crate) room: usize,
    pub(crate) write_fault: Option<ErrorKind>,
    pub(crate) takes_nothing: bool,
    pub(crate) flush_waits: bool,
    pub(crate) flush_fault: Option<ErrorKind>,

    pub(crate) written: Vec<u8>,
    pub(crate) reads: usize,
    pub(crate) writes: usize,
    pub(crate) flushes: usize,
    pub(crate) shutdowns: usize,
    pub(crate) is_dropped: bool,
    pub(crate) reader: Option<Waker>,
    pub(crate) writer: Option<Waker>,

    pub(crate) now: Timestamp,
    pub(crate) alarm: Option<(Timestamp, Waker)>,
    /// The timer fires at once, although the deadline has not passed.
    pub(crate) is_timer_early: bool,
}

#[derive(Debug)]
pub(crate) enum Read {
    Data(Vec<u8>),
    End,
    Fault(ErrorKind),
}

/// The test's handle on the stream and the clock.
#[derive(Clone, Debug)]
pub(crate) struct Net(pub(crate) Rc<RefCell<State>>);

#[derive(Debug)]
pub(crate) struct Stream(Rc<RefCell<State>>);

#[derive(Clone, Debug)]
pub(crate) struct Time(Rc<RefCell<State>>);

impl Net {
    pub(crate) fn new() -> Self {
        Self(Rc::new(RefCell::new(State { room: usize::MAX, ..State::default() })))
    }

    /// A server's socket with this configuration.
    pub(crate) fn server(&self, config: Config) -> Socket {
        self.socket(Connection::server(Timestamp::ZERO, config))
    }

    /// A client's socket with this configuration.
    pub(crate) fn client(&self, config: Config) -> Socket {
        self.socket(Connection::client(Timestamp::ZERO, config, [7; 32]))
    }

    fn socket(&self, connection: Connection) -> Socket {
        WebSocket::from_connection(Stream(self.0.clone()), Time(self.0.clone()), connection)
    }

    pub(crate) fn push(&self, read: Read) {
        let mut state = self.0.borrow_mut();
        state.input.push_back(read);
        if let Some(waker) = state.reader.take() {
            waker.wake();
        }
    }

    pub(crate) fn data(&self, bytes: impl Into<Vec<u8>>) {
        self.push(Read::Data(bytes.into()));
    }

    pub(crate) fn set_room(&self, room: usize) {
        let mut state = self.0.borrow_mut();
        state.room = room;
        if let Some(waker) = state.writer.take() {
            waker.wake();
        }
    }

    pub(crate) fn set_now(&self, now: Timestamp) {
        self.0.borrow_mut().now = now;
    }

    /// Lets time pass, and fires the timer.
    pub(crate) fn fire(&self, now: Timestamp) {
        let mut state = self.0.borrow_mut();
        state.now = now;
        if let Some((_, waker)) = state.alarm.take_if(|(deadline, _)| *deadline <= now) {
            waker.wake();
        }
    }

    /// Lets a deadline pass at this time. It takes effect after the stream was read once more.
    pub(crate) fn expire(&self, count: &Count, at: Timestamp, mut is_done: impl FnMut() -> bool) {
        self.fire(at);
        assert!(!is_done(), "without a last look");
        count.take();
        self.fire(at + Duration::from_millis(1));
        assert!(is_done());
    }

    pub(crate) fn written(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.borrow_mut().written)
    }

    pub(crate) fn reads(&self) -> usize {
        std::mem::take(&mut self.0.borrow_mut().reads)
    }
}

impl ByteStream for Stream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut state = self.0.borrow_mut();
        state.reads += 1;
        if !state.endless.is_empty() {
            let count = state.endless.len().min(buffer.len());
            buffer[..count].copy_from_slice(&state.endless[..count]);
            return Poll::Ready(Ok(count));
        }
        match state.input.pop_front() {
            Some(Read::Data(mut data)) => {
                let count = data.len().min(buffer.len());
                buffer[..count].copy_from_slice(&data[..count]);
                data.drain(..count);
                if !data.is_empty() {
                    state.input.push_front(Read::Data(data));
                }
                Poll::Ready(Ok(count))
            }
            Some(Read::End) => Poll::Ready(Ok(0)),
            Some(Read::Fault(kind)) => Poll::Ready(Err(kind.into())),
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.0.borrow_mut();
        state.writes += 1;
        assert!(!slices[0].is_empty(), "there is something to write");
        if let Some(kind) = state.write_fault {
            return Poll::Ready(Err(kind.into()));
        }
        if state.takes_nothing {
            return Poll::Ready(Ok(0));
        }
        if state.room == 0 {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let count = bytes.len().min(state.room);
        state.written.extend_from_slice(&bytes[..count]);
        if state.room != usize::MAX {
            state.room -= count;
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.borrow_mut();
        state.flushes += 1;
        if let Some(kind) = state.flush_fault {
            return Poll::Ready(Err(kind.into()));
        }
        if state.flush_waits {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().shutdowns += 1;
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.borrow_mut().is_dropped = true;
    }
}

impl Clock for Time {
    fn now(&self) -> Timestamp {
        self.0.borrow().now
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>, deadline: Timestamp) -> Poll<()> {
        let mut state = self.0.borrow_mut();
        state.alarm = Some((deadline, cx.waker().clone()));
        if state.is_timer_early || deadline <= state.now { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Counts how often a task is woken.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicUsize);

impl Count {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// How many wake-ups there were since the last call.
    pub(crate) fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls a future once.
pub(crate) fn poll<F: Future>(count: &Arc<Count>, future: F) -> Poll<F::Output> {
    let waker = Waker::from(count.clone());
    let mut future = std::pin::pin!(future);
    future.as_mut().poll(&mut Context::from_waker(&waker))
}

/// Polls a pinned future once, and keeps it.
pub(crate) fn poll_pinned<F: Future + ?Sized>(
    count: &Arc<Count>,
    future: &mut Pin<Box<F>>,
) -> Poll<F::Output> {
    let waker = Waker::from(count.clone());
    future.as_mut().poll(&mut Context::from_waker(&waker))
}

/// The value of a poll that must be ready.
pub(crate) fn ready<T: std::fmt::Debug>(poll: Poll<T>) -> T {
    match poll {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

/// A client's frame with a masking key of zeros, which changes nothing.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    let length = payload.len() as u64;
    if let Ok(short @ 0..126) = u8::try_from(length) {
        frame.push(0x80 | short);
    } else if let Ok(medium) = u16::try_from(length) {
        frame.push(0x80 | 126);
        frame.extend_from_slice(&medium.to_be_bytes());
    } else {
        frame.push(0x80 | 127);
        frame.extend_from_slice(&length.to_be_bytes());
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}
