//! The order of events and the end when a Close or a violation comes while the gate is closed.

use bytes::Buf;

use tidegate_core::testing::{Frame, opcode};
use tidegate_core::{Config, Connection, Event, Failure, Message, Timestamp, Watermarks};

const NOW: Timestamp = Timestamp::ZERO;

/// A server that takes one message at a time, and a last message with something after it.
fn server(behind: Frame) -> Connection {
    let config = Config::builder().message_marks(Watermarks::new(1, 0)).build().unwrap();
    let mut server = Connection::server(NOW, config);
    let last = Frame::new(opcode::TEXT, "last").masked([1, 2, 3, 4]);
    server.handle_input(NOW, &[last.encode(), behind.masked([1, 2, 3, 4]).encode()].concat());
    assert!(!server.wants_input(), "the gate is closed");
    server
}

fn output(connection: &mut Connection) -> Vec<Frame> {
    let output = connection.output();
    let bytes = output.copy_to_bytes(output.remaining());
    Frame::parse_all(&bytes).unwrap()
}

/// "A Close of the peer takes effect when the events before it are taken and the next one is asked
/// for; until then answers to them can be sent", also when taking the last one opens the gate.
#[test]
fn the_last_message_before_a_close_held_back_by_the_gate_can_be_answered() {
    let mut server = server(Frame::close(Some(1000), ""));
    assert_eq!(server.poll_event(), Some(Event::Message(Message::text("last"))));
    assert_eq!(server.send("answer"), Ok(()));
    assert!(matches!(server.poll_event(), Some(Event::Closed(closed)) if closed.is_clean()));
    assert_eq!(
        output(&mut server),
        [Frame::new(opcode::TEXT, "answer"), Frame::close(Some(1000), "")]
    );
}

/// The same for a violation.
#[test]
fn the_last_message_before_a_violation_held_back_by_the_gate_can_be_answered() {
    let mut server = server(Frame::new(3, ""));
    assert_eq!(server.poll_event(), Some(Event::Message(Message::text("last"))));
    assert_eq!(server.send("answer"), Ok(()));
    let Some(Event::Closed(closed)) = server.poll_event() else { panic!("it is over") };
    assert!(matches!(closed.failure(), Some(Failure::Protocol(_))));
    let sent = output(&mut server);
    assert_eq!(sent[0], Frame::new(opcode::TEXT, "answer"));
    assert_eq!(sent[1].opcode, opcode::CLOSE);
}

/// More input, which another task may have read meanwhile, does not change this order.
#[test]
fn more_input_does_not_hasten_the_end() {
    let mut server = server(Frame::close(Some(1000), ""));
    assert_eq!(server.poll_event(), Some(Event::Message(Message::text("last"))));
    server.handle_input(NOW, b"nothing after the Close counts");
    assert_eq!(server.send("answer"), Ok(()));
    assert!(matches!(server.poll_event(), Some(Event::Closed(closed)) if closed.is_clean()));
}

/// An end that began to close has nothing more to answer, so it does not wait.
#[test]
fn a_side_that_closes_does_not_wait_for_the_next_event() {
    let mut server = server(Frame::close(Some(1000), ""));
    server.close(NOW, None).unwrap();
    assert_eq!(server.poll_event(), Some(Event::Message(Message::text("last"))));
    assert!(server.closed().is_some_and(tidegate_core::Closed::is_clean));
}
