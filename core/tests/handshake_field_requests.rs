//! Requests of real clients, each with its report. The server refuses requests that could be read
//! in two ways, and accepts unusual ones that are unambiguous.
#![allow(clippy::unwrap_used)]

use tidegate_core::handshake::{
    Acceptance, ClientHandshake, ClientRequest, HandshakeError, Limits, Request, ServerHandshake,
};
use tidegate_core::{Config, Event, Message, Timestamp};

const T0: Timestamp = Timestamp::ZERO;

const LAST: &str = "Connection: Upgrade";

const HOST: &str = "Host: a.test";

/// The usual request with one piece of text replaced.
fn request(this: &str, by: &str) -> String {
    let head = "GET /chat HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\n\
                Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                Sec-WebSocket-Version: 13\r\n\r\n";
    assert!(head.contains(this), "{this:?}");
    head.replace(this, by)
}

/// The request or the failure of a server; whole and byte by byte must give the same result.
fn received(head: &str) -> Result<Request, HandshakeError> {
    let [whole, split] = [usize::MAX, 1].map(|length| {
        let mut server = ServerHandshake::new(T0, Limits::default());
        for piece in head.as_bytes().chunks(length) {
            server.handle_input(T0, piece);
        }
        match server.failure() {
            Some(failure) => Err(*failure),
            None => Ok(server.request().cloned().unwrap()),
        }
    });
    assert_eq!(whole, split);
    whole
}

/// The same with the types of the `http` crate.
#[cfg(feature = "http")]
fn upgraded(head: &str) -> Result<Request, HandshakeError> {
    use tidegate_core::handshake::HttpUpgrade;
    let mut lines = head.trim_end().split("\r\n");
    let target = lines.next().unwrap().split(' ').nth(1).unwrap();
    let mut request = http::Request::get(target);
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        let value = http::HeaderValue::from_bytes(value.trim().as_bytes()).unwrap();
        request = request.header(name, value);
    }
    let request = request.body(()).unwrap();
    HttpUpgrade::check(&request, None).map(|upgrade| upgrade.request().clone())
}

/// The common result of both, for a head that the types of `http` can represent.
fn both(head: &str) -> Result<Request, HandshakeError> {
    let request = received(head);
    #[cfg(feature = "http")]
    assert_eq!(upgraded(head).as_ref().map(Request::target), request.as_ref().map(Request::target));
    request
}

#[test]
fn requests_of_real_clients_are_accepted() {
    let cookie = format!("{HOST}\r\nCookie: {}", "c".repeat(12_000));
    let fields = format!("{HOST}{}", "\r\nX: y".repeat(30));
    for (source, this, by) in [
        ("request/request#3035, ninenines/gun#318: a Unix socket; socko#102", HOST, "Host:"),
        ("websocket-client#369", HOST, "Host: "),
        ("RFC 9112 §3.2.2", "/chat HTTP/1.1\r\nHost: a.test", "http://b.test/ HTTP/1.1\r\nHost:"),
        ("libwebsockets#244, SuperWebSocket#35", HOST, "Host: a\r\nSec-WebSocket-Extensions: "),
        ("RFC 9110 §5.6.1.2", HOST, "Host: a\r\nSec-WebSocket-Extensions: ,"),
        ("embedded-websocket#17", HOST, "Host: a\r\nSec-WebSocket-Protocol:"),
        ("RFC 9110 §5.6.1.2", HOST, "Host: a\r\nSec-WebSocket-Protocol: , ,"),
        ("WebSocketListener#84", HOST, "Host: a\r\nSec-WebSocket-Protocol: undefined"),
        ("python-websockets#1147", HOST, "Host: a\r\nSec-WebSocket-Protocol: ogmios.v1:compact"),
        ("ratchet#996", HOST, "Host: a\r\nConnection: keep-alive"),
        ("ILEvator#48", "/chat", "//chat"),
        ("nodejs-websocket#46", LAST, "Connection: keep-alive, Upgrade"),
        ("turms#1602, axum#76", LAST, "connection: Upgrade,Keep-Alive"),
        ("envoy#21990", HOST, "Host: a\r\nContent-Length: 0"),
        ("vernemq#2267, streamlit#15492, python-websockets#1239", HOST, &*cookie),
        ("tokio-websockets#42, autopush-rs#138", HOST, &*fields),
        ("python-websockets#1735, NyxID#513", HOST, "Host: a\r\nX-Name: J\u{fc}rgen"),
    ] {
        let request = both(&request(this, by));
        assert!(request.is_ok(), "{source}: {request:?}");
    }
}

#[test]
fn ambiguous_or_invalid_requests_are_refused() {
    use HandshakeError::{Body, Connection, Host, Malformed, Subprotocol, Upgrade};
    let line = Malformed { what: "header line" };
    let target = Malformed { what: "request target" };
    for (source, this, by, failure) in [
        ("envoy#3301", HOST, "Host: a\r\nTransfer-Encoding: chunked", Body),
        (
            "node refuses it; RFC 9112 §6.3",
            HOST,
            "Host: a\r\nContent-Length: 0\r\nContent-Length: 0",
            Body,
        ),
        ("arduinoWebSockets#487", HOST, "Host: ws://192.168.0.9:81/", Host),
        ("the same", HOST, "Host: /var/run/docker.sock", Host),
        ("RFC 9112 §3.2", HOST, "Host: user@a.test", Host),
        (
            "RFC 9112 §3.2, of an absolute target",
            "/chat HTTP/1.1\r\nHost: a.test",
            "http://a.test/ HTTP/1.1\r\nHost: a b",
            Host,
        ),
        ("nim-websock#32", "Host: a.test\r\n", "", Host),
        ("lbbrhzn/ocpp#1984: behind a proxy", "Upgrade: websocket\r\n", "", Upgrade),
        ("manaflow#1220, comet#581: behind a proxy", "Connection: Upgrade\r\n", "", Connection),
        ("RFC 6455 §4.1: blanks", HOST, "Host: a\r\nSec-WebSocket-Protocol: a b", Subprotocol),
    ] {
        assert_eq!(both(&request(this, by)), Err(failure), "{source}");
    }
    // What other types of requests cannot hold.
    for (source, this, by, failure) in [
        ("arduinoWebSockets#487", HOST, "Host: a\r\nX Y: z", line),
        ("python-websockets#832, mitmproxy#724", "/chat", "/\u{e9}", target),
        ("RFC 9112 §5.2", HOST, "Host: a\r\nX: y\r\n z", line),
        ("RFC 9112 §2.2", HOST, "Host: a\nX: y", Malformed { what: "LF without CR" }),
        ("RFC 9112 §5.1", HOST, "Host : a", line),
    ] {
        assert_eq!(received(&request(this, by)), Err(failure), "{source}");
    }
    let cookie = format!("{HOST}\r\nCookie: {}", "c".repeat(20_000));
    let failure = HandshakeError::TooLarge { setting: "max_head_bytes", limit: 16 * 1024 };
    assert_eq!(received(&request(HOST, &cookie)), Err(failure), "python-websockets#1239");
}

/// RFC 9112 §3.2: a client whose target has no host sends an empty `Host`.
#[test]
fn an_empty_host_is_allowed_and_an_absolute_target_replaces_it() {
    assert_eq!(both(&request(HOST, "Host:")).unwrap().host(), "");
    let absolute = request("/chat HTTP/1.1\r\nHost: a.test", "http://b.test/x HTTP/1.1\r\nHost:");
    let request = both(&absolute).unwrap();
    assert_eq!((request.host(), request.target()), ("b.test", "/x"));
}

#[test]
fn empty_lists_count_as_absent() {
    let empty = "Host: a\r\nSec-WebSocket-Protocol: \r\nSec-WebSocket-Extensions:";
    let request = both(&request(HOST, empty)).unwrap();
    assert_eq!(request.subprotocols().count(), 0);
    assert!(request.extensions().is_empty());
}

/// python-websockets#1147: Cardano's Ogmios. The client offers it, the server chooses it.
#[test]
fn a_subprotocol_may_have_any_visible_character_but_the_comma() {
    let visible: String = (0x21_u8..0x7f).map(char::from).filter(|name| *name != ',').collect();
    for name in ["ogmios.v1:compact", "http://a.test/proto", "\"quoted\"", &visible] {
        let request = ClientRequest::builder("a.test", "/").subprotocol(name).build().unwrap();
        let mut client = ClientHandshake::new(T0, request, Limits::default(), [7; 32]);
        let mut server = ServerHandshake::new(T0, Limits::default());
        server.handle_input(T0, client.output());
        let request = server.request().unwrap();
        assert_eq!(request.select_subprotocol(&["x", name]), Some(name));
        server.accept(Acceptance::new().subprotocol(name)).unwrap();
        client.handle_input(T0, server.output());
        assert_eq!(client.failure(), None);
        assert_eq!(client.response().unwrap().subprotocol(), Some(name));
    }
}

/// uWebSockets#213: the first frame in the packet of the request.
#[test]
fn a_frame_in_the_packet_of_the_request_is_received() {
    let input = [request(HOST, HOST).as_bytes(), b"\x81\x85\0\0\0\0Hello"].concat();
    let mut server = ServerHandshake::new(T0, Limits::default());
    server.handle_input(T0, &input);
    server.accept(Acceptance::new()).unwrap();
    let mut connection = server.into_connection(T0, Config::default()).unwrap();
    assert_eq!(connection.poll_event(), Some(Event::Message(Message::text("Hello"))));
}

fn server_of(input: impl AsRef<[u8]>) -> ServerHandshake {
    let mut server = ServerHandshake::new(T0, Limits::default());
    server.handle_input(T0, input.as_ref());
    server
}

fn written(output: &[u8]) -> &str {
    core::str::from_utf8(output).unwrap()
}

#[test]
fn another_protocol_fails_before_any_head_is_complete() {
    for (input, seen) in [
        ("SSH-2.0-OpenSSH_9.0\r\n", "\"SSH-2.0-OpenSSH_9.0\""),
        ("EHLO a\r\n", "\"EHLO\""),
        // Only the first word, since the rest may be secret.
        ("PASS hunter2\r\n", "\"PASS\""),
        (
            "{\"id\":\"0123456789012345678901234567890123456789\"}\n",
            r#""{\"id\":\"01234567890123456""#,
        ),
        ("hi\n", "\"hi\""),
        ("\x10\x0c", "\"\\x10\""),
    ] {
        let mut server = server_of(input);
        let failure = *server.failure().unwrap();
        assert!(matches!(failure, HandshakeError::NotHttp { .. }), "{input:?}: {failure:?}");
        let words = format!("the peer does not speak HTTP: it began with {seen}");
        assert_eq!(failure.to_string(), words);
        assert!(written(server.output()).starts_with("HTTP/1.1 400 Bad Request\r\n"));
    }
    let mut server = server_of("GET /\r\n");
    assert_eq!(server.failure(), Some(&HandshakeError::Malformed { what: "request line" }));
    assert!(written(server.output()).starts_with("HTTP/1.1 400 Bad Request\r\n"));
}

/// As aiohttp says "received HTTPS traffic on an HTTP port"; tokio-tungstenite#319, ws-rs#45.
#[test]
fn the_error_says_that_a_client_speaks_tls() {
    for hello in [&b"\x16\x03\x01\x02\0\x01"[..], b"\x16\x03", b"\x15\x03\x03"] {
        let mut server = server_of(hello);
        assert_eq!(server.failure(), Some(&HandshakeError::TlsClient));
        let words = server.failure().unwrap().to_string();
        assert!(words.contains("TLS on a plain port"), "{words}");
        assert!(written(server.output()).starts_with("HTTP/1.1 400 Bad Request\r\n"));
    }
}
