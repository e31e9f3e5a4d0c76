//! Any bytes in any pieces for both opening handshakes: nothing panics, and the outcome is the same
//! as in one piece.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tidegate_core::Timestamp;
use tidegate_core::handshake::{
    Acceptance, ClientHandshake, ClientRequest, HandshakeError, Limits, ServerHandshake,
};

#[derive(Arbitrary, Debug)]
struct Case {
    head: Vec<u8>,
    sizes: Vec<u8>,
}

fuzz_target!(|case: Case| {
    let whole = [case.head.as_slice()];
    let mut pieces = Vec::new();
    let mut rest = case.head.as_slice();
    for size in &case.sizes {
        let (piece, behind) = rest.split_at(rest.len().min(usize::from(*size) + 1));
        pieces.push(piece);
        rest = behind;
    }
    pieces.push(rest);
    assert_eq!(server(&whole), server(&pieces));
    assert_eq!(client(&whole), client(&pieces));
});

fn server(pieces: &[&[u8]]) -> (Option<HandshakeError>, Vec<u8>) {
    let now = Timestamp::ZERO;
    let mut handshake = ServerHandshake::new(now, Limits::default());
    for piece in pieces {
        handshake.handle_input(now, piece);
    }
    if handshake.request().is_some() {
        handshake.accept(Acceptance::new()).expect("a valid request can be accepted");
    }
    let failure = handshake.failure().copied();
    (failure, handshake.output().to_vec())
}

fn client(pieces: &[&[u8]]) -> (Option<HandshakeError>, bool) {
    let now = Timestamp::ZERO;
    let request = ClientRequest::new("example.org", "/").expect("valid");
    let mut handshake = ClientHandshake::new(now, request, Limits::default(), [5; 32]);
    for piece in pieces {
        handshake.handle_input(now, piece);
    }
    (handshake.failure().copied(), handshake.is_open())
}
