//! Messages in several frames: fragments of a configured size, and messages sent in chunks.

use tidegate_core::frame::OpCode;
use tidegate_core::{Chunk, Message, MessageKind};

use crate::support::{
    NOW, ROLES, base, connection, frames, opcodes, pattern, ping, take, take_frames,
};

#[test]
fn long_messages_are_sent_in_fragments_of_the_configured_size() {
    for role in ROLES {
        for (limit, size) in [
            (1, 3),
            (10, 9),
            (10, 10),
            (10, 11),
            (10, 20),
            (10, 25),
            (9_000, 30_000),
            (70_000, 200_000),
        ] {
            let mut from = connection(role, base().fragment_size(limit));
            let payload = pattern(size);
            from.send(Message::binary(payload.clone())).unwrap();
            from.send("short").unwrap();
            let frames = take_frames(&mut from);
            let count = size.div_ceil(limit);
            let mut whole = Vec::new();
            for (index, (opcode, fin, piece)) in frames[..count].iter().enumerate() {
                let expected = if index == 0 { OpCode::Binary } else { OpCode::Continuation };
                assert_eq!((*opcode, *fin), (expected, index + 1 == count), "{size} by {limit}");
                assert_eq!(piece.len(), limit.min(size - index * limit));
                whole.extend_from_slice(piece);
            }
            assert_eq!(whole, payload);
            let text: String = frames[count..]
                .iter()
                .map(|(.., piece)| core::str::from_utf8(piece).unwrap())
                .collect();
            assert_eq!(text, "short");
            assert_eq!(from.queued_output(), 0);
        }
    }
}

#[test]
fn pongs_are_sent_between_fragments_and_the_close_after_the_message() {
    for role in ROLES {
        let mut from = connection(role, base().fragment_size(50_000));
        from.send(Message::binary(pattern(400_000))).unwrap();
        let mut bytes = take(&mut from, 1);
        ping(&mut from, b"now");
        from.close(NOW, None).unwrap();
        bytes.extend(take(&mut from, usize::MAX));
        let opcodes = opcodes(&frames(role, &bytes));
        let at = opcodes.iter().position(|opcode| *opcode == OpCode::Pong).unwrap();
        assert!((1..=3).contains(&at), "right after the committed output: {at}");
        assert_eq!(opcodes.len(), 8 + 2);
        assert_eq!(
            opcodes.last(),
            Some(&OpCode::Close),
            "the Close frame follows the whole message"
        );
    }
}

#[test]
fn chunks_are_sent_as_fragments_of_one_message() {
    for role in ROLES {
        let mut from = connection(role, base());
        let chunk = |size: usize, last| Chunk {
            kind: MessageKind::Binary,
            payload: pattern(size).into(),
            last,
        };
        for (size, last) in [(3, false), (20_000, false), (0, false), (5, true)] {
            from.send_chunk(chunk(size, last)).unwrap();
        }
        let seen: Vec<_> = take_frames(&mut from)
            .into_iter()
            .map(|(opcode, fin, payload)| (opcode, fin, payload.len()))
            .collect();
        assert_eq!(
            seen,
            [
                (OpCode::Binary, false, 3),
                (OpCode::Continuation, false, 20_000),
                (OpCode::Continuation, false, 0),
                (OpCode::Continuation, true, 5)
            ]
        );
    }
}
