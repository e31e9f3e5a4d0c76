//! Compressed messages arrive unchanged, for any negotiated parameters and any split of the bytes.
#![allow(clippy::unwrap_used, clippy::std_instead_of_alloc, clippy::wildcard_enum_match_arm)]

use bytes::{Buf, Bytes};
use miniz_oxide::deflate::compress_to_vec;
use proptest::collection::vec;
use proptest::prelude::*;

use tidegate_core::deflate::{DeflateOptions, DeflateParams, DeflatePool};
use tidegate_core::testing::hostile_compressed;
use tidegate_core::{
    Chunk, Compress, Config, Connection, Delivery, Event, Failure, Message, Outgoing, Prepared,
    Role, Timestamp, Watermarks,
};
use tidegate_tests::frames::{Frame, opcode};
use tidegate_tests::inflate::Inflater;

/// A message, and how it is sent: whole, prepared, or in chunks split at these positions.
#[derive(Clone, Debug)]
enum Sent {
    Whole(Message, Compress),
    Prepared(Message, Prepared),
    Chunks(Message, Vec<usize>),
}

fn params() -> impl Strategy<Value = DeflateParams> {
    let bits = || prop_oneof![1 => Just(15u8), 3 => 8u8..15];
    (any::<bool>(), any::<bool>(), bits(), bits()).prop_map(|(server, client, ours, theirs)| {
        DeflateParams {
            server_no_context_takeover: server,
            client_no_context_takeover: client,
            server_max_window_bits: ours,
            client_max_window_bits: theirs,
        }
    })
}

fn options() -> impl Strategy<Value = DeflateOptions> {
    (1u8..=9, 1u8..=9, 0usize..200, prop::option::of(0usize..3)).prop_map(
        |(level, mem_level, min_size, pool)| {
            DeflateOptions::builder()
                .level(level)
                .mem_level(mem_level)
                .min_size(min_size)
                .pool(pool.map(DeflatePool::new))
                .build()
                .unwrap()
        },
    )
}

/// Empty, short, similar to each other, incompressible, longer than a window.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        1 => Just(vec![]),
        3 => vec(any::<u8>(), 1..50),
        3 => (0u8..4, 1usize..3000).prop_map(|(byte, length)| vec![byte; length]),
        3 => (vec(any::<u8>(), 1..700), 1usize..20).prop_map(|(unit, times)| unit.repeat(times)),
        1 => vec(any::<u8>(), 4000..9000),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        payload().prop_map(Message::binary),
        ("[a-zß€🌊 ]{0,40}", 0usize..50)
            .prop_map(|(text, times)| Message::text(text.repeat(times))),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    let compress = prop_oneof![Just(Compress::Auto), Just(Compress::Always), Just(Compress::Never)];
    prop_oneof![
        3 => (message(), compress).prop_map(|(message, compress)| Sent::Whole(message, compress)),
        1 => message()
            .prop_map(|message| Sent::Prepared(message.clone(), Prepared::new(message))),
        1 => (message(), vec(0usize..4000, 0..4)).prop_map(|(message, cuts)| Sent::Chunks(message, cuts)),
    ]
}

fn connection(role: Role, options: &DeflateOptions, params: DeflateParams) -> Connection {
    // Long messages go out in fragments.
    let config = Config::builder().deflate(options.clone()).fragment_size(1500).build().unwrap();
    let connection = match role {
        Role::Client => Connection::client(Timestamp::ZERO, config, [3; 32]),
        Role::Server => Connection::server(Timestamp::ZERO, config),
    };
    connection.with_deflate(params)
}

/// Sends it. Returns the bytes on the wire.
fn send(sender: &mut Connection, sent: &Sent) -> Vec<u8> {
    let mut wire = Vec::new();
    match sent {
        Sent::Whole(message, compress) => {
            sender.send(Outgoing::from(message.clone()).compress(*compress)).unwrap();
        }
        Sent::Prepared(_, prepared) => sender.send(prepared).unwrap(),
        Sent::Chunks(message, cuts) => {
            let mut rest: Bytes = message.clone().into_bytes();
            for cut in cuts {
                let payload = rest.split_to((*cut).min(rest.len()));
                sender.send_chunk(Chunk { kind: message.kind(), payload, last: false }).unwrap();
                drain(sender, &mut wire);
            }
            sender.send_chunk(Chunk { kind: message.kind(), payload: rest, last: true }).unwrap();
        }
    }
    drain(sender, &mut wire);
    wire
}

fn drain(connection: &mut Connection, into: &mut Vec<u8>) {
    let output = connection.output();
    while output.has_remaining() {
        into.extend_from_slice(output.chunk());
        output.advance(output.chunk().len());
    }
}

/// The payload of a message in these frames, inflated by another library.
fn inflated(frames: &[Frame], inflater: &mut Inflater) -> Vec<u8> {
    let payload: Vec<u8> = frames.iter().flat_map(|frame| frame.payload.clone()).collect();
    if frames[0].reserved == 0 { payload } else { inflater.message(&payload).unwrap() }
}

/// Feeds `wire` in pieces of these sizes. Returns the received messages.
fn receive(receiver: &mut Connection, wire: &[u8], sizes: &[usize]) -> Vec<Message> {
    let mut messages = Vec::new();
    let (mut rest, mut sizes) = (wire, sizes.iter().cycle());
    while !rest.is_empty() {
        let (piece, later) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
        rest = later;
        receiver.handle_input(Timestamp::ZERO, piece);
        while let Some(event) = receiver.poll_event() {
            match event {
                Event::Message(message) => messages.push(message),
                other => panic!("{other:?}"),
            }
        }
    }
    messages
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![vec(1usize..8, 1..10), vec(1usize..2000, 1..10), Just(vec![usize::MAX])]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn compressed_messages_round_trip(
        options in options(),
        params in params(),
        is_client: bool,
        messages in vec(sent(), 1..12),
        sizes in sizes(),
    ) {
        let (role, bits, takeover) = if is_client {
            (Role::Client, params.client_max_window_bits, !params.client_no_context_takeover)
        } else {
            (Role::Server, params.server_max_window_bits, !params.server_no_context_takeover)
        };
        let mut sender = connection(role, &options, params);
        let mut receiver = connection(role.peer(), &options, params);
        let mut inflater = Inflater::new(bits, takeover);
        for sent in &messages {
            let (Sent::Whole(message, _)
            | Sent::Prepared(message, _)
            | Sent::Chunks(message, _)) = sent;
            let wire = send(&mut sender, sent);
            let frames = Frame::parse_all(&wire).unwrap();
            prop_assert_eq!(&inflated(&frames, &mut inflater)[..], message.as_bytes());
            let never = matches!(sent, Sent::Whole(_, Compress::Never)) || bits == 8;
            prop_assert!(!never || frames[0].reserved == 0, "it was not to be compressed");
            prop_assert_eq!(&receive(&mut receiver, &wire, &sizes), core::slice::from_ref(message));
        }
    }

    /// Another library's compressor, which ends its DEFLATE streams with BFINAL blocks, even in the
    /// middle of a message (RFC 7692 §7.2.3.5).
    #[test]
    fn deflate_streams_with_final_blocks_are_read(
        takeover: bool,
        messages in vec((vec((payload(), 1u8..10), 1..4), any::<bool>(), 1usize..5000), 1..5),
        sizes in sizes(),
    ) {
        let params = DeflateParams { server_no_context_takeover: !takeover, ..Default::default() };
        let mut receiver = connection(Role::Client, &DeflateOptions::default(), params);
        for (parts, ends_with_a_block, size) in &messages {
            let mut compressed = Vec::new();
            for (part, level) in parts {
                compressed.extend(compress_to_vec(part, *level));
            }
            if *ends_with_a_block {
                compressed.push(0x00);
            }
            let count = compressed.len().div_ceil(*size);
            let mut wire = Vec::new();
            for (index, piece) in compressed.chunks(*size).enumerate() {
                let mut frame = Frame::new(if index == 0 { opcode::BINARY } else { 0 }, piece);
                frame.fin = index + 1 == count;
                frame.reserved = if index == 0 { 4 } else { 0 };
                wire.extend(frame.encode());
            }
            let expected: Vec<u8> = parts.iter().flat_map(|(part, _)| part.clone()).collect();
            prop_assert_eq!(receive(&mut receiver, &wire, &sizes), [Message::binary(expected)]);
        }
    }

    /// Each violation is detected exactly at the byte that shows it, after any messages and for any
    /// split, with the right error and close code.
    #[test]
    fn violations_are_detected_at_the_byte_that_shows_them(
        params in params(),
        is_client: bool,
        messages in vec(sent(), 0..3),
        (config, frame, hostile) in (0..3usize, prop::option::of(1usize..300)).prop_flat_map(|(size, frame)| {
            let size = [20, 700, 100_000][size];
            let config = Config::builder()
                .deflate(DeflateOptions::default())
                .max_message_size(size)
                .max_frame_size(frame)
                .message_marks(Watermarks::UNLIMITED)
                .byte_marks(Watermarks::UNLIMITED)
                .build()
                .unwrap();
            let roles = (hostile_compressed(Role::Client, &config), hostile_compressed(Role::Server, &config));
            (Just(config), Just(frame.unwrap_or(usize::MAX)), roles)
        }),
        in_chunks: bool,
        sizes in sizes(),
    ) {
        let role = if is_client { Role::Client } else { Role::Server };
        let hostile = if is_client { hostile.1 } else { hostile.0 };
        let delivery = if in_chunks { Delivery::Chunks } else { Delivery::Whole };
        let config = config.to_builder().delivery(delivery).build().unwrap();
        let mut receiver = match role {
            Role::Client => Connection::client(Timestamp::ZERO, config.clone(), [1; 32]),
            Role::Server => Connection::server(Timestamp::ZERO, config.clone()),
        }
        .with_deflate(params);
        let mut sender = connection(role.peer(), &DeflateOptions::default(), params);
        for sent in &messages {
            let (Sent::Whole(message, _)
            | Sent::Prepared(message, _)
            | Sent::Chunks(message, _)) = sent;
            let wire = send(&mut sender, sent);
            let frames = Frame::parse_all(&wire).unwrap();
            let length = frames.iter().map(|frame| frame.payload.len()).sum::<usize>().max(message.len());
            // A message that must not be sent would be another violation, and one that is not sent must not
            // enter the window.
            if length <= config.max_message_size() && frames.iter().all(|f| f.payload.len() <= frame) {
                receiver.handle_input(Timestamp::ZERO, &wire);
            } else {
                break;
            }
        }
        while let Some(event) = receiver.poll_event() {
            prop_assert!(!matches!(event, Event::Closed(_)), "so far all is well: {event:?}");
        }
        let (last, before) = hostile.bytes.split_last().unwrap();
        let mut rest = before;
        let mut sizes = sizes.iter().cycle();
        while !rest.is_empty() {
            let (piece, more) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            receiver.handle_input(Timestamp::ZERO, piece);
            rest = more;
        }
        while let Some(event) = receiver.poll_event() {
            prop_assert!(matches!(event, Event::Chunk(_)), "nothing is wrong yet: {event:?}");
        }
        receiver.handle_input(Timestamp::ZERO, &[*last]);
        let closed = core::iter::from_fn(|| receiver.poll_event())
            .find_map(|event| if let Event::Closed(closed) = event { Some(closed) } else { None });
        let closed = closed.expect("it is seen");
        prop_assert_eq!(closed.failure(), Some(Failure::Protocol(hostile.error)));
        prop_assert_eq!(closed.sent().unwrap().code, hostile.code());
    }
}
