//! How long a client waits for the body of a refusal, and when it does not wait.
#![allow(clippy::unwrap_used)]

use core::time::Duration;

use tidegate_core::handshake::{ClientHandshake, ClientRequest, HandshakeError, Limits};
use tidegate_core::{ConfigError, Timestamp, Transport};

const T0: Timestamp = Timestamp::ZERO;
const SECOND: Timestamp = Timestamp::from_secs(1);

fn client(limits: Limits) -> ClientHandshake {
    let request = ClientRequest::new("a.test", "/").unwrap();
    ClientHandshake::new(T0, request, limits, [7; 32])
}

/// Two clients that receive `answer` at time zero, one whole and one byte by byte.
fn answered(limits: &Limits, answer: &str) -> [ClientHandshake; 2] {
    [usize::MAX, 1].map(|length| {
        let mut client = client(limits.clone());
        for piece in answer.as_bytes().chunks(length) {
            client.handle_input(T0, piece);
        }
        client
    })
}

/// Calls the client at its deadlines until it is done; returns the time.
fn decided(client: &mut ClientHandshake) -> Timestamp {
    let mut now = T0;
    while let Some(deadline) = client.poll_timeout() {
        now = now.max(deadline);
        client.handle_timeout(now);
    }
    assert_eq!(client.transport(), Transport::Close);
    now
}

/// python-websockets#1094 (Boost.Beast), #1139: a refusal without a length on a connection that
/// stays open, and one that declares more bytes than it sends.
#[test]
fn a_refusal_is_reported_a_second_after_its_head() {
    for (fields, body) in [
        ("", ""),
        ("", "who are you?"),
        ("Content-Length: 300\r\n", ""),
        ("Content-Length: 300\r\n", "who"),
        ("Transfer-Encoding: chunked\r\n", ""),
        ("Connection: close\r\n", "who"),
    ] {
        let answer = format!("HTTP/1.1 401 Unauthorized\r\n{fields}\r\n{body}");
        for mut client in answered(&Limits::default(), &answer) {
            assert_eq!(client.failure(), Some(&HandshakeError::Status { status: 401 }));
            client.handle_timeout(Timestamp::from_millis(999));
            assert!(client.wants_input(), "the body may still come");
            assert!((SECOND..SECOND + MARGIN).contains(&decided(&mut client)), "{answer}");
            assert_eq!(client.response().unwrap().body(), body.as_bytes());
            assert_eq!(client.failure(), Some(&HandshakeError::Status { status: 401 }));
        }
    }
}

/// The wait starts when the head arrives, and ends with the handshake timeout at the latest.
#[test]
fn the_second_starts_at_the_head_of_the_refusal() {
    for (head_at, expected) in [(3_000, 4_000), (9_500, 10_000)] {
        let mut client = client(Limits::default());
        client.handle_input(Timestamp::from_millis(head_at), b"HTTP/1.1 503 \r\n\r\n");
        let expected = Timestamp::from_millis(expected);
        assert!((expected..expected + MARGIN).contains(&decided(&mut client)));
    }
}

#[test]
fn the_wait_for_the_body_is_configurable() {
    let limits = Limits::default();
    assert_eq!(limits.body_timeout(), Some(Duration::from_secs(1)));
    for (timeout, expected) in [(Some(3), 3), (None, 10), (Some(99), 10)] {
        let limits =
            limits.to_builder().body_timeout(timeout.map(Duration::from_secs)).build().unwrap();
        assert_eq!(limits.body_timeout(), timeout.map(Duration::from_secs));
        for mut client in answered(&limits, "HTTP/1.1 503 \r\n\r\n") {
            let expected = Timestamp::from_secs(expected);
            assert!((expected..expected + MARGIN).contains(&decided(&mut client)));
        }
    }
    for timeout in [Duration::ZERO, Duration::from_nanos(999)] {
        let error = ConfigError::ZeroDuration { setting: "body_timeout" };
        assert_eq!(limits.to_builder().body_timeout(timeout).build(), Err(error));
    }
    // Without a handshake timeout, the limit for the body still applies.
    let limits = limits.to_builder().timeout(None).build().unwrap();
    for mut client in answered(&limits, "HTTP/1.1 503 \r\n\r\n") {
        assert!((SECOND..SECOND + MARGIN).contains(&decided(&mut client)));
    }
}

/// The head contains the location, so the client does not wait for the body.
#[test]
fn a_redirection_is_reported_at_its_head() {
    for status in [301, 302, 303, 307, 308] {
        let answer =
            format!("HTTP/1.1 {status} There\r\nLocation: /b\r\nContent-Length: 10\r\n\r\n<html>");
        for mut client in answered(&Limits::default(), &answer) {
            assert_eq!(client.failure(), Some(&HandshakeError::Status { status }));
            assert!(!client.wants_input());
            assert_eq!(decided(&mut client), T0);
            let response = client.response().unwrap();
            assert_eq!(response.headers().get("Location"), Some("/b"));
            assert_eq!(response.body(), b"", "it is not read, in whatever pieces it comes");
        }
    }
    // These have no usable location, so the body may explain them.
    for answer in [
        "HTTP/1.1 302 There\r\nContent-Length: 10\r\n\r\n",
        "HTTP/1.1 300 Many\r\nLocation: /b\r\nContent-Length: 10\r\n\r\n",
        "HTTP/1.1 401 Who\r\nLocation: /b\r\nContent-Length: 10\r\n\r\n",
    ] {
        for client in answered(&Limits::default(), answer) {
            assert!(client.wants_input(), "{answer}");
        }
    }
}

/// As in browsers, since the second `Location` may have been injected.
#[test]
fn a_redirection_with_two_locations_has_none() {
    let redirection =
        |fields| format!("HTTP/1.1 302 There\r\n{fields}\r\nContent-Length: 0\r\n\r\n");
    for client in answered(&Limits::default(), &redirection("Location: /a\r\nlocation: /b")) {
        assert_eq!(client.failure(), Some(&HandshakeError::Location));
        assert_eq!(client.response().unwrap().status(), 302);
        assert_eq!(client.transport(), Transport::Close);
    }
    for client in answered(&Limits::default(), &redirection("Location: /a\r\nLocation: /a")) {
        assert_eq!(client.failure(), Some(&HandshakeError::Status { status: 302 }));
    }
}

/// RFC 9112 §7.1.1: "a recipient MUST ignore unrecognized chunk extensions. A server ought to limit
/// the total length of chunk extensions": so does a client.
#[test]
fn the_framing_of_chunks_is_bounded() {
    let limits = Limits::default();
    let head = "HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;x=";
    for mut client in answered(&limits, head) {
        let mut taken = 0;
        while client.wants_input() {
            client.handle_input(T0, &[b'y'; 1000]);
            taken += 1000;
            assert!(taken <= limits.max_head_bytes() + 1000, "the limit did not apply");
        }
        assert_eq!(client.response().unwrap().body(), b"abc");
        assert_eq!(client.transport(), Transport::Close);
    }
}

/// After a deadline, the client asks for one more read before it fails.
const MARGIN: Duration = Duration::from_millis(500);
