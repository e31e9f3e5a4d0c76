//! The promises of the event loop, one test for each.

use std::io::ErrorKind;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use futures_core::Stream as _;
use futures_sink::Sink as _;
use tidegate_core::{Config, Failure, Message, Timestamp, Watermarks};
use tidegate_driver::Error;

use crate::mock::{Count, Net, masked, poll, poll_pinned, ready};

pub(crate) fn one_at_a_time() -> Config {
    Config::builder().message_marks(Watermarks::new(1, 0)).build().unwrap()
}

#[test]
fn a_call_that_waits_has_left_its_waker_with_every_source() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    net.set_room(0);
    net.data(masked(0x89, b"ping"));
    assert!(poll(&count, socket.recv()).is_pending());
    {
        let state = net.0.borrow();
        assert!(state.reader.is_some(), "input could help");
        assert!(state.writer.is_some(), "room could help: the pong waits");
        let (deadline, _) = state.alarm.as_ref().unwrap();
        assert_eq!(*deadline, Timestamp::from_secs(30), "time could help: the next ping");
    }
    assert_eq!(count.take(), 0);

    net.set_room(usize::MAX);
    assert_eq!(count.take(), 1);
    assert!(poll(&count, socket.recv()).is_pending());
    assert_eq!(net.written(), b"\x8a\x04ping");
    net.data(masked(0x81, b"text"));
    assert_eq!(count.take(), 1);
    assert_eq!(ready(poll(&count, socket.recv())).unwrap(), Some(Message::text("text")));
}

#[test]
fn never_wakes_itself_without_progress() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    for _ in 0..3 {
        assert!(poll(&count, socket.recv()).is_pending());
        assert_eq!((net.reads(), count.take()), (1, 0));
    }
    // Half a message is progress. After that there is none.
    net.data(masked(0x01, b"half"));
    assert_eq!(count.take(), 1);
    assert!(poll(&count, socket.recv()).is_pending());
    assert_eq!((net.reads(), count.take()), (2, 0));
}

#[test]
fn yields_after_a_bounded_number_of_reads() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    net.0.borrow_mut().endless = masked(0x8a, b"a pong that nobody asked for");
    for _ in 0..3 {
        assert!(poll(&count, socket.recv()).is_pending());
        assert_eq!((net.reads(), count.take()), (16, 1));
    }
}

#[test]
fn a_message_of_one_mebibyte_takes_two_reads() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    net.data(masked(0x82, &vec![7; 1 << 20]));
    let message = ready(poll(&count, socket.recv())).unwrap().unwrap();
    assert_eq!((message.len(), net.reads()), (1 << 20, 2));
}

#[test]
fn a_blocked_write_does_not_stop_reading() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    net.set_room(10);
    let mut sending = Box::pin(socket.send(vec![0; 1000]));
    assert!(poll_pinned(&count, &mut sending).is_pending());
    for text in [b"one", b"two"] {
        net.data(masked(0x81, text));
        assert_eq!(count.take(), 1);
        assert!(poll_pinned(&count, &mut sending).is_pending());
    }
    drop(sending);
    assert_eq!(socket.queued_messages(), 2);
    assert_eq!(socket.try_recv(), Some(Message::text("one")));
}

#[test]
fn a_closed_gate_stops_reading_but_not_writing() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(one_at_a_time());
    for text in ["one", "two", "three"] {
        net.data(masked(0x81, text.as_bytes()));
    }
    ready(poll(&count, socket.read_ahead()));
    assert_eq!(net.reads(), 1);
    assert_eq!(socket.queued_messages(), 1);

    // Writing, waiting and keeping the connection alive do not read.
    ready(poll(&count, socket.send("out"))).unwrap();
    assert_eq!(net.written(), b"\x81\x03out");
    ready(poll(&count, socket.read_ahead()));
    net.set_room(0);
    assert!(poll(&count, socket.send(vec![0; 1000])).is_pending());
    assert!(poll(&count, socket.drive()).is_pending());
    net.fire(Timestamp::from_secs(31));
    net.set_room(usize::MAX);
    assert!(poll(&count, socket.drive()).is_pending());
    let written = net.written();
    assert_eq!(written[1004..1006], [0x89, 0x04], "the keepalive pings behind a closed gate");
    assert_eq!(net.reads(), 0);
    assert!(ready(poll(&count, socket.ping())).unwrap().is_none());
    assert_eq!(net.reads(), 0);

    // Taking the message opens the gate, and the next call reads on.
    assert_eq!(ready(poll(&count, socket.recv())).unwrap(), Some(Message::text("one")));
    assert_eq!(net.reads(), 0);
    assert_eq!(ready(poll(&count, socket.recv())).unwrap(), Some(Message::text("two")));
    assert_eq!(net.reads(), 1);
}

#[test]
fn output_is_offered_before_an_event_is_handed_over() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(one_at_a_time());
    net.data([masked(0x89, b"1"), masked(0x81, b"one"), masked(0x89, b"2")].concat());
    net.data(masked(0x81, b"two"));
    assert_eq!(ready(poll(&count, socket.recv())).unwrap(), Some(Message::text("one")));
    // The second ping waited at the closed gate, which opened when the message was taken.
    assert_eq!(net.written(), b"\x8a\x011\x8a\x012");
}

#[test]
fn the_clock_decides_and_the_timer_only_wakes() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    net.0.borrow_mut().is_timer_early = true;
    assert!(poll(&count, socket.recv()).is_pending());
    assert_eq!(net.written(), b"", "the timer said now, the clock said not yet");

    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    assert!(poll(&count, socket.recv()).is_pending());
    net.set_now(Timestamp::from_secs(30));
    net.data(masked(0x81, b"text"));
    ready(poll(&count, socket.recv())).unwrap();
    assert_eq!(net.written(), b"\x89\x04\0\0\0\x01", "no timer fired, and it was time");

    assert!(poll(&count, socket.recv()).is_pending());
    count.take();
    net.fire(Timestamp::from_secs(60));
    assert_eq!(count.take(), 1);
    assert!(poll(&count, socket.recv()).is_pending(), "the text was a sign of life");
    net.fire(Timestamp::from_secs(90));
    assert_eq!(count.take(), 1);
    assert!(poll(&count, socket.recv()).is_pending(), "a last look");
    count.take();
    net.fire(Timestamp::from_millis(90_001));
    assert_eq!(count.take(), 1);
    let error = ready(poll(&count, socket.recv())).unwrap_err();
    assert!(matches!(error, Error::Closed(closed)
        if closed.failure() == Some(Failure::KeepaliveTimeout)));
}

#[test]
fn flushes_once_after_output_empties() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    for _ in 0..5 {
        ready(poll(&count, socket.feed("small"))).unwrap();
    }
    assert_eq!(net.0.borrow().writes, 0);
    ready(poll(&count, socket.flush())).unwrap();
    assert_eq!((net.0.borrow().writes, net.0.borrow().flushes), (1, 1));
    ready(poll(&count, socket.flush())).unwrap();
    assert!(poll(&count, socket.recv()).is_pending());
    assert_eq!((net.0.borrow().writes, net.0.borrow().flushes), (1, 1));

    net.0.borrow_mut().flush_waits = true;
    let mut sending = Box::pin(socket.send("more"));
    assert!(poll_pinned(&count, &mut sending).is_pending());
    net.0.borrow_mut().flush_waits = false;
    net.set_room(usize::MAX);
    assert_eq!(count.take(), 1);
    ready(poll_pinned(&count, &mut sending)).unwrap();
}

#[test]
fn a_write_of_zero_bytes_is_an_error() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    net.0.borrow_mut().takes_nothing = true;
    let error = ready(poll(&count, socket.send("text"))).unwrap_err();
    assert!(matches!(error, Error::Io(error) if error.kind() == ErrorKind::WriteZero));
    assert_eq!(net.0.borrow().writes, 1);
}

#[test]
fn recv_and_send_can_be_cancelled_at_every_poll() {
    // A message cancelled before there was room is dropped. All others arrive once.
    let (net, count) = (Net::new(), Count::new());
    let config = Config::builder().send_marks(Watermarks::new(1, 0)).build().unwrap();
    let mut socket = net.server(config);
    net.set_room(0);
    assert!(poll(&count, socket.send("first")).is_pending());
    assert!(poll(&count, socket.send("dropped")).is_pending());
    for byte in 0..7 {
        net.set_room(1);
        assert!(byte < 6 || socket.queued_output() <= 1);
        let _ = poll(&count, socket.flush());
    }
    assert_eq!(net.written(), b"\x81\x05first");

    for byte in masked(0x81, b"piecewise") {
        assert!(poll(&count, socket.recv()).is_pending());
        net.data([byte]);
    }
    assert_eq!(ready(poll(&count, socket.recv())).unwrap(), Some(Message::text("piecewise")));
}

#[test]
fn the_stream_is_closed_in_time_though_output_could_not_be_written() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    net.set_room(3);
    assert!(poll(&count, socket.send("stuck")).is_pending());
    let mut closing = Box::pin(socket.close(1000.into(), "bye"));
    assert!(poll_pinned(&count, &mut closing).is_pending());
    // The Close has not left, so the limit for a peer that takes nothing applies.
    net.fire(Timestamp::from_millis(29_999));
    assert!(poll_pinned(&count, &mut closing).is_pending());
    assert!(!net.0.borrow().is_dropped);
    count.take();
    net.fire(Timestamp::from_secs(30));
    assert_eq!(count.take(), 1);
    assert!(poll_pinned(&count, &mut closing).is_pending(), "a last look");
    net.fire(Timestamp::from_millis(30_001));
    let error = ready(poll_pinned(&count, &mut closing)).unwrap_err();
    assert!(matches!(error, Error::Closed(closed)
        if closed.failure() == Some(Failure::WriteTimeout)));
    assert!(net.0.borrow().is_dropped);
}

#[test]
fn two_tasks_do_not_take_each_others_wake_ups() {
    let (net, reading, writing) = (Net::new(), Count::new(), Count::new());
    let mut socket = net.server(Config::default());
    let (reader, writer) = (Waker::from(reading.clone()), Waker::from(writing.clone()));
    net.set_room(0);
    assert!(Pin::new(&mut socket).poll_next(&mut Context::from_waker(&reader)).is_pending());
    Pin::new(&mut socket).start_send(Message::text("out")).unwrap();
    // The sink is polled last, and polling it reads too.
    let mut cx = Context::from_waker(&writer);
    assert!(Pin::new(&mut socket).poll_flush(&mut cx).is_pending());
    net.data(masked(0x81, b"in"));
    assert_eq!(reading.take(), 1, "the task that receives is woken");
    let next = Pin::new(&mut socket).poll_next(&mut Context::from_waker(&reader));
    assert_eq!(ready(next).unwrap().unwrap(), Message::text("in"));
    assert_eq!(writing.take(), 1, "so is the other one: whose wake-up it was is not known");
    assert!(Pin::new(&mut socket).poll_flush(&mut cx).is_pending());
    assert!(Pin::new(&mut socket).poll_next(&mut Context::from_waker(&reader)).is_pending());
    net.set_room(usize::MAX);
    assert_eq!(writing.take(), 1, "the task that sends is woken");
}

#[test]
fn a_ping_measures_the_round_trip_time() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    let mut pinging = Box::pin(socket.ping());
    assert!(poll_pinned(&count, &mut pinging).is_pending());
    assert_eq!(net.written(), b"\x89\x08\0\0\0\0\0\0\0\x01");
    net.set_now(Timestamp::from_millis(42));
    net.data(masked(0x8a, b"\0\0\0\0\0\0\0\x01"));
    let latency = ready(poll_pinned(&count, &mut pinging)).unwrap();
    assert_eq!(latency, Some(Duration::from_millis(42)));
}

#[test]
fn events_that_are_skipped_do_not_stop_the_loop() {
    let (net, count) = (Net::new(), Count::new());
    let config = one_at_a_time().to_builder().surface_control(true).build().unwrap();
    let mut socket = net.server(config);
    // Each ping closes the gate, and taking it opens the gate for the input after it.
    net.data([masked(0x89, b"1"), masked(0x89, b"2"), masked(0x8a, b"3")].concat());
    assert!(poll(&count, socket.recv()).is_pending());
    assert_eq!(net.written(), b"\x8a\x011\x8a\x012");
    net.data(masked(0x81, b"text"));
    assert_eq!(count.take(), 1);
    assert_eq!(ready(poll(&count, socket.recv())).unwrap(), Some(Message::text("text")));
}
