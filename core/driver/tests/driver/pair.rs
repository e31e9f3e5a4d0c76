//! Two sockets on a pipe that passes a few bytes at a time, each polled only when it was woken. A lost
//! wake-up stops the test, and a task that wakes itself without progress runs out of polls.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tidegate_core::{CloseCode, Config, Connection, Message, Timestamp, Watermarks};
use tidegate_driver::{ByteStream, Clock, WebSocket};

use crate::mock::{Count, poll_pinned};

/// One direction of the pipe.
#[derive(Debug, Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    capacity: usize,
    is_ended: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Debug)]
pub(crate) struct End {
    incoming: Rc<RefCell<Pipe>>,
    outgoing: Rc<RefCell<Pipe>>,
    random: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct NoTime;

impl Clock for NoTime {
    fn now(&self) -> Timestamp {
        Timestamp::ZERO
    }

    fn poll_deadline(&mut self, _: &mut Context<'_>, _: Timestamp) -> Poll<()> {
        Poll::Pending
    }
}

impl End {
    fn random(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random % below as u64).unwrap()
    }
}

impl ByteStream for End {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let some = 1 + self.random(300);
        let mut pipe = self.incoming.borrow_mut();
        if pipe.bytes.is_empty() {
            if pipe.is_ended {
                return Poll::Ready(Ok(0));
            }
            pipe.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = some.min(pipe.bytes.len());
        for (place, byte) in buffer.iter_mut().zip(pipe.bytes.drain(..count)) {
            *place = byte;
        }
        if let Some(waker) = pipe.writer.take() {
            waker.wake();
        }
        Poll::Ready(Ok(count))
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let some = 1 + self.random(300);
        let mut pipe = self.outgoing.borrow_mut();
        let room = pipe.capacity - pipe.bytes.len();
        if room == 0 {
            pipe.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let bytes = slices.iter().flat_map(|slice| slice.iter().copied());
        let before = pipe.bytes.len();
        pipe.bytes.extend(bytes.take(room.min(some)));
        if let Some(waker) = pipe.reader.take() {
            waker.wake();
        }
        Poll::Ready(Ok(pipe.bytes.len() - before))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = self.outgoing.borrow_mut();
        pipe.is_ended = true;
        if let Some(waker) = pipe.reader.take() {
            waker.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.outgoing.borrow_mut().is_ended = true;
        if let Some(waker) = self.outgoing.borrow_mut().reader.take() {
            waker.wake();
        }
    }
}

pub(crate) fn pair(seed: u64) -> (WebSocket<End, NoTime>, WebSocket<End, NoTime>) {
    let capacity = 1 + usize::try_from(seed * 37 % 700).unwrap();
    let pipes = [0, 1].map(|_| Rc::new(RefCell::new(Pipe { capacity, ..Pipe::default() })));
    let end = |incoming: usize, outgoing: usize| End {
        incoming: pipes[incoming].clone(),
        outgoing: pipes[outgoing].clone(),
        random: 0x9e37_79b9_7f4a_7c15 ^ (seed + 1) << (outgoing * 16),
    };
    let config = Config::builder()
        .message_marks(Watermarks::new(1 + usize::try_from(seed % 5).unwrap(), 0))
        .send_marks(Watermarks::new(200, 20))
        .build()
        .unwrap();
    let now = Timestamp::ZERO;
    (
        WebSocket::from_connection(end(0, 1), NoTime, Connection::server(now, config.clone())),
        WebSocket::from_connection(end(1, 0), NoTime, Connection::client(now, config, [1; 32])),
    )
}

fn message(number: usize) -> Message {
    Message::binary(vec![u8::try_from(number % 251).unwrap(); number * number % 1500])
}

async fn echo(mut socket: WebSocket<End, NoTime>) {
    while let Some(message) = socket.recv().await.unwrap() {
        socket.send(message).await.unwrap();
    }
    assert!(socket.closed().unwrap().is_clean());
}

async fn ask(mut socket: WebSocket<End, NoTime>) {
    for number in 0..MESSAGES {
        socket.feed(message(number)).await.unwrap();
        if number % 3 == 0 {
            socket.flush().await.unwrap();
        }
        if number % 7 == 6 {
            // Messages that are under way arrive before the pong, and may close the gate.
            socket.ping().await.unwrap();
        }
        if number >= WINDOW {
            assert_eq!(socket.recv().await.unwrap(), Some(message(number - WINDOW)));
        }
    }
    for number in MESSAGES - WINDOW..MESSAGES {
        assert_eq!(socket.recv().await.unwrap(), Some(message(number)));
    }
    assert!(socket.close(CloseCode::NORMAL, "").await.unwrap().is_clean());
}

/// Polls each task when it was woken, until all are done. Returns the number of polls.
pub(crate) fn run<const N: usize>(tasks: [Pin<Box<dyn Future<Output = ()>>>; N]) -> usize {
    let mut tasks = tasks.map(Some);
    let counts = [(); N].map(|()| Count::new());
    let mut polls = 0;
    let mut woken = [true; N];
    while tasks.iter().any(Option::is_some) {
        assert!(woken.contains(&true), "nobody is woken, and there is work to do");
        for ((task, count), woken) in tasks.iter_mut().zip(&counts).zip(&mut woken) {
            *woken |= count.take() > 0;
            let Some(running) = task else {
                *woken = false;
                continue;
            };
            if std::mem::take(woken) {
                polls += 1;
                assert!(polls < 1_000_000, "tasks are woken in vain");
                if poll_pinned(count, running).is_ready() {
                    *task = None;
                }
            }
        }
        for (woken, count) in woken.iter_mut().zip(&counts) {
            *woken |= count.take() > 0;
        }
    }
    polls
}

#[test]
fn an_echo_loses_no_wake_up() {
    for seed in 0..60 {
        let (server, client) = pair(seed);
        run([Box::pin(echo(server)), Box::pin(ask(client))]);
    }
}

/// Drops its future after some polls and begins anew, until one is done.
async fn with_cancelling(mut socket: WebSocket<End, NoTime>) {
    let mut polls = 0;
    loop {
        polls = polls % 3 + 1;
        let mut left = polls;
        let mut receiving = Box::pin(socket.recv());
        let received = std::future::poll_fn(|cx| match receiving.as_mut().poll(cx) {
            Poll::Ready(received) => Poll::Ready(Some(received)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => {
                left -= 1;
                Poll::Pending
            }
        })
        .await;
        drop(receiving);
        match received {
            None => {}
            Some(Ok(Some(message))) => {
                // The message is accepted whole. The flush is cancelled where it first waits.
                socket.feed(message).await.unwrap();
                let mut flushing = Box::pin(socket.flush());
                std::future::poll_fn(|cx| {
                    let _ = flushing.as_mut().poll(cx);
                    Poll::Ready(())
                })
                .await;
            }
            Some(Ok(None)) => return,
            Some(Err(error)) => panic!("{error}"),
        }
    }
}

#[test]
fn cancelling_loses_nothing() {
    for seed in 0..60 {
        let (server, client) = pair(seed);
        run([Box::pin(with_cancelling(server)), Box::pin(ask(client))]);
    }
}

const MESSAGES: usize = 80;

/// Messages under way: few enough that an echo with a closed gate can always answer.
const WINDOW: usize = 1;
