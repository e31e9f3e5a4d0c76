//! The closing handshake: what may be sent, how its end is reported, how much is read after it.

use bytes::Buf;
use tidegate_core::{CloseCode, CloseFrame, Event, Timestamp, Transport};

use crate::support::{CLOSE, MESSAGE, drain, server};

#[test]
fn closed_tells_which_side_began_and_whether_the_end_is_normal() {
    let cases = [
        (&b"\x88\x80\0\0\0\0"[..], true),
        (b"\x88\x82\0\0\0\0\x03\xE8", true),
        (b"\x88\x82\0\0\0\0\x03\xE9", true),
        (b"\x88\x82\0\0\0\0\x03\xF0", false),
        (b"\x88\x82\0\0\0\0\x0F\xA0", false),
    ];
    for (close, is_normal) in cases {
        let mut answering = server(|config| config);
        answering.handle_input(Timestamp::ZERO, close);
        let closed = answering.closed().expect("over");
        assert_eq!((closed.is_by_peer(), closed.is_normal()), (true, is_normal), "{closed}");
        assert_eq!(closed.sent(), closed.received(), "code and reason are echoed");

        let mut beginning = server(|config| config);
        beginning.close(Timestamp::ZERO, CloseFrame::from(CloseCode::POLICY_VIOLATION)).expect("");
        beginning.handle_input(Timestamp::ZERO, close);
        let closed = beginning.closed().expect("over");
        assert_eq!((closed.is_by_peer(), closed.is_normal()), (false, true), "{closed}");
    }
    let mut beginning = server(|config| config);
    beginning.close(Timestamp::ZERO, None).expect("open");
    beginning.handle_eof(Timestamp::ZERO);
    assert!(!beginning.closed().expect("over").is_by_peer(), "we had sent our Close frame before");
}

#[test]
fn an_empty_close_frame_can_be_sent() {
    for frame in [None, Some(CloseFrame::EMPTY)] {
        let mut server = server(|config| config);
        server.close(Timestamp::ZERO, frame).expect("an empty Close");
        assert_eq!(server.output().chunk(), b"\x88\x00");
    }
}

/// The peer may still send pings until it has sent its own Close frame.
#[test]
fn a_manual_pong_can_be_sent_while_closing() {
    let mut server = server(|config| config.pong_policy(tidegate_core::PongPolicy::Manual));
    server.close(Timestamp::ZERO, None).expect("open");
    drain(&mut server);
    server.handle_input(Timestamp::ZERO, b"\x89\x81\0\0\0\0x");
    let Some(Event::Ping(payload)) = server.poll_event() else { panic!("a ping") };
    server.pong(payload).expect("the peer has not closed");
    assert_eq!(server.output().chunk(), b"\x8A\x01x");
}

/// RFC 6455 §5.5.1: no data may follow a Close frame. What follows anyway is discarded, up to a limit.
#[test]
fn at_most_one_mebibyte_is_read_after_a_close() {
    for waits_for_the_application in [false, true] {
        let mut server = server(|config| config);
        if waits_for_the_application {
            server.handle_input(Timestamp::ZERO, MESSAGE);
        }
        server.handle_input(Timestamp::ZERO, CLOSE);
        drain(&mut server);
        let mut taken = 0;
        let flood = [0; 65536];
        while server.wants_input() || server.transport() == Transport::ShutdownWrite {
            server.handle_input(Timestamp::ZERO, &flood);
            taken += flood.len();
            assert!(taken <= 2 * 1024 * 1024, "the limit did not apply");
        }
        if waits_for_the_application {
            assert!(matches!(server.poll_event(), Some(Event::Message(_))));
            assert!(matches!(server.poll_event(), Some(Event::Closed(_))));
            drain(&mut server);
            server.handle_input(Timestamp::ZERO, &flood);
        }
        assert!(server.closed().is_some_and(|closed| closed.is_clean()));
        assert_eq!(server.transport(), Transport::Close);
    }
}

/// Input is discarded so that the peer can read our Close frame, but only up to a limit.
#[test]
fn a_limited_number_of_bytes_is_read_after_a_protocol_error() {
    let mut server = server(|config| config);
    server.handle_input(Timestamp::ZERO, b"\x83\x00");
    drain(&mut server);
    let (mut taken, flood) = (0, vec![0; 1024 * 1024]);
    while server.transport() == Transport::ShutdownWrite {
        server.handle_input(Timestamp::ZERO, &flood);
        taken += flood.len();
        assert!(taken <= 64 * 1024 * 1024, "the limit did not apply");
    }
    assert_eq!(server.transport(), Transport::Close);
    assert!(taken > 32 * 1024 * 1024, "the peer may be in the middle of a long message");
}
