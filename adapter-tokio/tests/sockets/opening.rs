//! Opening handshakes over TCP.

use core::time::Duration;
use std::io::ErrorKind;
use std::time::Instant;

use tidegate_tokio::{
    Error, HandshakeError, Limits, Options, Stage, UrlError, accept, accept_with,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::soon;

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    (listener, url)
}

fn short() -> Limits {
    Limits::builder().timeout(Duration::from_millis(300)).build().unwrap()
}

#[tokio::test]
async fn what_was_agreed_on() {
    let (listener, url) = listen().await;
    let serving = tokio::spawn(async move {
        let incoming = accept(listener.accept().await.unwrap().0).await.unwrap();
        let request = incoming.request();
        assert_eq!((request.path(), request.query()), ("/chat", Some("room=1")));
        assert_eq!(request.headers().get("X-Name"), Some("value"));
        let chosen = request.select_subprotocol(&["b", "a"]).map(String::from).unwrap();
        incoming.subprotocol(chosen).header("X-Answer", "42").accept().await.unwrap()
    });
    let options = Options::builder()
        .subprotocol("a")
        .subprotocol("b")
        .header("X-Name", "value")
        .build()
        .unwrap();
    let url = format!("{url}/chat?room=1");
    // A future that can be spawned: everything in it may go to another thread.
    let connecting = tokio::spawn(async move { tidegate_tokio::connect_with(&url, options).await });
    let client = soon(connecting).await.unwrap().unwrap();
    assert_eq!(client.subprotocol(), Some("a"));
    assert_eq!(soon(serving).await.unwrap().subprotocol(), Some("a"));
}

#[tokio::test]
async fn a_rejection_is_read_by_the_client() {
    let (listener, url) = listen().await;
    let rejecting = tokio::spawn(async move {
        let incoming = accept(listener.accept().await.unwrap().0).await.unwrap();
        incoming.reject(403, "not you").await
    });
    let error = soon(tidegate_tokio::connect(&url)).await.unwrap_err();
    let Error::Handshake { error, response, .. } = error else { panic!("{error}") };
    assert_eq!(error, HandshakeError::Status { status: 403 });
    let response = response.unwrap();
    assert_eq!((response.status(), response.body()), (403, &b"not you"[..]));
    soon(rejecting).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_mistake_of_the_server_is_told_to_both() {
    let (listener, url) = listen().await;
    let serving = tokio::spawn(async move {
        let incoming = accept(listener.accept().await.unwrap().0).await.unwrap();
        incoming.subprotocol("never offered").accept().await
    });
    let error = soon(tidegate_tokio::connect(&url)).await.unwrap_err();
    assert!(matches!(
        error,
        Error::Handshake { error: HandshakeError::Status { status: 500 }, .. }
    ));
    assert!(matches!(soon(serving).await.unwrap(), Err(Error::Accept(_))));
}

#[tokio::test]
async fn a_request_that_dribbles_is_cut() {
    let (listener, url) = listen().await;
    let address = url.trim_start_matches("ws://").to_string();
    let dribbling = tokio::spawn(async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        for byte in b"GET /".iter().chain(core::iter::repeat(&b'a')) {
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let begun = Instant::now();
    let stream = listener.accept().await.unwrap().0;
    let error = soon(accept_with(stream, short())).await.unwrap_err();
    assert!(matches!(error, Error::Handshake { error: HandshakeError::Timeout, .. }), "{error}");
    // The time of the request, and as much for taking the answer.
    assert!(begun.elapsed() < Duration::from_secs(2));
    soon(dribbling).await.unwrap();
}

#[tokio::test]
async fn what_is_not_a_request_is_answered() {
    let (listener, url) = listen().await;
    let mut stream = TcpStream::connect(url.trim_start_matches("ws://")).await.unwrap();
    let serving = tokio::spawn(async move { accept(listener.accept().await.unwrap().0).await });
    stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    drop(stream);
    let error = soon(serving).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Handshake { error: HandshakeError::Method, .. }));
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_not_awaited() {
    let (listener, url) = listen().await;
    let options = Options::builder().limits(short()).build().unwrap();
    let error = soon(tidegate_tokio::connect_with(&url, options)).await.unwrap_err();
    assert!(matches!(error, Error::Handshake { error: HandshakeError::Timeout, .. }), "{error}");
    drop(listener);
    let error = soon(tidegate_tokio::connect(&url)).await.unwrap_err();
    let Error::Connect(error) = error else { panic!("nobody listens: {error}") };
    assert_eq!(error.stage(), Stage::Connect);
    let [(address, refused)] = error.attempts() else { panic!("{error}") };
    assert_eq!((format!("ws://{address}"), refused.kind()), (url, ErrorKind::ConnectionRefused));
}

#[tokio::test]
async fn what_came_with_the_request_is_not_lost() {
    let (listener, url) = listen().await;
    let mut stream = TcpStream::connect(url.trim_start_matches("ws://")).await.unwrap();
    let request = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    stream.write_all(&[request.as_bytes(), b"\x81\x85\0\0\0\0early"].concat()).await.unwrap();
    let incoming = soon(accept(listener.accept().await.unwrap().0)).await.unwrap();
    let mut server = soon(incoming.accept()).await.unwrap();
    assert_eq!(soon(server.recv()).await.unwrap(), Some("early".into()));
}

#[tokio::test]
async fn addresses_that_are_refused() {
    #[cfg(not(feature = "rustls"))]
    {
        let error = tidegate_tokio::connect("wss://example.org").await.unwrap_err();
        assert!(matches!(error, Error::Url(UrlError::TlsNotBuilt)));
    }
    let error = tidegate_tokio::connect("ws://a%zz@example.org").await.unwrap_err();
    assert!(matches!(error, Error::Url(UrlError::UserInfo)));
    let error = Options::builder().header("X", "a\r\nb").build().unwrap_err();
    assert!(matches!(error, Error::Request(_)));
}
