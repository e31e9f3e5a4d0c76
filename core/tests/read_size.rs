//! `read_size`: a long message needs few reads, and a declared length alone allocates nothing.
#![allow(clippy::unwrap_used, missing_docs)]

use proptest::prelude::*;
use tidegate_core::frame::{FrameHeader, Mask, OpCode, encode_header};
use tidegate_core::{
    Config, Connection, Delivery, Event, MAX_READ_SIZE, Message, READ_SIZE, Timestamp,
};

const NOW: Timestamp = Timestamp::ZERO;

fn frame(opcode: OpCode, fin: bool, payload: &[u8]) -> Vec<u8> {
    let mut mask = Mask::new([0x37, 0xFA, 0x21, 0x3D]);
    let length = payload.len() as u64;
    let header = FrameHeader { fin, rsv1: false, opcode, mask: Some(mask), length };
    let mut bytes = encode_header(header).as_slice().to_vec();
    mask.append(payload, &mut bytes);
    bytes
}

/// Receives the input in reads of the suggested size; returns the messages and the sizes.
fn run(config: Config, mut input: &[u8]) -> (Vec<Message>, Vec<usize>) {
    let mut server = Connection::server(NOW, config);
    let (mut messages, mut reads) = (Vec::new(), Vec::new());
    while !input.is_empty() {
        assert!(server.wants_input());
        let (read, rest) = input.split_at(server.read_size().min(input.len()));
        reads.push(read.len());
        input = rest;
        server.handle_input(NOW, read);
        while let Some(event) = server.poll_event() {
            if let Event::Message(message) = event {
                messages.push(message);
            }
        }
    }
    (messages, reads)
}

#[test]
fn a_message_of_a_mebibyte_is_read_in_two_reads() {
    for opcode in [OpCode::Text, OpCode::Binary] {
        let input = frame(opcode, true, &vec![b'x'; 1 << 20]);
        let (messages, reads) = run(Config::default(), &input);
        assert_eq!(messages[0].as_bytes(), vec![b'x'; 1 << 20]);
        assert_eq!(reads, [READ_SIZE, input.len() - READ_SIZE]);
    }
}

#[test]
fn a_message_of_64_kibibytes_is_read_in_one_read() {
    let input = frame(OpCode::Binary, true, &vec![7; 64 << 10]);
    let (messages, reads) = run(Config::default(), &input);
    assert_eq!((messages.len(), reads.len()), (1, 1));
}

#[test]
fn a_longer_message_is_read_one_mebibyte_at_a_time() {
    let config = Config::builder().max_message_size(4 << 20).build().unwrap();
    let input = frame(OpCode::Binary, true, &vec![7; 4 << 20]);
    let (messages, reads) = run(config, &input);
    assert_eq!(messages[0].len(), 4 << 20);
    assert_eq!(reads[..4], [READ_SIZE, MAX_READ_SIZE - 224, MAX_READ_SIZE, MAX_READ_SIZE]);
}

#[test]
fn the_read_size_grows_with_received_payload_not_with_the_declared_length() {
    let input = frame(OpCode::Binary, true, &vec![7; 1 << 20]);
    let mut server = Connection::server(NOW, Config::default());
    for (arrived, size) in [(0, READ_SIZE), (1, READ_SIZE), (4096, READ_SIZE), (8192, 16 * 8192)] {
        let taken = usize::try_from(server.stats().bytes_in).unwrap();
        server.handle_input(NOW, &input[taken..14 + arrived]);
        assert_eq!(server.read_size(), size, "after {arrived} bytes");
    }
}

#[test]
fn fragments_enlarge_the_read_size_up_to_the_end_of_a_frame() {
    let part = vec![b'x'; 300_000];
    let input = [
        frame(OpCode::Text, false, &part),
        frame(OpCode::Continuation, false, &part),
        frame(OpCode::Continuation, true, &part),
        frame(OpCode::Ping, true, b"behind"),
    ]
    .concat();
    let (messages, reads) = run(Config::default(), &input);
    assert_eq!(messages[0].len(), 900_000);
    let frame = part.len() + 14 - READ_SIZE;
    // The header of the next frame arrives with the first piece of its payload.
    assert_eq!(reads[..5], [READ_SIZE, frame, READ_SIZE, frame, READ_SIZE]);
}

#[test]
fn with_chunks_every_read_has_the_default_size() {
    let config = Config::builder().delivery(Delivery::Chunks).build().unwrap();
    let input = frame(OpCode::Binary, true, &vec![7; 1 << 20]);
    let mut server = Connection::server(NOW, config);
    for read in input.chunks(READ_SIZE) {
        assert_eq!(server.read_size(), READ_SIZE);
        server.handle_input(NOW, read);
        while server.poll_event().is_some() {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_read_size_is_bounded_by_the_received_bytes_and_does_not_change_messages(
        lengths in proptest::collection::vec((0usize..400_000, any::<bool>()), 1..6),
    ) {
        let config = Config::builder().max_message_size(4 << 20).build().unwrap();
        let (mut input, mut is_open) = (Vec::new(), false);
        for (index, (length, fin)) in lengths.iter().enumerate() {
            let fin = *fin || index + 1 == lengths.len();
            let opcode = if is_open { OpCode::Continuation } else { OpCode::Binary };
            input.extend(frame(opcode, fin, &vec![index.to_le_bytes()[0]; *length]));
            is_open = !fin;
        }
        let (messages, reads) = run(config.clone(), &input);
        let mut arrived = 0;
        for read in reads {
            prop_assert!(read <= READ_SIZE.max(16 * arrived).min(MAX_READ_SIZE), "{read} of {arrived}");
            arrived += read;
        }
        let mut server = Connection::server(NOW, config);
        let mut expected = Vec::new();
        for read in input.chunks(20_000) {
            server.handle_input(NOW, read);
            while let Some(Event::Message(message)) = server.poll_event() {
                expected.push(message);
            }
        }
        prop_assert_eq!(messages, expected);
    }
}
