//! The inbox and its gate, tested through the connection: what counts, and when the gate closes.
#![allow(clippy::unwrap_used, missing_docs)]

use bytes::Buf;
use tidegate_core::{
    Config, ConfigBuilder, Connection, Delivery, Event, Message, PongPolicy, Timestamp, Watermarks,
};

const NOW: Timestamp = Timestamp::ZERO;

fn marks(high: usize, low: usize) -> Watermarks {
    Watermarks::new(high, low)
}

/// Settings without limits, to which a test adds those that it needs.
fn open() -> ConfigBuilder {
    Config::builder()
        .message_marks(Watermarks::UNLIMITED)
        .byte_marks(Watermarks::UNLIMITED)
        .ping_interval(None)
}

fn client(config: ConfigBuilder) -> Connection {
    Connection::client(NOW, config.build().unwrap(), [3; 32])
}

/// A frame of at most 125 bytes, as a server sends it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    [&[first, payload.len().to_le_bytes()[0]], payload].concat()
}

fn binary(length: usize) -> Vec<u8> {
    frame(0x82, &vec![7; length])
}

fn feed(connection: &mut Connection, input: &[u8]) {
    connection.handle_input(NOW, input);
}

fn level(connection: &Connection) -> (usize, usize) {
    (connection.queued_messages(), connection.queued_bytes())
}

fn pongs(connection: &mut Connection) -> Vec<Vec<u8>> {
    let bytes = connection.output();
    let mut pongs = Vec::new();
    while bytes.has_remaining() {
        assert_eq!(bytes.get_u8(), 0x8A);
        let length = usize::from(bytes.get_u8() & 0x7F);
        let key = bytes.get_u32().to_be_bytes();
        let masked = bytes.copy_to_bytes(length);
        pongs.push(masked.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect());
    }
    pongs
}

#[test]
fn the_gate_closes_and_opens_at_the_message_watermarks() {
    let mut connection = client(open().message_marks(marks(4, 2)));
    for queued in 1..4 {
        feed(&mut connection, &binary(0));
        assert_eq!(level(&connection), (queued, 0));
        assert!(connection.is_gate_open() && connection.wants_input());
    }
    assert_eq!(connection.stats().times_closed, 0);
    feed(&mut connection, &binary(0));
    assert!(!connection.is_gate_open() && !connection.wants_input());
    assert_eq!(connection.stats().times_closed, 1);
    connection.poll_event().unwrap();
    assert!(!connection.is_gate_open(), "3 is between the marks");
    connection.poll_event().unwrap();
    assert!(connection.is_gate_open() && connection.wants_input(), "2 is the low mark");
    feed(&mut connection, &binary(0));
    assert!(connection.is_gate_open(), "3 is between the marks, and the gate was open");
    assert_eq!((connection.stats().peak_messages, connection.stats().times_closed), (4, 1));
}

#[test]
fn peaks_never_decrease_however_events_are_taken() {
    let mut connection = client(open());
    let peaks = |connection: &Connection| {
        let stats = connection.stats();
        (stats.peak_messages, stats.peak_bytes)
    };
    feed(&mut connection, &binary(59));
    assert_eq!(peaks(&connection), (1, 59), "while the event is queued");
    connection.poll_event().unwrap();
    assert_eq!(peaks(&connection), (1, 59), "when the event was taken");
    feed(&mut connection, &binary(30));
    feed(&mut connection, &binary(40));
    assert_eq!(peaks(&connection), (2, 70));
    while connection.poll_event().is_some() {}
    feed(&mut connection, &binary(1));
    assert_eq!(peaks(&connection), (2, 70));
}

#[test]
fn the_gate_closes_and_opens_at_the_byte_watermarks() {
    let mut connection = client(open().byte_marks(marks(90, 60)));
    feed(&mut connection, &binary(59));
    feed(&mut connection, &binary(30));
    assert_eq!(level(&connection), (2, 89));
    assert!(connection.is_gate_open());
    feed(&mut connection, &binary(1));
    assert_eq!(level(&connection), (3, 90));
    assert!(!connection.is_gate_open());
    connection.poll_event().unwrap();
    assert_eq!(level(&connection), (2, 31));
    assert!(connection.is_gate_open(), "31 is below 60");
    feed(&mut connection, &[binary(30), binary(29)].concat());
    assert_eq!(level(&connection), (4, 90));
    assert!(!connection.is_gate_open());
    connection.poll_event().unwrap();
    assert_eq!(level(&connection), (3, 60));
    assert!(connection.is_gate_open(), "60 is the low mark");
    assert_eq!((connection.stats().peak_bytes, connection.stats().times_closed), (90, 2));
}

/// Both must be at their low watermarks, whichever of them closed the gate.
#[test]
fn the_gate_opens_when_messages_and_bytes_are_both_low() {
    let mut connection = client(open().message_marks(marks(3, 1)).byte_marks(marks(100, 10)));
    feed(&mut connection, &[binary(0), binary(0), binary(50)].concat());
    assert!(!connection.is_gate_open(), "three messages");
    connection.poll_event().unwrap();
    connection.poll_event().unwrap();
    assert_eq!(level(&connection), (1, 50));
    assert!(!connection.is_gate_open(), "the messages are low, the bytes are not");
    connection.poll_event().unwrap();
    assert!(connection.is_gate_open());
}

/// Taking the event subtracts what its arrival added.
#[test]
fn each_event_counts_as_one_message_and_its_payload_as_bytes() {
    let mut connection = client(open().surface_control(true));
    let input = [
        frame(0x81, "é".as_bytes()),
        frame(0x89, b"ping!"),
        frame(0x8A, b"pong"),
        frame(0x82, b"binary"),
        frame(0x81, b""),
        frame(0x88, b"\x03\xE8bye"),
    ];
    let mut levels = vec![(0, 0)];
    for one in &input {
        feed(&mut connection, one);
        levels.push(level(&connection));
    }
    assert_eq!(levels, [(0, 0), (1, 2), (2, 7), (3, 11), (4, 17), (5, 17), (5, 17)]);
    let mut left = (5, 17);
    for length in [2, 5, 4, 6, 0] {
        assert!(!matches!(connection.poll_event(), None | Some(Event::Closed(_))));
        left = (left.0 - 1, left.1 - length);
        assert_eq!(level(&connection), left);
    }
    assert!(matches!(connection.poll_event(), Some(Event::Closed(_))));

    let mut connection = client(open().delivery(Delivery::Chunks));
    feed(&mut connection, &[frame(0x02, b"abc"), frame(0x80, b"de")].concat());
    assert_eq!(level(&connection), (2, 5));
    connection.poll_event().unwrap();
    assert_eq!(level(&connection), (1, 2));
    connection.poll_event().unwrap();
    assert_eq!(level(&connection), (0, 0));

    let mut connection = client(open().validate_utf8(false));
    feed(&mut connection, &frame(0x81, b"\xFF\xFF\xFF"));
    assert_eq!(level(&connection), (1, 3));
    connection.poll_event().unwrap();
    assert_eq!(level(&connection), (0, 0));
}

/// `PongPolicy::InOrder`: a pong confirms that all messages before the ping were taken. Of several
/// pings without a message in between, only the newest is answered (RFC 6455 §5.5.3).
#[test]
fn an_in_order_pong_waits_for_the_messages_before_its_ping() {
    let mut connection = client(open().pong_policy(PongPolicy::InOrder));
    let ping = |payload: &[u8]| frame(0x89, payload);
    feed(&mut connection, &[ping(b"0"), ping(b"00")].concat());
    assert_eq!(pongs(&mut connection), [&b"0"[..], b"00"], "no messages precede these pings");
    let input =
        [binary(1), ping(b"1"), ping(b"11"), binary(2), binary(3), ping(b"3"), binary(4)].concat();
    feed(&mut connection, &input);
    assert_eq!(level(&connection), (4, 10), "an answered ping is not an event");
    for expected in [vec![b"11".to_vec()], vec![], vec![b"3".to_vec()], vec![]] {
        assert_eq!(pongs(&mut connection), Vec::<Vec<u8>>::new());
        assert!(matches!(connection.poll_event(), Some(Event::Message(_))));
        assert_eq!(pongs(&mut connection), expected);
    }
    assert_eq!(connection.poll_event(), None);
    feed(&mut connection, &ping(b"last"));
    assert_eq!(pongs(&mut connection), [b"last"]);
    assert_eq!(connection.stats().pings_in, 6);
}

#[test]
fn with_manual_pongs_a_ping_is_an_event_and_is_not_answered() {
    let mut connection = client(open().pong_policy(PongPolicy::Manual));
    feed(&mut connection, &frame(0x89, b"answer me"));
    assert_eq!(pongs(&mut connection), Vec::<Vec<u8>>::new());
    assert_eq!(connection.poll_event(), Some(Event::Ping(b"answer me"[..].into())));
    connection.pong(&b"here"[..]).unwrap();
    assert_eq!(pongs(&mut connection), [b"here"]);
}

/// The lowest possible watermarks lose no message.
#[test]
fn with_the_lowest_watermarks_one_message_at_a_time_is_received() {
    let mut connection = client(open().message_marks(marks(1, 0)));
    let input: Vec<u8> = (0..50).flat_map(|number| frame(0x82, &[number])).collect();
    feed(&mut connection, &input);
    for number in 0..50 {
        assert_eq!(level(&connection), (1, 1));
        assert!(!connection.wants_input());
        let message = Message::binary(vec![number]);
        assert_eq!(connection.poll_event(), Some(Event::Message(message)));
    }
    assert_eq!(level(&connection), (0, 0));
    assert!(connection.wants_input());
    assert_eq!(connection.stats().times_closed, 50);
    assert_eq!(connection.stats().peak_messages, 1);
}
