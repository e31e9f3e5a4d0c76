//! `send` returns when the stream has taken the message. `feed` does not wait for that.

use std::time::Duration;

use tidegate_core::{Config, Message, SendError, Timestamp, Watermarks};
use tidegate_driver::Error;

use crate::mock::{Count, Net, masked, poll, ready};

fn texts(net: &Net, texts: &[&str]) {
    net.data(texts.iter().flat_map(|text| masked(0x81, text.as_bytes())).collect::<Vec<_>>());
}

/// A handler that acknowledges the first of two messages and then works or waits for something else:
/// the acknowledgement has left before that.
#[test]
fn send_has_written_the_message_even_if_more_input_has_arrived() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    texts(&net, &["one", "two"]);
    ready(poll(&count, socket.recv())).unwrap().unwrap();
    ready(poll(&count, socket.send("ack"))).unwrap();
    assert_eq!(net.written(), b"\x81\x03ack");
    ready(poll(&count, socket.recv())).unwrap().unwrap();
    ready(poll(&count, socket.send("ref"))).unwrap();
    assert_eq!(net.written(), b"\x81\x03ref");
}

/// While the stream takes nothing, `send` waits. If that is cancelled, the message is sent whole.
#[test]
fn send_waits_for_the_stream() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    net.set_room(3);
    assert!(poll(&count, socket.send("hello")).is_pending());
    assert_eq!(net.written(), b"\x81\x05h");
    net.set_room(usize::MAX);
    ready(poll(&count, socket.flush())).unwrap();
    assert_eq!(net.written(), b"ello");
}

/// The fast plain loop: all messages that were fed after one read go out in one write.
#[test]
fn fed_messages_are_written_when_receiving_waits() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    texts(&net, &["one", "two", "three"]);
    for answer in ["1", "2", "3"] {
        ready(poll(&count, socket.recv())).unwrap().unwrap();
        ready(poll(&count, socket.feed(answer))).unwrap();
        assert!(net.written().is_empty(), "{answer} is in no hurry");
    }
    assert!(poll(&count, socket.recv()).is_pending());
    assert_eq!(net.written(), b"\x81\x011\x81\x012\x81\x013");
    assert_eq!(net.0.borrow().writes, 1);
}

#[test]
fn fed_messages_are_written_by_flush_and_by_the_next_send() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    ready(poll(&count, socket.feed("a"))).unwrap();
    ready(poll(&count, socket.flush())).unwrap();
    assert_eq!(net.written(), b"\x81\x01a");
    ready(poll(&count, socket.feed("b"))).unwrap();
    ready(poll(&count, socket.send("c"))).unwrap();
    assert_eq!(net.written(), b"\x81\x01b\x81\x01c");
    assert_eq!(net.0.borrow().writes, 2);
}

/// An application takes long for each message of a batch. Between them the stream is read, fed
/// messages go out, and pings are answered.
#[test]
fn between_slow_messages_of_a_batch_the_stream_is_read_and_written() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    texts(&net, &["one", "two", "three"]);
    ready(poll(&count, socket.recv())).unwrap().unwrap();
    ready(poll(&count, socket.feed("1"))).unwrap();
    net.data(masked(0x89, b"ping"));
    net.set_now(Timestamp::ZERO + Duration::from_secs(2));
    ready(poll(&count, socket.recv())).unwrap().unwrap();
    assert_eq!(net.written(), b"\x81\x011\x8a\x04ping");
}

/// An application that only sends answers pings.
#[test]
fn an_application_that_only_sends_answers_pings() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    ready(poll(&count, socket.send("tick"))).unwrap();
    net.written();
    net.data(masked(0x89, b"ping"));
    net.set_now(Timestamp::from_secs(1));
    ready(poll(&count, socket.send("tick"))).unwrap();
    assert_eq!(net.written(), b"\x81\x04tick\x8a\x04ping");
}

#[test]
fn a_pong_is_written_at_once() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(crate::invariants::one_at_a_time());
    let mut input = masked(0x81, b"one");
    input.extend(masked(0x89, b"ping"));
    input.extend(masked(0x81, b"two"));
    net.data(input);
    ready(poll(&count, socket.recv())).unwrap().unwrap();
    assert_eq!(net.written(), b"\x8a\x04ping", "taking the first message opened the gate");
}

#[test]
fn a_borrowed_message_waits_for_room() {
    let (net, count) = (Net::new(), Count::new());
    let marks = Watermarks::new(5, 0);
    let mut socket = net.server(Config::builder().send_marks(marks).build().unwrap());
    net.set_room(0);
    socket.try_send("first").unwrap();
    assert_eq!(socket.try_send("second"), Err(SendError::Full(Message::text("second"))));
    let second = String::from("second");
    assert!(poll(&count, socket.send(&second)).is_pending());
    net.set_room(usize::MAX);
    ready(poll(&count, socket.send(&second))).unwrap();
    assert_eq!(net.written(), b"\x81\x05first\x81\x06second", "cancelled, it was not sent");
}

/// An application only sends, and the peer sends a message and closes. The Close is answered within
/// half of `close_timeout`, and the message can still be taken.
#[test]
fn a_close_after_messages_that_nobody_takes_is_answered_in_time() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    net.data([masked(0x81, b"hello"), masked(0x88, b"\x03\xe8")].concat());
    for second in 0..=5 {
        assert_eq!(socket.closed(), None, "it is before its turn: the application may answer");
        net.set_now(Timestamp::from_secs(second));
        ready(poll(&count, socket.send("tick"))).unwrap();
        assert!(net.written().starts_with(b"\x81\x04tick"));
    }
    let error = ready(poll(&count, socket.send("tick"))).unwrap_err();
    assert!(matches!(error, Error::Closed(closed) if closed.is_normal()));
    assert_eq!(ready(poll(&count, socket.recv())).unwrap(), Some("hello".into()));
    assert_eq!(ready(poll(&count, socket.recv())).unwrap(), None);
}

/// A caller that is told that nothing can be sent may drop the socket, so fed messages are written
/// before.
#[test]
fn send_fails_only_after_accepted_messages_are_written() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    net.set_room(0);
    ready(poll(&count, socket.feed("fed"))).unwrap();
    net.data(masked(0x88, b"\x03\xe8"));
    assert!(poll(&count, socket.flush()).is_pending());
    assert!(poll(&count, socket.recv()).is_pending());
    assert!(poll(&count, socket.send("more")).is_pending());
    net.set_room(usize::MAX);
    let error = ready(poll(&count, socket.send("more"))).unwrap_err();
    assert!(matches!(error, Error::Closed(_)));
    assert_eq!(net.written(), b"\x81\x03fed\x88\x02\x03\xe8");
}
