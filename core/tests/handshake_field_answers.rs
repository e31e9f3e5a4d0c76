//! Responses of real servers, each with its report. The client accepts those that browsers accept.
#![allow(clippy::unwrap_used)]

use bytes::Buf;
use tidegate_core::handshake::{
    Acceptance, ClientHandshake, ClientRequest, HandshakeError, Limits, ServerHandshake,
};
use tidegate_core::{Config, Connection, Event, Message, Timestamp};

const T0: Timestamp = Timestamp::ZERO;

/// A client that received this response; whole and byte by byte must give the same result.
fn asked(subprotocols: &[&str], answer: impl Fn(&str) -> Vec<u8>) -> ClientHandshake {
    let limits = Limits::default();
    let [whole, split] = [usize::MAX, 1].map(|length| {
        let mut builder = ClientRequest::builder("a.test", "/");
        for name in subprotocols {
            builder = builder.subprotocol(*name);
        }
        let request = builder.build().unwrap();
        let mut client = ClientHandshake::new(T0, request, limits.clone(), [7; 32]);
        let answer = answer(&accept_of(client.output()));
        for piece in answer.chunks(length) {
            client.handle_input(T0, piece);
        }
        client
    });
    assert_eq!(whole.failure(), split.failure());
    assert_eq!(whole.is_open(), split.is_open());
    split
}

/// The `Sec-WebSocket-Accept` value for a request.
fn accept_of(request: &mut impl Buf) -> String {
    let mut server = ServerHandshake::new(T0, Limits::default());
    server.handle_input(T0, &request.copy_to_bytes(request.remaining()));
    server.accept(Acceptance::new()).unwrap();
    let answer = String::from_utf8(server.output().to_vec()).unwrap();
    let accept = answer.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Accept: "));
    accept.unwrap().into()
}

/// The usual response with one piece of text replaced, and a message after it.
fn answered(accept: &str, this: &str, by: &str) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    assert!(head.contains(this), "{this:?}");
    [head.replace(this, by).as_bytes(), b"\x81\x05Hello"].concat()
}

fn receives_hello(connection: &mut Connection) -> bool {
    connection.poll_event() == Some(Event::Message(Message::text("Hello")))
}

const VERSION: &str = "HTTP/1.1 101 Switching Protocols";
const LAST: &str = "Connection: Upgrade";

#[test]
fn responses_of_real_servers_are_accepted() {
    for (source, this, by) in [
        ("whatwg/websockets#30, tokio-tungstenite#268", "HTTP/1.1", "HTTP/1.0"),
        ("RFC 9110 §6.2: a minor version of the future", "HTTP/1.1", "HTTP/1.2"),
        (
            "nanoframework/System.Net.WebSockets#147, treefrog-framework#186, ollyxar/websockets#6, \
             MazyModz/CSharp-WebSocket-Server#11",
            "\r\n",
            "\n",
        ),
        ("ladybird#12042", LAST, "Connection: Upgrade\r\nX: a\r\n b"),
        ("RFC 9112 §5.2, in a field that matters", "Connection: Up", "Connection:\r\n\tUp"),
        ("RFC 9112 §5.2, in a list", LAST, "Connection: keep-alive,\n  Upgrade"),
        ("tried beside them in Chromium", VERSION, "\r\nHTTP/1.1 101 Switching Protocols"),
        ("the same before a second answer", VERSION, "HTTP/1.1 100 \n\n\nHTTP/1.1 101 "),
        ("amphp/http-server#129, websocket-client#403 (Tomcat)", VERSION, "HTTP/1.1 101 "),
        ("libuwsc#8", VERSION, "HTTP/1.1 101"),
        ("Ninja.WebSockets#9", VERSION, "HTTP/1.1 101 Web Socket Protocol Handshake"),
        (
            "tornado#2097, suave#626, drogon#2164, cowboy#75",
            LAST,
            "Connection: Upgrade\r\nContent-Length: 0",
        ),
        (
            "RFC 9112 §6.3: a 101 ends with its head",
            LAST,
            "Connection: Upgrade\r\nContent-Length: 5",
        ),
        (
            "AndroidAsync#317, http-parser-js#63",
            LAST,
            "Connection: Upgrade\r\nTransfer-Encoding: chunked",
        ),
        ("websocket-client#626, lua-websockets#112", LAST, "Connection: Upgrade, Keep-Alive"),
        ("jaspervdj/websockets#31 (jWebSocket)", LAST, "Connection: Upgrade\r\nX-Empty:\r\nX-B: "),
        (
            "tungstenite-rs#531, openai/codex#19581",
            LAST,
            "Connection: Upgrade\r\nX: \u{e9}\u{20ac}",
        ),
        ("libnostr-z#134, websocket-sharp#669: a frame in the packet of the 101", LAST, LAST),
    ] {
        let client = asked(&[], |accept| answered(accept, this, by));
        assert_eq!(client.failure(), None, "{source}");
        let mut connection = client.into_connection(T0, Config::default()).unwrap();
        assert!(receives_hello(&mut connection), "{source}");
    }
}

#[test]
fn invalid_responses_of_real_servers_are_refused() {
    use HandshakeError::{Extensions, Malformed, Subprotocol, Upgrade};
    let chat = &["chat", "superchat"][..];
    for (source, offered, this, by, failure) in [
        (
            "h2o#1463, #1467, #1481",
            &[][..],
            LAST,
            "Connection: Upgrade\r\nUpgrade: websocket",
            Upgrade,
        ),
        (
            "ws#2016, netty#13726, websocketd#7",
            &[],
            LAST,
            "Connection: Upgrade\r\nSec-WebSocket-Protocol:",
            Subprotocol,
        ),
        (
            "Telegraph#45, uWebSockets.js#708",
            chat,
            LAST,
            "Connection: Upgrade\r\nSec-WebSocket-Protocol: ",
            Subprotocol,
        ),
        (
            "MongooseIM#1221, wscat#127",
            &[],
            LAST,
            "Connection: Upgrade\r\nSec-WebSocket-Protocol: chat",
            Subprotocol,
        ),
        (
            "websocket-client#158",
            chat,
            LAST,
            "Connection: Upgrade\r\nSec-WebSocket-Protocol: Chat",
            Subprotocol,
        ),
        (
            "quickws#12",
            chat,
            LAST,
            "Connection: Upgrade\r\nSec-WebSocket-Protocol: chat, superchat",
            Subprotocol,
        ),
        (
            "deno#32594",
            chat,
            LAST,
            "Connection: Upgrade\r\nSec-WebSocket-Protocol: \u{ff}\u{fe}",
            Subprotocol,
        ),
        (
            "bun#29685",
            &[],
            LAST,
            "Connection: Upgrade\r\nSec-WebSocket-Extensions: permessage-deflate",
            Extensions,
        ),
        (
            "RFC 9112 §5.1: a blank before a colon",
            &[],
            LAST,
            "Connection : Upgrade",
            Malformed { what: "header line" },
        ),
        (
            "RFC 9112 §5.5: a control character",
            &[],
            LAST,
            "Connection: Upgrade\r\nX: a\0b",
            Malformed { what: "control character" },
        ),
        (
            "RFC 9112 §2.2: a blank before the first field",
            &[],
            "Upgrade: w",
            " Upgrade: w",
            Malformed { what: "header line" },
        ),
    ] {
        let client = asked(offered, |accept| answered(accept, this, by));
        assert_eq!(client.failure(), Some(&failure), "{source}");
    }
    // bun#43243, beast#1460: 150 fields, and one of 20 KB.
    let fields = format!("{LAST}{}", "\r\nX: y".repeat(150));
    let client = asked(&[], |accept| answered(accept, LAST, &fields));
    let failure = HandshakeError::TooLarge { setting: "max_headers", limit: 100 };
    assert_eq!(client.failure(), Some(&failure));
    let field = format!("{LAST}\r\nX: {}", "y".repeat(20_000));
    let client = asked(&[], |accept| answered(accept, LAST, &field));
    let failure = HandshakeError::TooLarge { setting: "max_head_bytes", limit: 16 * 1024 };
    assert_eq!(client.failure(), Some(&failure));
}

/// websocket-client#1058: a server that chooses none of what was asked. Chromium refuses that; RFC
/// 6455 §4.1 does not demand that.
#[test]
fn a_server_may_choose_no_subprotocol() {
    let client = asked(&["chat"], |accept| answered(accept, LAST, LAST));
    assert!(client.is_open());
    assert_eq!(client.response().unwrap().subprotocol(), None);
}

/// libwebsockets#3151, grizzly#855, python-websockets#177 and ocaml-cohttp#1141: what comes after the
/// head is frames, whatever it was meant to be.
#[test]
fn bytes_after_the_head_are_frames() {
    for rubbish in ["\r\n", "0\r\n\r\n"] {
        let client = asked(&[], |accept| {
            let mut answer = answered(accept, LAST, LAST);
            answer.truncate(answer.len() - 7);
            answer.extend_from_slice(rubbish.as_bytes());
            answer
        });
        let mut connection = client.into_connection(T0, Config::default()).unwrap();
        let Some(Event::Closed(closed)) = connection.poll_event() else { panic!("it is over") };
        assert!(!closed.is_clean(), "{rubbish:?}");
    }
}

/// python-websockets#816, tokio-tungstenite#268: status, fields and body of HTTP/1.0. Whatever the
/// version is, only an upgrade is judged by it.
#[test]
fn a_refusal_in_http_1_0_is_reported_as_a_refusal() {
    for version in ["HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "HTTP/0.9"] {
        let answer = format!(
            "{version} 503 Service Unavailable\r\nRetry-After: 9\r\nContent-Length: 4\r\n\r\nbusy"
        );
        let client = asked(&[], |_| answer.clone().into_bytes());
        assert_eq!(client.failure(), Some(&HandshakeError::Status { status: 503 }), "{version}");
        let response = client.response().unwrap();
        assert_eq!((response.status(), response.body()), (503, &b"busy"[..]), "{version}");
        assert_eq!(response.headers().get("Retry-After"), Some("9"));
    }
    let client = asked(&[], |accept| answered(accept, "HTTP/1.1", "HTTP/2.0"));
    assert_eq!(client.failure(), Some(&HandshakeError::HttpVersion));
    assert_eq!(client.response().unwrap().status(), 101);
}

/// gamestdio/websocket#5, coder/websocket#443: `client_max_window_bits=15` in an answer;
/// tqsdk-python#509: a quoted value, which RFC 7692 §5.2 allows and aiohttp refuses.
#[cfg(feature = "deflate")]
#[test]
fn responses_to_an_offer_of_compression() {
    use tidegate_core::deflate::DeflateOptions;
    for (source, agreed) in [
        ("gamestdio/websocket#5", "permessage-deflate; client_max_window_bits=15"),
        ("tqsdk-python#509", "permessage-deflate; server_max_window_bits=\"15\""),
        ("RFC 9112 §5.2", "permessage-deflate;\r\n server_no_context_takeover"),
    ] {
        let request = ClientRequest::builder("a.test", "/");
        let request = request.deflate(DeflateOptions::default().offer()).build().unwrap();
        let mut client = ClientHandshake::new(T0, request, Limits::default(), [7; 32]);
        let accept = accept_of(client.output());
        let agreed = format!("{LAST}\r\nSec-WebSocket-Extensions: {agreed}");
        client.handle_input(T0, &answered(&accept, LAST, &agreed));
        assert_eq!(client.failure(), None, "{source}");
        assert!(client.deflate().is_some(), "{source}");
    }
}
