//! The order of frames: messages, control frames and the Close frame.

use bytes::Buf;
use tidegate_core::frame::OpCode;
use tidegate_core::{CloseCode, CloseFrame, Message, Transport};

use crate::support::{
    NOW, ROLES, SIZES, base, connection, frames, opcodes, pattern, ping, take, take_frames,
};

#[test]
fn messages_of_any_size_are_sent_in_order_in_writes_of_any_size() {
    for role in ROLES {
        for step in [1, 13, 4_096, 70_000, usize::MAX] {
            let sizes = if step < 4_096 { &SIZES[..12] } else { &SIZES[..] };
            let mut from = connection(role, base());
            let (mut sent, mut bytes) = (Vec::new(), Vec::new());
            for round in 0..3 {
                for &size in sizes {
                    let payload = pattern(size + round)[round..].to_vec();
                    from.send(Message::binary(payload.clone())).unwrap();
                    sent.push((OpCode::Binary, true, payload));
                    let more = take(&mut from, step);
                    assert!(more.len() <= step);
                    bytes.extend(more);
                }
            }
            bytes.extend(take(&mut from, usize::MAX));
            assert_eq!(frames(role, &bytes), sent, "{role:?} in steps of {step}");
            assert_eq!(from.queued_output(), 0);
            assert_eq!(from.stats().bytes_out, bytes.len() as u64);
            assert!(!from.output().has_remaining());
        }
    }
}

#[test]
fn pings_and_pongs_are_sent_before_data_and_the_close_frame_after_it() {
    for role in ROLES {
        let mut from = connection(role, base());
        for size in [5, 20_000, 7] {
            from.send(Message::binary(pattern(size))).unwrap();
        }
        from.ping(NOW, &b"ours"[..]).unwrap();
        ping(&mut from, b"theirs");
        from.close(NOW, CloseFrame::new(CloseCode::NORMAL, "bye")).unwrap();
        let frames = take_frames(&mut from);
        assert_eq!(
            opcodes(&frames),
            [
                OpCode::Pong,
                OpCode::Ping,
                OpCode::Binary,
                OpCode::Binary,
                OpCode::Binary,
                OpCode::Close
            ]
        );
        assert_eq!(frames[0].2, b"theirs");
        assert_eq!(frames[1].2, b"ours");
        assert_eq!(frames[5].2, b"\x03\xE8bye");
        assert!(!from.wants_output());
    }
}

#[test]
fn a_close_without_a_code_has_no_payload() {
    for role in ROLES {
        let mut from = connection(role, base());
        from.close(NOW, None).unwrap();
        assert_eq!(take_frames(&mut from), [(OpCode::Close, true, vec![])]);
        assert!(!from.wants_output(), "the Close frame is sent once");
    }
}

/// A caller that keeps the result of `output()` need not call it again to commit the next frames.
#[test]
fn one_borrow_of_the_output_can_be_advanced_to_its_end() {
    for role in ROLES {
        let mut from = connection(role, base());
        for size in [20_000, 300_000, 5, 70_000] {
            from.send(Message::binary(pattern(size))).unwrap();
        }
        let output = from.output();
        let mut bytes = Vec::new();
        while output.has_remaining() {
            let length = output.chunk().len();
            bytes.extend_from_slice(output.chunk());
            output.advance(length);
        }
        assert!(!from.wants_output());
        assert_eq!(frames(role, &bytes).len(), 4);
    }
}

/// A frame that has begun is finished first, also a client's long frame, which is masked in several
/// steps.
#[test]
fn no_frame_is_inserted_into_another_frame() {
    for role in ROLES {
        let mut from = connection(role, base());
        let (first, second) = (pattern(300_000), pattern(40_000));
        from.send(Message::binary(first.clone())).unwrap();
        from.send(Message::binary(second.clone())).unwrap();
        let mut bytes = take(&mut from, 1);
        let mut pings = 0;
        while from.wants_output() {
            if pings < 10 {
                ping(&mut from, &[pings]);
                pings += 1;
            }
            if pings == 10 && !from.is_closing() {
                from.close(NOW, None).unwrap();
            }
            bytes.extend(take(&mut from, 30_000));
        }
        let frames = frames(role, &bytes);
        assert_eq!(frames[0], (OpCode::Binary, true, first), "{role:?}");
        assert_eq!(frames.last().unwrap().0, OpCode::Close);
        let data: Vec<_> = frames.iter().filter(|(opcode, ..)| !opcode.is_control()).collect();
        assert_eq!(data[1].2, second);
        let pongs: Vec<_> = frames.iter().filter(|(opcode, ..)| *opcode == OpCode::Pong).collect();
        assert_eq!(pongs.iter().map(|pong| pong.2[0]).collect::<Vec<_>>(), Vec::from_iter(0..10));
    }
}

#[test]
fn abort_discards_queued_output() {
    for role in ROLES {
        let mut from = connection(role, base());
        from.send(Message::binary(pattern(300_000))).unwrap();
        from.send("small").unwrap();
        from.ping(NOW, &b"p"[..]).unwrap();
        take(&mut from, 10);
        from.abort();
        assert!(!from.wants_output());
        assert_eq!((from.queued_output(), from.output().remaining()), (0, 0));
        assert_eq!(from.transport(), Transport::Close);
        assert!(!from.can_send());
    }
}
