//! A split connection: when each part is woken, and the order of senders that wait.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use futures_core::Stream as _;
use futures_sink::Sink as _;
use tidegate_core::{
    Chunk, CloseCode, Config, Message, MessageKind, SendError, Timestamp, Watermarks,
};
use tidegate_driver::{Driver, Error, Receiver, Sender};

use crate::mock::{Count, Net, Stream, Time, masked, poll, poll_pinned, ready};

/// The parts of a server's split connection, and a counter of its driver's wake-ups.
pub(crate) struct Parts {
    pub(crate) net: Net,
    pub(crate) sender: Sender,
    pub(crate) receiver: Receiver,
    pub(crate) driver: Driver<Stream, Time>,
    pub(crate) driving: Arc<Count>,
}

pub(crate) fn split(config: Config) -> Parts {
    let net = Net::new();
    let (sender, receiver, driver) = net.server(config).split();
    let mut parts = Parts { net, sender, receiver, driver, driving: Count::new() };
    parts.drive();
    parts.net.reads();
    parts
}

impl Parts {
    /// Polls the driver once; it must go on waiting.
    pub(crate) fn drive(&mut self) {
        assert!(poll(&self.driving, &mut self.driver).is_pending());
    }

    /// Polls the driver as long as it was woken.
    pub(crate) fn run(&mut self) {
        let mut polls = 0;
        while self.driving.take() > 0 {
            polls += 1;
            assert!(polls < 100, "it wakes itself in vain");
            self.drive();
        }
    }
}

pub(crate) fn marks(messages: usize, output: usize) -> Config {
    Config::builder()
        .message_marks(Watermarks::new(messages, 0))
        .send_marks(Watermarks::new(output, 0))
        .build()
        .unwrap()
}

#[test]
fn a_driver_that_has_nothing_to_do_sleeps() {
    let mut parts = split(Config::default());
    for _ in 0..3 {
        parts.drive();
        assert_eq!((parts.net.reads(), parts.driving.take()), (1, 0));
    }
    let state = parts.net.0.borrow();
    assert!(state.reader.is_some());
    assert_eq!(state.alarm.as_ref().unwrap().0, Timestamp::from_secs(30));
}

#[test]
fn many_messages_cost_one_wake_up_and_one_write() {
    let (mut parts, count) = (split(Config::default()), Count::new());
    let other = parts.sender.clone();
    for _ in 0..10 {
        ready(poll(&count, parts.sender.send("a"))).unwrap();
        ready(poll(&count, other.send("b"))).unwrap();
    }
    assert_eq!(parts.driving.take(), 1);
    assert_eq!(parts.net.0.borrow().writes, 0, "the driver writes, not the sender");
    parts.drive();
    assert_eq!(parts.net.written(), b"\x81\x01a\x81\x01b".repeat(10));
    assert_eq!((parts.net.0.borrow().writes, parts.net.0.borrow().flushes), (1, 1));
    assert_eq!(parts.driving.take(), 0);

    // Fed messages do not wake the driver: more may follow.
    for _ in 0..10 {
        ready(poll(&count, parts.sender.feed("c"))).unwrap();
    }
    assert_eq!(parts.driving.take(), 0);
    let mut flushing = Box::pin(other.flush());
    assert!(poll_pinned(&count, &mut flushing).is_pending());
    assert_eq!(parts.driving.take(), 1);
    assert!(poll(&parts.driving, &mut parts.driver).is_pending());
    assert_eq!((count.take(), parts.net.0.borrow().writes), (1, 2));
    ready(poll_pinned(&count, &mut flushing)).unwrap();
}

#[test]
fn fed_messages_are_written_when_the_outbox_is_full() {
    let (mut parts, count) = (split(marks(16, 10)), Count::new());
    ready(poll(&count, parts.sender.feed("0123456789"))).unwrap();
    assert_eq!(parts.driving.take(), 0);
    let sender = parts.sender.clone();
    let mut feeding = Box::pin(sender.feed("more"));
    assert!(poll_pinned(&count, &mut feeding).is_pending());
    assert_eq!(parts.driving.take(), 1);
    parts.drive();
    assert_eq!(count.take(), 1);
    ready(poll_pinned(&count, &mut feeding)).unwrap();
    drop(feeding);
    parts.run();
    assert_eq!(parts.net.written(), b"\x81\x0a0123456789\x81\x04more");
}

#[test]
fn messages_are_read_ahead_up_to_the_gate_and_no_further() {
    let (mut parts, count) = (split(marks(2, 10)), Count::new());
    let mut receiving = Box::pin(parts.receiver.recv());
    assert!(poll_pinned(&count, &mut receiving).is_pending());
    for text in ["one", "two", "three", "four"] {
        parts.net.data(masked(0x81, text.as_bytes()));
    }
    assert_eq!(parts.driving.take(), 1);
    assert!(poll(&parts.driving, &mut parts.driver).is_pending());
    assert_eq!(count.take(), 1, "the receiver is woken once");
    assert_eq!(parts.net.reads(), 2);
    assert_eq!(ready(poll_pinned(&count, &mut receiving)).unwrap(), Some("one".into()));
    drop(receiving);
    assert_eq!(parts.driving.take(), 0, "the gate is still closed");
    for _ in 0..3 {
        parts.drive();
    }
    assert_eq!(parts.net.reads(), 0, "behind a closed gate the stream is not polled");
    assert_eq!(parts.receiver.try_recv(), Some("two".into()));
    assert_eq!(parts.driving.take(), 1, "the gate has opened");
    assert!(poll(&count, parts.receiver.recv()).is_pending());
    parts.drive();
    assert_eq!((parts.net.reads(), count.take()), (2, 1));
    assert_eq!(parts.receiver.queued_messages(), 2);
    assert_eq!(parts.sender.stats().peak_messages, 2);
}

#[test]
fn pings_are_answered_and_the_connection_is_kept_alive_meanwhile() {
    let mut parts = split(marks(1, 10));
    parts.net.data([masked(0x89, b"hi"), masked(0x81, b"unread")].concat());
    parts.run();
    assert_eq!(parts.net.written(), b"\x8a\x02hi");
    assert!(!parts.sender.is_gate_open());
    parts.net.fire(Timestamp::from_secs(30));
    parts.run();
    assert_eq!(parts.net.written(), b"\x89\x04\0\0\0\x01");
}

#[test]
fn senders_that_wait_for_room_are_served_in_order() {
    let (mut parts, count) = (split(marks(16, 1)), Count::new());
    parts.net.set_room(0);
    ready(poll(&count, parts.sender.send("first"))).unwrap();
    let senders: Vec<_> = (0..20).map(|_| parts.sender.clone()).collect();
    let counts: Vec<_> = senders.iter().map(|_| Count::new()).collect();
    let mut sending: Vec<_> = (0_u8..)
        .zip(&senders)
        .map(|(number, sender)| Box::pin(sender.send(vec![number])))
        .collect();
    for (future, count) in sending.iter_mut().zip(&counts) {
        assert!(poll_pinned(count, future).is_pending());
    }
    assert!(matches!(parts.sender.try_send("barge in"), Err(SendError::Full(_))));
    parts.run();
    // Each time one more call is cancelled, and those after it move up.
    let mut expected = b"\x81\x05first".to_vec();
    for index in 0..20 {
        if index % 5 == 3 {
            let cancelled = sending.remove(index);
            drop(cancelled);
            sending.insert(index, Box::pin(senders[index].send(vec![99])));
            continue;
        }
        parts.net.set_room(7 - 4 * usize::from(expected.len() > 7));
        parts.run();
        for (other, count) in counts.iter().enumerate() {
            let woken = count.take();
            assert_eq!(woken, usize::from(other == index), "{other} at {index}");
        }
        ready(poll_pinned(&counts[index], &mut sending[index])).unwrap();
        expected.extend([0x82, 1, u8::try_from(index).unwrap()]);
    }
    parts.net.set_room(usize::MAX);
    parts.run();
    assert_eq!(parts.net.written(), expected);
}

#[test]
fn a_call_that_is_not_polled_any_more_does_not_stop_the_others() {
    let (mut parts, count) = (split(marks(16, 1)), Count::new());
    parts.net.set_room(0);
    ready(poll(&count, parts.sender.send("1"))).unwrap();
    let sender = parts.sender.clone();
    let mut forgotten = Box::pin(sender.send("2"));
    let mut waiting = Box::pin(sender.send("3"));
    assert!(poll_pinned(&count, &mut forgotten).is_pending());
    assert!(poll_pinned(&count, &mut waiting).is_pending());
    parts.net.set_room(usize::MAX);
    parts.run();
    assert_eq!(parts.net.written(), b"\x81\x011\x81\x012\x81\x013");
    ready(poll_pinned(&count, &mut waiting)).unwrap();
    // Its message was accepted already: dropping the call does not take it back.
    drop(forgotten);
}

#[test]
fn flush_waits_for_what_came_before_it_and_not_for_others() {
    let (mut parts, count) = (split(marks(16, 1000)), Count::new());
    parts.net.set_room(0);
    ready(poll(&count, parts.sender.send("before"))).unwrap();
    let sender = parts.sender.clone();
    let mut flushing = Box::pin(sender.flush());
    assert!(poll_pinned(&count, &mut flushing).is_pending());
    ready(poll(&count, parts.sender.send("behind"))).unwrap();
    parts.run();
    assert_eq!(count.take(), 0);
    parts.net.set_room(9);
    parts.run();
    assert_eq!((parts.sender.queued_output(), count.take()), (7, 1));
    ready(poll_pinned(&count, &mut flushing)).unwrap();
    assert_eq!(parts.net.written(), b"\x81\x06before\x81");
    drop(flushing);

    // A stream that buffers is flushed too.
    parts.net.0.borrow_mut().flush_waits = true;
    parts.net.set_room(usize::MAX);
    parts.run();
    let mut flushing = Box::pin(sender.flush());
    assert!(poll_pinned(&count, &mut flushing).is_pending());
    parts.net.0.borrow_mut().flush_waits = false;
    parts.net.set_room(usize::MAX);
    parts.run();
    assert_eq!(count.take(), 1);
    ready(poll_pinned(&count, &mut flushing)).unwrap();
}

fn chunk(text: &'static str, last: bool) -> Chunk {
    Chunk { kind: MessageKind::Text, payload: text.into(), last }
}

#[test]
fn a_message_in_chunks_belongs_to_one_sender() {
    let (mut parts, count) = (split(Config::default()), Count::new());
    let other = parts.sender.clone();
    ready(poll(&count, parts.sender.send_chunk(chunk("one ", false)))).unwrap();
    let error = ready(poll(&count, parts.sender.send("between"))).unwrap_err();
    assert!(matches!(error, Error::Unfinished));
    assert!(matches!(other.try_send("between"), Err(SendError::Unfinished(_))));
    let mut waiting = Box::pin(other.send_chunk(chunk("another", true)));
    assert!(poll_pinned(&count, &mut waiting).is_pending());
    parts.run();
    assert_eq!(count.take(), 0);
    ready(poll(&count, parts.sender.send_chunk(chunk("message", true)))).unwrap();
    parts.run();
    assert_eq!(count.take(), 1);
    ready(poll_pinned(&count, &mut waiting)).unwrap();
    assert_eq!(parts.net.written(), b"\x01\x04one \x80\x07message\x81\x07another");
    drop(waiting);

    // A sender that is dropped in the middle leaves its message to the others.
    ready(poll(&count, parts.sender.send_chunk(chunk("left ", false)))).unwrap();
    let mut waiting = Box::pin(other.send_chunk(chunk("alone", true)));
    let third = other.clone();
    let mut refused = Box::pin(third.send("whole"));
    assert!(poll_pinned(&count, &mut waiting).is_pending());
    assert!(poll_pinned(&count, &mut refused).is_pending());
    drop(parts.sender);
    while parts.driving.take() > 0 {
        assert!(poll(&parts.driving, &mut parts.driver).is_pending());
    }
    ready(poll_pinned(&count, &mut waiting)).unwrap();
    ready(poll_pinned(&count, &mut refused)).unwrap();
    assert_eq!(parts.net.written(), b"\x01\x05left \x80\x05alone\x81\x05whole");
}

#[test]
fn pings_measure_the_round_trip_time_and_are_shared() {
    let (mut parts, count) = (split(marks(1, 1000)), Count::new());
    let sender = parts.sender.clone();
    let mut first = Box::pin(sender.ping());
    assert!(poll_pinned(&count, &mut first).is_pending());
    parts.net.set_now(Timestamp::from_secs(5));
    parts.run();
    assert_eq!(parts.net.written(), b"\x89\x08\0\0\0\0\0\0\0\x01");
    let (mut second, mut third) = (Box::pin(sender.ping()), Box::pin(sender.ping()));
    assert!(poll_pinned(&count, &mut second).is_pending());
    assert!(poll_pinned(&count, &mut third).is_pending());
    parts.run();
    let next = b"\x89\x08\0\0\0\0\0\0\0\x02";
    assert_eq!(parts.net.written(), next, "one for both, each waits for its own pong");
    parts.net.set_now(Timestamp::from_millis(5042));
    parts.net.data(masked(0x8a, b"\0\0\0\0\0\0\0\x01"));
    parts.run();
    let latency = ready(poll_pinned(&count, &mut first)).unwrap();
    assert_eq!(latency, Some(Duration::from_millis(42)), "from when it was sent");
    assert!(poll_pinned(&count, &mut second).is_pending(), "that was not its pong");
    drop(second);
    // The gate closes before the pong.
    parts.net.data(masked(0x81, b"text"));
    parts.run();
    assert_eq!(ready(poll_pinned(&count, &mut third)).unwrap(), None);
}

#[test]
fn works_as_stream_and_sink() {
    let (mut parts, count) = (split(marks(16, 1)), Count::new());
    let waker = Waker::from(count.clone());
    let mut cx = Context::from_waker(&waker);
    assert!(Pin::new(&mut parts.receiver).poll_next(&mut cx).is_pending());
    parts.net.data(masked(0x81, b"in"));
    parts.run();
    assert_eq!(count.take(), 1);
    let next = ready(Pin::new(&mut parts.receiver).poll_next(&mut cx));
    assert_eq!(next.unwrap().unwrap(), Message::text("in"));

    parts.net.set_room(0);
    for text in ["one", "two"] {
        ready(Pin::new(&mut parts.sender).poll_ready(&mut cx)).unwrap();
        Pin::new(&mut parts.sender).start_send(text.into()).unwrap();
    }
    // The outbox is full, and the sink holds one message.
    assert!(Pin::new(&mut parts.sender).poll_ready(&mut cx).is_pending());
    let error = Pin::new(&mut parts.sender).start_send("three".into()).unwrap_err();
    assert!(matches!(error, Error::NotReady));
    parts.run();
    assert!(Pin::new(&mut parts.sender).poll_close(&mut cx).is_pending());
    parts.net.set_room(5);
    parts.run();
    assert_eq!(count.take(), 1, "the second is accepted");
    assert!(Pin::new(&mut parts.sender).poll_close(&mut cx).is_pending());
    parts.run();
    assert!(Pin::new(&mut parts.sender).poll_close(&mut cx).is_pending());
    parts.net.set_room(usize::MAX);
    parts.run();
    assert_eq!(count.take(), 1);
    ready(Pin::new(&mut parts.sender).poll_close(&mut cx)).unwrap();
    assert_eq!(parts.net.written(), b"\x81\x03one\x81\x03two\x88\x02\x03\xe8");
    parts.net.data(masked(0x88, b"\x03\xe8"));
    parts.driving.take();
    assert!(poll(&parts.driving, &mut parts.driver).is_pending());
    parts.net.push(crate::mock::Read::End);
    assert!(ready(poll(&parts.driving, &mut parts.driver)).unwrap().is_clean());
    assert!(ready(Pin::new(&mut parts.receiver).poll_next(&mut cx)).is_none());
}

#[test]
fn a_reunited_connection_goes_on_where_it_was() {
    let (mut parts, count) = (split(marks(2, 1000)), Count::new());
    parts.net.data([masked(0x81, b"one"), masked(0x81, b"two")].concat());
    parts.run();
    ready(poll(&count, parts.sender.feed("not written"))).unwrap();
    assert_eq!(ready(poll(&count, parts.receiver.recv())).unwrap(), Some("one".into()));

    let clone = parts.sender.clone();
    let error = tidegate_driver::WebSocket::reunite(parts.sender, parts.receiver, parts.driver);
    let (sender, receiver, driver) = error.unwrap_err().into_parts();
    drop(sender);
    let mut socket = tidegate_driver::WebSocket::reunite(clone, receiver, driver).unwrap();
    assert!(!parts.net.0.borrow().is_dropped);
    assert_eq!(ready(poll(&count, socket.recv())).unwrap(), Some("two".into()));
    ready(poll(&count, socket.flush())).unwrap();
    assert_eq!(parts.net.written(), b"\x81\x0bnot written");
    assert_eq!(socket.connection().config().send_marks().high(), 1000);

    // Parts of two different connections are refused.
    let (sender, receiver, driver) = socket.split();
    let other = split(Config::default());
    let error = tidegate_driver::WebSocket::reunite(other.sender, receiver, driver);
    let (_, receiver, driver) = error.unwrap_err().into_parts();
    sender.begin_close(CloseCode::NORMAL, "").unwrap();
    let mut socket = tidegate_driver::WebSocket::reunite(sender, receiver, driver).unwrap();
    assert!(poll(&count, socket.recv()).is_pending());
    assert_eq!(parts.net.written(), b"\x88\x02\x03\xe8", "a wish is not forgotten");
}

#[test]
fn a_borrowed_message_waits_its_turn() {
    let mut parts = split(marks(16, 5));
    parts.net.set_room(0);
    let sender = parts.sender.clone();
    let count = Count::new();
    ready(poll(&count, sender.send("first"))).unwrap();
    assert_eq!(sender.try_send("late"), Err(SendError::Full(Message::text("late"))));
    let text = String::from("second");
    let mut waiting = Box::pin(sender.send(&text));
    assert!(poll_pinned(&count, &mut waiting).is_pending());
    parts.net.set_room(usize::MAX);
    parts.run();
    ready(poll_pinned(&count, &mut waiting)).unwrap();
    parts.run();
    assert_eq!(parts.net.written(), b"\x81\x05first\x81\x06second");
}
