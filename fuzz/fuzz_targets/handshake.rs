//! Any bytes in any pieces for both opening handshakes: nothing panics, and the outcome is the same
//! as in one piece. What one of our clients asks is what our server reads.
#![no_main]

use core::time::Duration;

use arbitrary::Arbitrary;
use bytes::Buf;
use libfuzzer_sys::fuzz_target;
use tidegate_core::deflate::{DeflateOptions, DeflateParams};
use tidegate_core::handshake::{
    Acceptance, ClientHandshake, ClientRequest, HandshakeError, Limits, ServerHandshake,
};
use tidegate_core::{Closed, Config, Connection, Event, Timestamp, Transport};
use tidegate_fuzz::{cut, drain};

#[derive(Arbitrary, Debug)]
struct Case<'b> {
    flags: u8,
    seed: u8,
    bytes: &'b [u8],
}

/// What can be seen in the end; of a connection, if there is one.
#[derive(Debug, PartialEq)]
struct Seen {
    failure: Option<HandshakeError>,
    output: Vec<u8>,
    transport: Transport,
    wants_input: bool,
    deflate: Option<DeflateParams>,
    events: Vec<Event>,
    closed: Option<Closed>,
}

fuzz_target!(|case: Case<'_>| {
    let side = if case.flags & 0x01 != 0 { client } else { server };
    let whole = side(&case, &[case.bytes]);
    assert_eq!(whole, side(&case, &cut(case.bytes, 0, 1)), "byte by byte");
    let longest = 1 + usize::from(case.seed);
    assert_eq!(whole, side(&case, &cut(case.bytes, case.seed.into(), longest)), "in pieces");
    if case.flags & 0x80 != 0 {
        both(&case);
    }
});

fn limits(case: &Case<'_>) -> Limits {
    if case.flags & 0x02 == 0 {
        return Limits::default();
    }
    Limits::builder()
        .max_head_bytes(300)
        .max_headers(5)
        .max_body_bytes(usize::from(case.seed))
        .build()
        .expect("valid")
}

fn config() -> Config {
    Config::builder().deflate(DeflateOptions::default()).build().expect("valid")
}

fn server(case: &Case<'_>, pieces: &[&[u8]]) -> Seen {
    let mut now = Timestamp::ZERO;
    let mut handshake = ServerHandshake::new(now, limits(case));
    for piece in pieces {
        handshake.handle_input(now, piece);
    }
    if handshake.request().is_some() {
        let mut acceptance = Acceptance::new().config(config());
        let chosen = handshake.request().and_then(|request| request.subprotocols().next());
        if let Some(name) = chosen.filter(|_| case.flags & 0x10 != 0) {
            acceptance = acceptance.subprotocol(name);
        }
        handshake.accept(acceptance).expect("a valid request can be accepted");
        assert!(handshake.is_accepted());
    }
    if case.flags & 0x04 != 0 {
        handshake.handle_eof(now);
    }
    if case.flags & 0x08 != 0 {
        now = now + Duration::from_secs(60);
        handshake.handle_timeout(now);
        if handshake.wants_input() {
            // The last look brings nothing.
            now = handshake.poll_timeout().expect("a last look");
            handshake.handle_timeout(now);
        }
        assert!(!handshake.wants_input(), "the timeout holds");
    }
    let mut seen = Seen {
        failure: handshake.failure().copied(),
        output: handshake.output().to_vec(),
        transport: handshake.transport(),
        wants_input: handshake.wants_input(),
        deflate: handshake.deflate(),
        events: Vec::new(),
        closed: None,
    };
    if let Ok(connection) = handshake.into_connection(now, config()) {
        follow(connection, &mut seen);
    }
    seen
}

fn client(case: &Case<'_>, pieces: &[&[u8]]) -> Seen {
    let mut now = Timestamp::ZERO;
    let mut request = ClientRequest::builder("example.org", "/");
    if case.flags & 0x10 != 0 {
        request = request.deflate(DeflateOptions::default().offer()).subprotocol("chat");
    }
    let request = request.build().expect("valid");
    let mut handshake = ClientHandshake::new(now, request, limits(case), [5; 32]);
    for piece in pieces {
        handshake.handle_input(now, piece);
    }
    if case.flags & 0x04 != 0 {
        handshake.handle_eof(now);
        assert!(!handshake.wants_input(), "the end is the end");
    }
    if case.flags & 0x08 != 0 {
        now = now + Duration::from_secs(60);
        handshake.handle_timeout(now);
        if !handshake.is_open() && handshake.failure().is_none() {
            // The last look brings nothing.
            now = handshake.poll_timeout().expect("a last look");
            handshake.handle_timeout(now);
        }
        assert!(handshake.is_open() || handshake.failure().is_some(), "the timeout holds");
    }
    if let Some(response) = handshake.response() {
        assert!(response.body().len() <= limits(case).max_body_bytes());
    }
    let mut seen = Seen {
        failure: handshake.failure().copied(),
        output: handshake.output().to_vec(),
        transport: handshake.transport(),
        wants_input: handshake.wants_input(),
        deflate: handshake.deflate(),
        events: Vec::new(),
        closed: None,
    };
    if handshake.is_open() {
        let connection = handshake.into_connection(now, config()).expect("it is open");
        follow(connection, &mut seen);
    }
    seen
}

/// What came behind the head is the connection's.
fn follow(mut connection: Connection, seen: &mut Seen) {
    while let Some(event) = connection.poll_event() {
        seen.events.push(event);
    }
    seen.closed = connection.closed().cloned();
    seen.output.clear();
    drain(&mut connection, usize::MAX, &mut seen.output);
}

/// A request of any host, target and fields that can be made is read as it was meant.
fn both(case: &Case<'_>) {
    let text = String::from_utf8_lossy(case.bytes);
    let mut parts = text.split('\0');
    let (host, target) = (parts.next().unwrap_or(""), parts.next().unwrap_or("/"));
    let (name, value) = (parts.next().unwrap_or("X-Any"), parts.next().unwrap_or(""));
    let Ok(mut request) = ClientRequest::new(host, target) else { return };
    let has_field = match request.to_builder().header(name, value).build() {
        Ok(with) => {
            request = with;
            true
        }
        Err(_) => false,
    };
    for name in parts {
        if let Ok(with) = request.to_builder().subprotocol(name).build() {
            request = with;
        }
    }
    let now = Timestamp::ZERO;
    let mut client = ClientHandshake::new(now, request, Limits::default(), [5; 32]);
    let mut server = ServerHandshake::new(now, Limits::default());
    server.handle_input(now, client.output());
    let Some(read) = server.request() else {
        let failure = server.failure();
        assert!(matches!(failure, Some(HandshakeError::TooLarge { .. })), "{failure:?}");
        return;
    };
    assert_eq!((read.host(), read.target()), (host, target));
    if has_field {
        let found = read.headers().get_all(name).any(|found| found == value.trim().as_bytes());
        assert!(found, "{name}: {value:?} in {:?}", read.headers());
    }
    let length = client.output().len();
    client.output().advance(length);
    server.accept(Acceptance::new()).expect("a valid request can be accepted");
    client.handle_input(now, server.output());
    assert!(client.is_open(), "{:?}", client.failure());
}
