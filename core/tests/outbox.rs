//! What goes out, in which order, and how much of it waits: the outbox through the connection.
#![allow(clippy::unwrap_used, missing_docs)]

use core::time::Duration;

use bytes::{Buf, Bytes};
use tidegate_core::frame::{HeaderRules, MAX_HEADER, OpCode, parse_header};
use tidegate_core::{
    Chunk, CloseCode, CloseFrame, Config, ConfigBuilder, Connection, ControlError, Failure,
    Message, MessageKind, Prepared, Role, SendError, Timestamp, Transport, Watermarks,
};

const NOW: Timestamp = Timestamp::ZERO;
const ROLES: [Role; 2] = [Role::Server, Role::Client];

fn base() -> ConfigBuilder {
    Config::builder().ping_interval(None).send_marks(Watermarks::UNLIMITED)
}

fn connection(role: Role, config: ConfigBuilder) -> Connection {
    let config = config.build().unwrap();
    match role {
        Role::Server => Connection::server(NOW, config),
        Role::Client => Connection::client(NOW, config, [9; 32]),
    }
}

/// What the transport takes, at most so much of it.
fn take(connection: &mut Connection, most: usize) -> Vec<u8> {
    let mut taken = Vec::new();
    while taken.len() < most && connection.wants_output() {
        let output = connection.output();
        let length = output.chunk().len().min(most - taken.len());
        assert!(length > 0, "there is something to show");
        taken.extend_from_slice(&output.chunk()[..length]);
        output.advance(length);
    }
    taken
}

/// The frames of it: opcode, whether it is the last of its message, payload.
fn frames(role: Role, mut bytes: &[u8]) -> Vec<(OpCode, bool, Vec<u8>)> {
    let rules = HeaderRules { sender: role, allow_rsv1: false };
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (header, length) = parse_header(bytes, rules).unwrap().expect("whole frames");
        let (payload, rest) = bytes[length..].split_at(usize::try_from(header.length).unwrap());
        let mut payload = payload.to_vec();
        if let Some(mut mask) = header.mask {
            mask.apply(&mut payload);
        }
        frames.push((header.opcode, header.fin, payload));
        bytes = rest;
    }
    frames
}

fn all(connection: &mut Connection) -> Vec<(OpCode, bool, Vec<u8>)> {
    let bytes = take(connection, usize::MAX);
    frames(connection.role(), &bytes)
}

fn opcodes(frames: &[(OpCode, bool, Vec<u8>)]) -> Vec<OpCode> {
    frames.iter().map(|(opcode, ..)| *opcode).collect()
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251).to_le_bytes()[0]).collect()
}

fn ping(connection: &mut Connection, payload: &[u8]) {
    let mut frame = vec![0x89, payload.len().to_le_bytes()[0]];
    if connection.role() == Role::Server {
        frame[1] |= 0x80;
        frame.extend([0; 4]);
    }
    frame.extend(payload);
    connection.handle_input(NOW, &frame);
}

/// Around every size at which the way changes: short, long, large, more than is shown at a time.
const SIZES: [usize; 20] = [
    0, 1, 125, 126, 511, 512, 1_000, 4_095, 4_096, 8_178, 8_191, 8_192, 8_193, 16_384, 65_522,
    65_535, 65_536, 65_537, 131_072, 300_001,
];

#[test]
fn messages_of_any_size_go_out_in_order_however_little_is_taken_at_a_time() {
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

/// The level is every byte that was accepted and not taken, from the first to the last.
#[test]
fn the_level_is_what_waits() {
    for role in ROLES {
        for size in SIZES {
            let mut from = connection(role, base());
            from.send(Message::binary(pattern(size))).unwrap();
            let accepted = from.queued_output();
            assert!((size..=size + MAX_HEADER).contains(&accepted), "{accepted} for {size}");
            from.output();
            let mut level = from.queued_output();
            assert!((size + 2..=size + MAX_HEADER).contains(&level), "{level} for {size}");
            assert_eq!(from.stats().peak_output, level);
            while from.wants_output() {
                let taken = take(&mut from, 1_000).len();
                level -= taken;
                assert_eq!(from.queued_output(), level);
            }
            assert_eq!(level, 0);
        }
    }
}

#[test]
fn it_is_full_at_the_high_mark_and_open_again_at_the_low_one() {
    // A frame of ten bytes with its header, as a server.
    let marks = Watermarks::new(30, 10);
    let mut server = connection(Role::Server, base().send_marks(marks));
    let eight = || Message::binary(vec![8; 8]);
    for _ in 0..2 {
        server.send(eight()).unwrap();
        assert!(server.can_send(), "{} is below 30", server.queued_output());
    }
    server.send(eight()).unwrap();
    assert_eq!(server.queued_output(), 30);
    assert!(!server.can_send() && !server.can_send_chunk());
    assert_eq!(server.send(eight()), Err(SendError::Full(eight())), "it comes back");
    assert_eq!(server.queued_output(), 30);
    take(&mut server, 19);
    assert!(!server.can_send(), "11 is above 10");
    take(&mut server, 1);
    assert!(server.can_send() && server.can_send_chunk());
    // One byte over the mark is full too, whatever its size.
    server.send(Message::binary(pattern(100_000))).unwrap();
    assert!(!server.can_send());
    assert_eq!(server.queued_output(), 10 + 100_000, "the header of a large one is not made yet");
}

#[test]
fn control_frames_go_before_data_and_the_close_behind_it() {
    for role in ROLES {
        let mut from = connection(role, base());
        for size in [5, 20_000, 7] {
            from.send(Message::binary(pattern(size))).unwrap();
        }
        from.ping(NOW, &b"ours"[..]).unwrap();
        ping(&mut from, b"theirs");
        from.close(NOW, CloseFrame::new(CloseCode::NORMAL, "bye")).unwrap();
        let frames = all(&mut from);
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
fn a_close_without_a_code_has_no_body() {
    for role in ROLES {
        let mut from = connection(role, base());
        from.close(NOW, None).unwrap();
        assert_eq!(all(&mut from), [(OpCode::Close, true, vec![])]);
        assert!(!from.wants_output(), "it goes out once");
    }
}

/// RFC 6455 §5.5.3: an endpoint may answer only the newest ping. Each of a normal burst is answered.
#[test]
fn thirty_two_pongs_wait_and_the_oldest_give_way() {
    for role in ROLES {
        let mut from = connection(role, base());
        for number in 0..32 {
            ping(&mut from, &[number]);
        }
        let payloads: Vec<_> = all(&mut from).into_iter().map(|(.., payload)| payload).collect();
        assert_eq!(payloads, (0..32).map(|number| vec![number]).collect::<Vec<_>>());
        for number in 0..36 {
            ping(&mut from, &[number]);
        }
        let payloads: Vec<_> = all(&mut from).into_iter().map(|(.., payload)| payload).collect();
        assert_eq!(payloads, (4..36).map(|number| vec![number]).collect::<Vec<_>>());
    }
}

#[test]
fn sixteen_pings_wait_and_one_more_is_refused() {
    for role in ROLES {
        let mut from = connection(role, base());
        for number in 0..16 {
            from.ping(NOW, vec![number]).unwrap();
        }
        assert_eq!(from.ping(NOW, vec![16]), Err(ControlError::Full));
        assert_eq!(all(&mut from).len(), 16);
        from.ping(NOW, vec![17]).unwrap();
        assert_eq!(all(&mut from), [(OpCode::Ping, true, vec![17])]);
    }
}

/// How many of each wait is a setting, and counts for the bound.
#[test]
fn how_many_pongs_and_pings_wait_is_configured() {
    for role in ROLES {
        let config = Config::builder().max_pongs(2).max_pings(1).build().unwrap();
        assert!(config.memory_bound() < Config::default().memory_bound());
        let many = base().max_pongs(usize::MAX).build().unwrap();
        assert_eq!(many.memory_bound(), usize::MAX);
        let mut from = connection(role, base().max_pongs(2).max_pings(1));
        for number in 0..5 {
            ping(&mut from, &[number]);
        }
        let payloads: Vec<_> = all(&mut from).into_iter().map(|(.., payload)| payload).collect();
        assert_eq!(payloads, [[3], [4]]);
        from.ping(NOW, vec![0]).unwrap();
        assert_eq!(from.ping(NOW, vec![1]), Err(ControlError::Full));
    }
}

/// The next control frames leave their ring when the last ones are gone, not whenever the transport
/// asks: otherwise a peer that reads nothing makes us hold a pong for each of its pings.
#[test]
fn control_frames_wait_in_their_ring_until_the_last_ones_are_gone() {
    for role in ROLES {
        let mut from = connection(role, base());
        ping(&mut from, b"first");
        let shown = from.output().remaining();
        for number in 0..100 {
            ping(&mut from, &[number]);
            assert_eq!(from.output().remaining(), shown, "a transport that takes nothing");
        }
        let mut bytes = take(&mut from, shown - 1);
        assert_eq!(from.output().remaining(), 1);
        bytes.extend(take(&mut from, usize::MAX));
        let payloads: Vec<_> =
            frames(role, &bytes).into_iter().map(|(.., payload)| payload).collect();
        assert_eq!(payloads.len(), 33);
        assert_eq!(payloads[0], b"first");
        assert_eq!(payloads[32], [99]);
    }
}

/// Also when the last ones are on their way and no other waits: a transport that takes a byte at a
/// time.
#[test]
fn control_frames_on_their_way_keep_the_next_ones_back() {
    for role in ROLES {
        let mut from = connection(role, base());
        ping(&mut from, b"first");
        take(&mut from, 1);
        let left = from.output().remaining();
        ping(&mut from, b"second");
        assert_eq!(from.output().remaining(), left, "{role:?}");
        take(&mut from, left);
        assert!(from.output().has_remaining());
    }
}

/// What was not shown yet has not its place yet.
#[test]
fn a_pong_overtakes_what_waits_behind_a_full_window() {
    let mut server = connection(Role::Server, base());
    server.send(Message::binary(pattern(100_000))).unwrap();
    server.output();
    server.send("small").unwrap();
    server.output();
    ping(&mut server, b"now");
    let opcodes = opcodes(&all(&mut server));
    assert_eq!(opcodes, [OpCode::Binary, OpCode::Pong, OpCode::Text]);
}

/// Whoever keeps the output in hand need not ask the connection again for the next window.
#[test]
fn output_in_hand_goes_on_to_the_end() {
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

/// A pong waits for what the transport was shown, about 64 KiB, and not for a megabyte behind it.
#[test]
fn a_pong_waits_for_a_window_of_data_at_most() {
    for role in ROLES {
        for size in [200, 4_000, 9_000, 30_000] {
            let mut from = connection(role, base());
            for _ in 0..1_000_000 / size {
                from.send(Message::binary(pattern(size))).unwrap();
            }
            let shown = from.output().remaining();
            // The last that is put into the window may be a segment of small frames or a large one.
            let most = 64 * 1024 + 16 * 1024 + size + MAX_HEADER;
            assert!((64 * 1024..=most).contains(&shown), "{shown} of {size}");
            ping(&mut from, b"overtakes");
            from.output();
            let bytes = take(&mut from, usize::MAX);
            let before = bytes.windows(9).position(|window| window == b"overtakes");
            if role == Role::Server {
                let before = before.unwrap();
                assert!((shown..=shown + 64).contains(&before), "{before} of {shown}");
            }
            let frames = frames(role, &bytes);
            assert_eq!(frames.len(), 1_000_000 / size + 1);
            let at = frames.iter().position(|(opcode, ..)| *opcode == OpCode::Pong).unwrap();
            assert!(at * size <= most + size, "the pong is number {at}");
        }
    }
}

/// The frame that is on the wire is finished before anything else: also one that is masked a window
/// at a time.
#[test]
fn nothing_comes_into_the_middle_of_a_frame() {
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
fn longer_messages_go_out_in_fragments_of_the_size_that_was_set() {
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
            let frames = all(&mut from);
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
fn control_frames_go_between_fragments() {
    for role in ROLES {
        let mut from = connection(role, base().fragment_size(50_000));
        from.send(Message::binary(pattern(400_000))).unwrap();
        let mut bytes = take(&mut from, 1);
        ping(&mut from, b"now");
        from.close(NOW, None).unwrap();
        bytes.extend(take(&mut from, usize::MAX));
        let opcodes = opcodes(&frames(role, &bytes));
        let at = opcodes.iter().position(|opcode| *opcode == OpCode::Pong).unwrap();
        assert!((1..=3).contains(&at), "behind what was shown: {at}");
        assert_eq!(opcodes.len(), 8 + 2);
        assert_eq!(opcodes.last(), Some(&OpCode::Close), "and the Close behind the whole message");
    }
}

/// A server's large payload is the caller's own memory, and small frames share one buffer.
#[test]
fn large_payloads_are_not_copied_and_small_frames_lie_together() {
    let mut server = connection(Role::Server, base());
    let payload = Bytes::from(pattern(8 * 1024));
    server.send(Message::Binary(payload.clone())).unwrap();
    let output = server.output();
    output.advance(4);
    assert_eq!(output.chunk().as_ptr(), payload.as_ptr(), "not a copy");
    take(&mut server, usize::MAX);

    // One byte less, and a copy behind its header is cheaper.
    server.send(Message::binary(pattern(8 * 1024 - 1))).unwrap();
    assert_eq!(server.output().chunk().len(), 4 + 8 * 1024 - 1);
    take(&mut server, usize::MAX);

    for _ in 0..100 {
        server.send("small").unwrap();
    }
    assert_eq!(server.output().chunk().len(), 700, "one buffer, one write");
    take(&mut server, usize::MAX);
    for _ in 0..10_000 {
        server.send("small").unwrap();
    }
    let mut slices = [std::io::IoSlice::new(&[]); 64];
    let output = server.output();
    let count = output.chunks_vectored(&mut slices);
    assert!((2..=6).contains(&count), "a few buffers make a window: {count}");
    let shown: usize = slices.iter().map(|slice| slice.len()).sum();
    assert_eq!(shown, output.remaining());

    // A prepared message is shared from the size where that costs less than a copy.
    for (size, shared) in [(500, false), (508, true), (4_000, true)] {
        let prepared = Prepared::new(Message::binary(pattern(size)));
        let mut ends = [(); 2].map(|()| connection(Role::Server, base()));
        let places = ends.each_mut().map(|end| {
            end.send(&prepared).unwrap();
            end.output().chunk().as_ptr()
        });
        assert_eq!(places[0] == places[1], shared, "{size}");
    }
}

#[test]
fn a_message_in_chunks_is_one_message_on_the_wire() {
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
        let seen: Vec<_> = all(&mut from)
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

#[test]
fn what_is_given_up_does_not_go_out() {
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

/// The peer has the time from when output began to wait, and again after it took some.
#[test]
fn a_peer_that_takes_something_in_time_keeps_the_connection() {
    let second = Duration::from_secs(1);
    let mut server = connection(Role::Server, base().write_timeout(second));
    server.send(Message::binary(pattern(100_000))).unwrap();
    let mut now = NOW;
    server.handle_timeout(now);
    for _ in 0..20 {
        now = now + second;
        take(&mut server, 1);
        server.handle_timeout(now);
        assert_eq!(server.closed(), None, "it takes a byte a second");
    }
    // To take nothing is not to take something.
    server.output().advance(0);
    server.handle_timeout(now + second);
    assert_eq!(server.closed(), None, "a last look: something may be taken now");
    server.handle_timeout(server.poll_timeout().unwrap());
    let closed = server.closed().unwrap();
    assert_eq!(closed.failure(), Some(Failure::WriteTimeout));
}

/// The headers of many small fragments count as well, as soon as they are made.
#[test]
fn the_headers_of_fragments_fill_it_too() {
    let marks = Watermarks::new(1000, 100);
    let mut server = connection(Role::Server, base().send_marks(marks).fragment_size(2));
    server.send(Message::binary(pattern(900))).unwrap();
    assert!(server.can_send());
    server.output();
    assert_eq!(server.queued_output(), 900 + 2 * 450);
    assert!(!server.can_send());
    take(&mut server, 1700);
    assert!(server.can_send(), "100 is the low mark");
}
