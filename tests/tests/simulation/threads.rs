//! Runs the parts of a split connection on separate threads, for interleavings that a single thread
//! cannot produce. Runs are not reproducible, but the assertions hold under every schedule.

use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex};
use std::task::Wake;
use std::thread::{self, Thread};
use std::time::Duration;

use tidegate_core::{CloseCode, Config, Connection, Message, Timestamp, Watermarks};
use tidegate_driver::{ByteStream, Clock, Driver, Receiver, Sender, WebSocket};

/// One direction: a buffer of a few bytes, and the tasks that wait for it.
#[derive(Debug, Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    is_ended: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Debug)]
struct End {
    incoming: Arc<Mutex<Pipe>>,
    out: Arc<Mutex<Pipe>>,
}

impl ByteStream for End {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut pipe = self.incoming.lock().unwrap();
        let count = pipe.bytes.len().min(buffer.len());
        if count == 0 && !pipe.is_ended {
            pipe.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        for (to, from) in buffer.iter_mut().zip(pipe.bytes.drain(..count)) {
            *to = from;
        }
        let writer = pipe.writer.take();
        drop(pipe);
        writer.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(count))
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = self.out.lock().unwrap();
        let room = CAPACITY - pipe.bytes.len();
        if room == 0 {
            pipe.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let before = pipe.bytes.len();
        pipe.bytes.extend(slices.iter().flat_map(|slice| slice.iter()).take(room));
        let written = pipe.bytes.len() - before;
        let reader = pipe.reader.take();
        drop(pipe);
        reader.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = self.out.lock().unwrap();
        pipe.is_ended = true;
        let reader = pipe.reader.take();
        drop(pipe);
        reader.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(()))
    }
}

/// A clock that does not advance, so that only the other threads wake a task.
#[derive(Clone, Debug)]
struct NoTime;

impl Clock for NoTime {
    fn now(&self) -> Timestamp {
        Timestamp::ZERO
    }

    fn poll_deadline(&mut self, _: &mut Context<'_>, _: Timestamp) -> Poll<()> {
        Poll::Pending
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls a future when it is woken. If no wake-up comes for this long, one was lost.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        thread::park_timeout(Duration::from_secs(60));
    }
}

fn config() -> Config {
    Config::builder()
        .message_marks(Watermarks::new(3, 1))
        .send_marks(Watermarks::new(200, 50))
        .build()
        .unwrap()
}

fn drive(driver: Driver<End, NoTime>) {
    assert!(block_on(driver).unwrap().is_clean());
}

fn echo(sender: &Sender, receiver: &mut Receiver) {
    while let Some(message) = block_on(receiver.recv()).unwrap() {
        block_on(sender.send(message)).unwrap();
    }
}

/// On either end three threads send, one receives and one drives. Every message comes back once, in
/// the order of its thread.
#[test]
fn many_threads_lose_nothing() {
    let started = std::time::Instant::now();
    let [up, down]: [Arc<Mutex<Pipe>>; 2] = Default::default();
    let client = End { incoming: down.clone(), out: up.clone() };
    let server = End { incoming: up, out: down };
    let now = Timestamp::ZERO;
    let client =
        WebSocket::from_connection(client, NoTime, Connection::client(now, config(), [7; 32]));
    let server = WebSocket::from_connection(server, NoTime, Connection::server(now, config()));
    let (sender, mut receiver, driver) = client.split();
    let (back, mut forth, other) = server.split();
    thread::scope(|scope| {
        scope.spawn(|| drive(driver));
        scope.spawn(|| drive(other));
        scope.spawn(move || echo(&back, &mut forth));
        for thread in 0..3u8 {
            let sender = sender.clone();
            scope.spawn(move || {
                for number in 0..MESSAGES {
                    let payload = [&[thread][..], &number.to_be_bytes(), &[thread; 20]].concat();
                    block_on(sender.send(payload)).unwrap();
                    if number % 16 == 0 {
                        block_on(sender.flush()).unwrap();
                    }
                    if number % 64 == 0 {
                        block_on(sender.ping()).unwrap();
                    }
                }
            });
        }
        let mut next = [0u32; 3];
        for _ in 0..3 * MESSAGES {
            let Some(Message::Binary(bytes)) = block_on(receiver.recv()).unwrap() else {
                panic!("all are binary")
            };
            let next = &mut next[usize::from(bytes[0])];
            assert_eq!(bytes[1..5], next.to_be_bytes());
            *next += 1;
        }
        assert!(block_on(sender.close(CloseCode::NORMAL, "")).unwrap().is_clean());
        assert_eq!(block_on(receiver.recv()).unwrap(), None);
    });
    assert!(started.elapsed() < Duration::from_secs(60), "a wake-up was lost");
}

const MESSAGES: u32 = 3000;
const CAPACITY: usize = 150;
