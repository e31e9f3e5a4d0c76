//! permessage-deflate between two cores and against the examples of RFC 7692.
#![cfg(feature = "deflate")]
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, missing_docs)]

use core::time::Duration;

use bytes::Buf;
use proptest::prelude::*;
use tidegate_core::deflate::{DeflateOptions, DeflateParams, DeflatePool};
use tidegate_core::{
    Chunk, CloseCode, Compress, Config, Connection, Event, Failure, Message, MessageKind, Outgoing,
    Prepared, ProtocolError, Timestamp, Watermarks,
};

const NOW: Timestamp = Timestamp::ZERO;

fn config(options: DeflateOptions) -> Config {
    Config::builder()
        .deflate(options)
        .message_marks(Watermarks::UNLIMITED)
        .byte_marks(Watermarks::UNLIMITED)
        .send_marks(Watermarks::UNLIMITED)
        .ping_interval(None)
        .build()
        .unwrap()
}

fn client(params: DeflateParams) -> Connection {
    Connection::client(NOW, config(DeflateOptions::default()), [1; 32]).with_deflate(params)
}

fn drain(connection: &mut Connection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while connection.wants_output() {
        let output = connection.output();
        let length = output.chunk().len();
        bytes.extend_from_slice(output.chunk());
        output.advance(length);
    }
    bytes
}

/// "Hello" with BFINAL, "Hello" again by reference to the first: the window outlives the block.
#[test]
fn the_window_outlives_a_final_block() {
    let mut client = client(DeflateParams::default());
    client.handle_input(NOW, b"\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00");
    client.handle_input(NOW, b"\xc1\x05\xf2\x00\x11\x00\x00");
    for _ in 0..2 {
        assert_eq!(client.poll_event(), Some(Event::Message(Message::text("Hello"))));
    }
}

#[test]
fn data_that_stops_inside_a_block_fails() {
    for wire in [&b"\xc1\x00"[..], b"\xc1\x03\xf2\x48\xcd", b"\xc1\x06\xf2\x48\xcd\xc9\xc9\x07"] {
        let mut client = client(DeflateParams::default());
        client.handle_input(NOW, wire);
        let failure = client.closed().unwrap().failure();
        assert_eq!(failure, Some(Failure::Protocol(ProtocolError::TruncatedDeflate)), "{wire:x?}");
    }
}

/// A pool serves connections without takeover, and what one leaves in a context no other sees.
#[test]
fn contexts_go_back_to_the_pool_clean() {
    let params = DeflateParams {
        server_no_context_takeover: true,
        client_no_context_takeover: true,
        ..DeflateParams::default()
    };
    let options = DeflateOptions::builder().min_size(0).pool(DeflatePool::new(1)).build().unwrap();
    for round in 0..3 {
        let mut server = Connection::server(NOW, config(options.clone())).with_deflate(params);
        let mut client =
            Connection::client(NOW, config(options.clone()), [round; 32]).with_deflate(params);
        for _ in 0..3 {
            server.send("a secret that is long enough to refer to, a secret that is long").unwrap();
            let wire = drain(&mut server);
            assert!(wire.len() < 60, "compressed, and every time alike: {}", wire.len());
            client.handle_input(NOW, &wire);
            assert!(matches!(client.poll_event(), Some(Event::Message(_))));
        }
        client.handle_input(NOW, b"\xc1\x05\xf2\x00\x11\x00\x00"); // refers to nothing
        let failure = client.closed().unwrap().failure();
        assert_eq!(failure, Some(Failure::Protocol(ProtocolError::InvalidDeflate)));
    }
}

#[test]
fn never_and_always_are_obeyed() {
    let mut server = Connection::server(NOW, config(DeflateOptions::default()))
        .with_deflate(DeflateParams::default());
    server.send(Outgoing::from("x").compress(Compress::Always)).unwrap();
    server.send(Outgoing::from("y".repeat(500)).compress(Compress::Never)).unwrap();
    server.send("z").unwrap();
    let wire = drain(&mut server);
    assert_eq!(wire[0], 0xC1);
    let plain = 2 + usize::from(wire[1]);
    assert_eq!(wire[plain], 0x81);
    assert_eq!(wire[plain + 4 + 500], 0x81, "below min_size");
}

fn params() -> impl Strategy<Value = DeflateParams> {
    (any::<bool>(), any::<bool>(), 8u8..=15, 8u8..=15).prop_map(|(server, client, s, c)| {
        DeflateParams {
            server_no_context_takeover: server,
            client_no_context_takeover: client,
            server_max_window_bits: s,
            client_max_window_bits: c,
        }
    })
}

const MINUTE: Duration = Duration::from_secs(60);

/// Nothing happens for some minutes, but for the pings of this end.
fn idle(connection: &mut Connection, mut now: Timestamp, minutes: u32) -> Timestamp {
    for _ in 0..minutes {
        now = now + MINUTE;
        connection.handle_timeout(now);
    }
    now
}

/// What rests keeps its window, in both directions: only the tables and the buffers go.
#[test]
fn a_window_outlives_a_rest() {
    let config = config(DeflateOptions::default()).to_builder().ping_interval(MINUTE);
    let config = config.pong_timeout(None).write_timeout(None).build().unwrap();
    let params = DeflateParams::default();
    let mut server = Connection::server(NOW, config.clone()).with_deflate(params);
    let mut client = Connection::client(NOW, config, [1; 32]).with_deflate(params);
    let text: String = ('!'..='~').chain('À'..='ÿ').collect();
    let mut now = NOW;
    let mut lengths = Vec::new();
    for _ in 0..3 {
        server.send(text.as_str()).unwrap();
        let wire = drain(&mut server);
        lengths.push(wire.len());
        client.handle_input(now, &wire);
        assert_eq!(client.poll_event(), Some(Event::Message(Message::text(text.as_str()))));
        now = idle(&mut server, now, 3);
        now = idle(&mut client, now, 3);
        drain(&mut server);
        drain(&mut client);
    }
    assert!(lengths[0] > 200, "nothing in it is there twice: {lengths:?}");
    assert!(lengths[1] < 20 && lengths[2] < 20, "it was all there before: {lengths:?}");
}

/// A prepared message that is compressed empties the window, of a compressor that rests too.
#[test]
fn a_window_is_forgotten_while_it_rests() {
    let config = config(DeflateOptions::default()).to_builder().ping_interval(MINUTE);
    let config = config.pong_timeout(None).write_timeout(None).build().unwrap();
    let params = DeflateParams::default();
    let mut server = Connection::server(NOW, config.clone()).with_deflate(params);
    let mut client = Connection::client(NOW, config.clone(), [1; 32]).with_deflate(params);
    let text = "what the prepared message pushes out of the window ".repeat(4);
    let other = "b".repeat(40_000);
    server.send(text.as_str()).unwrap();
    idle(&mut server, NOW, 3);
    server.send(Prepared::new(other.as_str())).unwrap();
    server.send(text.as_str()).unwrap();
    client.handle_input(NOW, &drain(&mut server));
    for expected in [&text, &other, &text] {
        assert_eq!(client.poll_event(), Some(Event::Message(Message::text(expected.as_str()))));
    }
}

/// A peer that refers further back than was agreed is understood: the library keeps the full window.
/// Behind a rest what it means is gone, and never is it taken for something else.
#[test]
fn a_reference_beyond_the_agreed_window_is_understood_or_refused() {
    let agreed = DeflateParams { server_max_window_bits: 9, ..DeflateParams::default() };
    let text: String =
        (0..400u32).map(|n| format!("{:x}", n.wrapping_mul(2_654_435_761))).collect();
    for rests in [false, true] {
        let config = config(DeflateOptions::default()).to_builder().ping_interval(MINUTE);
        let config = config.pong_timeout(None).write_timeout(None).build().unwrap();
        let params = DeflateParams::default();
        let mut server = Connection::server(NOW, config.clone()).with_deflate(params);
        let mut client = Connection::client(NOW, config, [1; 32]).with_deflate(agreed);
        server.send(text.as_str()).unwrap();
        client.handle_input(NOW, &drain(&mut server));
        let expected = Some(Event::Message(Message::text(text.as_str())));
        assert_eq!(client.poll_event(), expected);
        let now = idle(&mut client, NOW, if rests { 3 } else { 0 });
        server.send(text.as_str()).unwrap();
        client.handle_input(now, &drain(&mut server));
        if !rests {
            assert_eq!(client.poll_event(), expected);
            continue;
        }
        let closed = client.closed().unwrap();
        assert_eq!(closed.failure(), Some(Failure::Protocol(ProtocolError::InvalidDeflate)));
        assert_eq!(closed.sent().unwrap().code, CloseCode::INVALID_PAYLOAD);
    }
}

/// Text that compresses well, with references far back, and bytes that do not compress.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        proptest::collection::vec(any::<u8>(), 1..300),
        ("[a-f]{1,8}", 1usize..9000).prop_map(|(word, times)| word.repeat(times).into_bytes()),
        (any::<u64>(), 1usize..70_000).prop_map(|(mut state, length)| {
            core::iter::repeat_with(|| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                b'a' + (state >> 60) as u8
            })
            .take(length)
            .collect()
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn random_messages_settings_and_splits_round_trip(
        params in params(),
        level in 1u8..=9,
        mem_level in 1u8..=9,
        messages in proptest::collection::vec(
            (payload(), any::<bool>(), 1usize..20_000, 0u8..3, 0u32..3, 0u32..3),
            1..6,
        ),
        split in 1usize..40_000,
        from_client: bool,
        pooled: bool,
    ) {
        let pool = pooled.then(|| DeflatePool::new(2));
        let options = DeflateOptions::builder().level(level).mem_level(mem_level).pool(pool);
        let options = options.build().unwrap();
        let config = config(options).to_builder().ping_interval(MINUTE).pong_timeout(None).write_timeout(None);
        let config = config.build().unwrap();
        let server = Connection::server(NOW, config.clone()).with_deflate(params);
        let client = Connection::client(NOW, config, [3; 32]).with_deflate(params);
        let (mut from, mut to) = if from_client { (client, server) } else { (server, client) };
        let mut now = NOW;
        for (payload, in_chunks, size, compress, from_idles, to_idles) in messages {
            // What is idle for two minutes rests; for one, it may; in a message it must not.
            now = idle(&mut from, now, from_idles);
            now = idle(&mut to, now, to_idles);
            drain(&mut to);
            if in_chunks {
                let mut pieces = payload.chunks(size).peekable();
                loop {
                    let piece = pieces.next().unwrap_or_default().to_vec().into();
                    let last = pieces.peek().is_none();
                    let chunk = Chunk { kind: MessageKind::Binary, payload: piece, last };
                    from.send_chunk(chunk).unwrap();
                    if last {
                        break;
                    }
                    now = idle(&mut from, now, from_idles);
                }
            } else {
                let compress = [Compress::Auto, Compress::Always, Compress::Never][compress as usize];
                from.send(Outgoing::from(payload.clone()).compress(compress)).unwrap();
            }
            for piece in drain(&mut from).chunks(split) {
                to.handle_input(now, piece);
                now = idle(&mut to, now, to_idles);
            }
            prop_assert_eq!(to.closed(), None);
            prop_assert_eq!(to.poll_event(), Some(Event::Message(Message::binary(payload))));
        }
    }
}

/// "RSV1 only on the first fragment" (RFC 7692 §6.1), however a compressed message is cut.
#[test]
fn only_the_first_fragment_is_marked_as_compressed() {
    use tidegate_core::Role;
    use tidegate_core::frame::{Decoder, HeaderRules, Part};

    let config = config(DeflateOptions::default()).to_builder().fragment_size(10).build().unwrap();
    let mut server = Connection::server(NOW, config).with_deflate(DeflateParams::default());
    server
        .send(Outgoing::from("a text that is long enough to be cut").compress(Compress::Always))
        .unwrap();
    let output = server.output();
    let wire = output.copy_to_bytes(output.remaining());
    let mut decoder = Decoder::new(HeaderRules { sender: Role::Server, allow_rsv1: true });
    let (mut rest, mut marks) = (&wire[..], Vec::new());
    while let Some(part) = decoder.decode(&mut rest).unwrap() {
        if let Part::Header(header) = part {
            marks.push((header.rsv1, header.fin));
        }
    }
    assert!(marks.len() > 2, "{marks:?}");
    let last = marks.len() - 1;
    for (index, mark) in marks.into_iter().enumerate() {
        assert_eq!(mark, (index == 0, index == last));
    }
}

#[test]
fn options_are_checked_and_become_what_is_offered_and_wished() {
    use tidegate_core::ConfigError;
    use tidegate_core::deflate::{ClientWindow, DeflateOffer, DeflateOptionsBuilder};
    use tidegate_core::handshake::{ClientRequest, RequestError};

    let default = DeflateOptions::default();
    let any = DeflateOffer { client_max_window_bits: ClientWindow::Any, ..Default::default() };
    assert_eq!(default.offer(), any);
    assert_eq!(default.params(), DeflateParams::default());
    let options = default
        .to_builder()
        .server_no_context_takeover(true)
        .client_no_context_takeover(true)
        .server_max_window_bits(9)
        .client_max_window_bits(14)
        .build()
        .unwrap();
    let expected = DeflateOffer {
        server_no_context_takeover: true,
        client_no_context_takeover: true,
        server_max_window_bits: Some(9),
        client_max_window_bits: ClientWindow::AtMost(14),
    };
    assert_eq!(options.offer(), expected);
    assert_eq!(options.params().server_max_window_bits, 9);
    assert_eq!(options.params().client_max_window_bits, 14);

    type Set = fn(DeflateOptionsBuilder, u8) -> DeflateOptionsBuilder;
    for (setting, set, least, most) in [
        ("level", DeflateOptionsBuilder::level as Set, 1, 9),
        ("mem_level", DeflateOptionsBuilder::mem_level, 1, 9),
        ("server_max_window_bits", DeflateOptionsBuilder::server_max_window_bits, 9, 15),
        ("client_max_window_bits", DeflateOptionsBuilder::client_max_window_bits, 9, 15),
    ] {
        for value in 0..20 {
            let error = ConfigError::OutOfRange { setting, value, least, most };
            let set = set(default.to_builder(), value).build();
            assert_eq!(set.is_ok(), (least..=most).contains(&value), "{setting} {value}");
            assert!(set.is_ok() || set.unwrap_err() == error);
        }
    }
    for bits in [7, 16] {
        let offer = DeflateOffer { server_max_window_bits: Some(bits), ..Default::default() };
        let request = ClientRequest::builder("example.org", "/").deflate(offer).build();
        assert_eq!(request.unwrap_err(), RequestError::WindowBits);
    }
}

/// Counted as inflated, exact to a byte, and before the excess is kept.
#[test]
fn the_limit_holds_for_what_is_inflated() {
    let limit = 10_000;
    let params = DeflateParams::default();
    let limited = || {
        let options = DeflateOptions::default();
        config(options).to_builder().max_message_size(limit).build().unwrap()
    };
    for text in [true, false] {
        for length in [limit - 1, limit, limit + 1, 50 * limit] {
            let message = if text {
                // Characters that inflated pieces end in the middle of.
                Message::text("€".repeat(length / 3) + &"x".repeat(length % 3))
            } else {
                Message::binary(vec![7; length])
            };
            let mut client = Connection::client(NOW, limited(), [1; 32]).with_deflate(params);
            client.send(Outgoing::from(message.clone()).compress(Compress::Always)).unwrap();
            let wire = drain(&mut client);
            assert!(wire.len() < limit / 2, "its length on the wire is within the limit");
            for size in [1, usize::MAX] {
                let mut server = Connection::server(NOW, limited()).with_deflate(params);
                for piece in wire.chunks(size.min(wire.len())) {
                    server.handle_input(NOW, piece);
                }
                match server.poll_event().unwrap() {
                    Event::Message(seen) if length <= limit => assert_eq!(seen, message),
                    Event::Closed(closed) if length > limit => {
                        let length = limit as u64 + 1;
                        let error = ProtocolError::MessageTooLarge { length, limit };
                        assert_eq!(closed.failure(), Some(Failure::Protocol(error)));
                        assert_eq!(closed.sent().unwrap().code, CloseCode::MESSAGE_TOO_BIG);
                    }
                    other => panic!("{length}: {other:?}"),
                }
            }
        }
    }
}

/// A prepared message with options of its own is compressed by them, once for each kind of window.
#[test]
fn a_prepared_message_has_its_own_options() {
    let text = "to be compressed ".repeat(100);
    let plain = Prepared::with_options(
        text.as_str(),
        DeflateOptions::builder().min_size(1 << 20).build().unwrap(),
    );
    let level = DeflateOptions::builder().level(9).build().unwrap();
    let short = Prepared::with_options(text.as_str(), level);
    assert!(format!("{short:?}").starts_with("Prepared("));
    for (prepared, compressed) in [(plain, false), (short, true)] {
        let mut server = Connection::server(NOW, config(DeflateOptions::default()))
            .with_deflate(DeflateParams::default());
        server.send(&prepared).unwrap();
        let wire = drain(&mut server);
        assert_eq!(wire[0] & 0x40 != 0, compressed);
        assert_eq!(wire.len() < text.len() / 10, compressed);
        let mut client = client(DeflateParams::default());
        client.handle_input(NOW, &wire);
        assert_eq!(client.poll_event(), Some(Event::Message(Message::text(text.as_str()))));
    }
}

/// "If a received extension negotiation response does not have the parameter, the client may use any
/// window" up to the full one (RFC 7692 §7.1.2.2); what it said it would use is enough for us.
#[test]
fn a_client_keeps_to_the_window_that_it_offered_if_the_server_says_nothing() {
    use tidegate_core::handshake::{
        Acceptance, ClientHandshake, ClientRequest, Limits, ServerHandshake,
    };

    for (own, agreed) in [(10, 10), (15, 15)] {
        let offer = DeflateOptions::builder().client_max_window_bits(own).build().unwrap().offer();
        let request = ClientRequest::builder("example.org", "/").deflate(offer).build().unwrap();
        let mut client = ClientHandshake::new(NOW, request, Limits::default(), [7; 32]);
        assert_eq!(client.deflate(), None, "nothing is agreed on yet");
        let mut server = ServerHandshake::new(NOW, Limits::default());
        let written = |output: &mut bytes::Bytes| output.copy_to_bytes(output.remaining());
        server.handle_input(NOW, &written(client.output()));
        // A server that agrees without saying anything about windows.
        let plain = Acceptance::new().header("X-Plain", "1");
        server.accept(plain).unwrap();
        let answer = String::from_utf8(written(server.output()).to_vec()).unwrap();
        let answer = answer.replace("X-Plain: 1", "Sec-WebSocket-Extensions: permessage-deflate");
        client.handle_input(NOW, answer.as_bytes());
        assert!(client.is_open(), "{:?}", client.failure());
        assert_eq!(client.deflate().unwrap().client_max_window_bits, agreed);
    }
}

/// Whether contexts are shared is a setting like others: options with the same pool are the same.
#[test]
fn options_are_the_same_with_the_same_pool() {
    let pool = DeflatePool::new(3);
    let with = |pool: &DeflatePool| DeflateOptions::builder().pool(pool.clone()).build();
    assert_eq!(with(&pool), with(&pool));
    assert_ne!(with(&pool), with(&DeflatePool::new(3)));
    assert!(format!("{pool:?}").contains("capacity: 3"));
}
