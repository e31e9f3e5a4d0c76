//! The opening handshakes by the loop, on the virtual network.

use std::io::ErrorKind;

use tidegate_core::event_loop::{Turn, accept, connect};
use tidegate_core::handshake::{
    Acceptance, ClientHandshake, ClientRequest, HandshakeError, Limits, Rejection, ServerHandshake,
};
use tidegate_core::testing::{Conditions, Socket, sockets};
use tidegate_core::{Config, Connection, Timestamp};

use crate::script::Script;
use crate::world::{Peer, echo};

type Outcome = Turn<Option<HandshakeError>>;

fn client() -> ClientHandshake {
    let request = ClientRequest::new("example.org", "/chat").unwrap();
    ClientHandshake::new(Timestamp::ZERO, request, Limits::default(), [3; 32])
}

/// Runs both ends until the client is open or over.
fn run(
    mut decide: impl FnMut(&mut ServerHandshake),
    conditions: Conditions,
) -> (ClientHandshake, ServerHandshake, [Socket; 2], Option<Outcome>) {
    let (mut socket, mut stream) = sockets(conditions, 4);
    let (mut client, mut server) =
        (client(), ServerHandshake::new(Timestamp::ZERO, Limits::default()));
    let mut buffer = [0; 512];
    let mut now = Timestamp::ZERO;
    for _ in 0..10_000 {
        socket.set_now(now);
        let served = accept(&mut server, &mut stream, &mut buffer, now);
        if server.request().is_some() && !server.is_accepted() {
            decide(&mut server);
            continue;
        }
        let ended = match connect(&mut client, &mut socket, &mut buffer, now) {
            Turn::Wait(_) | Turn::Again => None,
            over @ Turn::Over { .. } => Some(over),
        };
        if ended.is_some() || client.is_open() {
            return (client, server, [socket, stream], ended);
        }
        assert!(matches!(served, Turn::Wait(_)), "{served:?}");
        let arrivals = [socket.next_arrival(), stream.next_arrival()];
        now = now.max(arrivals.into_iter().flatten().min().unwrap_or(now));
    }
    panic!("it goes round in circles");
}

#[test]
fn both_ends_open_and_the_connections_go_on_with_what_came_behind() {
    for conditions in [Conditions::GOOD, Conditions::POOR, Conditions::BYTE_BY_BYTE] {
        let decide = |server: &mut ServerHandshake| server.accept(Acceptance::new()).unwrap();
        let (client, server, [socket, stream], ended) = run(decide, conditions);
        assert!(ended.is_none(), "{ended:?}");
        let now = Timestamp::from_secs(5);
        let open = |connection: Result<Connection, ()>| connection.expect("it is open");
        let mut client = open(client.into_connection(now, Config::default()).map_err(drop));
        let server = open(server.into_connection(now, Config::default()).map_err(drop));
        client.send("hello").unwrap();
        client.close(now, None).unwrap();
        let mut told = Vec::new();
        let mut client = Peer::new(client, socket, |_: &mut Connection, event| told.push(event));
        let mut server = Peer::new(server, stream, echo);
        let mut now = now;
        while !(client.is_over() && server.is_over()) {
            if let Some(stream) = client.stream.as_ref().or(server.stream.as_ref()) {
                stream.set_now(now);
            }
            if !(client.poll(now) | server.poll(now)) {
                now = [client.next(), server.next()].into_iter().flatten().min().expect("an end");
            }
        }
        drop(client);
        assert!(!told.is_empty());
    }
}

#[test]
fn a_refusal_is_written_and_read() {
    let decide = |server: &mut ServerHandshake| server.reject(Rejection::new(404)).unwrap();
    let (client, _, _, ended) = run(decide, Conditions::POOR);
    let Some(Turn::Over { how: Some(how), error: None }) = ended else { panic!("{ended:?}") };
    assert_eq!(Some(&how), client.failure());
    assert_eq!(client.response().unwrap().status(), 404);
}

#[test]
fn a_request_that_waits_for_a_decision_waits_for_nothing_else() {
    let mut client = client();
    let request = client.output().to_vec();
    let (mut stream, mut buffer) = (Script::reads([Ok(request)]), [0; 4096]);
    let mut server = ServerHandshake::new(Timestamp::ZERO, Limits::default());
    let turn = accept(&mut server, &mut stream, &mut buffer, Timestamp::ZERO);
    assert!(matches!(turn, Turn::Wait(wait) if wait == Default::default()), "{turn:?}");
    assert_eq!(server.request().unwrap().path(), "/chat");
}

#[test]
fn a_head_that_has_arrived_counts_however_late_the_call_is() {
    let mut client = client();
    let request = client.output().to_vec();
    let late = Timestamp::from_secs(60);
    let mut buffer = [0; 4096];
    let mut server = ServerHandshake::new(Timestamp::ZERO, Limits::default());
    let _ = accept(&mut server, &mut Script::reads([Ok(request)]), &mut buffer, late);
    assert!(server.request().is_some(), "{:?}", server.failure());

    let mut server = ServerHandshake::new(Timestamp::ZERO, Limits::default());
    let (mut stream, mut now) = (Script::default().takes_all(), late);
    for _ in 0..4 {
        if let Turn::Wait(wait) = accept(&mut server, &mut stream, &mut buffer, now) {
            now = now.max(wait.until.unwrap_or(now));
        }
    }
    assert!(server.failure().is_some(), "nothing came: {now:?}");
}

#[test]
fn a_stream_that_fails_is_told_with_its_error() {
    let mut stream = Script::default();
    stream.reads.push_back(Err(ErrorKind::ConnectionReset.into()));
    let mut server = ServerHandshake::new(Timestamp::ZERO, Limits::default());
    let turn = accept(&mut server, &mut stream, &mut [0; 512], Timestamp::ZERO);
    let Turn::Over { how: Some(_), error: Some(error) } = turn else { panic!("{turn:?}") };
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let mut stream = Script::default();
    stream.writes.push_back(Err(ErrorKind::ConnectionRefused.into()));
    let turn = connect(&mut client(), &mut stream, &mut [0; 512], Timestamp::ZERO);
    assert!(matches!(turn, Turn::Over { error: Some(_), .. }), "{turn:?}");
}
