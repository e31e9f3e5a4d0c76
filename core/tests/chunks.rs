//! Messages received in chunks: joined, they equal the whole messages.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, missing_docs)]

use bytes::Buf;
use proptest::prelude::*;
use tidegate_core::{
    Chunk, Config, ConfigBuilder, Connection, Delivery, Event, Failure, Message, MessageKind,
    ProtocolError, Timestamp, Watermarks,
};

const NOW: Timestamp = Timestamp::ZERO;

fn base() -> ConfigBuilder {
    Config::builder().ping_interval(None).send_marks(Watermarks::UNLIMITED)
}

fn drain(connection: &mut Connection) -> Vec<u8> {
    let output = connection.output();
    let length = output.remaining();
    output.copy_to_bytes(length).to_vec()
}

/// What a connection delivers: messages (joined from chunks), the part of a message before a
/// failure, and how the connection ended.
#[derive(Debug, Default, PartialEq)]
struct Received {
    messages: Vec<(MessageKind, Vec<u8>)>,
    part: Option<(MessageKind, Vec<u8>)>,
    failure: Option<Option<Failure>>,
}

impl Received {
    /// Takes all events, and checks the invariants of each chunk.
    fn take(&mut self, connection: &mut Connection) {
        while let Some(event) = connection.poll_event() {
            match event {
                Event::Message(message) => {
                    self.messages.push((message.kind(), message.into_bytes().to_vec()));
                }
                Event::Chunk(Chunk { kind, payload, last }) => {
                    assert!(last || !payload.is_empty(), "a chunk brings something");
                    assert!(payload.len() <= 64 * 1024);
                    if kind == MessageKind::Text {
                        core::str::from_utf8(&payload).unwrap();
                    }
                    let (begun, bytes) = self.part.get_or_insert((kind, Vec::new()));
                    assert_eq!(*begun, kind);
                    bytes.extend_from_slice(&payload);
                    if last {
                        self.messages.extend(self.part.take());
                    }
                }
                Event::Closed(closed) => self.failure = Some(closed.failure()),
                other => panic!("{other:?}"),
            }
        }
    }
}

fn run(
    bytes: &[u8],
    split: usize,
    config: Config,
    setup: fn(Connection) -> Connection,
) -> Received {
    let mut client = setup(Connection::client(NOW, config, [2; 32]));
    let mut received = Received::default();
    for piece in bytes.chunks(split) {
        client.handle_input(NOW, piece);
        received.take(&mut client);
    }
    client.handle_eof(NOW);
    received.take(&mut client);
    received
}

/// Fragmented text and binary messages, sometimes with an invalid byte.
fn stream(compress: fn(Connection) -> Connection) -> impl Strategy<Value = Vec<u8>> {
    let message = (
        prop_oneof![
            "\\PC{0,300}".prop_map(Message::text),
            proptest::collection::vec(any::<u8>(), 0..2000).prop_map(Message::binary),
            ("[a-c]{1,3}", 1usize..20_000)
                .prop_map(|(word, times)| Message::text(word.repeat(times))),
        ],
        1usize..5000,
    );
    let fault = proptest::option::weighted(0.4, (any::<prop::sample::Index>(), any::<u8>()));
    (proptest::collection::vec(message, 1..5), fault).prop_map(move |(messages, fault)| {
        let mut server = compress(Connection::server(NOW, base().build().unwrap()));
        for (message, size) in messages {
            let kind = message.kind();
            let mut pieces = message.as_bytes().chunks(size).peekable();
            loop {
                let payload = pieces.next().unwrap_or_default().to_vec().into();
                let last = pieces.peek().is_none();
                server.send_chunk(Chunk { kind, payload, last }).unwrap();
                if last {
                    break;
                }
            }
        }
        let mut bytes = drain(&mut server);
        if let Some((index, byte)) = fault {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        bytes
    })
}

fn same(bytes: &[u8], split: usize, marks: usize, setup: fn(Connection) -> Connection) {
    let marks = Watermarks::new(marks, marks / 2);
    let config = base().message_marks(marks).max_message_size(50_000);
    let whole = run(bytes, usize::MAX, config.clone().build().unwrap(), setup);
    let config = config.delivery(Delivery::Chunks).build().unwrap();
    let chunks = run(bytes, usize::MAX, config.clone(), setup);
    assert_eq!(chunks.messages, whole.messages);
    assert_eq!(chunks.failure, whole.failure);
    assert_eq!(run(bytes, split, config, setup), chunks, "in pieces of {split}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

    #[test]
    fn joined_chunks_are_the_messages(
        bytes in stream(|c| c),
        split in 1usize..3000,
        marks in 1usize..9,
    ) {
        same(&bytes, split, marks, |connection| connection);
    }

    #[cfg(feature = "deflate")]
    #[test]
    fn joined_chunks_are_the_compressed_messages(
        bytes in stream(|c| c.with_deflate(Default::default())),
        split in 1usize..3000,
        marks in 1usize..9,
    ) {
        same(&bytes, split, marks, |connection| connection.with_deflate(Default::default()));
    }
}

/// A frame of any length is received in parts that fit the byte watermarks.
#[test]
fn a_frame_pauses_while_the_gate_is_closed() {
    let marks = Watermarks::new(2, 0);
    let config = base().delivery(Delivery::Chunks).message_marks(marks);
    let config = config.max_message_size(usize::MAX).build().unwrap();
    let mut client = Connection::client(NOW, config, [0; 32]);
    client.handle_input(NOW, b"\x82\x7f\x00\x00\x00\x10\x00\x00\x00\x00"); // 64 GiB
    for round in 0..100u8 {
        assert!(client.wants_input());
        client.handle_input(NOW, &[round; 1000]);
        client.handle_input(NOW, &[round; 1000]);
        assert!(!client.wants_input());
        for _ in 0..2 {
            let payload = vec![round; 1000].into();
            let chunk = Chunk { kind: MessageKind::Binary, payload, last: false };
            assert_eq!(client.poll_event(), Some(Event::Chunk(chunk)));
        }
    }
}

/// 64 KiB of input inflate to 64 MiB; the queue stays within the watermarks and one chunk.
#[cfg(feature = "deflate")]
#[test]
fn a_compressed_message_pauses_inside_a_frame() {
    let mut server =
        Connection::server(NOW, base().build().unwrap()).with_deflate(Default::default());
    server.send(vec![0; 64 << 20]).unwrap();
    let bytes = drain(&mut server);
    assert!(bytes.len() < 512 * 1024);

    let high = 100_000;
    let config = base().delivery(Delivery::Chunks).max_message_size(64 << 20);
    let config = config.byte_marks(Watermarks::new(high, 0));
    let config = config.message_marks(Watermarks::UNLIMITED).build().unwrap();
    let mut client = Connection::client(NOW, config, [0; 32]).with_deflate(Default::default());
    let (mut length, mut ended) = (0, false);
    for read in bytes.chunks(64 * 1024) {
        client.handle_input(NOW, read);
        while let Some(event) = client.poll_event() {
            assert!(client.queued_bytes() <= high + 64 * 1024);
            let Event::Chunk(chunk) = event else { panic!("{event:?}") };
            length += chunk.payload.len();
            ended = chunk.last;
        }
        assert!(client.wants_input());
    }
    assert_eq!((length, ended), (64 << 20, true));
    assert!(client.stats().times_closed > 500);
}

#[test]
fn text_before_an_invalid_byte_is_delivered() {
    let config = base().delivery(Delivery::Chunks).build().unwrap();
    let received = run(b"\x81\x05ab\xffcd", usize::MAX, config, |connection| connection);
    assert_eq!(received.part, Some((MessageKind::Text, b"ab".to_vec())));
    let failure = Failure::Protocol(ProtocolError::InvalidUtf8 { offset: 2 });
    assert_eq!(received.failure, Some(Some(failure)));
}

/// Neither our pings nor our pongs wait for the end of the message.
#[test]
fn control_frames_are_sent_between_the_fragments_of_a_long_message() {
    for client in [false, true] {
        let config = base().fragment_size(10_000).build().unwrap();
        let mut sender = if client {
            Connection::client(NOW, config, [1; 32])
        } else {
            Connection::server(NOW, config)
        };
        let payload: Vec<u8> = (0..=255).cycle().take(1_000_000).collect();
        sender.send(payload.clone()).unwrap();

        let config = base().surface_control(true).max_message_size(1_000_000);
        let config = config.message_marks(Watermarks::UNLIMITED).build().unwrap();
        let mut receiver = if client {
            Connection::server(NOW, config)
        } else {
            Connection::client(NOW, config, [2; 32])
        };
        let mut events = Vec::new();
        let mut written = 0;
        while sender.wants_output() {
            let bytes = sender.output().chunk().to_vec();
            sender.output().advance(bytes.len());
            written += bytes.len();
            if written > 300_000 && sender.stats().messages_out == 1 {
                sender.ping(NOW, &b"now"[..]).unwrap();
                sender.send("behind it").unwrap();
            }
            receiver.handle_input(NOW, &bytes);
            events.extend(std::iter::from_fn(|| receiver.poll_event()));
        }
        assert_eq!(
            events,
            [
                Event::Ping(b"now"[..].into()),
                Event::Message(Message::binary(payload)),
                Event::Message(Message::text("behind it")),
            ]
        );
        assert_eq!(sender.queued_output(), 0, "all queued output was counted as taken");
    }
}

/// Chunks are not assembled into a message, so the bound depends only on the watermarks and the
/// size of a read.
#[test]
fn the_memory_bound_does_not_depend_on_the_message_limit() {
    let config = |delivery, size| {
        Config::builder().delivery(delivery).max_message_size(size).build().unwrap()
    };
    let bound = |delivery, size| config(delivery, size).memory_bound();
    assert_eq!(config(Delivery::Chunks, 1).delivery(), Delivery::Chunks);
    assert_eq!(bound(Delivery::Chunks, 1 << 20), bound(Delivery::Chunks, 1 << 40));
    assert!(bound(Delivery::Whole, 2 << 20) >= bound(Delivery::Whole, 1 << 20) + (2 << 20));
}
