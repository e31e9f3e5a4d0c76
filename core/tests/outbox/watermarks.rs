//! How much output is queued, and when the send watermarks stop and allow sending.

use bytes::Buf;
use core::time::Duration;
use tidegate_core::frame::MAX_HEADER;
use tidegate_core::{Failure, Message, Role, SendError, Watermarks};

use crate::support::{NOW, ROLES, SIZES, base, connection, pattern, take};

/// The header of a large message is built, and counted, when the message is committed.
#[test]
fn queued_output_is_the_bytes_accepted_and_not_yet_taken() {
    for role in ROLES {
        for size in SIZES {
            let mut from = connection(role, base());
            from.send(Message::binary(pattern(size))).unwrap();
            let accepted = from.queued_output();
            assert!((size..=size + MAX_HEADER).contains(&accepted), "{accepted} for {size}");
            from.output();
            let mut level = from.queued_output();
            assert!((size + 2..=size + MAX_HEADER).contains(&level), "{level} for {size}");
            assert_eq!(from.stats().peak_output, level);
            while from.wants_output() {
                let taken = take(&mut from, 1_000).len();
                level -= taken;
                assert_eq!(from.queued_output(), level);
            }
            assert_eq!(level, 0);
        }
    }
}

#[test]
fn sending_stops_at_the_high_watermark_and_resumes_at_the_low_one() {
    // A frame of ten bytes with its header, as a server.
    let marks = Watermarks::new(30, 10);
    let mut server = connection(Role::Server, base().send_marks(marks));
    let eight = || Message::binary(vec![8; 8]);
    for _ in 0..2 {
        server.send(eight()).unwrap();
        assert!(server.can_send(), "{} is below 30", server.queued_output());
    }
    server.send(eight()).unwrap();
    assert_eq!(server.queued_output(), 30);
    assert!(!server.can_send() && !server.can_send_chunk());
    assert_eq!(
        server.send(eight()),
        Err(SendError::Full(eight())),
        "the error returns the message"
    );
    assert_eq!(server.queued_output(), 30);
    take(&mut server, 19);
    assert!(!server.can_send(), "11 is above 10");
    take(&mut server, 1);
    assert!(server.can_send() && server.can_send_chunk());
    // The message that crosses the high watermark is accepted whole, however long it is.
    server.send(Message::binary(pattern(100_000))).unwrap();
    assert!(!server.can_send());
    assert_eq!(
        server.queued_output(),
        10 + 100_000,
        "the header of a large message is not built yet"
    );
}

/// They are built, and counted, when the message is committed.
#[test]
fn headers_of_fragments_count_as_queued_output() {
    let marks = Watermarks::new(1000, 100);
    let mut server = connection(Role::Server, base().send_marks(marks).fragment_size(2));
    server.send(Message::binary(pattern(900))).unwrap();
    assert!(server.can_send());
    server.output();
    assert_eq!(server.queued_output(), 900 + 2 * 450);
    assert!(!server.can_send());
    take(&mut server, 1700);
    assert!(server.can_send(), "100 is the low watermark");
}

/// The timeout starts when output is queued, and again each time the peer takes some of it.
#[test]
fn the_write_timeout_restarts_whenever_the_peer_takes_a_byte() {
    let second = Duration::from_secs(1);
    let mut server = connection(Role::Server, base().write_timeout(second));
    server.send(Message::binary(pattern(100_000))).unwrap();
    let mut now = NOW;
    server.handle_timeout(now);
    for _ in 0..20 {
        now = now + second;
        take(&mut server, 1);
        server.handle_timeout(now);
        assert_eq!(server.closed(), None, "the peer takes one byte per second");
    }
    // Advancing by zero bytes is not progress.
    server.output().advance(0);
    server.handle_timeout(now + second);
    assert_eq!(server.closed(), None, "one more write is tried before the connection fails");
    server.handle_timeout(server.poll_timeout().unwrap());
    let closed = server.closed().unwrap();
    assert_eq!(closed.failure(), Some(Failure::WriteTimeout));
}
