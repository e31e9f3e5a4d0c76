//! R2: while our own gate is closed, limits that wait for the peer are suspended.

use bytes::Buf;
use core::time::Duration;
use tidegate_core::{Event, Failure, Timestamp, Watermarks};

use crate::support::{MESSAGE, drain, failure, run_loop, run_loop_without_writes, seconds, server};

/// The peer's Close or pong may be in the input that we do not read.
#[test]
fn a_closed_gate_suspends_the_limits() {
    let one = Watermarks::new(1, 0);
    let mut server = server(|config| config.message_marks(one));
    server.handle_input(Timestamp::ZERO, MESSAGE);
    server.send("an answer that the peer does not take").expect("room");
    server.close(Timestamp::ZERO, None).expect("open");
    let mut now = Timestamp::ZERO;
    for _ in 0..100 {
        now = now + Duration::from_secs(7);
        server.handle_timeout(now);
        assert_eq!(server.closed(), None, "{now:?}");
    }
    drain(&mut server);
    for _ in 0..100 {
        now = now + Duration::from_secs(7);
        server.handle_timeout(now);
        assert_eq!(server.closed(), None, "{now:?}");
    }
    assert!(matches!(server.poll_event(), Some(Event::Message(_))));
    let end = now + Duration::from_secs(9);
    run_loop(&mut server, now, end);
    assert_eq!(server.closed(), None, "the timeout starts when the gate opens");
    run_loop(&mut server, end, end + Duration::from_secs(2));
    assert_eq!(failure(&server), Some(Failure::CloseTimeout));
}

/// R5: a peer that fills both our outbox and our inbox, and reads nothing, must not stay connected.
#[test]
fn a_full_outbox_times_out_although_the_gate_is_closed() {
    let one = Watermarks::new(1, 0);
    let mut server = server(|config| config.message_marks(one));
    server.handle_input(Timestamp::ZERO, MESSAGE);
    server.send(vec![0; 128 * 1024]).expect("room");
    run_loop_without_writes(&mut server, Timestamp::ZERO, seconds(31));
    assert_eq!(failure(&server), Some(Failure::WriteTimeout));
}

/// R5, for an application that waits until each message has left: a peer that floods and reads
/// nothing closes the gate, and the outbox is not full.
#[test]
fn await_output_times_out_although_the_gate_is_closed() {
    for waits in [true, false] {
        let one = Watermarks::new(1, 0);
        let mut server = server(|config| config.message_marks(one));
        server.handle_input(Timestamp::ZERO, MESSAGE);
        server.send(vec![0; 60_000]).expect("room");
        if waits {
            server.await_output();
        }
        run_loop_without_writes(&mut server, Timestamp::ZERO, seconds(31));
        let expected = waits.then_some(Failure::WriteTimeout);
        assert_eq!(failure(&server), expected, "waits: {waits}");
        // The wait is over as soon as the peer takes some output.
        let mut server = self::server(|config| config.message_marks(one));
        server.handle_input(Timestamp::ZERO, MESSAGE);
        server.send(vec![0; 60_000]).expect("room");
        server.await_output();
        server.output().advance(10);
        run_loop_without_writes(&mut server, Timestamp::ZERO, seconds(100));
        assert_eq!(failure(&server), None);
    }
}
