//! Every way in which a split connection ends.

use std::io::ErrorKind;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

use tidegate_core::{CloseCode, Config, Failure, Message, Timestamp};
use tidegate_driver::{Error, OnDrop};

use crate::mock::{Count, Read, masked, poll, poll_pinned, ready};
use crate::split::{Parts, marks, split};

const GOING_AWAY: &[u8] = b"\x88\x02\x03\xe9";

/// The result of the driver, which must be ready.
fn outcome(parts: &mut Parts) -> Result<tidegate_core::Closed, Error> {
    ready(poll(&parts.driving, &mut parts.driver))
}

fn failure<T: std::fmt::Debug>(result: Result<T, Error>) -> Option<Failure> {
    let error = result.unwrap_err();
    let Error::Closed(closed) = error else { panic!("{error}") };
    closed.failure()
}

#[test]
fn closed_by_us() {
    let (mut parts, count) = (split(Config::default()), Count::new());
    let sender = parts.sender.clone();
    ready(poll(&count, parts.sender.send("last words"))).unwrap();
    let mut closing = Box::pin(sender.close(CloseCode::NORMAL, "bye"));
    assert!(poll_pinned(&count, &mut closing).is_pending());
    // From here on nothing more is accepted.
    assert!(matches!(ready(poll(&count, parts.sender.send("x"))), Err(Error::Closing)));
    assert!(parts.sender.is_closed());
    parts.run();
    assert_eq!(parts.net.written(), b"\x81\x0alast words\x88\x05\x03\xe8bye");
    let receiving = Count::new();
    assert!(poll(&receiving, parts.receiver.recv()).is_pending());
    parts.net.data([masked(0x81, b"late"), masked(0x88, b"\x03\xe8")].concat());
    assert!(poll(&parts.driving, &mut parts.driver).is_pending(), "it lingers");
    assert_eq!((parts.net.0.borrow().shutdowns, receiving.take(), count.take()), (1, 1, 1));
    parts.net.push(Read::End);
    let closed = outcome(&mut parts).unwrap();
    assert!(closed.is_clean() && !closed.is_by_peer());
    assert_eq!(ready(poll(&count, parts.receiver.recv())).unwrap(), None);
    assert_eq!(ready(poll_pinned(&count, &mut closing)).unwrap(), closed);
    assert!(parts.net.0.borrow().is_dropped);
    // Once more, after the end.
    let again = ready(poll(&count, parts.sender.close(CloseCode::NORMAL, "")));
    assert_eq!(again.unwrap(), closed);
    assert!(matches!(ready(poll(&count, parts.sender.send("x"))), Err(Error::Closed(_))));
}

#[test]
fn a_close_that_must_not_be_sent_changes_nothing() {
    let (mut parts, count) = (split(Config::default()), Count::new());
    for code in [1006, 0, 2000] {
        let error = ready(poll(&count, parts.sender.close(code.into(), ""))).unwrap_err();
        assert!(matches!(error, Error::Control(_)), "{code}");
    }
    assert!(parts.sender.begin_close(CloseCode::NORMAL, "x".repeat(124)).is_err());
    assert!(parts.sender.begin_close(CloseCode::NO_STATUS, "a reason needs a code").is_err());
    ready(poll(&count, parts.sender.send("on it goes"))).unwrap();
    parts.run();
    assert_eq!(parts.net.written(), b"\x81\x0aon it goes");
}

#[test]
fn the_close_timeout_begins_when_the_driver_sends_the_close() {
    let (mut parts, count) = (split(Config::default()), Count::new());
    // When the application closes, the driver has not asked the clock for a while.
    parts.net.set_now(Timestamp::from_secs(25));
    let sender = parts.sender.clone();
    let mut closing = Box::pin(sender.close(CloseCode::NORMAL, ""));
    assert!(poll_pinned(&count, &mut closing).is_pending());
    parts.run();
    assert_eq!(parts.net.0.borrow().alarm.as_ref().unwrap().0, Timestamp::from_secs(35));
    parts.net.fire(Timestamp::from_secs(35));
    parts.run();
    parts.net.fire(Timestamp::from_millis(35_001));
    assert_eq!(failure(outcome(&mut parts)), Some(Failure::CloseTimeout));
    let closed = ready(poll_pinned(&count, &mut closing));
    assert_eq!(failure(closed), Some(Failure::CloseTimeout));
    assert_eq!(failure(ready(poll(&count, parts.receiver.recv()))), Some(Failure::CloseTimeout));
    assert_eq!(ready(poll(&count, parts.receiver.recv())).unwrap(), None);
}

#[test]
fn a_close_does_not_wait_for_its_own_closed_gate() {
    let (mut parts, count) = (split(marks(1, 10)), Count::new());
    for _ in 0..5 {
        parts.net.data(masked(0x81, b"unread"));
    }
    parts.net.data(masked(0x88, b"\x03\xe8"));
    parts.net.push(Read::End);
    parts.run();
    let sender = parts.sender.clone();
    let mut closing = Box::pin(sender.close(CloseCode::NORMAL, ""));
    assert!(poll_pinned(&count, &mut closing).is_pending());
    assert!(outcome(&mut parts).unwrap().is_clean());
    assert!(ready(poll_pinned(&count, &mut closing)).unwrap().is_clean());
    assert_eq!(ready(poll(&count, parts.receiver.recv())).unwrap(), None);
}

#[test]
fn begin_close_leaves_the_messages_to_the_receiver() {
    let (mut parts, count) = (split(marks(1, 10)), Count::new());
    parts.net.data(masked(0x81, b"one"));
    parts.run();
    parts.sender.begin_close(CloseCode::NORMAL, "").unwrap();
    parts.run();
    assert_eq!(parts.net.written(), b"\x88\x02\x03\xe8");
    parts.net.data(masked(0x81, b"two"));
    parts.net.data(masked(0x88, b"\x03\xe8"));
    parts.net.push(Read::End);
    for text in ["one", "two"] {
        parts.run();
        let message = ready(poll(&count, parts.receiver.recv())).unwrap();
        assert_eq!(message, Some(Message::text(text)));
    }
    assert!(poll(&count, parts.receiver.recv()).is_pending());
    assert!(outcome(&mut parts).unwrap().is_clean());
    assert_eq!(ready(poll(&count, parts.receiver.recv())).unwrap(), None);
}

#[test]
fn closed_by_the_peer_while_all_parts_wait() {
    let (mut parts, count) = (split(marks(16, 1)), Count::new());
    parts.net.set_room(0);
    ready(poll(&count, parts.sender.send("stuck"))).unwrap();
    parts.run();
    let sender = parts.sender.clone();
    let counts = [0; 4].map(|_| Count::new());
    let mut sending = Box::pin(sender.send("waits"));
    let mut flushing = Box::pin(sender.flush());
    let mut pinging = Box::pin(sender.ping());
    assert!(poll_pinned(&counts[0], &mut sending).is_pending());
    assert!(poll_pinned(&counts[1], &mut flushing).is_pending());
    assert!(poll_pinned(&counts[2], &mut pinging).is_pending());
    assert!(poll(&counts[3], parts.receiver.recv()).is_pending());
    parts.net.data(masked(0x88, b"\x03\xe8"));
    parts.run();
    // What was accepted is still written, and `flush` says so.
    let woken = counts.each_ref().map(|count| count.take());
    assert_eq!(woken, [1, 0, 1, 0]);
    assert!(matches!(ready(poll_pinned(&count, &mut sending)), Err(Error::Closed(_))));
    assert!(matches!(ready(poll_pinned(&count, &mut pinging)), Err(Error::Closed(_))));
    parts.net.set_room(usize::MAX);
    parts.run();
    assert_eq!(counts[1].take(), 1);
    ready(poll_pinned(&count, &mut flushing)).unwrap();
    let written = b"\x81\x05stuck\x89\x08\0\0\0\0\0\0\0\x01\x88\x02\x03\xe8";
    assert_eq!(parts.net.written(), written);
    parts.net.push(Read::End);
    assert!(outcome(&mut parts).unwrap().is_by_peer());
    assert_eq!(counts[3].take(), 1);
    assert_eq!(ready(poll(&count, parts.receiver.recv())).unwrap(), None);
}

#[test]
fn all_parts_are_told_of_a_transport_error() {
    let (mut parts, count) = (split(marks(1, 1)), Count::new());
    parts.net.data([masked(0x81, b"one"), masked(0x81, b"two")].concat());
    parts.net.push(Read::Fault(ErrorKind::ConnectionReset));
    parts.net.set_room(0);
    parts.run();
    ready(poll(&count, parts.sender.send("stuck"))).unwrap();
    let sender = parts.sender.clone();
    let mut sending = Box::pin(sender.send("waits"));
    assert!(poll_pinned(&count, &mut sending).is_pending());
    parts.run();
    for text in ["one", "two"] {
        let message = ready(poll(&count, parts.receiver.recv())).unwrap();
        assert_eq!(message, Some(Message::text(text)));
    }
    let is_reset = |error: Error| matches!(error, Error::Io(error) if error.kind() == ErrorKind::ConnectionReset);
    assert!(is_reset(outcome(&mut parts).unwrap_err()));
    assert_eq!(count.take(), 1);
    assert!(is_reset(ready(poll_pinned(&count, &mut sending)).unwrap_err()));
    assert!(is_reset(ready(poll(&count, parts.receiver.recv())).unwrap_err()));
    assert_eq!(ready(poll(&count, parts.receiver.recv())).unwrap(), None);
    assert!(is_reset(ready(poll(&count, parts.sender.flush())).unwrap_err()));
    assert!(is_reset(ready(poll(&count, parts.sender.ping())).unwrap_err()));
    assert!(parts.sender.try_send("x").is_err());
}

#[test]
fn the_end_is_known_when_the_last_message_is_taken() {
    // The stream is closed, but a Close waits behind messages. How the connection ends is known only
    // when the receiver has taken those.
    let (mut parts, count) = (split(marks(1, 10)), Count::new());
    parts.net.data([masked(0x81, b"one"), masked(0x88, b"\x03\xe8")].concat());
    parts.run();
    parts.net.0.borrow_mut().write_fault = Some(ErrorKind::BrokenPipe);
    ready(poll(&count, parts.sender.send("x"))).unwrap();
    parts.net.push(Read::End);
    parts.run();
    assert_eq!(parts.sender.closed(), None);
    assert_eq!(ready(poll(&count, parts.receiver.recv())).unwrap(), Some("one".into()));
    let next = poll(&count, parts.receiver.recv());
    assert_eq!(parts.driving.take(), 1);
    assert!(outcome(&mut parts).unwrap().is_clean());
    if next.is_pending() {
        assert_eq!(count.take(), 1);
        assert_eq!(ready(poll(&count, parts.receiver.recv())).unwrap(), None);
    }
}

#[test]
fn a_dropped_receiver_closes() {
    let (mut parts, count) = (split(marks(1, 1)), Count::new());
    parts.net.data([masked(0x81, b"one"), masked(0x81, b"two")].concat());
    parts.run();
    drop(parts.receiver);
    assert_eq!(parts.driving.take(), 1);
    assert!(matches!(ready(poll(&count, parts.sender.send("x"))), Err(Error::Closing)));
    parts.net.data([masked(0x81, b"three"), masked(0x88, b"\x03\xe9")].concat());
    assert!(poll(&parts.driving, &mut parts.driver).is_pending());
    assert_eq!(parts.net.written(), GOING_AWAY);
    parts.net.push(Read::End);
    assert!(ready(poll(&parts.driving, &mut parts.driver)).unwrap().is_clean());
}

#[test]
fn a_dropped_receiver_discards() {
    let (mut parts, count) = (split(marks(1, 1000)), Count::new());
    parts.receiver.on_drop(OnDrop::Continue);
    parts.net.data([masked(0x81, b"one"), masked(0x81, b"two")].concat());
    parts.run();
    drop(parts.receiver);
    assert_eq!(parts.driving.take(), 1, "the gate is open again");
    parts.net.data([masked(0x81, b"three"), masked(0x89, b"ping")].concat());
    assert!(poll(&parts.driving, &mut parts.driver).is_pending());
    assert_eq!(parts.sender.queued_messages(), 0);
    assert_eq!(parts.sender.stats().messages_in, 3);
    ready(poll(&count, parts.sender.send("on it goes"))).unwrap();
    assert!(poll(&parts.driving, &mut parts.driver).is_pending());
    assert_eq!(parts.net.written(), b"\x8a\x04ping\x81\x0aon it goes");
    // The last part that is dropped closes the connection.
    drop(parts.sender);
    assert!(poll(&parts.driving, &mut parts.driver).is_pending());
    assert_eq!(parts.net.written(), GOING_AWAY);
}

#[test]
fn a_dropped_receiver_aborts() {
    let (parts, count) = (split(Config::default()), Count::new());
    let mut driver = parts.driver;
    parts.receiver.on_drop(OnDrop::Abort);
    drop(parts.receiver);
    assert_eq!(parts.driving.take(), 1);
    assert_eq!(failure(ready(poll(&count, &mut driver))), Some(Failure::Aborted));
    assert!(parts.net.0.borrow().is_dropped);
    assert_eq!(parts.net.written(), b"");
    assert_eq!(failure(ready(poll(&count, parts.sender.send("x")))), Some(Failure::Aborted));
}

#[test]
fn dropped_senders_leave_the_receiver_open() {
    let (mut parts, count) = (split(Config::default()), Count::new());
    let clone = parts.sender.clone();
    drop((parts.sender, clone));
    parts.net.data(masked(0x81, b"one"));
    assert!(poll(&parts.driving, &mut parts.driver).is_pending());
    assert_eq!(ready(poll(&count, parts.receiver.recv())).unwrap(), Some("one".into()));
    assert_eq!(parts.net.written(), b"");
    drop(parts.receiver);
    assert!(poll(&parts.driving, &mut parts.driver).is_pending());
    assert_eq!(parts.net.written(), GOING_AWAY);
}

#[test]
fn dropped_senders_close_or_abort() {
    let (mut parts, count) = (split(Config::default()), Count::new());
    let clone = parts.sender.clone();
    clone.on_drop(OnDrop::Close);
    ready(poll(&count, clone.feed("last"))).unwrap();
    drop(clone);
    assert!(poll(&parts.driving, &mut parts.driver).is_pending());
    assert_eq!(parts.net.written(), b"\x81\x04last", "there is another one");
    drop(parts.sender);
    assert!(poll(&parts.driving, &mut parts.driver).is_pending());
    assert_eq!(parts.net.written(), GOING_AWAY);
    parts.net.data(masked(0x81, b"answer"));
    assert!(poll(&parts.driving, &mut parts.driver).is_pending());
    assert_eq!(ready(poll(&count, parts.receiver.recv())).unwrap(), Some("answer".into()));

    let mut parts = split(Config::default());
    parts.sender.on_drop(OnDrop::Abort);
    drop(parts.sender);
    let end = ready(poll(&parts.driving, &mut parts.driver));
    assert_eq!(failure(end), Some(Failure::Aborted));
    assert_eq!(failure(ready(poll(&count, parts.receiver.recv()))), Some(Failure::Aborted));
}

#[test]
fn a_dropped_driver_ends_everything() {
    let (mut parts, count) = (split(marks(2, 1)), Count::new());
    parts.net.set_room(0);
    parts.net.data([masked(0x81, b"one"), masked(0x81, b"two")].concat());
    parts.run();
    ready(poll(&count, parts.sender.send("stuck"))).unwrap();
    let counts = [0; 4].map(|_| Count::new());
    let sender = parts.sender.clone();
    let mut sending = Box::pin(sender.send("waits"));
    let mut flushing = Box::pin(sender.flush());
    let mut pinging = Box::pin(sender.ping());
    assert!(poll_pinned(&counts[0], &mut sending).is_pending());
    assert!(poll_pinned(&counts[1], &mut flushing).is_pending());
    assert!(poll_pinned(&counts[2], &mut pinging).is_pending());
    drop(parts.driver);
    assert!(parts.net.0.borrow().is_dropped);
    assert_eq!(counts.each_ref().map(|count| count.take()), [1, 1, 1, 0]);
    assert_eq!(failure(ready(poll_pinned(&count, &mut sending))), Some(Failure::Aborted));
    assert_eq!(failure(ready(poll_pinned(&count, &mut flushing))), Some(Failure::Aborted));
    assert_eq!(failure(ready(poll_pinned(&count, &mut pinging))), Some(Failure::Aborted));
    for text in ["one", "two"] {
        let message = ready(poll(&count, parts.receiver.recv())).unwrap();
        assert_eq!(message, Some(Message::text(text)));
    }
    assert_eq!(failure(ready(poll(&count, parts.receiver.recv()))), Some(Failure::Aborted));
    let closed = ready(poll(&count, parts.sender.close(CloseCode::NORMAL, "")));
    assert_eq!(failure(closed), Some(Failure::Aborted));

    // The call that closes and the call that receives are answered too.
    let mut parts = split(Config::default());
    let mut closing = Box::pin(parts.sender.close(CloseCode::NORMAL, ""));
    assert!(poll_pinned(&counts[0], &mut closing).is_pending());
    assert!(poll(&counts[3], parts.receiver.recv()).is_pending());
    drop(parts.driver);
    assert_eq!(counts.each_ref().map(|count| count.take()), [1, 0, 0, 1]);
    assert_eq!(failure(ready(poll_pinned(&count, &mut closing))), Some(Failure::Aborted));
    // The call that closed has taken all events. The receiver is told of the end all the same.
    assert_eq!(failure(ready(poll(&count, parts.receiver.recv()))), Some(Failure::Aborted));
}

#[test]
fn abort_ends_everything_at_once() {
    let (mut parts, count) = (split(Config::default()), Count::new());
    parts.net.data(masked(0x81, b"one"));
    parts.run();
    parts.sender.abort();
    assert_eq!(parts.driving.take(), 1);
    assert_eq!(failure(outcome(&mut parts)), Some(Failure::Aborted));
    assert!(parts.net.0.borrow().is_dropped);
    assert_eq!(ready(poll(&count, parts.receiver.recv())).unwrap(), Some("one".into()));
    assert_eq!(failure(ready(poll(&count, parts.receiver.recv()))), Some(Failure::Aborted));
}

#[test]
fn a_panic_of_the_stream_leaves_the_other_parts_usable() {
    let (mut parts, count) = (split(Config::default()), Count::new());
    parts.net.data(masked(0x81, b"one"));
    parts.run();
    assert!(poll(&count, parts.sender.flush()).is_ready());
    // The stream of the mock is borrowed, so polling it panics while the lock is held.
    let net = parts.net.clone();
    let borrowed = net.0.borrow_mut();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _ = poll(&parts.driving, &mut parts.driver);
    }));
    assert!(panicked.is_err());
    drop(borrowed);
    // A task that has caught the panic goes on.
    parts.drive();
    ready(poll(&count, parts.sender.send("still here"))).unwrap();
    parts.run();
    assert_eq!(parts.net.written(), b"\x81\x0astill here");
    assert_eq!(ready(poll(&count, parts.receiver.recv())).unwrap(), Some("one".into()));
    // A runtime drops the driver.
    drop(parts.driver);
    assert_eq!(failure(ready(poll(&count, parts.receiver.recv()))), Some(Failure::Aborted));
}
