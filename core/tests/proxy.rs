//! HTTP CONNECT and SOCKS5 handshakes: each response whole, byte by byte and in random pieces.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use core::time::Duration;

use bytes::Buf;
use proptest::prelude::*;
use tidegate_core::handshake::proxy::{HttpConnect, ProxyError, ProxyRequestError, Socks5};
use tidegate_core::handshake::{BasicCredentials, Limits};
use tidegate_core::{Timestamp, Transport};

const T0: Timestamp = Timestamp::ZERO;

fn written(output: &mut impl Buf) -> Vec<u8> {
    output.copy_to_bytes(output.remaining()).into()
}

fn me() -> BasicCredentials {
    BasicCredentials::new("me", "secret").unwrap()
}

fn http() -> HttpConnect {
    let limits = Limits::builder().max_head_bytes(500).build().unwrap();
    HttpConnect::new(T0, "example.org", 443, None, &limits).unwrap()
}

fn socks(credentials: Option<&BasicCredentials>) -> Socks5 {
    Socks5::new(T0, "example.org", 443, credentials, &Limits::default()).unwrap()
}

/// The result of the handshake, and the bytes after it.
type Outcome = (bool, Option<ProxyError>, Vec<u8>);

fn http_outcome<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut proxy = http();
    for piece in pieces {
        proxy.handle_input(T0, piece);
    }
    assert_eq!(proxy.wants_input(), !proxy.is_open() && proxy.failure().is_none());
    assert_eq!(proxy.transport() == Transport::Close, proxy.failure().is_some());
    assert!(proxy.failure().is_none() || !proxy.wants_output());
    (proxy.is_open(), proxy.failure().copied(), proxy.rest().to_vec())
}

/// The outcome, and everything that was written.
fn socks_outcome<'a>(
    credentials: bool,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Outcome, Vec<u8>) {
    let credentials = credentials.then(me);
    let mut proxy = socks(credentials.as_ref());
    let mut said = Vec::new();
    for piece in pieces {
        proxy.handle_input(T0, piece);
        said.extend(written(proxy.output()));
    }
    assert_eq!(proxy.wants_input(), !proxy.is_open() && proxy.failure().is_none());
    assert_eq!(proxy.transport() == Transport::Close, proxy.failure().is_some());
    ((proxy.is_open(), proxy.failure().copied(), proxy.rest().to_vec()), said)
}

fn is_http(answer: &[u8], expected: Outcome) {
    let text = String::from_utf8_lossy(answer);
    assert_eq!(http_outcome([answer]), expected, "{text}");
    assert_eq!(http_outcome(answer.chunks(1)), expected, "{text}");
}

#[test]
fn the_http_connect_request() {
    let mut proxy = http();
    let request = "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n";
    assert_eq!(written(proxy.output()), request.as_bytes());
    let limits = Limits::default();
    let mut proxy = HttpConnect::new(T0, "::1", 80, Some(&me()), &limits).unwrap();
    assert_eq!(
        String::from_utf8(written(proxy.output())).unwrap(),
        "CONNECT [::1]:80 HTTP/1.1\r\nHost: [::1]:80\r\n\
         Proxy-Authorization: Basic bWU6c2VjcmV0\r\n\r\n"
    );
    for host in ["", "a b", "a\r\nX: y", "a/b", "u@a", &"a".repeat(256)] {
        let error = HttpConnect::new(T0, host, 80, None, &limits).unwrap_err();
        assert_eq!(error, ProxyRequestError::Host, "{host:?}");
        if host != "a/b" && host != "u@a" {
            let error = Socks5::new(T0, host, 80, None, &limits).unwrap_err();
            assert_eq!(error, ProxyRequestError::Host, "{host:?}");
        }
    }
}

#[test]
fn http_connect_responses() {
    let open = |rest: &[u8]| (true, None, rest.to_vec());
    let failed = |error| (false, Some(error), Vec::new());
    is_http(b"HTTP/1.1 200 Connection established\r\n\r\n", open(b""));
    is_http(b"HTTP/1.0 200 OK\r\nProxy-Agent: x\r\n\r\n", open(b""));
    is_http(b"HTTP/1.1 299\r\nContent-Length: 5\r\n\r\nhello", open(b"hello"));
    // websocket-client#677, tinyproxy#437, gun#277: whatever length a proxy announces, and HTTP/1.0.
    is_http(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nhello", open(b"hello"));
    is_http(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", open(b""));
    is_http(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", open(b""));
    for status in [101, 300, 302, 407, 403, 502] {
        let answer = format!("HTTP/1.1 {status} no\r\nContent-Length: 2\r\n\r\nno");
        is_http(answer.as_bytes(), failed(ProxyError::Status { status }));
    }
    let malformed = |what| failed(ProxyError::Malformed { what });
    is_http(b"\r\nHTTP/1.1 200 OK\nX: y\n z\n\n\x16", open(b"\x16"));
    is_http(b"HTTP/1.1 200 OK\r\n x\r\n", malformed("header line"));
    is_http(b"HTTP/1.1 2000 OK\r\n", malformed("status"));
    is_http(b"HTTP/2.0 200 OK\r\n", malformed("HTTP version"));
    is_http(b"\x15\x03", failed(ProxyError::Tls));
    for (answer, seen) in [(&b"ICY 200 OK\r\n"[..], &b"ICY 200 OK"[..]), (b"\x05", b"\x05")] {
        for pieces in [answer.chunks(1), answer.chunks(99)] {
            let (_, failure, _) = http_outcome(pieces);
            let Some(ProxyError::NotHttp { seen: began }) = failure else { panic!("{failure:?}") };
            assert_eq!(began.as_bytes(), seen);
        }
    }
    let too_large = ProxyError::TooLarge { setting: "max_head_bytes", limit: 500 };
    is_http(&[b"HTTP/1.1 200 ".to_vec(), vec![b'a'; 500]].concat(), failed(too_large));
    let endless = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(30);
    is_http(&endless, failed(too_large));
}

#[test]
fn socks_without_credentials() {
    for (answer, rest) in [
        (&b"\x05\0\x05\0\0\x01\x7f\0\0\x01\0\x50"[..], &b""[..]),
        (b"\x05\0\x05\0\0\x03\x03abc\0\x50more", b"more"),
        (b"\x05\0\x05\0\0\x03\0\0\x50", b""),
        (b"\x05\0\x05\0\0\x040123456789abcdef\0\x50\x05", b"\x05"),
    ] {
        let said = b"\x05\x01\0\x05\x01\0\x03\x0bexample.org\x01\xbb".to_vec();
        let expected = ((true, None, rest.to_vec()), said);
        assert_eq!(socks_outcome(false, [answer]), expected);
        assert_eq!(socks_outcome(false, answer.chunks(1)), expected);
    }
}

#[test]
fn socks_with_credentials() {
    let open = b"\x05\x02\x01\0\x05\0\0\x01\x7f\0\0\x01\0\x50";
    let said = b"\x05\x02\0\x02\x01\x02me\x06secret\x05\x01\0\x03\x0bexample.org\x01\xbb".to_vec();
    let expected = ((true, None, Vec::new()), said);
    assert_eq!(socks_outcome(true, [&open[..]]), expected);
    assert_eq!(socks_outcome(true, open.chunks(1)), expected);
    // A proxy that does not ask for credentials does not receive them.
    let ((is_open, ..), said) = socks_outcome(true, [&b"\x05\0\x05\0\0\x01\x7f\0\0\x01\0\x50"[..]]);
    assert!(is_open && !said.windows(6).any(|window| window == b"secret"));
    let long = "a".repeat(256);
    for (user, password) in [(&*long, ""), ("a", &*long), ("", "a")] {
        let credentials = BasicCredentials::new(user, password).unwrap();
        let made = Socks5::new(T0, "a", 80, Some(&credentials), &Limits::default());
        assert_eq!(made.unwrap_err(), ProxyRequestError::Credentials);
    }
}

#[test]
fn socks_addresses() {
    for (host, address) in [
        ("127.0.0.1", b"\x01\x7f\0\0\x01".to_vec()),
        ("::1", [vec![4], vec![0; 15], vec![1]].concat()),
        ("a", b"\x03\x01a".to_vec()),
    ] {
        let mut proxy = Socks5::new(T0, host, 0x1234, None, &Limits::default()).unwrap();
        proxy.handle_input(T0, b"\x05\0");
        let said = [b"\x05\x01\0\x05\x01\0".to_vec(), address, vec![0x12, 0x34]].concat();
        assert_eq!(written(proxy.output()), said, "{host}");
    }
}

#[test]
fn socks_failures() {
    let method = ProxyError::Malformed { what: "a method that was not offered" };
    let version = ProxyError::Malformed { what: "SOCKS version" };
    let kind = ProxyError::Malformed { what: "kind of address" };
    for (credentials, answer, error) in [
        (false, &b"\x05\xff"[..], ProxyError::NoMethod),
        (false, b"\x05\x02", method),
        (true, b"\x05\x01", method),
        (false, b"\x04", version),
        (false, b"H", version),
        (true, b"\x05\x02\x05", version),
        (true, b"\x05\x02\x01\x01", ProxyError::Credentials),
        (false, b"\x05\0\x05\x05", ProxyError::Refused { reply: 5 }),
        (false, b"\x05\0\x05\xff", ProxyError::Refused { reply: 255 }),
        (false, b"\x05\0\x01", version),
        (false, b"\x05\0\x05\0\0\x02", kind),
    ] {
        let expected = (false, Some(error), Vec::new());
        assert_eq!(socks_outcome(credentials, [answer]).0, expected, "{answer:?}");
        assert_eq!(socks_outcome(credentials, answer.chunks(1)).0, expected, "{answer:?}");
        // Without its last byte the response is still valid.
        let before = &answer[..answer.len() - 1];
        assert_eq!(socks_outcome(credentials, [before]).0.1, None, "{answer:?}");
    }
}

#[test]
fn a_proxy_handshake_fails_at_the_timeout_and_the_end_of_the_stream() {
    let limits = Limits::builder().timeout(Duration::from_secs(3)).build().unwrap();
    let end = Timestamp::from_secs(3);
    let mut proxy = HttpConnect::new(T0, "a", 80, None, &limits).unwrap();
    assert_eq!(proxy.poll_timeout(), Some(end));
    proxy.handle_timeout(Timestamp::from_millis(2_999));
    assert_eq!(proxy.failure(), None);
    proxy.handle_timeout(end);
    assert_eq!(proxy.failure(), None, "a last look");
    proxy.handle_timeout(proxy.poll_timeout().unwrap());
    assert_eq!((proxy.failure(), proxy.poll_timeout()), (Some(&ProxyError::Timeout), None));
    let mut proxy = Socks5::new(T0, "a", 80, None, &limits).unwrap();
    proxy.handle_timeout(end);
    proxy.handle_timeout(proxy.poll_timeout().unwrap());
    assert_eq!(proxy.failure(), Some(&ProxyError::Timeout));

    let (mut http, mut socks) = (http(), socks(None));
    http.handle_eof(T0);
    socks.handle_eof(T0);
    assert_eq!(http.failure(), Some(&ProxyError::EndOfStream));
    assert_eq!(socks.failure(), Some(&ProxyError::EndOfStream));
}

#[test]
fn debug_output_shows_no_credentials() {
    let shown = format!("{:?} {:?}", me(), socks(Some(&me())));
    assert!(!shown.contains("secret") && !shown.contains("115, 101"), "{shown}");
}

/// Cuts input into pieces of these lengths.
fn pieces<'a>(mut input: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for length in lengths.iter().cycle().take(input.len() + lengths.len()) {
        let (piece, rest) = input.split_at((*length).min(input.len()));
        pieces.push(piece);
        input = rest;
    }
    pieces.push(input);
    pieces
}

/// Responses with a valid beginning and random bytes after it.
fn answers() -> impl Strategy<Value = Vec<u8>> {
    let begin = prop::sample::select(vec![
        &b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"[..],
        b"HTTP/1.0 407 Who\r\n\r\n",
        b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 2",
        b"\x05\0\x05\0\0\x01\x7f\0\0\x01\0\x50",
        b"\x05\x02\x01\0\x05\0\0\x03\x05abcde\0\x50",
        b"\x05\x02\x01\0\x05\x03",
    ]);
    (begin, any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 0..600))
        .prop_map(|(begin, at, rest)| [&begin[..at.index(begin.len() + 1)], &rest].concat())
}

proptest! {
    #[test]
    fn any_split_of_a_response_has_the_same_outcome(
        input in answers(),
        lengths in prop::collection::vec(0_usize..9, 1..9),
        credentials: bool,
    ) {
        let cut = pieces(&input, &lengths);
        prop_assert_eq!(http_outcome([&*input]), http_outcome(cut.iter().copied()));
        let (whole, said) = socks_outcome(credentials, [&*input]);
        let (split, said_split) = socks_outcome(credentials, cut);
        // A failure discards output that was not written.
        prop_assert!(said == said_split || whole.1.is_some());
        prop_assert_eq!(whole, split);
    }
}
