//! The client's side of the opening handshake: each rule is tested with a literal response.
#![allow(clippy::unwrap_used)]

use core::time::Duration;

use bytes::Buf;
use tidegate_core::handshake::{
    Acceptance, ClientHandshake, ClientRequest, HandshakeError, HeaderError, Limits, RequestError,
    ServerHandshake,
};
use tidegate_core::{Config, Event, Message, Timestamp, Transport};

const T0: Timestamp = Timestamp::ZERO;

fn written(output: &mut impl Buf) -> Vec<u8> {
    output.copy_to_bytes(output.remaining()).into()
}

fn offer() -> ClientRequest {
    ClientRequest::builder("server.example.com", "/chat?x=1")
        .subprotocol("chat")
        .subprotocol("superchat")
        .build()
        .unwrap()
}

/// A client that has sent its request, and the accept value that fits it.
fn client() -> (ClientHandshake, String) {
    client_with(Limits::default())
}

fn client_with(limits: Limits) -> (ClientHandshake, String) {
    let mut client = ClientHandshake::new(T0, offer(), limits, [7; 32]);
    let request = written(client.output());
    let mut server = ServerHandshake::new(T0, Limits::default());
    server.handle_input(T0, &request);
    server.accept(Acceptance::new()).unwrap();
    let answer = String::from_utf8(written(server.output())).unwrap();
    let accept = answer.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Accept: "));
    (client, accept.unwrap().into())
}

/// The response of RFC 6455 §4.2.2, with `more` lines after its own.
fn answer(accept: &str, more: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{more}\r\n"
    )
}

#[test]
fn the_request() {
    let request = offer().to_builder().origin("https://a.test").header("Cookie", "a=b; c");
    let request = request.build().unwrap();
    let mut client = ClientHandshake::new(T0, request, Limits::default(), [7; 32]);
    assert!(client.wants_output() && client.wants_input());
    let request = String::from_utf8(written(client.output())).unwrap();
    let (before, rest) = request.split_once("Sec-WebSocket-Key: ").unwrap();
    let (key, after) = rest.split_once("\r\n").unwrap();
    assert_eq!(
        before,
        "GET /chat?x=1 HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\n"
    );
    assert_eq!(
        after,
        "Sec-WebSocket-Version: 13\r\nOrigin: https://a.test\r\n\
         Sec-WebSocket-Protocol: chat, superchat\r\nCookie: a=b; c\r\n\r\n"
    );
    assert!(key.len() == 24 && key.ends_with("=="), "{key}");

    let mut other = ClientHandshake::new(T0, offer(), Limits::default(), [8; 32]);
    let other = String::from_utf8(written(other.output())).unwrap();
    assert!(!other.contains(key), "another seed, another key");
}

#[test]
fn request_headers_cannot_inject_lines_or_contradict_the_handshake() {
    for host in ["", "a b", "a/b", "a\r\nX: y", "a\0", "u@a", "a:b", "\u{e9}", "a?b"] {
        assert_eq!(ClientRequest::new(host, "/"), Err(RequestError::Host), "{host:?}");
    }
    for target in ["", "chat", "*", "/a b", "/a\r\nX: y", "/\u{e9}", "/a#b", "/\t", "http://a/"] {
        assert_eq!(ClientRequest::new("a", target), Err(RequestError::Target), "{target:?}");
    }
    for name in ["", "a b", "a,b", "a\r\nX: y", "\u{e9}", "a\t", "a\x7f"] {
        let request = offer().to_builder().subprotocol(name).build();
        assert_eq!(request, Err(RequestError::Subprotocol), "{name:?}");
    }
    let twice = offer().to_builder().subprotocol("chat").build();
    assert_eq!(twice, Err(RequestError::DuplicateSubprotocol));
    for origin in ["", "a b", "a\r\nX: y"] {
        let request = offer().to_builder().origin(origin).build();
        assert_eq!(request, Err(RequestError::Origin), "{origin:?}");
    }
    for (name, value, error) in [
        ("X", "a\r\nY: b", HeaderError::Value),
        ("X", "a\n", HeaderError::Value),
        ("X\r\nY", "a", HeaderError::Name),
        ("X Y", "a", HeaderError::Name),
        ("host", "a", HeaderError::Reserved),
        ("Origin", "a", HeaderError::Reserved),
        ("UPGRADE", "a", HeaderError::Reserved),
        ("Connection", "a", HeaderError::Reserved),
        ("Content-Length", "5", HeaderError::Reserved),
        ("Transfer-Encoding", "chunked", HeaderError::Reserved),
        ("sec-websocket-key", "a", HeaderError::Reserved),
        ("Sec-WebSocket-Extensions", "a", HeaderError::Reserved),
    ] {
        let added = offer().to_builder().header(name, value).build();
        assert_eq!(added, Err(RequestError::Header(error)), "{name:?}: {value:?}");
    }
}

#[test]
fn frames_after_the_101_response_move_to_the_connection() {
    let (mut client, accept) = client();
    let mut input = answer(&accept, "Sec-WebSocket-Protocol: superchat\r\n").into_bytes();
    input.extend_from_slice(b"\x81\x05Hel");
    client.handle_input(T0, &input);
    client.handle_input(T0, b"lo");
    assert!(client.is_open() && !client.wants_input() && client.poll_timeout().is_none());
    let response = client.response().unwrap();
    assert_eq!((response.status(), response.reason()), (101, "Switching Protocols"));
    assert_eq!(response.subprotocol(), Some("superchat"));

    let mut connection = client.into_connection(T0, Config::default()).unwrap();
    assert_eq!(connection.poll_event(), Some(Event::Message(Message::text("Hello"))));
    connection.send("a").unwrap();
    assert_eq!(written(connection.output())[..2], *b"\x81\x81", "masked");
}

#[test]
fn valid_responses_are_accepted() {
    for (line, by) in [
        ("Upgrade: websocket", "uPGRADE: WebSocket"),
        ("Connection: Upgrade", "connection:keep-alive,UPGRADE\t"),
        ("HTTP/1.1 101 Switching Protocols", "HTTP/1.1 101 "),
        ("HTTP/1.1 101 Switching Protocols", "HTTP/1.1 101 Prot\u{e9}g\u{e9}"),
        (
            "HTTP/1.1 101 Switching Protocols",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n\
             HTTP/1.1 101 Switching Protocols",
        ),
        ("Connection: Upgrade", "Connection: Upgrade\r\nSec-WebSocket-Protocol: chat"),
    ] {
        let (mut client, accept) = client();
        client.handle_input(T0, answer(&accept, "").replace(line, by).as_bytes());
        assert_eq!(client.failure(), None, "{by}");
        assert!(client.is_open(), "{by}");
    }
}

/// Later input, the end of the stream and the clock do not change it.
#[test]
fn the_first_failure_is_kept() {
    let (mut client, _) = client();
    client.handle_input(T0, b"SSH-2.0-tide\r\n\r\n");
    let failure = client.failure().copied().unwrap();
    let later = T0 + Duration::from_secs(3600);
    client.handle_input(T0, b"HTTP/1.1 101 Switching Protocols\r\n\r\n");
    client.handle_timeout(later);
    client.handle_eof(later);
    client.handle_input(later, b"more");
    assert_eq!(client.failure(), Some(&failure));
    assert!(client.response().is_none() && !client.is_open() && !client.wants_input());
    assert!(client.into_connection(later, Config::default()).is_err());
}

/// After a complete head, time limits and the end of the stream are up to the connection.
#[test]
fn an_open_handshake_does_not_time_out() {
    let (mut client, accept) = client();
    client.handle_input(T0, answer(&accept, "").as_bytes());
    let later = T0 + Duration::from_secs(3600);
    client.handle_timeout(later);
    client.handle_eof(later);
    assert!(client.is_open() && client.failure().is_none());
    let mut connection = client.into_connection(later, Config::default()).unwrap();
    assert!(
        matches!(connection.poll_event(), Some(Event::Closed(_))),
        "the connection was told the end of the stream"
    );
}

#[test]
fn invalid_responses_are_refused() {
    use HandshakeError::{Accept, Connection, Extensions, HttpVersion, Subprotocol, Upgrade};
    let ok = "Connection: Upgrade";
    for (line, by, failure) in [
        ("HTTP/1.1 101", "HTTP/2.0 101", HttpVersion),
        ("HTTP/1.1 101", "HTTP/0.9 101", HttpVersion),
        ("Upgrade: websocket\r\n", "", Upgrade),
        ("Upgrade: websocket", "Upgrade: websockets", Upgrade),
        ("Upgrade: websocket", "Upgrade: websocket, h2c", Upgrade),
        ("Upgrade: websocket", "Upgrade: h2c, websocket", Upgrade),
        ("Connection: Upgrade\r\n", "", Connection),
        (ok, "Connection: close", Connection),
        ("Sec-WebSocket-Accept", "X", Accept),
        ("Sec-WebSocket-Accept: ", "Sec-WebSocket-Accept: x", Accept),
        ("=\r\n", "=,\r\n", Accept),
        ("=\r\n", "\r\n", Accept),
        (ok, "Connection: Upgrade\r\nSec-WebSocket-Accept:", Accept),
        (ok, "Connection: Upgrade\r\nSec-WebSocket-Extensions: permessage-deflate", Extensions),
        (ok, "Connection: Upgrade\r\nSec-WebSocket-Extensions:", Extensions),
        (ok, "Connection: Upgrade\r\nSec-WebSocket-Protocol: mqtt", Subprotocol),
        (ok, "Connection: Upgrade\r\nSec-WebSocket-Protocol: Chat", Subprotocol),
        (ok, "Connection: Upgrade\r\nSec-WebSocket-Protocol:", Subprotocol),
        (ok, "Connection: Upgrade\r\nSec-WebSocket-Protocol: chat, superchat", Subprotocol),
        (
            ok,
            "Connection: Upgrade\r\nSec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat",
            Subprotocol,
        ),
    ] {
        let (mut client, accept) = client();
        let head = answer(&accept, "").replace(line, by);
        assert_ne!(head, answer(&accept, ""));
        client.handle_input(T0, head.as_bytes());
        assert_eq!(client.failure(), Some(&failure), "{by}");
        assert!(!client.is_open() && !client.wants_input() && !client.wants_output());
        assert_eq!(client.transport(), Transport::Close);
        assert!(client.into_connection(T0, Config::default()).is_err());
    }
}

#[test]
fn a_response_that_is_not_http_fails_at_the_invalid_byte() {
    for input in ["HTTP/1.1 1O1 x\r\n", "HTTP/11 101 x\r\n", "HTTP/1.1 101 x\r\nX Y: z\r\n"] {
        let (mut client, _) = client();
        client.handle_input(T0, input.as_bytes());
        let failure = *client.failure().unwrap();
        assert!(matches!(failure, HandshakeError::Malformed { .. }), "{input:?}: {failure:?}");
        assert_eq!(client.transport(), Transport::Close);
    }
}

/// In other libraries the error does not name the protocol: tokio-tungstenite#319, noVNC#576.
#[test]
fn the_error_names_another_protocol_by_its_first_bytes() {
    for (input, seen) in [
        ("RFB 003.008\n", "\"RFB 003.008\""),
        ("SSH-2.0-OpenSSH_9.0\r\n", "\"SSH-2.0-OpenSSH_9.0\""),
        ("220 mail.example.org ESMTP Postfix (Debian)", "\"220 mail.example.org ESM\""),
        ("ICY 200 OK\r\n", "\"ICY 200 OK\""),
        (" HTTP/1.1 101 x\r\n", "\" HTTP/1.1 101 x\""),
        ("\x05", "\"\\x05\""),
        ("\x16a", "\"\\x16a\""),
        ("a\x1b[31m", "\"a\\x1b\""),
        ("H\n", "\"H\""),
        ("\u{e9}\n", "\"\\xc3\\xa9\""),
    ] {
        let (mut whole, _) = client();
        whole.handle_input(T0, input.as_bytes());
        let (mut split, _) = client();
        for byte in input.bytes() {
            split.handle_input(T0, &[byte]);
        }
        for client in [whole, split] {
            let failure = *client.failure().unwrap();
            assert!(matches!(failure, HandshakeError::NotHttp { .. }), "{input:?}: {failure:?}");
            let words = format!("the peer does not speak HTTP: it began with {seen}");
            assert_eq!(failure.to_string(), words);
            assert_eq!(client.transport(), Transport::Close);
        }
    }
    // A greeting without an end, which waits for an answer.
    for is_end in [true, false] {
        let (mut client, _) = client();
        client.handle_input(T0, b"* OK IMAP4");
        assert_eq!(client.failure(), None);
        if is_end {
            client.handle_eof(T0);
        } else {
            // The limit, and a last look.
            client.handle_timeout(Timestamp::from_secs(10));
            client.handle_timeout(client.poll_timeout().unwrap());
        }
        assert!(matches!(client.failure(), Some(HandshakeError::NotHttp { .. })));
    }
    for (input, failure) in
        [("", HandshakeError::EndOfStream), ("HTT", HandshakeError::EndOfStream)]
    {
        let (mut client, _) = client();
        client.handle_input(T0, input.as_bytes());
        client.handle_eof(T0);
        assert_eq!(client.failure(), Some(&failure));
    }
}

/// RFC 8446 §5.1: an alert is 0x15, a handshake record 0x16; the version is 3.x.
#[test]
fn the_error_says_that_the_server_speaks_tls() {
    for input in [&b"\x15\x03\x01\x00\x02\x02\x46"[..], b"\x16\x03", b"\x15\x03\x03\0\x02\x02\x0a"]
    {
        let (mut client, _) = client();
        client.handle_input(T0, &input[..1]);
        assert_eq!(client.failure(), None);
        client.handle_input(T0, &input[1..]);
        assert_eq!(client.failure(), Some(&HandshakeError::TlsServer));
        assert_eq!(client.failure().unwrap().to_string(), "the server speaks TLS: use wss://");
    }
}

#[test]
fn a_refusal_is_known_at_once_and_its_body_may_still_be_read() {
    let (mut client, _) = client();
    client
        .handle_input(T0, b"HTTP/1.1 403 Go Away\r\nContent-Length: 5\r\nRetry-After: 9\r\n\r\nab");
    assert_eq!(client.failure(), Some(&HandshakeError::Status { status: 403 }));
    assert!(client.wants_input(), "three bytes are missing");
    assert_eq!(client.transport(), Transport::KeepOpen);
    let response = client.response().unwrap();
    assert_eq!(
        (response.status(), response.reason(), response.body()),
        (403, "Go Away", &b"ab"[..])
    );
    assert_eq!(response.headers().get("retry-after"), Some("9"));
    client.handle_input(T0, b"cdefg");
    assert_eq!(client.response().unwrap().body(), b"abcde");
    assert!(!client.wants_input() && client.poll_timeout().is_none());
    assert_eq!(client.transport(), Transport::Close);
}

#[test]
fn the_body_of_a_refusal_ends_with_the_stream_the_limit_or_the_timeout() {
    let refusal = b"HTTP/1.1 500 \r\n\r\nabc";
    let (mut ended, _) = client();
    ended.handle_input(T0, refusal);
    assert!(ended.wants_input());
    ended.handle_eof(T0);
    assert!(!ended.wants_input());

    let (mut limited, _) = client_with(Limits::builder().max_body_bytes(4).build().unwrap());
    limited.handle_input(T0, refusal);
    assert!(limited.wants_input());
    limited.handle_input(T0, b"defghi");
    assert!(!limited.wants_input());
    assert_eq!(limited.response().unwrap().body(), b"abcd");

    let (mut late, _) = client();
    late.handle_input(T0, refusal);
    for _ in ["the limit", "a last look"] {
        late.handle_timeout(late.poll_timeout().unwrap());
    }
    assert!(!late.wants_input());

    for client in [ended, limited, late] {
        assert_eq!(client.transport(), Transport::Close);
        assert_eq!(client.failure(), Some(&HandshakeError::Status { status: 500 }));
        assert_eq!(client.poll_timeout(), None);
    }
}

#[test]
fn interim_responses_count_for_the_same_limits() {
    let (mut client, _) = client_with(Limits::builder().max_head_bytes(100).build().unwrap());
    for _ in 0..4 {
        client.handle_input(T0, b"HTTP/1.1 100 \r\n\r\n");
    }
    assert_eq!(client.failure(), None);
    assert!(client.response().is_none());
    for _ in 0..3 {
        client.handle_input(T0, b"HTTP/1.1 100 \r\n\r\n");
    }
    let failure = HandshakeError::TooLarge { setting: "max_head_bytes", limit: 100 };
    assert_eq!(client.failure(), Some(&failure));
}

#[test]
fn the_handshake_fails_at_the_end_of_the_stream_and_at_the_timeout() {
    let (mut client, accept) = client();
    client.handle_input(T0, answer(&accept, "").strip_suffix('\n').unwrap().as_bytes());
    client.handle_eof(T0);
    assert_eq!(client.failure(), Some(&HandshakeError::EndOfStream));

    let mut client = ClientHandshake::new(T0, offer(), Limits::default(), [7; 32]);
    let end = client.poll_timeout().unwrap();
    assert_eq!(end, T0 + Duration::from_secs(10));
    client.handle_timeout(end);
    assert_eq!(client.failure(), None, "a last look: the answer may be there");
    client.handle_timeout(client.poll_timeout().unwrap());
    assert_eq!(client.failure(), Some(&HandshakeError::Timeout));
    assert!(!client.wants_output(), "nothing more is written");
    assert_eq!(client.transport(), Transport::Close);
}
