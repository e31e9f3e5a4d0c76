//! The paths through the driver, on a stream that is always ready: no system, no runtime.
#![allow(clippy::disallowed_types, reason = "polling takes a waker")]

use std::cell::Cell;
use std::future::Future;
use std::hint::black_box;
use std::io::{self, IoSlice};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tidegate_core::frame::OpCode;
use tidegate_core::{Message, Timestamp};
use tidegate_driver::{ByteStream, Clock, WebSocket};

use crate::{BATCH, Case, NOW, ascii, frame, server};

pub(crate) const CASES: &[Case] = &[
    Case::one("driver-send-echo-16", |count| send_echo(count, 1)),
    Case::batch("driver-send-echo-16-batch", |count| send_echo(count, BATCH)),
    Case::one("driver-feed-echo-16", |count| feed_echo(count, 1)),
    Case::batch("driver-feed-echo-16-batch", |count| feed_echo(count, BATCH)),
    Case::one("driver-recv-16", |count| recv(count, 1)),
    Case::batch("driver-recv-16-batch", |count| recv(count, BATCH)),
    Case::one("driver-send-16", send),
    Case::batch("driver-feed-16-batch", feed),
    Case::one("split-echo-16", |count| split_echo(count, 1)),
    Case::batch("split-echo-16-batch", |count| split_echo(count, BATCH)),
];

/// Each read brings the same, as often as is said; then reading waits.
struct Stream {
    input: Vec<u8>,
    reads: usize,
}

impl Stream {
    fn new(messages: usize, reads: usize) -> Self {
        Self { input: frame(OpCode::Binary, true, &ascii(16)).repeat(messages), reads }
    }
}

impl ByteStream for Stream {
    fn poll_read(&mut self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.reads == 0 {
            return Poll::Pending;
        }
        self.reads -= 1;
        buffer[..self.input.len()].copy_from_slice(&self.input);
        Poll::Ready(Ok(self.input.len()))
    }

    fn poll_write(
        &mut self,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The clock does not move.
#[derive(Clone)]
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        NOW
    }

    fn poll_deadline(&mut self, _: &mut Context<'_>, _: Timestamp) -> Poll<()> {
        Poll::Pending
    }
}

/// The plain loop of an application: each answer is written before the next message is looked at.
fn send_echo(count: usize, messages: usize) {
    let mut socket = socket(messages, count);
    let echoed = Cell::new(0);
    let mut task = pin!(async {
        while let Some(message) = socket.recv().await.expect("no fault") {
            socket.send(message).await.expect("no fault");
            echoed.set(echoed.get() + 1);
        }
    });
    turn(|cx| task.as_mut().poll(cx).is_pending());
    assert_eq!(echoed.get(), count * messages);
}

/// The fast plain loop: what one read brought is answered by one write.
fn feed_echo(count: usize, messages: usize) {
    let mut socket = socket(messages, count);
    let echoed = Cell::new(0);
    let mut task = pin!(async {
        while let Some(message) = socket.recv().await.expect("no fault") {
            socket.feed(message).await.expect("no fault");
            echoed.set(echoed.get() + 1);
        }
    });
    turn(|cx| task.as_mut().poll(cx).is_pending());
    assert_eq!(echoed.get(), count * messages);
}

/// An application that only listens.
fn recv(count: usize, messages: usize) {
    let mut socket = socket(messages, count);
    let received = Cell::new(0);
    let mut task = pin!(async {
        while let Some(message) = socket.recv().await.expect("no fault") {
            received.set(received.get() + black_box(message).len() / 16);
        }
    });
    turn(|cx| task.as_mut().poll(cx).is_pending());
    assert_eq!(received.get(), count * messages);
}

/// An application that only speaks: each message is written before the next.
fn send(count: usize) {
    let mut socket = socket(1, 0);
    let message = Message::Binary(ascii(16).into());
    run(async {
        for _ in 0..count {
            socket.send(message.clone()).await.expect("no fault");
        }
    });
    assert_eq!(socket.stats().messages_out, count as u64);
}

/// The same in batches.
fn feed(count: usize) {
    let mut socket = socket(1, 0);
    let message = Message::Binary(ascii(16).into());
    run(async {
        for _ in 0..count {
            for _ in 0..BATCH {
                socket.feed(message.clone()).await.expect("no fault");
            }
            socket.flush().await.expect("no fault");
        }
    });
    assert_eq!(socket.stats().messages_out, (count * BATCH) as u64);
}

/// A stream that gives so many messages in each of so many reads, and takes everything.
fn socket(messages: usize, reads: usize) -> WebSocket<Stream, Still> {
    WebSocket::from_connection(Stream::new(messages, reads), Still, server())
}

/// To its end: nothing that it does waits.
fn run(task: impl Future<Output = ()>) {
    let mut task = pin!(task);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(task.as_mut().poll(&mut cx).is_ready(), "it waits for more");
}

/// The same, and the driver a task of its own.
fn split_echo(count: usize, messages: usize) {
    let stream = Stream::new(messages, count);
    let (sender, mut receiver, driver) =
        WebSocket::from_connection(stream, Still, server()).split();
    let echoed = Cell::new(0);
    let mut driver = pin!(driver);
    let mut task = pin!(async {
        while let Some(message) = receiver.recv().await.expect("no fault") {
            sender.send(message).await.expect("no fault");
            echoed.set(echoed.get() + 1);
        }
    });
    turn(|cx| driver.as_mut().poll(cx).is_pending() & task.as_mut().poll(cx).is_pending());
    assert_eq!(echoed.get(), count * messages);
}

/// Polls as an executor does, as long as something wakes it.
fn turn(mut poll: impl FnMut(&mut Context<'_>) -> bool) {
    let woken = std::sync::Arc::new(Woken::default());
    let waker = Waker::from(std::sync::Arc::clone(&woken));
    let mut cx = Context::from_waker(&waker);
    loop {
        woken.0.store(false, std::sync::atomic::Ordering::Relaxed);
        assert!(poll(&mut cx), "it waits for more");
        if !woken.0.load(std::sync::atomic::Ordering::Relaxed) {
            return;
        }
    }
}

#[derive(Default)]
struct Woken(std::sync::atomic::AtomicBool);

impl std::task::Wake for Woken {
    fn wake(self: std::sync::Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &std::sync::Arc<Self>) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}
