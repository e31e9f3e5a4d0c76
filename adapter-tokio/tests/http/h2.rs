//! The extended CONNECT of HTTP/2 (RFC 8441).

use core::sync::atomic::Ordering;
use core::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::ext::Protocol;
use http::{Method, Request};
use tidegate_driver::{Clock, WebSocket};
use tidegate_tokio::{CloseCode, Config, Connection, TokioClock, Watermarks};
use tokio::time::sleep;

use crate::extended_connect::{ask, connect, request};
use crate::h2_stream::H2Stream;
use crate::{SENT, servers, soon};

async fn socket(requests: &SendRequest<Bytes>, config: Config) -> WebSocket<H2Stream, TokioClock> {
    let (response, send) = ask(requests, request()).await;
    assert_eq!(response.status(), 200);
    let clock = TokioClock::new();
    let connection = Connection::client(clock.now(), config, [7; 32]);
    WebSocket::from_connection(H2Stream::new(response.into_body(), send), clock, connection)
}

#[tokio::test]
async fn several_on_one_connection_echo_and_close() {
    for (name, address) in servers().await {
        let requests = connect(address).await;
        let mut first = socket(&requests, Config::default()).await;
        let mut second = socket(&requests, Config::default()).await;
        for size in [0, 5, 70_000, 300_000] {
            let message = vec![1; size];
            soon(first.send(message.clone())).await.unwrap();
            soon(second.send("hi")).await.unwrap();
            let echo = soon(first.recv()).await.unwrap().unwrap();
            assert_eq!(echo.into_bytes(), message, "{name}");
            assert_eq!(soon(second.recv()).await.unwrap(), Some("hi".into()), "{name}");
        }
        soon(first.close(CloseCode::NORMAL, "")).await.unwrap();
        soon(second.send("still here")).await.unwrap();
        assert!(soon(second.recv()).await.unwrap().is_some());
        soon(second.close(CloseCode::NORMAL, "")).await.unwrap();
    }
}

#[tokio::test]
async fn the_answer_has_the_subprotocol_and_nothing_of_http_1_1() {
    for (name, address) in servers().await {
        let requests = connect(address).await;
        let request = request().header("sec-websocket-protocol", "v2");
        let (response, _send) = ask(&requests, request).await;
        assert_eq!(response.status(), 200, "{name}");
        assert_eq!(response.headers()["sec-websocket-protocol"], "v2", "{name}");
        assert_eq!(response.headers()["x-room"], "1", "{name}");
        for absent in ["sec-websocket-accept", "upgrade", "connection"] {
            assert!(!response.headers().contains_key(absent), "{name}: {absent}");
        }
    }
}

/// Envoy passes the key of its HTTP/1.1 client on, and our answer back.
#[tokio::test]
async fn a_key_that_a_proxy_passed_on_is_answered() {
    for (name, address) in servers().await {
        let requests = connect(address).await;
        let request = request().header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let (response, _send) = ask(&requests, request).await;
        assert_eq!(response.status(), 200, "{name}");
        let accept = &response.headers()["sec-websocket-accept"];
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "{name}");
        for absent in ["upgrade", "connection"] {
            assert!(!response.headers().contains_key(absent), "{name}: {absent}");
        }
    }
}

#[tokio::test]
async fn answers_what_is_none() {
    for (name, address) in servers().await {
        let requests = connect(address).await;
        let get = || Request::builder().uri("https://a.test/");
        let connect = || get().method(Method::CONNECT);
        let websocket = Protocol::from_static("websocket");
        for (request, status) in [
            (get().header("sec-websocket-version", "13"), 405),
            (connect().extension(Protocol::from_static("other")), 400),
            (connect().extension(websocket.clone()), 400),
            (connect().extension(websocket).header("sec-websocket-version", "12"), 400),
        ] {
            let (response, _send) = ask(&requests, request).await;
            assert_eq!(response.status(), status, "{name}");
            assert!(!response.headers().contains_key("upgrade"), "{name}");
            if status == 405 {
                assert_eq!(response.headers()["allow"], "CONNECT", "{name}");
            }
        }
    }
}

/// Each DATA frame is a hop through hyper: a header does not have one of its own.
#[tokio::test]
async fn the_header_of_a_frame_goes_with_its_payload() {
    const LENGTH: u16 = 20_000;
    for (name, address) in servers().await {
        let requests = connect(address).await;
        let (response, mut send) = ask(&requests, request()).await;
        let mut received = response.into_body();
        let mut message = vec![0x82, 0xfe];
        message.extend_from_slice(&LENGTH.to_be_bytes());
        message.resize(message.len() + 4 + usize::from(LENGTH), 0);
        send.send_data(message.into(), false).unwrap();
        let mut lengths = Vec::new();
        while lengths.iter().sum::<usize>() < 4 + usize::from(LENGTH) {
            let data = soon(received.data()).await.unwrap().unwrap();
            received.flow_control().release_capacity(data.len()).unwrap();
            lengths.push(data.len());
        }
        assert_eq!(lengths, [16 * 1024, 4 + usize::from(LENGTH) - 16 * 1024], "{name}");
    }
}

#[tokio::test]
async fn a_closed_gate_empties_the_window_of_its_stream_alone() {
    for (name, address) in servers().await {
        let requests = connect(address).await;
        let marks = Watermarks::new(1, 0);
        let config = Config::builder().message_marks(marks).build().unwrap();
        let mut slow = socket(&requests, config).await;
        soon(slow.send("flood")).await.unwrap();
        soon(slow.read_ahead()).await;
        let mut before = 0;
        let rest = async {
            // Until the server stands still.
            loop {
                sleep(Duration::from_millis(100)).await;
                let sent = SENT.load(Ordering::Relaxed);
                if sent == before {
                    return;
                }
                before = sent;
            }
        };
        soon(rest).await;
        assert_eq!(slow.queued_messages(), 1, "{name}");
        assert!(before < 100, "{name}: the server is {before} messages ahead");
        // It goes on when messages are taken.
        for _ in 0..50 {
            soon(slow.recv()).await.unwrap().unwrap();
        }
        drop(slow);
        SENT.store(0, Ordering::Relaxed);
    }
}
