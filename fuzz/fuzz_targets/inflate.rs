//! Any compressed bytes through a connection with permessage-deflate: bounded, the same in any
//! pieces, and what another library inflates.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tidegate_core::testing::{Frame, opcode};
use tidegate_core::{Closed, Event, Failure, Role, Timestamp};
use tidegate_fuzz::inflating::Inflater;
use tidegate_fuzz::settings::Settings;
use tidegate_fuzz::{cut, drain, joined};

/// The first byte of `bytes` that is `0xFE` behind a `0x01` ends a message; so a seed can have any.
#[derive(Arbitrary, Debug)]
struct Case<'b> {
    flags: u8,
    deflate: u8,
    size: u16,
    fragment: u8,
    seed: u8,
    bytes: &'b [u8],
}

fuzz_target!(|case: Case<'_>| {
    let kept = Settings::CLIENT | Settings::CHUNKS;
    let settings = Settings {
        flags: case.flags & kept | Settings::DEFLATE | Settings::UNCHECKED,
        deflate: case.deflate,
        size: case.size,
        ..Settings::default()
    };
    let messages = split(case.bytes);
    let wire = encode(&messages, &case, settings.role());

    let whole = receive(&settings, &[&wire]);
    let pieces = cut(&wire, case.seed.into(), 1 + usize::from(case.seed % 50));
    assert_eq!(whole, receive(&settings, &pieces), "in pieces");

    let params = settings.params().expect("there is compression");
    let (bits, alone) = match settings.role() {
        Role::Server => (params.client_max_window_bits, params.client_no_context_takeover),
        Role::Client => (params.server_max_window_bits, params.server_no_context_takeover),
    };
    let limit = settings.config().max_message_size();
    let mut oracle = Inflater::new(bits.max(9), !alone);
    let (events, closed) = whole;
    let failure = closed.failure();
    let mut events = events.into_iter();
    for message in messages {
        let expected = oracle.message(message, limit);
        match (events.next().and_then(payload), expected) {
            (Some(inflated), Ok(expected)) => assert_eq!(inflated, expected),
            (Some(inflated), Err(error)) => panic!("{} bytes, but {error}", inflated.len()),
            (None, Err(_)) => {
                assert!(matches!(failure, Some(Failure::Protocol(_))), "{failure:?}");
                return;
            }
            (None, Ok(_)) => panic!("{failure:?}, but the other library inflates it"),
        }
    }
    assert_eq!(failure, Some(Failure::EndOfStream));
});

/// The compressed messages.
fn split(bytes: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    let mut rest = bytes;
    while let Some(end) = rest.windows(2).position(|pair| pair == [0x01, 0xFE]) {
        messages.push(&rest[..end]);
        rest = &rest[end + 2..];
    }
    messages.push(rest);
    messages
}

/// Each in fragments, with a ping here and there.
fn encode(messages: &[&[u8]], case: &Case<'_>, role: Role) -> Vec<u8> {
    let mut wire = Vec::new();
    let mut push = |frame: Frame| {
        let frame = if role == Role::Server { frame.masked([7, 0, 200, 77]) } else { frame };
        wire.extend(frame.encode());
    };
    for message in messages {
        let mut pieces = cut(message, case.seed.into(), case.fragment.into());
        if pieces.is_empty() {
            pieces.push(&[]);
        }
        let last = pieces.len() - 1;
        for (index, piece) in pieces.into_iter().enumerate() {
            let kind = if index == 0 { opcode::BINARY } else { opcode::CONTINUATION };
            let mut frame = Frame::new(kind, piece);
            frame.reserved = if index == 0 { 4 } else { 0 };
            push(if index == last { frame } else { frame.unfinished() });
        }
    }
    wire
}

fn receive(settings: &Settings, pieces: &[&[u8]]) -> (Vec<Event>, Closed) {
    let mut connection = settings.connection();
    let config = connection.config().clone();
    let mut events = Vec::new();
    let mut output = Vec::new();
    for piece in pieces {
        connection.handle_input(Timestamp::ZERO, piece);
        loop {
            let bound = config.byte_marks().high() + config.max_message_size().max(64 * 1024);
            assert!(connection.queued_bytes() < bound, "{} bytes wait", connection.queued_bytes());
            let Some(event) = connection.poll_event() else { break };
            events.push(event);
        }
        drain(&mut connection, usize::MAX, &mut output);
    }
    connection.handle_eof(Timestamp::ZERO);
    events.extend(core::iter::from_fn(|| connection.poll_event()));
    let Some(Event::Closed(closed)) = events.pop() else { panic!("no end") };
    (joined(events), closed)
}

/// The payload of a whole message.
fn payload(event: Event) -> Option<Vec<u8>> {
    match event {
        Event::Message(message) => Some(message.as_bytes().to_vec()),
        Event::Chunk(chunk) => chunk.last.then(|| chunk.payload.to_vec()),
        other => panic!("{other:?}"),
    }
}
