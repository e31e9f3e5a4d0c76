//! Time limits, the end of the stream, and input after a refusal.

use bytes::Buf;
use core::time::Duration;
use tidegate_core::handshake::{Acceptance, HandshakeError, Limits, ServerHandshake};
use tidegate_core::{Closed, Config, Event, Failure, Timestamp, Transport};

use crate::support::{T0, request, server, written};

#[test]
fn the_end_of_the_stream_after_the_head_ends_the_connection() {
    let mut server = server(request(""));
    server.handle_eof(T0);
    assert_eq!(server.failure(), None);
    server.accept(Acceptance::new()).unwrap();
    let mut connection = server.into_connection(T0, Config::default()).unwrap();
    let Some(Event::Closed(closed)) = connection.poll_event() else {
        panic!("the connection has ended")
    };
    assert_eq!(Closed::failure(&closed), Some(Failure::EndOfStream));
}

#[test]
fn a_refusal_that_the_peer_does_not_read_times_out() {
    let mut server = server("\n");
    assert_eq!(server.transport(), Transport::KeepOpen);
    for _ in ["the limit", "one more try"] {
        server.handle_timeout(server.poll_timeout().unwrap());
    }
    assert_eq!(server.transport(), Transport::Close);
    assert!(!server.wants_output());
    assert!(matches!(server.failure(), Some(HandshakeError::Malformed { .. })));
    assert_eq!(server.poll_timeout(), None);
}

#[test]
fn a_slow_request_is_answered_with_408() {
    let mut server = server("GET / HTTP/1.1\r\n");
    let end = T0 + Duration::from_secs(10);
    assert_eq!(server.poll_timeout(), Some(end));
    server.handle_timeout(Timestamp::from_millis(9_999));
    assert_eq!(server.failure(), None);
    server.handle_timeout(end);
    assert_eq!(server.failure(), None, "one more read is tried first");
    server.handle_timeout(server.poll_timeout().unwrap());
    assert_eq!(server.failure(), Some(&HandshakeError::Timeout));
    assert!(written(server.output()).starts_with("HTTP/1.1 408 Request Timeout\r\n"));
    assert_eq!(server.transport(), Transport::ShutdownWrite);
    for _ in ["the limit", "one more try"] {
        server.handle_timeout(server.poll_timeout().unwrap());
    }
    assert_eq!(server.transport(), Transport::Close);
}

#[test]
fn a_101_response_that_the_peer_does_not_read_times_out() {
    let mut server = server(request(""));
    let late = Timestamp::from_secs(99);
    server.handle_timeout(late);
    assert_eq!(server.failure(), None, "the time of the application is not limited");
    server.accept(Acceptance::new()).unwrap();
    server.handle_timeout(late);
    let end = server.poll_timeout().unwrap();
    assert_eq!(end, late + Duration::from_secs(10));
    server.handle_timeout(end);
    assert_eq!(server.failure(), None, "one more write is tried first");
    server.handle_timeout(server.poll_timeout().unwrap());
    assert_eq!(server.failure(), Some(&HandshakeError::Timeout));
    assert_eq!(server.transport(), Transport::Close);
    assert!(server.into_connection(end, Config::default()).is_err());
}

#[test]
fn the_end_of_the_stream_inside_the_head_is_a_failure() {
    for input in ["", "GET / HTTP/1.1\r\n", request("").strip_suffix('\n').unwrap()] {
        let mut server = server(input);
        server.handle_eof(T0);
        assert_eq!(server.failure(), Some(&HandshakeError::EndOfStream), "{input:?}");
        assert_eq!(server.transport(), Transport::Close);
        assert!(!server.wants_output() && !server.wants_input());
        server.handle_input(T0, b"\n");
        assert!(server.request().is_none(), "input after the end is ignored");
    }
}

#[test]
fn without_a_timeout_there_is_no_deadline() {
    let limits = Limits::builder().timeout(None).build().unwrap();
    let mut server = ServerHandshake::new(T0, limits);
    assert_eq!(server.poll_timeout(), None);
    server.handle_timeout(Timestamp::MAX);
    assert_eq!(server.failure(), None);
}

/// The server reads on so that the client can read the refusal, but only up to a limit.
#[test]
fn at_most_one_mebibyte_is_read_after_a_refusal() {
    let mut server = server("\n");
    let written = server.output().len();
    server.output().advance(written);
    let (flood, mut taken) = (vec![b'x'; 65_536], 0);
    while server.transport() == Transport::ShutdownWrite {
        server.handle_input(T0, &flood);
        taken += flood.len();
        assert!(taken <= 1024 * 1024, "the limit did not apply");
    }
    assert_eq!(server.transport(), Transport::Close);
}
