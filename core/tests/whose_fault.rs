//! Limits of time that blame the peer: a loop that comes late only delays, our own slowness is
//! nobody's fault, a wait begins when the words have left, and every peer ends
//! (docs/flow-control.md, "Whose fault").

use core::time::Duration;

use bytes::Buf;
use tidegate_core::{
    CloseCode, CloseFrame, Config, ConfigBuilder, Connection, Event, Failure, Timestamp, Transport,
    Watermarks,
};

const PONG: &[u8] = b"\x8A\x80\0\0\0\0";
/// A masked text message: "tide".
const MESSAGE: &[u8] = b"\x81\x84\0\0\0\0tide";
/// A masked Close with 1000.
const CLOSE: &[u8] = b"\x88\x82\0\0\0\0\x03\xE8";

fn server(set_up: impl FnOnce(ConfigBuilder) -> ConfigBuilder) -> Connection {
    let config = set_up(Config::builder()).build().expect("valid settings");
    Connection::server(Timestamp::ZERO, config)
}

fn seconds(seconds: u64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

/// The transport takes everything.
fn drain(connection: &mut Connection) -> usize {
    let mut taken = 0;
    while connection.wants_output() {
        let output = connection.output();
        let length = output.chunk().len();
        output.advance(length);
        taken += length;
    }
    taken
}

/// The turns of a loop that waits as it is told and finds nothing to read: until `end`.
fn turns(connection: &mut Connection, mut now: Timestamp, end: Timestamp) -> Timestamp {
    while let Some(deadline) = connection.poll_timeout().map(|deadline| deadline.max(now))
        && deadline <= end
        && connection.transport() == Transport::KeepOpen
    {
        now = deadline;
        connection.handle_timeout(now);
        drain(connection);
    }
    now
}

fn failure(connection: &Connection) -> Option<Failure> {
    connection.closed().and_then(|closed| closed.failure())
}

/// R1, in any order of calls: the pong is at hand when the loop comes late.
#[test]
fn a_loop_that_comes_late_finds_the_pong_before_it_judges() {
    for tells_the_time_first in [false, true] {
        let mut server = server(|config| config);
        turns(&mut server, Timestamp::ZERO, seconds(30));
        let late = seconds(61);
        if tells_the_time_first {
            server.handle_timeout(late);
        }
        server.handle_input(late, PONG);
        server.handle_timeout(late);
        assert_eq!(server.closed(), None, "time first: {tells_the_time_first}");
        // And a loop that tells the time twice in a row has still not looked.
        turns(&mut server, late, seconds(91));
        let late = seconds(200);
        server.handle_timeout(late);
        server.handle_timeout(late);
        server.handle_input(late, PONG);
        assert_eq!(server.closed(), None);
    }
}

/// R1: and a peer that is gone is found by one more turn.
#[test]
fn a_peer_that_is_gone_is_found_by_a_last_look() {
    let mut server = server(|config| config);
    turns(&mut server, Timestamp::ZERO, seconds(60));
    assert_eq!(server.closed(), None, "the limit has passed: look once more");
    let again = server.poll_timeout().expect("a last look");
    assert!(again <= seconds(60) + Duration::from_millis(1));
    server.handle_timeout(again);
    assert_eq!(failure(&server), Some(Failure::KeepaliveTimeout));
}

/// R1 for the closing handshake: what had arrived is behind a megabyte of other input.
#[test]
fn the_last_look_for_a_close_reads_until_nothing_comes() {
    let mut server = server(|config| config.close_timeout(Duration::from_secs(1)));
    server.close(Timestamp::ZERO, CloseCode::NORMAL.into_frame()).expect("open");
    drain(&mut server);
    server.handle_timeout(Timestamp::ZERO);
    let late = seconds(5);
    server.handle_timeout(late);
    for _ in 0..1000 {
        server.handle_input(late, &MESSAGE.repeat(100));
        while server.poll_event().is_some() {}
        server.handle_timeout(server.poll_timeout().unwrap_or(late));
        assert_eq!(server.closed(), None, "there was something to read in every turn");
    }
    server.handle_input(late, CLOSE);
    assert!(server.closed().is_some_and(|closed| closed.is_clean()));
}

/// R5 within R1: a peer that never closes and never stops is not read for ever.
#[test]
fn the_last_look_for_a_close_ends() {
    let mut server = server(|config| config.close_timeout(Duration::from_secs(1)));
    server.close(Timestamp::ZERO, CloseCode::NORMAL.into_frame()).expect("open");
    drain(&mut server);
    server.handle_timeout(Timestamp::ZERO);
    let flood = MESSAGE.repeat(5000);
    let mut now = seconds(1);
    let mut bytes = 0;
    while server.closed().is_none() {
        server.handle_timeout(now);
        server.handle_input(now, &flood);
        while server.poll_event().is_some() {}
        if server.poll_timeout().is_some_and(|deadline| deadline <= now) {
            server.handle_timeout(now);
        }
        bytes += flood.len();
        now = now + Duration::from_millis(1);
        assert!(bytes < 16 * 1024 * 1024, "{bytes} bytes were read behind the limit");
    }
    assert_eq!(failure(&server), Some(Failure::CloseTimeout));
}

/// R2: behind our closed gate the peer's Close, its pong, or its reading may be waiting for us.
#[test]
fn behind_a_closed_gate_limits_stand_still() {
    let one = Watermarks::new(1, 0);
    let mut server = server(|config| config.message_marks(one));
    server.handle_input(Timestamp::ZERO, MESSAGE);
    server.send("an answer that the peer does not take").expect("room");
    server.close(Timestamp::ZERO, None).expect("open");
    let mut now = Timestamp::ZERO;
    for _ in 0..100 {
        now = now + Duration::from_secs(7);
        server.handle_timeout(now);
        assert_eq!(server.closed(), None, "{now:?}");
    }
    drain(&mut server);
    for _ in 0..100 {
        now = now + Duration::from_secs(7);
        server.handle_timeout(now);
        assert_eq!(server.closed(), None, "{now:?}");
    }
    assert!(matches!(server.poll_event(), Some(Event::Message(_))));
    let end = now + Duration::from_secs(9);
    turns(&mut server, now, end);
    assert_eq!(server.closed(), None, "it has its time from when the gate opened");
    turns(&mut server, end, end + Duration::from_secs(2));
    assert_eq!(failure(&server), Some(Failure::CloseTimeout));
}

/// R5 within R2: who fills our outbox and our gate, and takes nothing, is not waited for.
#[test]
fn a_full_outbox_has_its_limit_behind_a_closed_gate_too() {
    let one = Watermarks::new(1, 0);
    let mut server = server(|config| config.message_marks(one));
    server.handle_input(Timestamp::ZERO, MESSAGE);
    server.send(vec![0; 128 * 1024]).expect("room");
    turns_without_output(&mut server, Timestamp::ZERO, seconds(31));
    assert_eq!(failure(&server), Some(Failure::WriteTimeout));
}

fn turns_without_output(connection: &mut Connection, mut now: Timestamp, end: Timestamp) {
    while let Some(deadline) = connection.poll_timeout().map(|deadline| deadline.max(now))
        && deadline <= end
        && connection.closed().is_none()
    {
        now = deadline;
        connection.handle_timeout(now);
    }
}

/// R3: a megabyte at 10 kB/s. The ping waits behind it, and the peer cannot answer what has not
/// left.
#[test]
fn a_slow_link_is_not_a_dead_one() {
    let mut server = server(|config| config);
    server.send(vec![7; 1024 * 1024]).expect("room");
    let mut now = Timestamp::ZERO;
    while server.wants_output() {
        now = now + Duration::from_secs(1);
        server.handle_timeout(now);
        assert_eq!(server.closed(), None, "{now:?}");
        let mut left = 10_000;
        while left > 0 && server.wants_output() {
            let output = server.output();
            let length = output.chunk().len().min(left);
            output.advance(length);
            left -= length;
        }
    }
    assert!(now > seconds(100), "{now:?}");
    // The pings have left now: the pong's time begins.
    turns(&mut server, now, now + Duration::from_secs(29));
    assert_eq!(server.closed(), None);
    turns(&mut server, now, now + Duration::from_secs(31));
    assert_eq!(failure(&server), Some(Failure::KeepaliveTimeout));
}

/// R3: the closing handshake begins when our Close has left, behind a megabyte at 64 kB/s.
#[test]
fn a_close_behind_a_long_message_has_its_time_when_it_has_left() {
    let mut server = server(|config| config);
    server.send(vec![7; 1024 * 1024]).expect("room");
    server.close(Timestamp::ZERO, CloseCode::NORMAL.into_frame()).expect("open");
    let mut now = Timestamp::ZERO;
    while server.wants_output() {
        now = now + Duration::from_secs(1);
        server.handle_timeout(now);
        let output = server.output();
        let length = output.chunk().len().min(64_000);
        output.advance(length);
        assert_eq!(server.closed(), None, "{now:?}");
    }
    assert!(now > seconds(15), "{now:?}");
    turns(&mut server, now, now + Duration::from_secs(9));
    assert_eq!(server.closed(), None);
    turns(&mut server, now, now + Duration::from_secs(11));
    assert_eq!(failure(&server), Some(Failure::CloseTimeout));
}

/// R1 for output: what the peer takes before the judgement counts.
#[test]
fn output_that_moves_in_the_last_look_is_a_sign_of_life() {
    let mut server = server(|config| config.ping_interval(None));
    server.send(vec![7; 100_000]).expect("room");
    server.handle_timeout(Timestamp::ZERO);
    let late = seconds(300);
    server.handle_timeout(late);
    assert_eq!(server.closed(), None);
    server.output().advance(10);
    server.handle_timeout(seconds(329));
    assert_eq!(server.closed(), None, "ten bytes were taken 29 s ago");
    turns_without_output(&mut server, seconds(329), seconds(361));
    assert_eq!(failure(&server), Some(Failure::WriteTimeout));
}

/// The wait for the transport begins when output begins to wait, not when some went out before.
#[test]
fn a_stall_is_counted_from_its_beginning() {
    let mut server = server(|config| config.ping_interval(None));
    for second in [0, 10, 29, 31, 58] {
        server.send("tide").expect("room");
        assert_eq!(server.poll_timeout(), Some(server_time(&server)), "a wait begins");
        drain(&mut server);
        server.handle_timeout(seconds(second));
        assert_eq!(server.poll_timeout(), None, "nothing waits");
    }
    server.send("tide").expect("room");
    server.handle_timeout(seconds(59));
    turns_without_output(&mut server, seconds(59), seconds(88));
    assert_eq!(server.closed(), None);
    turns_without_output(&mut server, seconds(88), seconds(90));
    assert_eq!(failure(&server), Some(Failure::WriteTimeout));
}

fn server_time(connection: &Connection) -> Timestamp {
    connection.poll_timeout().expect("a wait begins")
}

/// R5: all defaults, the peer reads nothing and says a word now and then.
#[test]
fn a_peer_that_takes_nothing_and_talks_does_not_live_for_ever() {
    let mut server = server(|config| config);
    server.send(vec![7; 128 * 1024]).expect("room");
    let mut now = Timestamp::ZERO;
    while server.closed().is_none() {
        turns_without_output(&mut server, now, now + Duration::from_secs(20));
        now = now + Duration::from_secs(20);
        server.handle_input(now, PONG);
        assert!(now <= seconds(60), "it lives on");
    }
    assert_eq!(failure(&server), Some(Failure::WriteTimeout));
}

/// A ping of the application has a limit without a keepalive, too.
#[test]
fn a_ping_of_the_application_has_a_limit_of_its_own() {
    let mut server = server(|config| config.ping_interval(None));
    let number = server.ping(Timestamp::ZERO, "own").expect("open");
    drain(&mut server);
    assert!(!server.is_ping_answered(number));
    turns(&mut server, Timestamp::ZERO, seconds(31));
    assert_eq!(failure(&server), Some(Failure::KeepaliveTimeout));
}

/// RFC 6455 §5.5.1: nothing comes after a Close, and whoever goes on for ever is not read for ever.
#[test]
fn what_comes_after_a_close_ends_after_a_megabyte() {
    for waits_for_the_application in [false, true] {
        let mut server = server(|config| config);
        if waits_for_the_application {
            server.handle_input(Timestamp::ZERO, MESSAGE);
        }
        server.handle_input(Timestamp::ZERO, CLOSE);
        drain(&mut server);
        let mut taken = 0;
        let flood = [0; 65536];
        while server.wants_input() || server.transport() == Transport::ShutdownWrite {
            server.handle_input(Timestamp::ZERO, &flood);
            taken += flood.len();
            assert!(taken <= 2 * 1024 * 1024, "read for ever");
        }
        if waits_for_the_application {
            assert!(matches!(server.poll_event(), Some(Event::Message(_))));
            assert!(matches!(server.poll_event(), Some(Event::Closed(_))));
            drain(&mut server);
            server.handle_input(Timestamp::ZERO, &flood);
        }
        assert!(server.closed().is_some_and(|closed| closed.is_clean()));
        assert_eq!(server.transport(), Transport::Close);
    }
}

/// Who began, and whether it is an end as any other.
#[test]
fn an_end_tells_who_began_and_whether_it_is_normal() {
    let cases = [
        (&b"\x88\x80\0\0\0\0"[..], true),
        (b"\x88\x82\0\0\0\0\x03\xE8", true),
        (b"\x88\x82\0\0\0\0\x03\xE9", true),
        (b"\x88\x82\0\0\0\0\x03\xF0", false),
        (b"\x88\x82\0\0\0\0\x0F\xA0", false),
    ];
    for (close, is_normal) in cases {
        let mut answering = server(|config| config);
        answering.handle_input(Timestamp::ZERO, close);
        let closed = answering.closed().expect("over");
        assert_eq!((closed.is_by_peer(), closed.is_normal()), (true, is_normal), "{closed}");
        assert_eq!(closed.sent(), closed.received(), "code and reason are echoed");

        let mut beginning = server(|config| config);
        beginning.close(Timestamp::ZERO, CloseFrame::from(CloseCode::POLICY_VIOLATION)).expect("");
        beginning.handle_input(Timestamp::ZERO, close);
        let closed = beginning.closed().expect("over");
        assert_eq!((closed.is_by_peer(), closed.is_normal()), (false, true), "{closed}");
    }
    let mut beginning = server(|config| config);
    beginning.close(Timestamp::ZERO, None).expect("open");
    beginning.handle_eof(Timestamp::ZERO);
    assert!(!beginning.closed().expect("over").is_by_peer(), "we had sent a Close before");
}

/// An empty Close can be sent, also by its name, and what the peer sent can be sent back.
#[test]
fn an_empty_close_can_be_sent() {
    for frame in [None, Some(CloseFrame::EMPTY)] {
        let mut server = server(|config| config);
        server.close(Timestamp::ZERO, frame).expect("an empty Close");
        assert_eq!(server.output().chunk(), b"\x88\x00");
    }
}

/// A ping that arrives in our closing handshake can be answered by the application, too.
#[test]
fn a_manual_pong_can_be_sent_while_closing() {
    let mut server = server(|config| config.pong_policy(tidegate_core::PongPolicy::Manual));
    server.close(Timestamp::ZERO, None).expect("open");
    drain(&mut server);
    server.handle_input(Timestamp::ZERO, b"\x89\x81\0\0\0\0x");
    let Some(Event::Ping(payload)) = server.poll_event() else { panic!("a ping") };
    server.pong(payload).expect("the peer has not closed");
    assert_eq!(server.output().chunk(), b"\x8A\x01x");
}

trait IntoFrame {
    fn into_frame(self) -> CloseFrame;
}

impl IntoFrame for CloseCode {
    fn into_frame(self) -> CloseFrame {
        CloseFrame::from(self)
    }
}

/// R5 within R2, for an application that waits until each message has left: a peer that floods and
/// reads nothing closes the gate, and the outbox is not full.
#[test]
fn whoever_waits_for_output_behind_a_closed_gate_is_not_kept_for_ever() {
    for waits in [true, false] {
        let one = Watermarks::new(1, 0);
        let mut server = server(|config| config.message_marks(one));
        server.handle_input(Timestamp::ZERO, MESSAGE);
        server.send(vec![0; 60_000]).expect("room");
        if waits {
            server.await_output();
        }
        turns_without_output(&mut server, Timestamp::ZERO, seconds(31));
        let expected = waits.then_some(Failure::WriteTimeout);
        assert_eq!(failure(&server), expected, "waits: {waits}");
        // It is over as soon as something moves.
        let mut server = self::server(|config| config.message_marks(one));
        server.handle_input(Timestamp::ZERO, MESSAGE);
        server.send(vec![0; 60_000]).expect("room");
        server.await_output();
        server.output().advance(10);
        turns_without_output(&mut server, Timestamp::ZERO, seconds(100));
        assert_eq!(failure(&server), None);
    }
}

/// After a fault input is discarded until the peer has seen our Close, and not for ever.
#[test]
fn what_comes_after_a_fault_ends_after_a_number_of_bytes() {
    let mut server = server(|config| config);
    server.handle_input(Timestamp::ZERO, b"\x83\x00");
    drain(&mut server);
    let (mut taken, flood) = (0, vec![0; 1024 * 1024]);
    while server.transport() == Transport::ShutdownWrite {
        server.handle_input(Timestamp::ZERO, &flood);
        taken += flood.len();
        assert!(taken <= 64 * 1024 * 1024, "read for ever");
    }
    assert_eq!(server.transport(), Transport::Close);
    assert!(taken > 32 * 1024 * 1024, "a long message may be under way");
}
