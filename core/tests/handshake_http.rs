//! The handshake with the types of the `http` crate: responses to extended CONNECT (RFC 8441 §5).
#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use http::{Method, Request, Response, StatusCode, Version};
use tidegate_core::handshake::{Acceptance, HandshakeError, HttpUpgrade};

/// The key of RFC 6455 §1.3, and its answer.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn extended(version: Version, keys: &[&str]) -> Result<Response<()>, HandshakeError> {
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .version(version)
        .uri("https://a.test/chat")
        .header("sec-websocket-version", "13");
    for key in keys {
        request = request.header("sec-websocket-key", *key);
    }
    let upgrade = HttpUpgrade::check(&request.body(()).unwrap(), Some("websocket"))?;
    Ok(upgrade.accept(Acceptance::new()).unwrap().0)
}

/// RFC 8441 §5 does not use the key. But a proxy such as Envoy passes the fields of an HTTP/1.1
/// client through, and that client fails if the 101 response has no `Sec-WebSocket-Accept`.
#[test]
fn a_key_on_an_extended_connect_is_answered() {
    for version in [Version::HTTP_2, Version::HTTP_3] {
        let response = extended(version, &[KEY]).unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{version:?}");
        assert_eq!(response.headers()["sec-websocket-accept"], ACCEPT, "{version:?}");
        assert_eq!(response.headers().len(), 1, "nothing else of HTTP/1.1: {response:?}");
    }
}

#[test]
fn an_extended_connect_without_a_valid_key_is_accepted_without_an_accept_value() {
    for version in [Version::HTTP_2, Version::HTTP_3] {
        for keys in [&[][..], &[""], &["x"], &["eHh4eHh4eHh4eHh4eHh4"], &[KEY, KEY], &[KEY, "x"]] {
            let response = extended(version, keys).unwrap();
            assert_eq!(response.status(), StatusCode::OK, "{version:?} {keys:?}");
            assert!(response.headers().is_empty(), "{version:?} {keys:?}: {response:?}");
        }
    }
}

#[test]
fn an_http_1_1_upgrade_still_requires_a_key() {
    let request = || {
        Request::get("/chat")
            .header("host", "a.test")
            .header("upgrade", "websocket")
            .header("connection", "upgrade")
            .header("sec-websocket-version", "13")
    };
    let with_key = request().header("sec-websocket-key", KEY).body(()).unwrap();
    let (response, _) =
        HttpUpgrade::check(&with_key, None).unwrap().accept(Acceptance::new()).unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(response.headers()["sec-websocket-accept"], ACCEPT);

    let without = HttpUpgrade::check(&request().body(()).unwrap(), None);
    assert_eq!(without.err(), Some(HandshakeError::Key));
}
