//! The upgrade of HTTP/1.1.

use core::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{servers, soon};

/// Sends a request, with a frame behind it that did not wait. Gives the head in small letters, and
/// the stream behind it.
async fn ask(address: SocketAddr, line: &str, fields: &[&str]) -> (String, TcpStream) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{line} HTTP/1.1\r\nHost: a.test\r\n{}\r\n\r\n", fields.join("\r\n"));
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(stream.read_u8()).await.unwrap());
    }
    (String::from_utf8(head).unwrap().to_lowercase(), stream)
}

const VALID: [&str; 4] = [
    "Upgrade: websocket",
    "Connection: keep-alive, Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

#[tokio::test]
async fn upgrades_and_echoes() {
    for (name, address) in servers().await {
        let fields = [&VALID[..], &["Sec-WebSocket-Protocol: v1, v2"]].concat();
        let (head, mut stream) = ask(address, "GET /", &fields).await;
        assert!(head.starts_with("http/1.1 101 "), "{name}: {head}");
        for field in [
            "upgrade: websocket",
            "connection: upgrade",
            "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=",
            "sec-websocket-protocol: v1",
            "x-room: 1",
        ] {
            assert_eq!(head.matches(&format!("\r\n{field}\r\n")).count(), 1, "{name}: {head}");
        }
        assert!(!head.contains("sec-websocket-extensions"), "{name}: {head}");

        stream.write_all(b"\x81\x82\0\0\0\0hi\x88\x82\0\0\0\0\x03\xe8").await.unwrap();
        let mut rest = Vec::new();
        soon(stream.read_to_end(&mut rest)).await.unwrap();
        assert_eq!(rest, b"\x81\x02hi\x88\x02\x03\xe8", "{name}");
    }
}

#[cfg(feature = "deflate")]
#[tokio::test]
async fn negotiates_compression() {
    for (name, address) in servers().await {
        let fields = [&VALID[..], &["Sec-WebSocket-Extensions: permessage-deflate"]].concat();
        let (head, mut stream) = ask(address, "GET /", &fields).await;
        assert!(
            head.contains("\r\nsec-websocket-extensions: permessage-deflate"),
            "{name}: {head}"
        );
        // "Hello" of RFC 7692 §7.2.3.1; the echo is too short to be compressed.
        stream.write_all(b"\xc1\x87\0\0\0\0\xf2\x48\xcd\xc9\xc9\x07\0").await.unwrap();
        let mut echo = [0; 7];
        soon(stream.read_exact(&mut echo)).await.unwrap();
        assert_eq!(&echo, b"\x81\x05Hello", "{name}");
    }
}

#[tokio::test]
async fn answers_what_is_none() {
    let without = |index: usize| {
        let mut fields = VALID.to_vec();
        fields.remove(index);
        fields
    };
    let with = |field: &'static str| [&VALID[..], &[field]].concat();
    for (name, address) in servers().await {
        for (line, fields, status, field) in [
            ("GET /", vec!["X: y"], "426", "upgrade: websocket"),
            ("GET /", without(0), "426", "upgrade: websocket"),
            ("GET /", without(1), "426", "upgrade: websocket"),
            ("GET /", without(2), "426", "sec-websocket-version: 13"),
            ("GET /", without(3), "400", ""),
            ("GET /", with("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="), "400", ""),
            ("GET /", with("Sec-WebSocket-Protocol: a b"), "400", ""),
            ("GET /", with("Sec-WebSocket-Extensions: ;"), "400", ""),
            ("POST /", VALID.to_vec(), "405", "allow: get"),
        ] {
            let (head, _) = ask(address, line, &fields).await;
            assert_eq!(&head[9..12], status, "{name} {fields:?}: {head}");
            assert!(head.contains(field), "{name} {fields:?}: {head}");
        }
    }
}

#[tokio::test]
async fn tells_of_the_applications_mistake() {
    let [_, (_, hyper)] = servers().await;
    let (head, _) = ask(hyper, "GET /?wrong", &VALID).await;
    assert_eq!(&head[9..12], "500");
}
