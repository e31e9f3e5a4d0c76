//! Answers to messages that arrived together are written together, and nothing else waits.

use tidegate_core::{Config, Message, Refusal, Watermarks};

use crate::mock::{Count, Net, masked, poll, ready};

fn texts(net: &Net, texts: &[&str]) {
    net.data(texts.iter().flat_map(|text| masked(0x81, text.as_bytes())).collect::<Vec<_>>());
}

#[test]
fn the_answers_to_one_read_are_one_write() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    texts(&net, &["one", "two", "three"]);
    for answer in ["1", "2", "3"] {
        assert!(net.written().is_empty(), "{answer} is not the last one");
        ready(poll(&count, socket.recv())).unwrap().unwrap();
        ready(poll(&count, socket.send(answer))).unwrap();
    }
    assert_eq!(net.written(), b"\x81\x011\x81\x012\x81\x013");
    assert_eq!(net.0.borrow().writes, 1);
    assert_eq!(net.reads(), 1);
}

#[test]
fn a_message_that_stands_alone_is_written_at_once() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    ready(poll(&count, socket.send("hello"))).unwrap();
    assert_eq!(net.written(), b"\x81\x05hello");
    texts(&net, &["lone"]);
    ready(poll(&count, socket.recv())).unwrap().unwrap();
    ready(poll(&count, socket.send("answer"))).unwrap();
    assert_eq!(net.written(), b"\x81\x06answer");
}

#[test]
fn only_one_answer_waits() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    texts(&net, &["one", "two"]);
    ready(poll(&count, socket.recv())).unwrap().unwrap();
    ready(poll(&count, socket.send("a"))).unwrap();
    assert!(net.written().is_empty());
    ready(poll(&count, socket.send("b"))).unwrap();
    assert_eq!(net.written(), b"\x81\x01a\x81\x01b", "two is not received: who knows when it is");
    ready(poll(&count, socket.send("c"))).unwrap();
    assert_eq!(net.written(), b"\x81\x01c");
}

#[test]
fn what_waits_is_written_when_receiving_waits_or_the_application_says_so() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    texts(&net, &["one", "two"]);
    ready(poll(&count, socket.recv())).unwrap().unwrap();
    ready(poll(&count, socket.send("a"))).unwrap();
    ready(poll(&count, socket.recv())).unwrap().unwrap();
    assert!(net.written().is_empty());
    assert!(poll(&count, socket.recv()).is_pending());
    assert_eq!(net.written(), b"\x81\x01a");

    texts(&net, &["three", "four"]);
    ready(poll(&count, socket.recv())).unwrap().unwrap();
    ready(poll(&count, socket.send("b"))).unwrap();
    ready(poll(&count, socket.flush())).unwrap();
    assert_eq!(net.written(), b"\x81\x01b");
}

#[test]
fn it_can_be_turned_off() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    socket.set_write_batching(false);
    texts(&net, &["one", "two"]);
    assert_eq!(ready(poll(&count, socket.recv())).unwrap(), Some(Message::text("one")));
    ready(poll(&count, socket.send("a"))).unwrap();
    assert_eq!(net.written(), b"\x81\x01a");
}

#[test]
fn an_answer_to_a_ping_does_not_wait() {
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
fn a_message_that_the_caller_keeps_is_an_answer_too() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    texts(&net, &["one", "two"]);
    let mut answer = String::from("1");
    ready(poll(&count, socket.recv())).unwrap().unwrap();
    ready(poll(&count, socket.send_ref(&answer))).unwrap();
    assert!(net.written().is_empty());
    answer.replace_range(.., "2");
    ready(poll(&count, socket.recv())).unwrap().unwrap();
    ready(poll(&count, socket.send_ref(&answer))).unwrap();
    assert_eq!(net.written(), b"\x81\x011\x81\x012");
}

#[test]
fn a_message_that_the_caller_keeps_waits_for_room() {
    let (net, count) = (Net::new(), Count::new());
    let marks = Watermarks::new(5, 0).unwrap();
    let mut socket = net.server(Config::builder().send_marks(marks).build().unwrap());
    net.set_room(0);
    socket.try_send_ref("first").unwrap();
    assert_eq!(socket.try_send_ref("second"), Err(Refusal::Full));
    let second = String::from("second");
    assert!(poll(&count, socket.send_ref(&second)).is_pending());
    net.set_room(usize::MAX);
    ready(poll(&count, socket.send_ref(&second))).unwrap();
    assert_eq!(net.written(), b"\x81\x05first\x81\x06second", "cancelled, it was not sent");
}
