//! Which requests are valid, and how invalid ones are answered.

use core::time::Duration;
use tidegate_core::handshake::{HandshakeError, Limits, ServerHandshake};

use crate::support::{T0, replaced, request, server, written};

#[test]
fn valid_requests_are_accepted() {
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
fn invalid_requests_are_refused_with_the_right_status() {
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
fn a_plain_http_request_is_answered_with_426() {
    let mut server = server("GET / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n");
    assert_eq!(
        written(server.output()),
        "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\n\
         Content-Type: text/plain; charset=utf-8\r\nConnection: close, Upgrade\r\n\
         Content-Length: 47\r\n\r\nthis is a WebSocket: Upgrade must be websocket\n"
    );
}

#[test]
fn the_limits_on_the_head_are_exact() {
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
