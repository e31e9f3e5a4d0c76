//! Wakers that run code of the application, and wake-ups that are not needed.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::task::Wake;
use std::task::{Context, Poll, Waker};

use futures_sink::Sink as _;
use tidegate_core::{CloseCode, Config};
use tidegate_driver::Sender;

use crate::mock::{Count, masked, poll, ready};
use crate::split::{marks, split};

/// A task that is owned only by its waker, as in some executors.
struct Task(#[expect(dead_code, reason = "it is only owned")] Mutex<Option<Sender>>);

impl Wake for Task {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_waker_may_own_a_part_of_the_connection() {
    let (mut parts, count) = (split(marks(16, 1)), Count::new());
    for _ in 0..2 {
        let waker = Waker::from(Arc::new(Task(Mutex::new(Some(parts.sender.clone())))));
        let receiving = std::pin::pin!(parts.receiver.recv());
        assert!(receiving.poll(&mut Context::from_waker(&waker)).is_pending());
    }
    assert!(poll(&count, parts.receiver.recv()).is_pending());
    // The same for a call that waits for room and is cancelled.
    parts.net.set_room(0);
    ready(poll(&count, parts.sender.send("full"))).unwrap();
    let waker = Waker::from(Arc::new(Task(Mutex::new(Some(parts.sender.clone())))));
    {
        let sending = std::pin::pin!(parts.sender.send("waits"));
        let poll = sending.poll(&mut Context::from_waker(&waker));
        assert!(matches!(poll, Poll::Pending));
        drop(waker);
    }
    let waker = Waker::from(Arc::new(Task(Mutex::new(Some(parts.sender.clone())))));
    assert!(Pin::new(&mut parts.driver).poll(&mut Context::from_waker(&waker)).is_pending());
    drop(waker);
    parts.drive();
}

/// An executor that runs a task inside the wake-up. This task closes the connection.
struct Inline(Mutex<Sender>);

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        self.0.lock().unwrap().begin_close(CloseCode::NORMAL, "").unwrap();
    }
}

#[test]
fn a_request_made_inside_a_wake_up_is_handled_in_the_same_poll() {
    let mut parts = split(Config::default());
    let waker = Waker::from(Arc::new(Inline(Mutex::new(parts.sender.clone()))));
    {
        let receiving = std::pin::pin!(parts.receiver.recv());
        assert!(receiving.poll(&mut Context::from_waker(&waker)).is_pending());
    }
    parts.net.data(masked(0x81, b"text"));
    assert_eq!(parts.driving.take(), 1);
    parts.drive();
    assert_eq!(parts.net.written(), b"\x88\x02\x03\xe8");
    assert_eq!(parts.driving.take(), 0, "it was awake, and looked again before it slept");
}

#[test]
fn a_driver_that_runs_anyway_is_not_woken_again() {
    let (mut parts, count) = (split(Config::default()), Count::new());
    ready(poll(&count, parts.sender.feed("fed"))).unwrap();
    // Woken for another reason, the driver writes the fed messages.
    parts.net.data(masked(0x81, b"text"));
    parts.run();
    assert_eq!(parts.net.written(), b"\x81\x03fed");
    assert!(parts.receiver.try_recv().is_some());
    assert!(poll(&count, parts.receiver.recv()).is_pending());
    ready(poll(&count, parts.sender.flush())).unwrap();
    drop(parts.sender.clone());
    assert_eq!(parts.driving.take(), 0);

    // While the stream takes nothing, the driver has nothing to do either.
    parts.net.set_room(0);
    ready(poll(&count, parts.sender.send("waits"))).unwrap();
    parts.run();
    for _ in 0..10 {
        ready(poll(&count, parts.sender.send("too"))).unwrap();
    }
    assert_eq!(parts.driving.take(), 0);
}

#[test]
fn closing_a_sink_waits_until_the_close_is_written() {
    let (mut parts, count) = (split(Config::default()), Count::new());
    let waker = Waker::from(count.clone());
    let mut cx = Context::from_waker(&waker);
    assert!(Pin::new(&mut parts.sender).poll_close(&mut cx).is_pending());
    parts.run();
    assert_eq!((parts.net.written(), count.take()), (b"\x88\x02\x03\xe8".to_vec(), 1));
    ready(Pin::new(&mut parts.sender).poll_close(&mut cx)).unwrap();
}
