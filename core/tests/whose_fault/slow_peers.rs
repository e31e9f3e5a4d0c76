//! R3 and R5: a limit starts when our frame has left, and a peer that takes nothing reaches it.

use bytes::Buf;
use core::time::Duration;
use tidegate_core::{CloseCode, CloseFrame, Connection, Failure, Timestamp};

use crate::support::{PONG, drain, failure, run_loop, run_loop_without_writes, seconds, server};

/// A mebibyte at 10 kB/s. The ping is queued after it, and the peer cannot answer a ping that has not
/// left.
#[test]
fn a_slow_connection_does_not_time_out() {
    let mut server = server(|config| config);
    server.send(vec![7; 1024 * 1024]).expect("room");
    let mut now = Timestamp::ZERO;
    while server.wants_output() {
        now = now + Duration::from_secs(1);
        server.handle_timeout(now);
        assert_eq!(server.closed(), None, "{now:?}");
        let mut left = 10_000;
        while left > 0 && server.wants_output() {
            let output = server.output();
            let length = output.chunk().len().min(left);
            output.advance(length);
            left -= length;
        }
    }
    assert!(now > seconds(100), "{now:?}");
    // The pings have left, so the pong timeout starts.
    run_loop(&mut server, now, now + Duration::from_secs(29));
    assert_eq!(server.closed(), None);
    run_loop(&mut server, now, now + Duration::from_secs(31));
    assert_eq!(failure(&server), Some(Failure::KeepaliveTimeout));
}

/// Our Close frame is queued after a mebibyte that leaves at 64 kB/s.
#[test]
fn the_close_timeout_starts_when_the_close_frame_has_left() {
    let mut server = server(|config| config);
    server.send(vec![7; 1024 * 1024]).expect("room");
    server.close(Timestamp::ZERO, CloseFrame::from(CloseCode::NORMAL)).expect("open");
    let mut now = Timestamp::ZERO;
    while server.wants_output() {
        now = now + Duration::from_secs(1);
        server.handle_timeout(now);
        let output = server.output();
        let length = output.chunk().len().min(64_000);
        output.advance(length);
        assert_eq!(server.closed(), None, "{now:?}");
    }
    assert!(now > seconds(15), "{now:?}");
    run_loop(&mut server, now, now + Duration::from_secs(9));
    assert_eq!(server.closed(), None);
    run_loop(&mut server, now, now + Duration::from_secs(11));
    assert_eq!(failure(&server), Some(Failure::CloseTimeout));
}

/// The timeout is not measured from the previous write, which may be long ago.
#[test]
fn the_write_timeout_starts_when_output_is_queued() {
    let mut server = server(|config| config.ping_interval(None));
    for second in [0, 10, 29, 31, 58] {
        server.send("tide").expect("room");
        assert_eq!(server.poll_timeout(), Some(next_deadline(&server)), "the write timeout starts");
        drain(&mut server);
        server.handle_timeout(seconds(second));
        assert_eq!(server.poll_timeout(), None, "no output is queued");
    }
    server.send("tide").expect("room");
    server.handle_timeout(seconds(59));
    run_loop_without_writes(&mut server, seconds(59), seconds(88));
    assert_eq!(server.closed(), None);
    run_loop_without_writes(&mut server, seconds(88), seconds(90));
    assert_eq!(failure(&server), Some(Failure::WriteTimeout));
}

fn next_deadline(connection: &Connection) -> Timestamp {
    connection.poll_timeout().expect("the write timeout starts")
}

/// Default settings; the peer reads nothing, and sends a pong now and then.
#[test]
fn a_peer_that_reads_nothing_times_out_although_it_sends() {
    let mut server = server(|config| config);
    server.send(vec![7; 128 * 1024]).expect("room");
    let mut now = Timestamp::ZERO;
    while server.closed().is_none() {
        run_loop_without_writes(&mut server, now, now + Duration::from_secs(20));
        now = now + Duration::from_secs(20);
        server.handle_input(now, PONG);
        assert!(now <= seconds(60), "the connection did not time out");
    }
    assert_eq!(failure(&server), Some(Failure::WriteTimeout));
}

#[test]
fn a_ping_of_the_application_times_out_without_a_keepalive() {
    let mut server = server(|config| config.ping_interval(None));
    let number = server.ping(Timestamp::ZERO, "own").expect("open");
    drain(&mut server);
    assert!(!server.is_ping_answered(number));
    run_loop(&mut server, Timestamp::ZERO, seconds(31));
    assert_eq!(failure(&server), Some(Failure::KeepaliveTimeout));
}
