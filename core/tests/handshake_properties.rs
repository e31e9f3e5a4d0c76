//! The outcome of the opening handshake does not depend on how its bytes are split, for both roles.
#![allow(clippy::unwrap_used)]

use bytes::Buf;
use proptest::prelude::*;
use tidegate_core::handshake::{
    Acceptance, ClientHandshake, ClientRequest, Headers, Limits, ServerHandshake,
};
use tidegate_core::{Config, Connection, Timestamp, Transport};

const T0: Timestamp = Timestamp::ZERO;

fn limits() -> Limits {
    // Near the size of the heads below, so that mutated heads exceed the limits.
    let limits = Limits::builder().max_head_bytes(360).max_body_bytes(8).max_headers(8);
    limits.build().unwrap()
}

fn written(output: &mut impl Buf) -> Vec<u8> {
    output.copy_to_bytes(output.remaining()).into()
}

/// The observable state of a connection.
fn drained(mut connection: Connection) -> String {
    let mut seen = String::new();
    while let Some(event) = connection.poll_event() {
        seen += &format!("{event:?} ");
    }
    let wants_input = connection.wants_input();
    format!("{seen} {:?} {wants_input}", written(connection.output()))
}

fn fields(headers: &Headers) -> String {
    let fields = headers.iter().map(|(name, value)| format!("{name}: {}", value.escape_ascii()));
    fields.collect::<Vec<_>>().join(", ")
}

/// The observable state of a server after these pieces of input.
fn serve<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> String {
    let mut server = ServerHandshake::new(T0, limits());
    for piece in pieces {
        server.handle_input(T0, piece);
    }
    let failure = server.failure().copied();
    let wants = (server.wants_input(), server.wants_output(), server.transport());
    let request = server.request().map(|request| {
        let (host, target) = (request.host(), request.target());
        format!("{host} {target} {} {:?}", fields(request.headers()), request.extensions())
    });
    let seen = format!("{failure:?} {wants:?} {request:?} {:?}", server.poll_timeout());
    assert_eq!(failure.is_some(), server.wants_output(), "each failure is answered");
    if server.accept(Acceptance::new()).is_ok() {
        seen + &drained(server.into_connection(T0, Config::default()).unwrap())
    } else {
        let answer = written(server.output());
        let transport = server.transport();
        assert!(failure.is_none() || transport == Transport::ShutdownWrite);
        format!("{seen} {} {transport:?}", answer.escape_ascii())
    }
}

fn client() -> ClientHandshake {
    let request = ClientRequest::builder("a.test", "/").subprotocol("chat").build().unwrap();
    ClientHandshake::new(T0, request, limits(), [7; 32])
}

/// The observable state of a client after these pieces of input.
fn connect<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> String {
    let mut client = client();
    for piece in pieces {
        client.handle_input(T0, piece);
    }
    let wants = (client.wants_input(), client.wants_output(), client.transport());
    let response = client.response().map(|response| {
        let (status, body) = (response.status(), response.body().escape_ascii());
        format!("{status} {} {} {body}", response.reason(), fields(response.headers()))
    });
    let seen = format!("{:?} {wants:?} {response:?}", client.failure());
    match client.into_connection(T0, Config::default()) {
        Ok(connection) => seen + &drained(connection),
        Err(_) => seen,
    }
}

fn requests() -> Vec<Vec<u8>> {
    let head = "GET /chat HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\n\
                Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                Sec-WebSocket-Version: 13\r\n";
    [
        format!("{head}\r\n"),
        format!("{head}Sec-WebSocket-Extensions: a; b=\"c\", d\r\nX: y\r\n\r\n"),
        format!("\r\n{head}Sec-WebSocket-Protocol: a, b\r\nX:\r\n\r\n"),
        format!("{head}X: 1\r\nX: 2\r\nX: 3\r\nX: 4\r\n\r\n"),
    ]
    .into_iter()
    .map(|head| [head.as_bytes(), b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x81\x85"].concat())
    .collect()
}

fn responses() -> Vec<Vec<u8>> {
    let mut server = ServerHandshake::new(T0, Limits::default());
    server.handle_input(T0, &written(client().output()));
    server.accept(Acceptance::new().subprotocol("chat")).unwrap();
    let upgrade = written(server.output());
    let careless: Vec<u8> = upgrade.iter().copied().filter(|byte| *byte != b'\r').collect();
    vec![
        [&upgrade[..], b"\x81\x05Hello\x81\x05H"].concat(),
        [b"HTTP/1.1 100 \r\n\r\n", &upgrade[..]].concat(),
        b"HTTP/1.1 404 No\r\nContent-Length: 5\r\n\r\nabcdefg".to_vec(),
        b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n4;a\r\nabcd\r\n9\r\nefghijklmn"
            .to_vec(),
        b"HTTP/1.1 204 No\r\nX: y\r\n\r\nabc".to_vec(),
        b"HTTP/1.1 502 \r\n\r\nabcdefghijklm".to_vec(),
        b"\nHTTP/1.0 302 There\nLocation: /a\n b\nX:\n\ty\nLocation: /a b\n\nabc".to_vec(),
        [b"\r\n", &careless[..], b"\x81\x01H"].concat(),
        b"RFB 003.008\n".to_vec(),
    ]
}

/// One of the inputs, with a few of its bytes replaced, removed or preceded by others.
fn mutated(inputs: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let bytes = b"\r\n\t \0\x7f:,;=\"\\/A0\xe9".to_vec();
    let change = (0..3_u8, any::<prop::sample::Index>(), prop::sample::select(bytes));
    let changes = prop::collection::vec(change, 0..4);
    (prop::sample::select(inputs), changes).prop_map(|(mut input, changes)| {
        for (kind, at, byte) in changes {
            let at = at.index(input.len());
            match kind {
                0 => input[at] = byte,
                1 => drop(input.remove(at)),
                _ => input.insert(at, byte),
            }
        }
        input
    })
}

fn cut<'a>(input: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
    places.extend([0, input.len()]);
    places.sort_unstable();
    places.windows(2).map(|place| &input[place[0]..place[1]]).collect()
}

#[test]
fn the_inputs_are_valid_before_they_are_mutated() {
    for input in requests().iter().take(3) {
        assert!(serve([&input[..]].into_iter()).starts_with("None"), "{}", input.escape_ascii());
    }
    for input in responses().iter().take(2) {
        assert!(connect([&input[..]].into_iter()).starts_with("None"), "{}", input.escape_ascii());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_split_of_a_request_has_the_same_effect(
        input in mutated(requests()),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let whole = serve([&input[..]].into_iter());
        prop_assert_eq!(&whole, &serve(cut(&input, &cuts).into_iter()));
        prop_assert_eq!(&whole, &serve(input.chunks(1)));
    }

    #[test]
    fn any_split_of_a_response_has_the_same_effect(
        input in mutated(responses()),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let whole = connect([&input[..]].into_iter());
        prop_assert_eq!(&whole, &connect(cut(&input, &cuts).into_iter()));
        prop_assert_eq!(&whole, &connect(input.chunks(1)));
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(input in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert_eq!(serve([&input[..]].into_iter()), serve(input.chunks(1)));
        prop_assert_eq!(connect([&input[..]].into_iter()), connect(input.chunks(1)));
    }
}
