//! Reuniting a split connection while another task drops a clone of the sender.

use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver as Answers, Sender as Asks, channel};
use std::task::Wake;
use std::thread;

use tidegate_core::{Config, Connection, Timestamp};
use tidegate_driver::{ByteStream, Clock, Driver, Receiver, Sender, WebSocket};

/// A stream that accepts all output and has no input.
#[derive(Debug)]
struct Sink;

impl ByteStream for Sink {
    fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }
    fn poll_write(&mut self, _: &mut Context<'_>, from: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(from.iter().map(|slice| slice.len()).sum()))
    }
    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

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

type Parts = (Sender, Receiver, Driver<Sink, NoTime>);

fn parts() -> Parts {
    let connection = Connection::server(Timestamp::ZERO, Config::default());
    WebSocket::from_connection(Sink, NoTime, connection).split()
}

/// The driver's task runs on another thread. It is woken while the clone is being dropped, and its
/// thread reunites the parts at that moment.
struct AskElsewhere(Mutex<Option<(Asks<()>, Answers<()>)>>);

impl Wake for AskElsewhere {
    fn wake(self: std::sync::Arc<Self>) {
        if let Some((ask, answer)) = self.0.lock().unwrap().take() {
            let _ = ask.send(());
            // It may wait for this clone, which is gone when this returns.
            let _ = answer.recv_timeout(Duration::from_millis(200));
        }
    }
}

#[test]
fn reuniting_does_not_panic_while_a_clone_is_dropped() {
    let (sender, receiver, mut driver) = parts();
    let (ask, asked) = channel();
    let (done, answer) = channel();
    let waker = Waker::from(std::sync::Arc::new(AskElsewhere(Mutex::new(Some((ask, answer))))));
    let polled = Pin::new(&mut driver).poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    let clone = sender.clone();
    // Fed only, so that the driver is woken when the sender is dropped.
    let _ = Pin::new(&mut Box::pin(clone.feed("x"))).poll(&mut Context::from_waker(Waker::noop()));
    let reuniting = thread::spawn(move || {
        asked.recv_timeout(Duration::from_secs(10)).expect("the driver is woken");
        // Both results are allowed: reunited, or the parts returned.
        let reunited = WebSocket::reunite(sender, receiver, driver);
        let _ = done.send(());
        drop(reunited);
    });
    drop(clone);
    assert!(reuniting.join().is_ok(), "reunite panicked");
}

/// Two threads, a bounded number of times: the race as it occurs in an application.
#[test]
fn reuniting_races_with_clones() {
    for round in 0..2_000 {
        let (sender, receiver, driver) = parts();
        let clone = sender.clone();
        let dropping = thread::spawn(move || {
            for _ in 0..round % 50 {
                core::hint::spin_loop();
            }
            drop(clone);
        });
        let mut parts = Some((sender, receiver, driver));
        while let Some((sender, receiver, driver)) = parts.take() {
            if let Err(error) = WebSocket::reunite(sender, receiver, driver) {
                parts = Some(error.into_parts());
                thread::yield_now();
            }
        }
        dropping.join().unwrap();
    }
}
