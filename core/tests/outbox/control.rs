//! Pings and pongs: how many are queued, and how long they wait for data that is being written.

use bytes::Buf;
use tidegate_core::frame::{MAX_HEADER, OpCode};
use tidegate_core::{Config, ControlError, Message, Role};

use crate::support::{
    NOW, ROLES, base, connection, frames, opcodes, pattern, ping, take, take_frames,
};

/// RFC 6455 §5.5.3: an endpoint may answer only the newest ping. Here every ping of a normal
/// burst is answered.
#[test]
fn at_most_32_pongs_are_queued_and_the_oldest_are_discarded() {
    for role in ROLES {
        let mut from = connection(role, base());
        for number in 0..32 {
            ping(&mut from, &[number]);
        }
        let payloads: Vec<_> =
            take_frames(&mut from).into_iter().map(|(.., payload)| payload).collect();
        assert_eq!(payloads, (0..32).map(|number| vec![number]).collect::<Vec<_>>());
        for number in 0..36 {
            ping(&mut from, &[number]);
        }
        let payloads: Vec<_> =
            take_frames(&mut from).into_iter().map(|(.., payload)| payload).collect();
        assert_eq!(payloads, (4..36).map(|number| vec![number]).collect::<Vec<_>>());
    }
}

#[test]
fn at_most_16_pings_are_queued_and_the_next_one_is_refused() {
    for role in ROLES {
        let mut from = connection(role, base());
        for number in 0..16 {
            from.ping(NOW, vec![number]).unwrap();
        }
        assert_eq!(from.ping(NOW, vec![16]), Err(ControlError::Full));
        assert_eq!(take_frames(&mut from).len(), 16);
        from.ping(NOW, vec![17]).unwrap();
        assert_eq!(take_frames(&mut from), [(OpCode::Ping, true, vec![17])]);
    }
}

/// Both settings also count for `memory_bound()`.
#[test]
fn the_number_of_queued_pongs_and_pings_is_configurable() {
    for role in ROLES {
        let config = Config::builder().max_pongs(2).max_pings(1).build().unwrap();
        assert!(config.memory_bound() < Config::default().memory_bound());
        let many = base().max_pongs(usize::MAX).build().unwrap();
        assert_eq!(many.memory_bound(), usize::MAX);
        let mut from = connection(role, base().max_pongs(2).max_pings(1));
        for number in 0..5 {
            ping(&mut from, &[number]);
        }
        let payloads: Vec<_> =
            take_frames(&mut from).into_iter().map(|(.., payload)| payload).collect();
        assert_eq!(payloads, [[3], [4]]);
        from.ping(NOW, vec![0]).unwrap();
        assert_eq!(from.ping(NOW, vec![1]), Err(ControlError::Full));
    }
}

/// If each call of `output()` committed the queued pongs, a peer that reads nothing could make us
/// hold one pong for each of its pings.
#[test]
fn queued_pongs_are_committed_only_after_the_previous_ones_were_written() {
    for role in ROLES {
        let mut from = connection(role, base());
        ping(&mut from, b"first");
        let shown = from.output().remaining();
        for number in 0..100 {
            ping(&mut from, &[number]);
            assert_eq!(from.output().remaining(), shown, "the transport has taken nothing");
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

/// The same holds when no other pong is queued and the transport takes one byte at a time.
#[test]
fn a_partly_written_pong_delays_the_next_one() {
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

/// `output()` commits about 64 KiB at a time; only committed frames have a fixed position.
#[test]
fn a_pong_is_sent_before_data_that_is_not_committed_yet() {
    let mut server = connection(Role::Server, base());
    server.send(Message::binary(pattern(100_000))).unwrap();
    server.output();
    server.send("small").unwrap();
    server.output();
    ping(&mut server, b"now");
    let opcodes = opcodes(&take_frames(&mut server));
    assert_eq!(opcodes, [OpCode::Binary, OpCode::Pong, OpCode::Text]);
}

/// A pong waits only for the output that is already committed, not for the megabyte queued after it.
#[test]
fn a_pong_waits_for_about_64_kibibytes_of_data_at_most() {
    for role in ROLES {
        for size in [200, 4_000, 9_000, 30_000] {
            let mut from = connection(role, base());
            for _ in 0..1_000_000 / size {
                from.send(Message::binary(pattern(size))).unwrap();
            }
            let shown = from.output().remaining();
            // The last item that is committed may be a whole buffer of small frames or a large message.
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
