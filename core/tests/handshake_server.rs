//! The server's side of the opening handshake: each rule by a literal head.
#![allow(clippy::unwrap_used)]

use core::time::Duration;

use bytes::Buf;
use tidegate_core::handshake::{
    AcceptError, Acceptance, HandshakeError, HeaderError, Limits, Rejection, ServerHandshake,
};
use tidegate_core::{Closed, Config, Event, Failure, Message, Timestamp, Transport};

const T0: Timestamp = Timestamp::ZERO;

/// The request of RFC 6455 §1.3, with these lines behind its own.
fn request(more: &str) -> String {
    format!(
        "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\n{more}\r\n"
    )
}

/// The same with one line replaced; an empty line is left out.
fn replaced(line: &str, by: &str) -> String {
    let by = if by.is_empty() { String::new() } else { format!("{by}\r\n") };
    let head = request("");
    let line = format!("{line}\r\n");
    assert!(head.contains(&line), "{line}");
    head.replace(&line, &by)
}

fn server(input: impl AsRef<[u8]>) -> ServerHandshake {
    let mut server = ServerHandshake::new(T0, Limits::default());
    server.handle_input(T0, input.as_ref());
    server
}

fn written(output: &mut impl Buf) -> String {
    let bytes = output.copy_to_bytes(output.remaining());
    String::from_utf8(bytes.into()).unwrap()
}

#[test]
fn the_example_of_the_rfc_becomes_a_connection() {
    let head = request("Origin: http://example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n");
    let mut server = server(head);
    assert!(!server.wants_input() && !server.wants_output());
    assert_eq!(server.poll_timeout(), None, "the application takes its time");

    let request = server.request().unwrap();
    assert!(
        !request.headers().is_empty() && Limits::default().max_headers() >= request.headers().len()
    );
    assert_eq!(request.target(), "/chat");
    assert_eq!(request.host(), "server.example.com");
    assert_eq!(request.origin(), Some("http://example.com"));
    assert_eq!(request.subprotocols().collect::<Vec<_>>(), ["chat", "superchat"]);
    assert_eq!(request.select_subprotocol(&["superchat", "chat"]), Some("chat"), "its preference");
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
    assert_eq!(server.poll_timeout(), None, "it is written");
    assert!(server.into_connection(T0, Config::default()).is_ok());
}

#[test]
fn requests_that_are_valid() {
    for (line, by) in [
        ("Upgrade: websocket", "uPGRADE:\t WebSocket \t"),
        ("Upgrade: websocket", "Upgrade: h2c, websocket"),
        ("Upgrade: websocket", "Upgrade: h2c\r\nUpgrade: websocket"),
        ("Connection: Upgrade", "connection: keep-alive , UPGRADE"),
        ("Connection: Upgrade", "Connection: ,upgrade,"),
        ("Connection: Upgrade", "Connection: Upgrade\r\nConnection: keep-alive"),
        ("Host: server.example.com", "Host:[::1]:8080"),
        ("Host: server.example.com", "Content-Length: 0\r\nHost: a"),
        ("Host: server.example.com", "Host: a\r\nX-Empty:\r\nX-Text: \u{e9}"),
        ("Host: server.example.com", "Host: a\r\nSec-WebSocket-Protocol: ,a , b,"),
        ("Host: server.example.com", "Host: a\r\nSec-WebSocket-Extensions: a; b=\"c\" ,d"),
        ("GET /chat HTTP/1.1", "\r\nGET /chat HTTP/1.1"),
        ("GET /chat HTTP/1.1", "GET http://server.example.com/chat HTTP/1.1"),
    ] {
        let server = server(replaced(line, by));
        assert_eq!(server.failure(), None, "{by}");
        assert_eq!(server.request().unwrap().target(), "/chat", "{by}");
    }
}

#[test]
fn an_absolute_target_names_the_host() {
    let server = server(replaced("GET /chat HTTP/1.1", "GET http://b.test:81?x=1?2 HTTP/1.1"));
    let request = server.request().unwrap();
    assert_eq!((request.target(), request.path()), ("/?x=1?2", "/"));
    assert_eq!((request.query(), request.host()), (Some("x=1?2"), "b.test:81"));
}

#[test]
fn requests_that_are_not_valid_and_their_answers() {
    use HandshakeError::{
        Body, Connection, Extensions, Host, HttpVersion, Key, Method, Subprotocol, Upgrade, Version,
    };
    let host = "Host: server.example.com";
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    for (line, by, status, failure, header) in [
        ("GET /chat HTTP/1.1", "GET /chat HTTP/1.0", 505, HttpVersion, ""),
        ("GET /chat HTTP/1.1", "POST /chat HTTP/1.1", 405, Method, "Allow: GET"),
        (host, "", 400, Host, ""),
        (host, "Host: a\r\nHost: a", 400, Host, ""),
        (host, "Host: a, b", 400, Host, ""),
        (host, "Host: [::1", 400, Host, ""),
        (host, "Host: [::1]x", 400, Host, ""),
        (host, "Host: [::/]", 400, Host, ""),
        (host, "Host: []", 400, Host, ""),
        (host, "Host: a:b", 400, Host, ""),
        (host, "Host: a\r\nContent-Length: 1", 400, Body, ""),
        (host, "Host: a\r\nContent-Length: 0\r\nContent-Length: 1", 400, Body, ""),
        (host, "Host: a\r\nContent-Length: 0\r\nContent-Length: 0", 400, Body, ""),
        (host, "Host: a\r\nContent-Length: 0, 0", 400, Body, ""),
        (host, "Host: a\r\nContent-Length:", 400, Body, ""),
        (host, "Host: a\r\nContent-Length: x", 400, Body, ""),
        (host, "Host: a\r\nTransfer-Encoding: identity", 400, Body, ""),
        ("Upgrade: websocket", "", 426, Upgrade, "Upgrade: websocket"),
        ("Upgrade: websocket", "Upgrade: websocket2", 426, Upgrade, "Upgrade: websocket"),
        ("Connection: Upgrade", "", 426, Connection, "Upgrade: websocket"),
        ("Connection: Upgrade", "Connection: xupgrade", 426, Connection, "Upgrade: websocket"),
        ("Sec-WebSocket-Version: 13", "", 426, Version, "Sec-WebSocket-Version: 13"),
        (
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Version: 8",
            426,
            Version,
            "Sec-WebSocket-Version: 13",
        ),
        (host, "Host: a\r\nSec-WebSocket-Version: 13", 426, Version, "Upgrade: websocket"),
        (key, "", 400, Key, ""),
        (key, "Sec-WebSocket-Key: eHh4eHh4eHh4eHh4eHh4", 400, Key, ""),
        (host, "Host: a\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", 400, Key, ""),
        (host, "Host: a\r\nSec-WebSocket-Protocol: a b", 400, Subprotocol, ""),
        (host, "Host: a\r\nSec-WebSocket-Protocol: \u{e9}", 400, Subprotocol, ""),
        (host, "Host: a\r\nSec-WebSocket-Extensions: a;;b", 400, Extensions, ""),
        (host, "Host: a\r\nSec-WebSocket-Extensions: a b", 400, Extensions, ""),
    ] {
        let mut server = server(replaced(line, by));
        assert_eq!(server.failure(), Some(&failure), "{by}");
        assert!(server.request().is_none() && !server.is_accepted());
        let answer = written(server.output());
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{by}: {head}");
        assert!(head.lines().any(|line| line.starts_with("Connection: close")), "{by}: {head}");
        assert!(header.is_empty() || head.lines().any(|line| line == header), "{by}: {head}");
        let length = format!("Content-Length: {}", body.len());
        assert!(body.len() > 10 && head.lines().any(|line| line == length), "{by}: {answer}");
    }
}

#[test]
fn a_browser_that_comes_without_upgrading_learns_what_is_here() {
    let mut server = server("GET / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n");
    assert_eq!(
        written(server.output()),
        "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\n\
         Content-Type: text/plain; charset=utf-8\r\nConnection: close, Upgrade\r\n\
         Content-Length: 47\r\n\r\nthis is a WebSocket: Upgrade must be websocket\n"
    );
}

#[test]
fn limits() {
    let limits = Limits::builder().max_headers(6).build().unwrap();
    let mut server = ServerHandshake::new(T0, limits.clone());
    server.handle_input(T0, request("X: 1\r\n").as_bytes());
    assert!(server.request().is_some());

    let mut server = ServerHandshake::new(T0, limits);
    server.handle_input(T0, request("X: 1\r\nX: 2\r\n").as_bytes());
    let failure = HandshakeError::TooLarge { setting: "max_headers", limit: 6 };
    assert_eq!(server.failure(), Some(&failure));
    assert!(written(server.output()).starts_with("HTTP/1.1 431 "));

    let limits = Limits::builder().max_head_bytes(request("").len()).build().unwrap();
    let mut server = ServerHandshake::new(T0, limits.clone());
    server.handle_input(T0, request("").as_bytes());
    server.handle_input(T0, b"frames do not count");
    assert!(server.request().is_some());

    let mut server = ServerHandshake::new(T0, limits.clone());
    server.handle_input(T0, request("X:\r\n").as_bytes());
    let failure =
        HandshakeError::TooLarge { setting: "max_head_bytes", limit: limits.max_head_bytes() };
    assert_eq!(server.failure(), Some(&failure));
    assert_eq!(
        failure.to_string(),
        format!("the head is too large: max_head_bytes is {}", limits.max_head_bytes())
    );

    assert!(Limits::builder().max_head_bytes(0).build().is_err());
    assert!(Limits::builder().max_headers(0).build().is_err());
    assert!(Limits::builder().timeout(Duration::ZERO).build().is_err());
}

#[test]
fn frames_behind_the_head_and_the_rest_of_the_answer_go_to_the_connection() {
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
fn the_end_of_the_stream_behind_the_head_ends_the_connection() {
    let mut server = server(request(""));
    server.handle_eof(T0);
    assert_eq!(server.failure(), None);
    server.accept(Acceptance::new()).unwrap();
    let mut connection = server.into_connection(T0, Config::default()).unwrap();
    let Some(Event::Closed(closed)) = connection.poll_event() else { panic!("it is over") };
    assert_eq!(Closed::failure(&closed), Some(Failure::EndOfStream));
}

#[test]
fn only_an_accepted_request_becomes_a_connection() {
    let server = server(request("")).into_connection(T0, Config::default()).unwrap_err();
    assert!(server.request().is_some(), "it comes back as it was");
}

#[test]
fn an_answer_cannot_be_split_or_contradict_the_handshake() {
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
    assert!(!server.wants_output(), "nothing of all that was sent");
    assert_eq!(server.accept(Acceptance::new().subprotocol("chat")), Ok(()));
    assert_eq!(server.accept(Acceptance::new()), Err(AcceptError::NoRequest));
    assert_eq!(server.reject(Rejection::new(403)), Err(AcceptError::NoRequest));
}

/// RFC 9110 §15; nothing depends on the phrase, which is for people.
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
fn a_rejection_is_written_then_the_end_is_awaited() {
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
    assert!(server.poll_timeout().unwrap() <= now, "the deadline begins with the next known time");
    server.handle_timeout(now);
    assert_eq!(server.poll_timeout(), Some(now + Duration::from_secs(10)));
    server.handle_input(now, b"anything");
    assert_eq!(server.transport(), Transport::ShutdownWrite);
    server.handle_eof(now);
    assert_eq!(server.transport(), Transport::Close);
}

#[test]
fn a_refusal_that_the_peer_does_not_take_is_cut() {
    let mut server = server("\n");
    assert_eq!(server.transport(), Transport::KeepOpen);
    for _ in ["the limit", "a last look"] {
        server.handle_timeout(server.poll_timeout().unwrap());
    }
    assert_eq!(server.transport(), Transport::Close);
    assert!(!server.wants_output());
    assert!(matches!(server.failure(), Some(HandshakeError::Malformed { .. })));
    assert_eq!(server.poll_timeout(), None);
}

#[test]
fn a_request_that_takes_too_long_is_answered() {
    let mut server = server("GET / HTTP/1.1\r\n");
    let end = T0 + Duration::from_secs(10);
    assert_eq!(server.poll_timeout(), Some(end));
    server.handle_timeout(Timestamp::from_millis(9_999));
    assert_eq!(server.failure(), None);
    server.handle_timeout(end);
    assert_eq!(server.failure(), None, "a last look: the rest may be there");
    server.handle_timeout(server.poll_timeout().unwrap());
    assert_eq!(server.failure(), Some(&HandshakeError::Timeout));
    assert!(written(server.output()).starts_with("HTTP/1.1 408 Request Timeout\r\n"));
    assert_eq!(server.transport(), Transport::ShutdownWrite);
    for _ in ["the limit", "a last look"] {
        server.handle_timeout(server.poll_timeout().unwrap());
    }
    assert_eq!(server.transport(), Transport::Close);
}

#[test]
fn an_acceptance_that_the_peer_does_not_take_is_cut() {
    let mut server = server(request(""));
    let late = Timestamp::from_secs(99);
    server.handle_timeout(late);
    assert_eq!(server.failure(), None, "the application takes its time");
    server.accept(Acceptance::new()).unwrap();
    server.handle_timeout(late);
    let end = server.poll_timeout().unwrap();
    assert_eq!(end, late + Duration::from_secs(10));
    server.handle_timeout(end);
    assert_eq!(server.failure(), None, "a last look: it may have been taken");
    server.handle_timeout(server.poll_timeout().unwrap());
    assert_eq!(server.failure(), Some(&HandshakeError::Timeout));
    assert_eq!(server.transport(), Transport::Close);
    assert!(server.into_connection(end, Config::default()).is_err());
}

#[test]
fn the_end_of_the_stream_before_the_end_of_the_head() {
    for input in ["", "GET / HTTP/1.1\r\n", request("").strip_suffix('\n').unwrap()] {
        let mut server = server(input);
        server.handle_eof(T0);
        assert_eq!(server.failure(), Some(&HandshakeError::EndOfStream), "{input:?}");
        assert_eq!(server.transport(), Transport::Close);
        assert!(!server.wants_output() && !server.wants_input());
        server.handle_input(T0, b"\n");
        assert!(server.request().is_none(), "nothing comes behind the end");
    }
}

#[test]
fn without_a_timeout_nothing_is_due() {
    let limits = Limits::builder().timeout(None).build().unwrap();
    let mut server = ServerHandshake::new(T0, limits);
    assert_eq!(server.poll_timeout(), None);
    server.handle_timeout(Timestamp::MAX);
    assert_eq!(server.failure(), None);
}

/// A client that was refused has time to read why, and does not keep us reading.
#[test]
fn what_comes_after_a_refusal_ends_after_a_megabyte() {
    let mut server = server("\n");
    let written = server.output().len();
    server.output().advance(written);
    let (flood, mut taken) = (vec![b'x'; 65_536], 0);
    while server.transport() == Transport::ShutdownWrite {
        server.handle_input(T0, &flood);
        taken += flood.len();
        assert!(taken <= 1024 * 1024, "read for ever");
    }
    assert_eq!(server.transport(), Transport::Close);
}
