//! R1: after a deadline, one more read or write is tried before the peer is blamed.

use bytes::Buf;
use core::time::Duration;
use tidegate_core::{CloseCode, CloseFrame, Failure, Timestamp};

use crate::support::{
    CLOSE, MESSAGE, PONG, drain, failure, run_loop, run_loop_without_writes, seconds, server,
};

/// The pong has arrived in time, but the loop reads it late. The order of the calls is irrelevant.
#[test]
fn a_late_event_loop_reads_the_pong_before_the_timeout_applies() {
    for advances_time_first in [false, true] {
        let mut server = server(|config| config);
        run_loop(&mut server, Timestamp::ZERO, seconds(30));
        let late = seconds(61);
        if advances_time_first {
            server.handle_timeout(late);
        }
        server.handle_input(late, PONG);
        server.handle_timeout(late);
        assert_eq!(server.closed(), None, "advances time first: {advances_time_first}");
        // Advancing the clock twice in a row is not a read in between.
        run_loop(&mut server, late, seconds(91));
        let late = seconds(200);
        server.handle_timeout(late);
        server.handle_timeout(late);
        server.handle_input(late, PONG);
        assert_eq!(server.closed(), None);
    }
}

#[test]
fn a_lost_peer_times_out_after_one_more_read() {
    let mut server = server(|config| config);
    run_loop(&mut server, Timestamp::ZERO, seconds(60));
    assert_eq!(server.closed(), None, "the deadline asks for one more read");
    let again = server.poll_timeout().expect("a last look");
    assert!(again <= seconds(60) + Duration::from_millis(1));
    server.handle_timeout(again);
    assert_eq!(failure(&server), Some(Failure::KeepaliveTimeout));
}

/// The Close frame had arrived in time, after many megabytes of messages that are read first.
#[test]
fn a_late_close_is_found_after_a_backlog_of_messages() {
    let mut server = server(|config| config.close_timeout(Duration::from_secs(1)));
    server.close(Timestamp::ZERO, CloseFrame::from(CloseCode::NORMAL)).expect("open");
    drain(&mut server);
    server.handle_timeout(Timestamp::ZERO);
    let late = seconds(5);
    server.handle_timeout(late);
    for _ in 0..1000 {
        server.handle_input(late, &MESSAGE.repeat(100));
        while server.poll_event().is_some() {}
        server.handle_timeout(server.poll_timeout().unwrap_or(late));
        assert_eq!(server.closed(), None, "each iteration had input to read");
    }
    server.handle_input(late, CLOSE);
    assert!(server.closed().is_some_and(|closed| closed.is_clean()));
}

/// R5: the last read has a limit in bytes, so a peer that never stops sending still times out.
#[test]
fn a_peer_that_floods_instead_of_closing_times_out() {
    let mut server = server(|config| config.close_timeout(Duration::from_secs(1)));
    server.close(Timestamp::ZERO, CloseFrame::from(CloseCode::NORMAL)).expect("open");
    drain(&mut server);
    server.handle_timeout(Timestamp::ZERO);
    let flood = MESSAGE.repeat(5000);
    let mut now = seconds(1);
    let mut bytes = 0;
    while server.closed().is_none() {
        server.handle_timeout(now);
        server.handle_input(now, &flood);
        while server.poll_event().is_some() {}
        if server.poll_timeout().is_some_and(|deadline| deadline <= now) {
            server.handle_timeout(now);
        }
        bytes += flood.len();
        now = now + Duration::from_millis(1);
        assert!(bytes < 16 * 1024 * 1024, "{bytes} bytes were read after the deadline");
    }
    assert_eq!(failure(&server), Some(Failure::CloseTimeout));
}

#[test]
fn output_taken_in_the_last_write_restarts_the_write_timeout() {
    let mut server = server(|config| config.ping_interval(None));
    server.send(vec![7; 100_000]).expect("room");
    server.handle_timeout(Timestamp::ZERO);
    let late = seconds(300);
    server.handle_timeout(late);
    assert_eq!(server.closed(), None);
    server.output().advance(10);
    server.handle_timeout(seconds(329));
    assert_eq!(server.closed(), None, "ten bytes were taken 29 s ago");
    run_loop_without_writes(&mut server, seconds(329), seconds(361));
    assert_eq!(failure(&server), Some(Failure::WriteTimeout));
}
