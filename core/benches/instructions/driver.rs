//! The paths through the driver, on a stream that is always ready: no system, no runtime.
#![allow(clippy::disallowed_types, reason = "polling takes a waker")]

use core::cell::Cell;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::io::{self, IoSlice};

use tidegate_core::Timestamp;
use tidegate_core::driver::{ByteStream, Clock, WebSocket};
use tidegate_core::frame::OpCode;

use crate::{BATCH, Case, NOW, ascii, frame, server};

pub(crate) const CASES: &[Case] = &[
    Case::one("driver-echo-16", |count| echo(count, 1)),
    Case::batch("driver-echo-16-batch", |count| echo(count, BATCH)),
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

/// It stands still.
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

/// The plain loop of an application.
fn echo(count: usize, messages: usize) {
    let stream = Stream::new(messages, count);
    let mut socket = WebSocket::from_connection(stream, Still, server());
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
        woken.0.store(false, core::sync::atomic::Ordering::Relaxed);
        assert!(poll(&mut cx), "it waits for more");
        if !woken.0.load(core::sync::atomic::Ordering::Relaxed) {
            return;
        }
    }
}

#[derive(Default)]
struct Woken(core::sync::atomic::AtomicBool);

impl std::task::Wake for Woken {
    fn wake(self: std::sync::Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &std::sync::Arc<Self>) {
        self.0.store(true, core::sync::atomic::Ordering::Relaxed);
    }
}
