//! Accepting and rejecting a request, and the connection that follows.

use bytes::Buf;
use core::time::Duration;
use tidegate_core::handshake::{
    AcceptError, Acceptance, HandshakeError, HeaderError, Limits, Rejection,
};
use tidegate_core::{Config, Event, Message, Timestamp, Transport};

use crate::support::{T0, request, server, written};

#[test]
fn the_request_of_the_rfc_becomes_a_connection() {
    let head = request("Origin: http://example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n");
    let mut server = server(head);
    assert!(!server.wants_input() && !server.wants_output());
    assert_eq!(server.poll_timeout(), None, "the time of the application is not limited");

    let request = server.request().unwrap();
    assert!(
        !request.headers().is_empty() && Limits::default().max_headers() >= request.headers().len()
    );
    assert_eq!(request.target(), "/chat");
    assert_eq!(request.host(), "server.example.com");
    assert_eq!(request.origin(), Some("http://example.com"));
    assert_eq!(request.subprotocols().collect::<Vec<_>>(), ["chat", "superchat"]);
    assert_eq!(
        request.select_subprotocol(&["superchat", "chat"]),
        Some("chat"),
        "the order of the server counts"
    );
    assert_eq!(request.select_subprotocol(&["Chat"]), None);
    assert_eq!(request.headers().len(), 7);
    assert!(request.extensions().is_empty());

    server.accept(Acceptance::new().subprotocol("chat").header("Set-Cookie", "a=b")).unwrap();
    assert!(server.is_accepted() && server.failure().is_none());
    assert_eq!(
        written(server.output()),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\
         Set-Cookie: a=b\r\n\r\n"
    );
    assert_eq!(server.poll_timeout(), None, "all is written");
    assert!(server.into_connection(T0, Config::default()).is_ok());
}

#[test]
fn frames_after_the_head_and_unwritten_output_move_to_the_connection() {
    let mut input = request("").into_bytes();
    input.extend_from_slice(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x81\x85\x37");
    let mut server = server(input);
    server.handle_input(T0, b"\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    server.accept(Acceptance::new()).unwrap();
    server.output().advance(9);
    let mut connection = server.into_connection(T0, Config::default()).unwrap();
    assert_eq!(connection.poll_event(), Some(Event::Message(Message::text("Hello"))));
    assert_eq!(connection.poll_event(), Some(Event::Message(Message::text("Hello"))));
    assert_eq!(connection.poll_event(), None);

    connection.send("a").unwrap();
    let output = connection.output();
    let output = output.copy_to_bytes(output.remaining());
    assert!(output.starts_with(b"101 Switching Protocols\r\n"), "{}", output.escape_ascii());
    assert!(output.ends_with(b"\r\n\r\n\x81\x01a"), "{}", output.escape_ascii());
}

#[test]
fn only_an_accepted_request_becomes_a_connection() {
    let server = server(request("")).into_connection(T0, Config::default()).unwrap_err();
    assert!(server.request().is_some(), "the error returns the handshake unchanged");
}

#[test]
fn response_headers_cannot_inject_lines_or_contradict_the_handshake() {
    let mut server = server(request("Sec-WebSocket-Protocol: chat\r\n"));
    let header = |name: &str, value: &str| Acceptance::new().header(name, value);
    for (acceptance, error) in [
        (header("X", "a\r\nY: b"), HeaderError::Value),
        (header("X", "a\n\nb"), HeaderError::Value),
        (header("X", "a\0"), HeaderError::Value),
        (header("X\r\nY", "a"), HeaderError::Name),
        (header("X: a\r\nY", "a"), HeaderError::Name),
        (header("", "a"), HeaderError::Name),
        (header("upgrade", "h2c"), HeaderError::Reserved),
        (header("Connection", "close"), HeaderError::Reserved),
        (header("Content-Length", "1"), HeaderError::Reserved),
        (header("Transfer-Encoding", "chunked"), HeaderError::Reserved),
        (header("sec-websocket-extensions", "permessage-deflate"), HeaderError::Reserved),
        (header("Sec-WebSocket-Protocol", "chat"), HeaderError::Reserved),
    ] {
        assert_eq!(server.accept(acceptance), Err(AcceptError::Header(error)));
    }
    for name in ["superchat", "Chat", "", "chat\r\nX: y", "chat, chat"] {
        let acceptance = Acceptance::new().subprotocol(name);
        assert_eq!(server.accept(acceptance), Err(AcceptError::Subprotocol), "{name:?}");
    }
    let split = Rejection::new(403).header("X", "a\r\n\r\nb");
    assert_eq!(server.reject(split), Err(AcceptError::Header(HeaderError::Value)));
    for status in [0, 100, 101, 200, 204, 299, 600, 65535] {
        let error = AcceptError::Status { status };
        assert_eq!(server.reject(Rejection::new(status)), Err(error));
    }
    assert!(!server.wants_output(), "refused calls write nothing");
    assert_eq!(server.accept(Acceptance::new().subprotocol("chat")), Ok(()));
    assert_eq!(server.accept(Acceptance::new()), Err(AcceptError::NoRequest));
    assert_eq!(server.reject(Rejection::new(403)), Err(AcceptError::NoRequest));
}

/// RFC 9110 §15; clients ignore the reason phrase, which is for people.
#[test]
fn a_rejection_names_its_status() {
    for (status, phrase) in [
        (301, "Moved Permanently"),
        (302, "Found"),
        (303, "See Other"),
        (307, "Temporary Redirect"),
        (308, "Permanent Redirect"),
        (400, "Bad Request"),
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (404, "Not Found"),
        (405, "Method Not Allowed"),
        (410, "Gone"),
        (421, "Misdirected Request"),
        (429, "Too Many Requests"),
        (500, "Internal Server Error"),
        (501, "Not Implemented"),
        (502, "Bad Gateway"),
        (503, "Service Unavailable"),
        (504, "Gateway Timeout"),
        (599, ""),
    ] {
        let mut server = server(request(""));
        server.reject(Rejection::new(status)).unwrap();
        let answer = written(server.output());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} {phrase}\r\n")), "{answer}");
    }
}

#[test]
fn after_a_rejection_the_server_waits_for_the_end_of_the_stream() {
    let mut server = server(request(""));
    let now = Timestamp::from_secs(60);
    server.reject(Rejection::new(401).header("WWW-Authenticate", "Basic").body("who?")).unwrap();
    assert_eq!(server.failure(), Some(&HandshakeError::Rejected { status: 401 }));
    assert_eq!(server.transport(), Transport::KeepOpen);
    assert_eq!(
        written(server.output()),
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nConnection: close\r\n\
         Content-Length: 4\r\n\r\nwho?"
    );
    assert_eq!(server.transport(), Transport::ShutdownWrite);
    assert!(
        server.poll_timeout().unwrap() <= now,
        "the deadline starts when the clock is next advanced"
    );
    server.handle_timeout(now);
    assert_eq!(server.poll_timeout(), Some(now + Duration::from_secs(10)));
    server.handle_input(now, b"anything");
    assert_eq!(server.transport(), Transport::ShutdownWrite);
    server.handle_eof(now);
    assert_eq!(server.transport(), Transport::Close);
}
