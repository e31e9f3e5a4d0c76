//! A stream, a clock and an executor that a script drives: what is read and written, when it waits,
//! when it fails. The executor polls only what was woken.

use core::cell::RefCell;
use core::future::Future;
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::io::{self, ErrorKind, IoSlice};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Wake;

use tidegate_core::Timestamp;
use tidegate_driver::{ByteStream, Clock};

/// What the script and the world have come to.
#[derive(Debug, Default)]
pub struct World {
    /// What reads give, and how far they have come.
    input: Vec<u8>,
    taken: usize,
    /// One byte decides one call of the stream; when they are used up everything
    /// succeeds, in pieces or at once.
    steps: Vec<u8>,
    step: usize,
    /// What the stream took.
    pub written: Vec<u8>,
    /// How much of the input had been read when the end, or a fault, was told.
    pub has_ended: bool,
    /// A read, write or flush has failed.
    pub has_failed: bool,
    is_shut_down: bool,
    /// Who waits for which side: the waker of the newest call that was told to wait.
    reader: Option<Waker>,
    writer: Option<Waker>,
    alarm: Option<(Timestamp, Waker)>,
    now: Timestamp,
    /// Calls of the stream so far.
    pub calls: usize,
}

/// The script's side, and the stream's, and the clock's.
#[derive(Clone, Debug)]
pub struct Shared(Rc<RefCell<World>>);

/// Why a future was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It was polled as often as it was allowed.
    Cancelled,
    /// Nothing would wake it.
    Rested,
}

/// What a step of the script says.
enum Step {
    Waits,
    Gives(usize),
    Fails(ErrorKind),
    Ends,
}

impl World {
    fn step(&mut self) -> Step {
        self.calls += 1;
        let Some(byte) = self.steps.get(self.step) else {
            // Small pieces to the end, or all at once.
            let piece = self.steps.first().filter(|byte| **byte < 0x80);
            return Step::Gives(piece.map_or(usize::MAX, |byte| usize::from(*byte) + 1));
        };
        self.step += 1;
        match byte {
            0x00..=0x5F => Step::Gives(usize::from(*byte) + 1),
            0x60..=0x9F => Step::Gives(usize::MAX),
            0xFC => Step::Fails(ErrorKind::Interrupted),
            0xFD => Step::Ends,
            0xFE => Step::Fails(ErrorKind::ConnectionReset),
            0xFF => Step::Fails(ErrorKind::BrokenPipe),
            _ => Step::Waits,
        }
    }

    /// Far above what there is to do: each poll uses up a step or input, or is an alarm. Where input
    /// comes byte by byte, and each byte is an event that opens a gate, it is a few for each.
    fn most_polls(&self) -> usize {
        20_000 + 8 * self.input.len()
    }

    fn fails<T>(&mut self, kind: ErrorKind) -> Poll<io::Result<T>> {
        self.has_failed |= kind != ErrorKind::Interrupted;
        Poll::Ready(Err(kind.into()))
    }
}

impl Shared {
    /// A world with this input and these steps.
    pub fn new(input: Vec<u8>, steps: Vec<u8>) -> Self {
        Self(Rc::new(RefCell::new(World { input, steps, ..World::default() })))
    }

    /// Looks at the world.
    pub fn look<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.0.borrow())
    }

    /// Lets one thing happen that somebody waits for: input, room, or the alarm. False: nobody
    /// waits for anything.
    pub fn happen(&self, choice: u8) -> bool {
        let mut world = self.0.borrow_mut();
        for turn in 0..3 {
            let waker = match (choice.wrapping_add(turn)) % 3 {
                0 => world.reader.take(),
                1 => world.writer.take(),
                _ => world.alarm.take().map(|(deadline, waker)| {
                    world.now = world.now.max(deadline);
                    waker
                }),
            };
            if let Some(waker) = waker {
                drop(world);
                waker.wake();
                return true;
            }
        }
        false
    }

    /// Runs a future to its end, or drops it after so many polls. It is polled only when woken by
    /// what it waits for.
    ///
    /// # Panics
    ///
    /// A wake-up is lost, or there are far more polls than there is to do.
    pub fn run<F: Future>(&self, future: F, most: Option<usize>) -> Option<F::Output> {
        self.run_or_rest(future, most, false).ok()
    }

    /// The same for a future that may wait for the application: it is dropped when nothing would
    /// wake it.
    pub fn run_to_rest<F: Future>(&self, future: F, most: usize) -> Result<F::Output, Stopped> {
        self.run_or_rest(future, Some(most), true)
    }

    fn run_or_rest<F: Future>(
        &self,
        future: F,
        most: Option<usize>,
        may_rest: bool,
    ) -> Result<F::Output, Stopped> {
        let mut future = pin!(future);
        let most_polls = self.look(World::most_polls);
        let woken = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&woken));
        for polls in 0.. {
            if most == Some(polls) {
                return Err(Stopped::Cancelled);
            }
            assert!(polls < most_polls, "it is polled forever");
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Ok(output);
            }
            while !woken.0.swap(false, Ordering::Relaxed) {
                let choice = self.look(|world| world.calls.to_le_bytes()[0]);
                if !self.happen(choice) {
                    assert!(may_rest, "it waits, and nothing would wake it");
                    return Err(Stopped::Rested);
                }
            }
        }
        Err(Stopped::Cancelled)
    }
}

impl Shared {
    /// Runs tasks to their ends, each polled only when it was woken, in an order that the script's
    /// course decides.
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run).
    pub fn run_all(&self, mut tasks: Vec<Pin<Box<dyn Future<Output = ()> + '_>>>) {
        let flags: Vec<_> = tasks.iter().map(|_| Arc::new(Flag(AtomicBool::new(true)))).collect();
        let mut done = vec![false; tasks.len()];
        let most_polls = self.look(World::most_polls);
        for polls in 0.. {
            assert!(polls < most_polls, "they are polled forever");
            if done.iter().all(|done| *done) {
                return;
            }
            let choice = self.look(|world| world.calls) + polls;
            let mut order = (0..tasks.len()).map(|task| (task + choice) % tasks.len());
            let Some(task) =
                order.find(|task| !done[*task] && flags[*task].0.swap(false, Ordering::Relaxed))
            else {
                let choice = choice.to_le_bytes()[0];
                assert!(self.happen(choice), "tasks wait, and nothing would wake one: {done:?}");
                continue;
            };
            let waker = Waker::from(Arc::clone(&flags[task]));
            done[task] = tasks[task].as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        }
    }
}

impl ByteStream for Shared {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut world = self.0.borrow_mut();
        assert!(!buffer.is_empty(), "there is room to read");
        assert!(!world.has_ended, "nothing is read behind the end");
        match world.step() {
            Step::Waits => {
                world.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            Step::Fails(kind) => {
                world.has_ended |= kind != ErrorKind::Interrupted;
                world.fails(kind)
            }
            Step::Ends => {
                world.has_ended = true;
                Poll::Ready(Ok(0))
            }
            Step::Gives(count) => {
                let start = world.taken;
                let count = count.min(buffer.len()).min(world.input.len() - start);
                buffer[..count].copy_from_slice(&world.input[start..start + count]);
                world.taken += count;
                world.has_ended |= count == 0;
                Poll::Ready(Ok(count))
            }
        }
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut world = self.0.borrow_mut();
        assert!(!slices[0].is_empty(), "there is something to write");
        assert!(!world.is_shut_down, "nothing is written behind the end");
        match world.step() {
            Step::Waits => {
                world.writer = Some(cx.waker().clone());
                Poll::Pending
            }
            Step::Fails(kind) => world.fails(kind),
            Step::Ends => {
                world.has_failed = true;
                Poll::Ready(Ok(0))
            }
            Step::Gives(most) => {
                let bytes = slices.iter().flat_map(|slice| slice.iter().copied());
                let before = world.written.len();
                world.written.extend(bytes.take(most));
                Poll::Ready(Ok(world.written.len() - before))
            }
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut world = self.0.borrow_mut();
        match world.step() {
            Step::Waits => {
                world.writer = Some(cx.waker().clone());
                Poll::Pending
            }
            Step::Fails(kind) if kind != ErrorKind::Interrupted => world.fails(kind),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut world = self.0.borrow_mut();
        match world.step() {
            Step::Waits => {
                world.writer = Some(cx.waker().clone());
                Poll::Pending
            }
            Step::Fails(kind) if kind != ErrorKind::Interrupted => world.fails(kind),
            _ => {
                world.is_shut_down = true;
                Poll::Ready(Ok(()))
            }
        }
    }
}

/// The clock of such a world: time passes when the alarm goes off.
impl Clock for Shared {
    fn now(&self) -> Timestamp {
        let mut world = self.0.borrow_mut();
        world.now = world.now + Duration::from_micros(1);
        world.now
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>, deadline: Timestamp) -> Poll<()> {
        let mut world = self.0.borrow_mut();
        if deadline <= world.now {
            return Poll::Ready(());
        }
        world.alarm = Some((deadline, cx.waker().clone()));
        Poll::Pending
    }
}

#[derive(Debug)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
