//! Time limits with their defaults, and others for which docs/flow-control.md gives a number.

use core::time::Duration;

use bytes::Buf;

use tidegate_core::testing::{Frame, opcode};
use tidegate_core::{
    CloseFrame, Closed, Config, Connection, Event, Failure, Role, Timestamp, Transport,
};

fn connection(role: Role, config: Config) -> Connection {
    match role {
        Role::Client => Connection::client(Timestamp::ZERO, config, [9; 32]),
        Role::Server => Connection::server(Timestamp::ZERO, config),
    }
}

/// A frame from this connection's peer.
fn from_peer(connection: &Connection, frame: Frame) -> Vec<u8> {
    let key = connection.role().peer().masks().then_some([1, 2, 3, 4]);
    Frame { key, ..frame }.encode()
}

/// Moves from deadline to deadline and takes all events, while the transport takes no output. Returns
/// when the connection gives up.
fn given_up(connection: &mut Connection) -> Option<Timestamp> {
    for _ in 0..1000 {
        while connection.poll_event().is_some() {}
        let now = connection.poll_timeout()?;
        connection.handle_timeout(now);
        if connection.transport() == Transport::Close {
            return Some(now);
        }
    }
    None
}

/// R5: "`write_timeout` is 30 s by default".
#[test]
fn by_default_a_peer_that_reads_nothing_has_thirty_seconds() {
    for role in [Role::Client, Role::Server] {
        let mut connection = connection(role, Config::default());
        connection.send("never taken").unwrap();
        let end = given_up(&mut connection).unwrap();
        let limit = Timestamp::from_secs(30)..Timestamp::from_millis(30_100);
        assert!(limit.contains(&end), "{role:?}: {end:?}");
        assert_eq!(connection.closed().and_then(Closed::failure), Some(Failure::WriteTimeout));
    }
}

/// R5, R3: until the transport has taken our Close, only the write limit can end the connection, and
/// it does, whichever end began to close.
#[test]
fn an_unwritten_close_is_subject_to_the_write_limit() {
    for role in [Role::Client, Role::Server] {
        for by_peer in [false, true] {
            let config = Config::builder().ping_interval(None).build().unwrap();
            let mut connection = connection(role, config);
            if by_peer {
                let close = from_peer(&connection, Frame::close(Some(1000), ""));
                connection.handle_input(Timestamp::ZERO, &close);
            } else {
                connection.close(Timestamp::ZERO, CloseFrame::EMPTY).unwrap();
            }
            let end = given_up(&mut connection);
            let limit = Timestamp::from_secs(30)..Timestamp::from_millis(30_100);
            assert!(end.is_some_and(|end| limit.contains(&end)), "{role:?}, {by_peer}: {end:?}");
        }
    }
}

/// R5: a peer that reads nothing is given up even if it sends something from time to time, which
/// keeps the pong limit from passing.
#[test]
fn occasional_input_does_not_save_a_peer_that_reads_nothing() {
    let mut server = connection(Role::Server, Config::default());
    while server.can_send() {
        server.send("a tick").unwrap();
    }
    for second in 1..=120 {
        let now = Timestamp::from_secs(second);
        if second % 20 == 0 {
            let word = from_peer(&server, Frame::new(opcode::PONG, "here"));
            server.handle_input(now, &word);
        }
        server.handle_timeout(now);
    }
    assert_eq!(server.closed().and_then(Closed::failure), Some(Failure::WriteTimeout));
}

/// R5: "What a peer sends after its Close is read for 1 MiB at most."
#[test]
fn at_most_one_mebibyte_is_read_after_the_peers_close() {
    for role in [Role::Client, Role::Server] {
        let mut connection = connection(role, Config::default());
        let close = from_peer(&connection, Frame::close(Some(1000), ""));
        connection.handle_input(Timestamp::ZERO, &close);
        assert!(
            matches!(connection.poll_event(), Some(Event::Closed(closed)) if closed.is_clean())
        );
        let written = connection.output().remaining();
        connection.output().advance(written);
        for kibibyte in 0..1024 {
            assert!(connection.wants_input(), "{role:?}, after {kibibyte} KiB");
            connection.handle_input(Timestamp::ZERO, &[0; 1024]);
        }
        connection.handle_input(Timestamp::ZERO, &[0; 1024]);
        assert!(!connection.wants_input());
        assert_eq!((connection.transport(), connection.poll_timeout()), (Transport::Close, None));
    }
}

/// R1, in the order of the README's loop: first the deadline is handled, then the input.
#[test]
fn a_late_loop_finds_the_pong_that_has_arrived() {
    let mut client = connection(Role::Client, Config::default());
    let at = Timestamp::from_secs;
    client.handle_timeout(at(30));
    let ping = Frame::parse(client.output().chunk()).unwrap().unwrap().0;
    assert_eq!(ping.opcode, opcode::PING);
    let written = client.output().remaining();
    client.output().advance(written);
    client.handle_timeout(at(30));
    // The pong arrives at once, but the loop is blocked for a whole minute.
    client.handle_timeout(at(61) + Duration::from_secs(30));
    let pong = from_peer(&client, Frame::new(opcode::PONG, ping.payload));
    client.handle_input(at(92), &pong);
    client.handle_timeout(at(93));
    assert_eq!(client.closed(), None);
    assert!(client.latency().is_some());
}
