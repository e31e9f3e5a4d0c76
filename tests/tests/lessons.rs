//! Tests for bugs of other implementations: each checks the behaviour that prevents one of them.
#![allow(clippy::unwrap_used, clippy::std_instead_of_alloc, clippy::wildcard_enum_match_arm)]

use bytes::Buf;
use core::time::Duration;

use tidegate_core::deflate::DeflateParams;
use tidegate_core::{
    CloseCode, CloseFrame, Config, ConfigBuilder, Connection, Event, Failure, Message, Timestamp,
    Transport, Watermarks,
};
use tidegate_tests::frames::{Frame, opcode};
use tidegate_tests::random::Random;

fn marks(high: usize, low: usize) -> Watermarks {
    Watermarks::new(high, low)
}

/// A client, so that the peer's frames are unmasked and readable in the tests.
fn client(config: ConfigBuilder) -> Connection {
    Connection::client(Timestamp::ZERO, config.build().unwrap(), [5; 32])
}

fn config() -> ConfigBuilder {
    Config::builder().message_marks(marks(4, 1)).ping_interval(None).close_timeout(None)
}

fn text(text: &str) -> Vec<u8> {
    Frame::new(opcode::TEXT, text).encode()
}

fn ping(payload: &str) -> Vec<u8> {
    Frame::new(opcode::PING, payload).encode()
}

fn feed(connection: &mut Connection, input: &[u8]) {
    connection.handle_input(Timestamp::ZERO, input);
}

fn take_text(connection: &mut Connection) -> Option<String> {
    match connection.poll_event()? {
        Event::Message(message) => Some(message.as_text().unwrap().into()),
        other => panic!("{other:?}"),
    }
}

fn drain(connection: &mut Connection) -> Vec<u8> {
    let mut bytes = Vec::new();
    let output = connection.output();
    while output.has_remaining() {
        bytes.push(output.get_u8());
    }
    bytes
}

fn written(connection: &mut Connection) -> Vec<Frame> {
    Frame::parse_all(&drain(connection)).unwrap()
}

/// python-websockets paused the socket, but went on decoding the bytes of one read: a read of 64 KiB
/// queued 9,362 messages.
#[test]
fn decoding_stops_at_the_watermark_in_the_middle_of_a_read() {
    let mut connection = client(config().message_marks(marks(16, 4)));
    let input = text("x").repeat(20_000);
    feed(&mut connection, &input);
    assert_eq!(connection.queued_messages(), 16);
    assert!(!connection.wants_input());
    let mut taken = 0;
    while take_text(&mut connection).is_some() {
        assert!(connection.queued_messages() <= 16);
        taken += 1;
    }
    assert_eq!(taken, 20_000, "and none is lost");
    assert_eq!(connection.stats().peak_messages, 16);
}

/// The same for bytes: with a count of messages only, one read queued 251 MiB instead of 16 MiB.
#[test]
fn the_byte_watermark_stops_a_few_large_messages() {
    let mut connection = client(config().message_marks(Watermarks::UNLIMITED));
    let large = Frame::new(opcode::BINARY, vec![7; 100_000]).encode();
    feed(&mut connection, &large.repeat(50));
    // The default watermark is 256 KiB: the third message crosses it.
    assert_eq!(connection.queued_bytes(), 300_000);
    assert!(!connection.wants_input());
}

/// The same for compressed messages: one read of 256 KiB holds more than two hundred of 1 MiB.
#[test]
fn the_byte_watermark_counts_inflated_bytes() {
    const LENGTH: usize = 1024 * 1024;
    let message = Message::binary(vec![7; LENGTH]);
    let mut server = Connection::server(Timestamp::ZERO, Config::default())
        .with_deflate(DeflateParams::default());
    server.send(message.clone()).unwrap();
    let mut read = drain(&mut server);
    server.send(message).unwrap();
    let again = drain(&mut server);
    let mut sent = 1;
    while read.len() + again.len() <= 256 * 1024 {
        read.extend_from_slice(&again);
        sent += 1;
    }
    assert!(sent > 200, "{sent}");

    let mut connection = client(config().message_marks(Watermarks::UNLIMITED))
        .with_deflate(DeflateParams::default());
    feed(&mut connection, &read);
    let mut taken = 0;
    loop {
        assert!(connection.queued_bytes() <= LENGTH, "{}", connection.queued_bytes());
        assert!(!connection.wants_input() || taken == sent);
        match connection.poll_event() {
            Some(Event::Message(message)) => assert_eq!(message.len(), LENGTH),
            other => break assert_eq!(other, None),
        }
        taken += 1;
    }
    assert_eq!(taken, sent, "and none is lost");
    assert_eq!(connection.stats().peak_messages, 1);
}

/// Endless empty continuation frames made python-websockets grow without limit. `memory_bound`
/// measures that they take no memory here; this test checks that they have no other effect.
#[test]
fn empty_fragments_have_no_effect() {
    let mut connection = client(config());
    feed(&mut connection, &Frame::new(opcode::TEXT, "a").unfinished().encode());
    let empty = Frame::new(opcode::CONTINUATION, "").unfinished().encode();
    feed(&mut connection, &empty.repeat(100_000));
    assert_eq!((connection.queued_messages(), connection.queued_bytes()), (0, 0));
    assert!(connection.wants_input());
    feed(&mut connection, &Frame::new(opcode::CONTINUATION, "b").encode());
    assert_eq!(take_text(&mut connection).as_deref(), Some("ab"));
}

/// python-websockets' keepalive disconnected a live peer after 0.8 s, because its gate was closed and
/// it did not read the pong.
#[test]
fn the_keepalive_does_not_blame_the_peer_for_our_closed_gate() {
    let second = Duration::from_secs(1);
    let mut connection =
        client(config().message_marks(marks(1, 0)).ping_interval(second).pong_timeout(second));
    feed(&mut connection, &text("wait"));
    assert!(!connection.wants_input());
    let mut now = Timestamp::ZERO;
    for _ in 0..100 {
        now = connection.poll_timeout().unwrap();
        connection.handle_timeout(now);
        assert_eq!(connection.closed(), None, "at {now:?}");
        // Rule 10: our pings still go out, so that the peer sees that we are alive.
        assert!(written(&mut connection).iter().all(|frame| frame.opcode == opcode::PING));
    }
    assert!(now > Timestamp::from_secs(20));

    // When the gate opens, the time for the pong starts again; then a silent peer is given up.
    assert!(take_text(&mut connection).is_some());
    connection.handle_timeout(now);
    connection.handle_timeout(now + Duration::from_millis(999));
    assert_eq!(connection.closed(), None);
    connection.handle_timeout(now + second);
    assert_eq!(connection.closed(), None, "a last look");
    let now = connection.poll_timeout().unwrap();
    connection.handle_timeout(now);
    assert_eq!(connection.closed().unwrap().failure(), Some(Failure::KeepaliveTimeout));
}

/// In python-websockets, `close()` while paused took the whole close timeout, and ended abnormally
/// for the peer.
#[test]
fn close_with_a_closed_gate_is_sent_at_once_and_ends_clean() {
    let mut connection = client(config().close_timeout(Duration::from_secs(10)));
    feed(&mut connection, &text("x").repeat(10));
    assert!(!connection.wants_input());
    let bye = CloseFrame::new(CloseCode::NORMAL, "bye");
    connection.close(Timestamp::ZERO, bye).unwrap();
    let frames = written(&mut connection);
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0].opcode, opcode::CLOSE);
    assert_eq!(frames[0].payload, Frame::close(Some(1000), "bye").payload);

    // The peer's answer comes after messages that we have not taken.
    feed(&mut connection, &Frame::close(Some(1000), "").encode());
    for _ in 0..10 {
        assert!(take_text(&mut connection).is_some());
    }
    match connection.poll_event() {
        Some(Event::Closed(closed)) => assert!(closed.is_clean()),
        other => panic!("{other:?}"),
    }
}

/// aiohttp counted tuples and characters instead of bytes for years, and empty messages as nothing.
#[test]
fn sizes_are_bytes_and_empty_messages_count() {
    let mut connection = client(config());
    feed(&mut connection, &text("€€"));
    assert_eq!((connection.queued_messages(), connection.queued_bytes()), (1, 6));
    feed(&mut connection, &text("").repeat(10));
    assert_eq!((connection.queued_messages(), connection.queued_bytes()), (4, 6));
    assert!(!connection.wants_input());
}

/// After an error aiohttp's detached reader went on accumulating data.
#[test]
fn nothing_accumulates_after_an_error() {
    let mut connection = client(config());
    feed(&mut connection, &[&text("before")[..], b"\x83\x00"].concat());
    assert!(!connection.wants_input());
    feed(&mut connection, &text("after").repeat(10_000));
    assert_eq!(connection.queued_messages(), 1);
    assert_eq!(take_text(&mut connection).as_deref(), Some("before"));
    match connection.poll_event() {
        Some(Event::Closed(closed)) => {
            assert!(matches!(closed.failure(), Some(Failure::Protocol(_))));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(connection.poll_event(), None);
    assert_eq!(connection.stats().messages_in, 1);
}

/// Quarkus subtracted credit for each frame and added it for each message, until reading stopped
/// forever.
#[test]
fn fragmented_messages_leak_no_credit() {
    let mut connection = client(config().byte_marks(marks(64, 8)));
    for round in 0..1000 {
        for opcode in [opcode::TEXT, opcode::CONTINUATION, opcode::CONTINUATION] {
            feed(&mut connection, &Frame::new(opcode, "part").unfinished().encode());
        }
        feed(&mut connection, &Frame::new(opcode::CONTINUATION, "end").encode());
        assert_eq!(connection.queued_bytes(), 15, "round {round}");
        assert_eq!(take_text(&mut connection).as_deref(), Some("partpartpartend"));
        assert_eq!((connection.queued_messages(), connection.queued_bytes()), (0, 0));
        assert!(connection.wants_input(), "round {round}");
    }
    assert_eq!(connection.stats().times_closed, 0);
}

/// libwebsockets processed unparsed bytes in the wrong order when its pause toggled under load.
#[test]
fn the_order_survives_a_gate_that_toggles() {
    let mut random = Random::new(11);
    let mut connection = client(config().message_marks(marks(3, 1)));
    let input: Vec<u8> = (0..2000).flat_map(|number| text(&number.to_string())).collect();
    let (mut rest, mut next) = (&input[..], 0);
    while next < 2000 {
        // Even while `wants_input` is false: the input is kept, after earlier kept input.
        let (piece, later) = rest.split_at(random.below(40).min(rest.len()));
        feed(&mut connection, piece);
        rest = later;
        for _ in 0..random.below(4) {
            if let Some(text) = take_text(&mut connection) {
                assert_eq!(text, next.to_string());
                next += 1;
            }
        }
    }
    assert!(connection.stats().times_closed > 300);
}

/// python-websockets' third driver used a lock as its pause flag, and crashed when it paused twice.
#[test]
fn one_take_may_open_the_gate_and_close_it_again() {
    let mut connection = client(config().message_marks(marks(1, 0)));
    feed(&mut connection, &text("x").repeat(100));
    for taken in 1..=100 {
        assert!(!connection.wants_input());
        assert_eq!(connection.stats().times_closed, taken);
        assert!(take_text(&mut connection).is_some());
    }
    assert!(connection.wants_input());
}

/// Bun and uWebSockets cannot stop reading from a peer.
#[test]
fn an_application_that_takes_nothing_stops_the_peer() {
    let mut connection = client(config());
    let mut reads = 0;
    while connection.wants_input() {
        feed(&mut connection, &text("x").repeat(3));
        reads += 1;
    }
    assert_eq!(reads, 2);
    assert_eq!(connection.transport(), Transport::KeepOpen);
}

/// uWebSockets drops pongs above its send limit.
#[test]
fn a_pong_goes_out_before_a_full_outbox() {
    let mut connection = client(config().send_marks(marks(1000, 100)));
    while connection.can_send() {
        connection.send(Message::binary(vec![1; 300])).unwrap();
    }
    feed(&mut connection, &ping("still there?"));
    let frames = written(&mut connection);
    assert_eq!(frames[0].opcode, opcode::PONG);
    assert_eq!(frames[0].payload, b"still there?");
    assert_eq!(frames.len(), 5);
}

/// A flood of pings from a peer that reads nothing takes constant memory, even if writing is tried
/// after every ping. The newest pings are answered.
#[test]
fn a_flood_of_pings_does_not_grow_the_output() {
    let mut connection = client(config());
    for number in 0..10_000 {
        feed(&mut connection, &ping(&format!("{number:0100}")));
        connection.output();
    }
    assert!(connection.queued_output() < 4096, "{}", connection.queued_output());
    assert!(connection.output().remaining() < 4096);
    let frames = written(&mut connection);
    // Thirty-two queued pongs, after those already offered to the transport.
    assert!(frames.len() <= 33, "{}", frames.len());
    assert_eq!(frames.last().unwrap().payload, format!("{:0100}", 9999).into_bytes());
}

/// A proxy removed its backpressure again, because pings were no longer answered and peers
/// disconnected. Here pings before the closed gate are answered although no message is taken, and
/// pings after it when they are decoded.
#[test]
fn pings_are_answered_up_to_the_watermark() {
    let mut connection = client(config());
    feed(&mut connection, &[text("a"), text("b"), text("c"), ping("below")].concat());
    assert_eq!(written(&mut connection).last().unwrap().payload, b"below");
    feed(&mut connection, &[text("d"), ping("behind")].concat());
    assert_eq!(written(&mut connection), []);
    for _ in 0..3 {
        take_text(&mut connection);
    }
    assert_eq!(written(&mut connection).last().unwrap().payload, b"behind");
}

/// leptos dropped frames silently when its channel was full.
#[test]
fn input_is_never_dropped() {
    let mut connection = client(config());
    for number in 0..500 {
        feed(&mut connection, &text(&number.to_string()));
    }
    connection.handle_eof(Timestamp::ZERO);
    for number in 0..500 {
        assert_eq!(take_text(&mut connection), Some(number.to_string()));
    }
    match connection.poll_event() {
        Some(Event::Closed(closed)) => assert_eq!(closed.failure(), Some(Failure::EndOfStream)),
        other => panic!("{other:?}"),
    }
}
