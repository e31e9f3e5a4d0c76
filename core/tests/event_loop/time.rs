//! Deadlines: the loop reads and writes once more before a timeout applies, and then it applies.

use core::time::Duration;

use tidegate_core::event_loop::{Turn, turn};
use tidegate_core::testing::{Frame, opcode};
use tidegate_core::{Closed, Config, Connection, Failure, Timestamp};

use crate::script::{Script, buffer, pong, server, text};

fn echo(connection: &mut Connection, stream: &mut Script, now: Timestamp) -> Turn {
    turn(connection, stream, &mut buffer(), now, crate::world::echo)
}

/// Calls the loop at its deadlines, as a poller would, until the connection has ended.
fn until_over(connection: &mut Connection, stream: &mut Script) -> (Closed, Timestamp) {
    let mut now = Timestamp::ZERO;
    for _ in 0..20 {
        match echo(connection, stream, now) {
            Turn::Wait(wait) => now = now.max(wait.until.expect("there is a limit")),
            Turn::Again => {}
            Turn::Over { how, .. } => return (how, now),
        }
    }
    panic!("it goes round in circles");
}

#[test]
fn a_pong_that_has_arrived_counts_however_late_the_call_is() {
    let config = Config::builder().ping_interval(Duration::from_secs(30));
    let config = config.pong_timeout(Duration::from_secs(30)).build().unwrap();
    let (mut connection, mut stream) = (server(config), Script::default().takes_all());
    let Turn::Wait(wait) = echo(&mut connection, &mut stream, Timestamp::ZERO) else { panic!() };
    assert_eq!(wait.until, Some(Timestamp::from_secs(30)));
    assert!(matches!(echo(&mut connection, &mut stream, Timestamp::from_secs(30)), Turn::Wait(_)));
    let pings = Frame::parse_all(&stream.written).unwrap();
    assert_eq!((pings.len(), pings[0].opcode), (1, opcode::PING), "it is written in that turn");
    stream.reads.push_back(Ok(pong(&pings[0].payload)));
    for seconds in [61, 62] {
        let turn = echo(&mut connection, &mut stream, Timestamp::from_secs(seconds));
        assert!(matches!(turn, Turn::Wait(_)), "{turn:?}");
    }
    assert!(connection.closed().is_none());
}

#[test]
fn a_peer_that_is_silent_is_cut() {
    let config = Config::builder().ping_interval(Duration::from_secs(30));
    let config = config.pong_timeout(Duration::from_secs(30)).build().unwrap();
    let (mut connection, mut stream) = (server(config), Script::default().takes_all());
    let (how, now) = until_over(&mut connection, &mut stream);
    assert_eq!(how.failure(), Some(Failure::KeepaliveTimeout));
    assert!((60..=61).contains(&(now.as_micros() / 1_000_000)), "{now:?}");
}

#[test]
fn a_peer_that_takes_nothing_is_cut() {
    let config = Config::builder().ping_interval(None).write_timeout(Duration::from_secs(5));
    let mut connection = server(config.build().unwrap());
    let mut stream = Script::reads([Ok(text("a"))]);
    let (how, now) = until_over(&mut connection, &mut stream);
    assert_eq!(how.failure(), Some(Failure::WriteTimeout));
    assert!((5..=11).contains(&(now.as_micros() / 1_000_000)), "{now:?}");
}

#[test]
fn a_peer_that_never_ends_the_stream_is_left() {
    let config = Config::builder().ping_interval(None).close_timeout(Duration::from_secs(10));
    let mut connection = server(config.build().unwrap());
    let mut stream = Script::reads([Ok(crate::script::close(1000, ""))]).takes_all();
    let (how, now) = until_over(&mut connection, &mut stream);
    assert!(how.is_clean());
    assert!((10..=11).contains(&(now.as_micros() / 1_000_000)), "{now:?}");
}

#[test]
fn a_peer_that_keeps_us_busy_does_not_stop_the_time() {
    let config = Config::builder().ping_interval(Duration::from_secs(30)).build().unwrap();
    let (mut connection, mut stream) = (server(config), Script::default());
    for second in 0..35 {
        // Each turn finds more input than it may read.
        stream.reads = (0..40).map(|_| Ok([0x8A, 0x80, 0, 0, 0, 0].repeat(11_000))).collect();
        stream.writes = (0..40).map(|_| Ok(1000)).collect();
        let turn = echo(&mut connection, &mut stream, Timestamp::from_secs(second));
        assert!(matches!(turn, Turn::Again), "{turn:?}");
    }
    let frames = Frame::parse_all(&stream.written).unwrap();
    assert_eq!(frames.iter().filter(|frame| frame.opcode == opcode::PING).count(), 1);
}
