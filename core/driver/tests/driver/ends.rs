//! Every way in which a connection ends.

use std::error::Error as _;
use std::io::ErrorKind;

use tidegate_core::{CloseCode, Config, Failure, Message, Timestamp, Watermarks};
use tidegate_driver::Error;

use crate::mock::{Count, Net, Read, masked, poll, poll_pinned, ready};

#[test]
fn the_peer_closes() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    net.data([masked(0x81, b"last words"), masked(0x88, b"\x03\xe9going")].concat());
    assert_eq!(ready(poll(&count, socket.recv())).unwrap(), Some(Message::text("last words")));
    // The Close takes effect when the next event is asked for. Until then an answer can be sent.
    ready(poll(&count, socket.read_ahead()));
    assert!(ready(poll(&count, socket.ping())).unwrap().is_none(), "its pong would never be read");
    ready(poll(&count, socket.send("answer"))).unwrap();
    assert_eq!(net.written(), b"\x89\x08\0\0\0\0\0\0\0\x01\x81\x06answer");
    // The end is reported when our reply is written. It echoes the code and the reason.
    assert_eq!(ready(poll(&count, socket.recv())).unwrap(), None);
    assert_eq!(net.written(), b"\x88\x07\x03\xe9going");
    assert_eq!(net.0.borrow().shutdowns, 1);
    // Until the peer ends the stream, it may not have read the reply. `drive` waits for that.
    assert!(poll(&count, socket.drive()).is_pending());
    assert!(!net.0.borrow().is_dropped);
    net.data(masked(0x82, b"more, which nobody wants"));
    net.push(Read::End);
    ready(poll(&count, socket.drive()));
    assert!(net.0.borrow().is_dropped);
    let closed = socket.closed().unwrap();
    assert_eq!((closed.code(), closed.reason()), (CloseCode::GOING_AWAY, "going"));
    assert!(closed.is_clean() && closed.is_by_peer());
    assert_eq!(ready(poll(&count, socket.recv())).unwrap(), None);
    assert!(matches!(ready(poll(&count, socket.send("x"))), Err(Error::Closed(_))));
}

#[test]
fn the_wait_for_the_end_of_the_stream_is_limited() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    net.data(masked(0x88, b""));
    assert_eq!(ready(poll(&count, socket.recv())).unwrap(), None, "the handshake is complete");
    assert!(poll(&count, socket.drive()).is_pending());
    net.expire(&count, Timestamp::from_secs(10), || poll(&count, socket.drive()).is_ready());
    assert!(net.0.borrow().is_dropped);
}

#[test]
fn we_close_while_the_gate_is_closed() {
    let (net, count) = (Net::new(), Count::new());
    let marks = Watermarks::new(1, 0);
    let mut socket = net.server(Config::builder().message_marks(marks).build().unwrap());
    for _ in 0..3 {
        net.data(masked(0x81, b"unread"));
    }
    ready(poll(&count, socket.read_ahead()));
    assert!(!socket.connection().is_gate_open());
    let mut closing = Box::pin(socket.close(CloseCode::NORMAL, "done"));
    assert!(poll_pinned(&count, &mut closing).is_pending());
    assert_eq!(net.written(), b"\x88\x06\x03\xe8done");
    net.data(masked(0x88, b"\x03\xe8"));
    net.push(Read::End);
    let closed = ready(poll_pinned(&count, &mut closing)).unwrap();
    assert!(closed.is_clean() && !closed.is_by_peer());
    drop(closing);
    assert_eq!(ready(poll(&count, socket.recv())).unwrap(), None);
    assert!(ready(poll(&count, socket.close(CloseCode::NORMAL, "again"))).unwrap().is_clean());
}

#[test]
fn a_close_that_must_not_be_sent_changes_nothing() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    let error = ready(poll(&count, socket.close(CloseCode::ABNORMAL, ""))).unwrap_err();
    assert!(matches!(error, Error::Control(_)));
    ready(poll(&count, socket.send("still open"))).unwrap();
}

#[test]
fn a_client_shuts_its_side_down_after_the_end_and_may_wait_for_the_server() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.client(Config::default());
    let mut closing = Box::pin(socket.close(CloseCode::NORMAL, ""));
    net.data(b"\x88\x02\x03\xe8");
    assert!(ready(poll_pinned(&count, &mut closing)).unwrap().is_clean());
    drop(closing);
    assert_eq!(net.0.borrow().shutdowns, 1, "it may never call again");
    assert!(poll(&count, socket.drive()).is_pending(), "whoever wants to waits for the server");
    net.push(Read::End);
    ready(poll(&count, socket.drive()));
    assert!(net.0.borrow().is_dropped);
}

#[test]
fn messages_before_a_transport_error_are_delivered_first() {
    for end in [Read::End, Read::Fault(ErrorKind::ConnectionReset)] {
        let is_fault = matches!(end, Read::Fault(_));
        let (net, count) = (Net::new(), Count::new());
        let mut socket = net.server(Config::default());
        for number in 0..40_u8 {
            net.data(masked(0x82, &[number]));
        }
        net.data(masked(0x02, b"never finished"));
        net.push(end);
        for number in 0..40_u8 {
            let message = ready(poll(&count, socket.recv())).unwrap();
            assert_eq!(message, Some(Message::binary(vec![number])));
        }
        let error = ready(poll(&count, socket.recv())).unwrap_err();
        if is_fault {
            assert!(matches!(error, Error::Io(error)
                if error.kind() == ErrorKind::ConnectionReset));
        } else {
            assert!(matches!(error, Error::Closed(closed)
                if closed.failure() == Some(Failure::EndOfStream)));
        }
        assert_eq!(ready(poll(&count, socket.recv())).unwrap(), None);
        assert_eq!(ready(poll(&count, socket.next_event())).unwrap(), None);
    }
}

#[test]
fn after_a_write_error_what_has_arrived_is_read() {
    let (net, count) = (Net::new(), Count::new());
    let marks = Watermarks::new(2, 1);
    let mut socket = net.server(Config::builder().message_marks(marks).build().unwrap());
    net.0.borrow_mut().write_fault = Some(ErrorKind::BrokenPipe);
    for number in 0..10_u8 {
        net.data([masked(0x89, b"?"), masked(0x82, &[number])].concat());
    }
    let error = ready(poll(&count, socket.send("out"))).unwrap_err();
    assert!(matches!(error, Error::Io(error) if error.kind() == ErrorKind::BrokenPipe));
    assert!(socket.try_send("out").is_err());
    for number in 0..10_u8 {
        let message = ready(poll(&count, socket.recv())).unwrap();
        assert_eq!(message, Some(Message::binary(vec![number])));
    }
    let error = ready(poll(&count, socket.recv())).unwrap_err();
    assert!(matches!(error, Error::Io(error) if error.kind() == ErrorKind::BrokenPipe));
    assert_eq!(net.0.borrow().writes, 1, "it is not tried again");
    assert!(net.0.borrow().is_dropped);
    assert_eq!(ready(poll(&count, socket.recv())).unwrap(), None);
}

/// A failed flush counts as a failed write: nobody knows which bytes have arrived.
#[test]
fn after_a_flush_error_what_has_arrived_is_read() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    net.0.borrow_mut().flush_fault = Some(ErrorKind::TimedOut);
    net.data(masked(0x81, b"in"));
    let error = ready(poll(&count, socket.send("out"))).unwrap_err();
    assert!(matches!(error, Error::Io(error) if error.kind() == ErrorKind::TimedOut));
    assert_eq!(ready(poll(&count, socket.recv())).unwrap(), Some("in".into()));
    let error = ready(poll(&count, socket.recv())).unwrap_err();
    assert!(matches!(error, Error::Io(error) if error.kind() == ErrorKind::TimedOut));
    assert_eq!(net.0.borrow().writes, 1);
    assert!(net.0.borrow().is_dropped);
    assert_eq!(ready(poll(&count, socket.recv())).unwrap(), None);
}

#[test]
fn a_clean_close_stays_clean_though_the_reply_could_not_be_written() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    net.0.borrow_mut().write_fault = Some(ErrorKind::ConnectionReset);
    net.data(masked(0x88, b"\x03\xe8"));
    assert_eq!(ready(poll(&count, socket.recv())).unwrap(), None);
    assert!(net.0.borrow().is_dropped);
}

#[test]
fn the_peer_and_the_application_are_told_of_a_protocol_error() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    net.data([masked(0x81, b"good"), b"\x83\x00".to_vec()].concat());
    assert_eq!(ready(poll(&count, socket.recv())).unwrap(), Some(Message::text("good")));
    let error = ready(poll(&count, socket.recv())).unwrap_err();
    assert!(matches!(&error, Error::Closed(closed)
        if matches!(closed.failure(), Some(Failure::Protocol(_)))));
    assert_eq!(net.written()[..4], [0x88, 0x10, 0x03, 0xea]);
    assert_eq!(net.0.borrow().shutdowns, 1);
}

#[test]
fn abort_closes_at_once_and_keeps_decoded_messages() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    net.data([masked(0x81, b"one"), masked(0x81, b"two")].concat());
    assert_eq!(ready(poll(&count, socket.recv())).unwrap(), Some(Message::text("one")));
    socket.abort();
    assert!(net.0.borrow().is_dropped);
    assert_eq!(ready(poll(&count, socket.recv())).unwrap(), Some(Message::text("two")));
    assert!(ready(poll(&count, socket.recv())).is_err());
    assert_eq!(ready(poll(&count, socket.recv())).unwrap(), None);
    assert!(ready(poll(&count, socket.flush())).is_err());
    ready(poll(&count, socket.drive()));
}

#[test]
fn the_close_reply_needs_no_timer() {
    let (net, count) = (Net::new(), Count::new());
    let config = Config::builder().close_timeout(None).ping_interval(None).build().unwrap();
    let mut socket = net.server(config);
    net.data([masked(0x81, b"text"), masked(0x88, b"")].concat());
    assert_eq!(ready(poll(&count, socket.recv())).unwrap(), Some(Message::text("text")));
    assert_eq!(ready(poll(&count, socket.recv())).unwrap(), None);
    assert_eq!((net.written(), net.0.borrow().shutdowns), (b"\x88\x00".to_vec(), 1));
}

#[test]
fn a_protocol_error_that_the_peer_cannot_be_told_is_reported_at_once() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    net.0.borrow_mut().write_fault = Some(ErrorKind::BrokenPipe);
    net.data(b"\x83\x00");
    let error = ready(poll(&count, socket.recv())).unwrap_err();
    // The protocol error is the cause, and the error of the transport is its source.
    assert!(matches!(&error, Error::Closed(closed)
        if matches!(closed.failure(), Some(Failure::Protocol(_)))));
    let mut cause = error.source();
    while let Some(inner) = cause.and_then(|cause| cause.source()) {
        cause = Some(inner);
    }
    let cause = cause.unwrap().downcast_ref::<std::io::Error>().unwrap();
    assert_eq!(cause.kind(), ErrorKind::BrokenPipe);
    assert!(net.0.borrow().is_dropped);
}

/// A peer breaks the protocol, or closes, and then resets the stream because it has not read what we
/// sent. Both a call that receives and a call that sends report the cause, not the reset.
#[test]
fn a_reset_does_not_hide_the_cause() {
    for (last, code) in [(&b"\x83\x00"[..], 1006), (b"\x88\x82\0\0\0\0\x0f\xa0", 4000)] {
        for sends in [false, true] {
            let (net, count) = (Net::new(), Count::new());
            let mut socket = net.server(Config::default());
            net.0.borrow_mut().write_fault = Some(ErrorKind::BrokenPipe);
            net.data(last);
            net.push(Read::Fault(ErrorKind::ConnectionReset));
            let error = if sends {
                ready(poll(&count, socket.send("tick"))).unwrap_err()
            } else {
                ready(poll(&count, socket.recv())).unwrap_err()
            };
            assert!(
                matches!(&error, Error::Closed(closed)
                if closed.code().as_u16() == code),
                "{error}"
            );
        }
    }
}

/// Close codes other than those of a normal end are errors, which show what the peer said. Once.
#[test]
fn a_close_with_an_error_code_is_an_error() {
    for (close, reason) in [(&b"\x03\xf0no"[..], Some("no")), (b"\x0f\xa0", Some("")), (b"", None)]
    {
        let (net, count) = (Net::new(), Count::new());
        let mut socket = net.server(Config::default());
        net.data(masked(0x88, close));
        match (ready(poll(&count, socket.recv())), reason) {
            (Ok(None), None) => {}
            (Err(Error::Closed(closed)), Some(reason)) => assert_eq!(closed.reason(), reason),
            (other, _) => panic!("{close:?}: {other:?}"),
        }
        assert_eq!(ready(poll(&count, socket.recv())).unwrap(), None);
        // If we close with the code, its echo is a normal end.
        let (net, count) = (Net::new(), Count::new());
        let mut socket = net.server(Config::default());
        let error = poll(&count, socket.close(CloseCode::POLICY_VIOLATION, "you"));
        assert!(error.is_pending());
        net.data(masked(0x88, close));
        assert_eq!(ready(poll(&count, socket.recv())).unwrap(), None);
    }
}
