//! Neither `Debug` nor errors show credentials: each field that can hold a secret has one here.
#![allow(clippy::unwrap_used)]

use core::fmt::Debug;

use bytes::Buf;
use tidegate_core::Timestamp;
use tidegate_core::handshake::proxy::{HttpConnect, Socks5};
use tidegate_core::handshake::{
    Acceptance, BasicCredentials, ClientHandshake, ClientRequest, HandshakeError, Limits,
    Rejection, ServerHandshake,
};

const T0: Timestamp = Timestamp::ZERO;
const SECRET: &str = "s3cr3t";
/// `Basic` of it: `me:s3cr3t` in base64.
const BASIC: &str = "bWU6czNjcjN0";

/// Checks that the secret appears neither as text, nor in base64, nor as a list of bytes.
fn hides(what: &str, shown: &impl Debug) {
    let texts = [format!("{shown:?}"), format!("{shown:#?}")];
    let numbers = SECRET.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>();
    for text in texts {
        assert!(!text.is_empty());
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for form in [SECRET, BASIC, &numbers.join(", ")] {
            assert!(!flat.contains(form), "{what}: {text}");
        }
    }
}

fn credentials() -> BasicCredentials {
    BasicCredentials::new("me", SECRET).unwrap()
}

/// A request with secrets in its fields, its query, its subprotocol (Kubernetes takes a token
/// there) and its origin.
fn request() -> ClientRequest {
    let builder = ClientRequest::builder("a.test", format!("/path?token={SECRET}"))
        .subprotocol(format!("base64url.bearer.authorization.k8s.io.{SECRET}"))
        .origin(format!("https://{SECRET}.test"))
        .header("Authorization", &format!("Bearer {SECRET}"))
        .header("Authorization", &credentials().to_header())
        .header("Cookie", &format!("sid={SECRET}"))
        .header("Proxy-Authorization", SECRET)
        .header("X-Api-Key", SECRET);
    hides("a builder of a request", &builder);
    builder.build().unwrap()
}

fn client() -> ClientHandshake {
    ClientHandshake::new(T0, request(), Limits::default(), [7; 32])
}

/// A server that has received `length` bytes of the request of [`client`].
fn server(length: usize) -> ServerHandshake {
    let mut server = ServerHandshake::new(T0, Limits::default());
    let input = client().output().clone();
    server.handle_input(T0, &input[..length.min(input.len())]);
    server
}

#[test]
fn debug_output_of_a_request_shows_no_secrets() {
    hides("request", &request());
    hides("credentials", &credentials());
    let mut client = client();
    let input = client.output().clone();
    assert!(input.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()));
    for _ in 0..input.len() {
        hides("request that is being written", &client);
        client.output().advance(1);
    }
    for length in 0..=input.len() {
        hides("request that is being read", &server(length));
    }
    let server = server(usize::MAX);
    let request = server.request().unwrap();
    hides("request", request);
    hides("headers", request.headers());
    // The output still shows what is not secret.
    let shown = format!("{request:?}");
    for part in ["a.test", "/path", "Cookie", "Authorization", "Sec-WebSocket-Protocol"] {
        assert!(shown.contains(part), "{shown}");
    }
}

#[test]
fn debug_output_of_a_response_shows_no_secrets() {
    let offered = format!("base64url.bearer.authorization.k8s.io.{SECRET}");
    let acceptance =
        || Acceptance::new().subprotocol(&offered).header("Set-Cookie", format!("sid={SECRET}"));
    hides("acceptance", &acceptance());
    let mut server = server(usize::MAX);
    server.handle_input(T0, SECRET.as_bytes());
    hides("early frames", &server);
    server.accept(acceptance()).unwrap();
    hides("answer that is being written", &server);

    let answer = [server.output(), SECRET.as_bytes()].concat();
    for length in 0..=answer.len() {
        let mut client = client();
        client.handle_input(T0, &answer[..length]);
        hides("answer that is being read", &client);
        if let Some(response) = client.response() {
            hides("response", response);
            hides("headers", response.headers());
        }
        assert_eq!(client.is_open(), length >= answer.len() - SECRET.len());
    }
}

#[test]
fn debug_output_of_a_refusal_shows_no_secrets() {
    let rejection = || {
        let rejection = Rejection::new(401).header("Set-Cookie", SECRET);
        rejection.header("Location", format!("/?t={SECRET}")).body(SECRET)
    };
    hides("rejection", &rejection());
    let mut server = server(usize::MAX);
    server.reject(rejection()).unwrap();
    hides("refusal that is being written", &server);
    let mut client = client();
    client.handle_input(T0, server.output());
    hides("refusal", &client);
    let response = client.response().unwrap();
    assert_eq!(response.body(), SECRET.as_bytes());
    hides("response", response);
    hides("failure", client.failure().unwrap());
}

#[test]
fn handshake_errors_show_no_secrets() {
    for input in [
        format!("PASS {SECRET}\r\n"),
        format!("GET /?t={SECRET}\r\n"),
        format!("GET /?t={SECRET} HTTP/1.0\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {SECRET}@a\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nCookie : {SECRET}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: {SECRET}\0"),
        format!("GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: {SECRET}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {}\r\n\r\n", SECRET.repeat(5000)),
    ] {
        let mut server = ServerHandshake::new(T0, Limits::default());
        server.handle_input(T0, input.as_bytes());
        let failure = server.failure().unwrap();
        hides("server", &server);
        hides("failure", failure);
        assert!(!failure.to_string().contains(SECRET), "{failure}");
        let answer = String::from_utf8(server.output().to_vec()).unwrap();
        assert!(!answer.contains(SECRET), "{answer}");
    }
    for input in [
        format!("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSet-Cookie: {SECRET}\r\n\r\n"),
        format!("HTTP/1.1 302 x\r\nLocation: /{SECRET}\r\nLocation: /\r\n\r\n"),
        format!("HTTP/1.1 200 x\r\nSet-Cookie : {SECRET}\r\n"),
    ] {
        let mut client = client();
        client.handle_input(T0, input.as_bytes());
        let failure = client.failure().unwrap();
        hides("client", &client);
        assert!(!failure.to_string().contains(SECRET), "{failure}");
        assert!(!matches!(failure, HandshakeError::NotHttp { .. }));
    }
    let header = request().to_builder().header("X\n", SECRET).build().unwrap_err();
    hides("error", &header);
    let value = request().to_builder().header("X", &format!("{SECRET}\n"));
    let value = value.build().unwrap_err();
    hides("error", &value);
    assert!(!value.to_string().contains(SECRET));
    hides("error", &BasicCredentials::new(format!("{SECRET}:"), "").unwrap_err());
}

#[test]
fn debug_output_of_extensions_shows_no_secrets() {
    let mut server = ServerHandshake::new(T0, Limits::default());
    let head = String::from_utf8(client().output().to_vec()).unwrap();
    let more = format!("\r\nSec-WebSocket-Extensions: known; level; key={SECRET}\r\n\r\n");
    server.handle_input(T0, head.replace("\r\n\r\n", &more).as_bytes());
    let request = server.request().unwrap();
    assert_eq!(request.extensions().len(), 1);
    hides("request", request);
    hides("extension", &request.extensions()[0]);
    assert_eq!(format!("{:?}", request.extensions()[0]), "known[\"level\", \"key\"]");
}

#[test]
fn debug_output_of_proxy_handshakes_shows_no_secrets() {
    let limits = Limits::default();
    let mut http = HttpConnect::new(T0, "a", 80, Some(&credentials()), &limits).unwrap();
    let mut socks = Socks5::new(T0, "a", 80, Some(&credentials()), &limits).unwrap();
    hides("HTTP proxy", &http);
    hides("SOCKS proxy", &socks);
    http.handle_input(T0, format!("HTTP/1.1 407 x\r\nX: {SECRET}\r\n").as_bytes());
    socks.handle_input(T0, b"\x05\x02");
    hides("HTTP proxy", &http);
    hides("SOCKS proxy", &socks);
    http.handle_input(T0, b"\r\n");
    hides("HTTP proxy", &http);
}

#[cfg(feature = "http")]
#[test]
fn debug_output_of_a_handshake_over_the_http_crate_shows_no_secrets() {
    use tidegate_core::handshake::HttpUpgrade;
    let offered = format!("bearer.{SECRET}");
    let request = http::Request::get(format!("/?t={SECRET}"))
        .header("Host", "a.test")
        .header("Upgrade", "websocket")
        .header("Connection", "Upgrade")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("Sec-WebSocket-Protocol", &offered)
        .header("Cookie", SECRET)
        .body(())
        .unwrap();
    let upgrade = HttpUpgrade::check(&request, None).unwrap();
    hides("upgrade", &upgrade);
    let (_, accepted) = upgrade.accept(Acceptance::new().subprotocol(&offered)).unwrap();
    assert_eq!(accepted.subprotocol(), Some(&*offered));
    hides("accepted", &accepted);
}
