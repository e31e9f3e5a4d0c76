//! Graceful shutdown: every connection is closed, and those that do not answer are cut.

use core::time::Duration;
use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use tidegate_core::handshake::Acceptance;
use tidegate_driver::ServeOptions;

use crate::{Adapter, Behaviour, LONG, Running, for_each_adapter};

for_each_adapter!(
    idle_connections_are_closed,
    what_came_before_is_still_echoed,
    a_busy_connection_is_closed,
    a_handler_that_does_not_listen_is_cut,
    a_peer_that_does_not_answer_is_cut,
    a_shutdown_can_be_shortened,
    a_client_without_a_request_is_not_waited_for,
    a_request_after_the_shutdown_is_refused,
);

fn idle_connections_are_closed<A: Adapter>() {
    let server = Running::start::<A>(ServeOptions::default(), Behaviour::Echo);
    let clients: Vec<_> = (0..5).map(|_| server.client().upgraded()).collect();
    server.wait(|counters| counters.open == 5);
    server.handle.shutdown(LONG);
    let address = server.address;
    for client in clients {
        client.goes_away();
    }
    let counters = server.join();
    assert_eq!((counters.open, counters.cut, counters.failed), (0, 0, 0));
    assert!(TcpStream::connect(address).is_err(), "nobody listens");
}

fn what_came_before_is_still_echoed<A: Adapter>() {
    let server = Running::start::<A>(ServeOptions::default(), Behaviour::Echo);
    let mut client = server.client().upgraded();
    client.echo();
    client.send(0x81, b"hi");
    assert_eq!(client.frame(), (0x81, b"hi".to_vec()));
    server.handle.shutdown(LONG);
    client.goes_away();
    assert_eq!(server.join().cut, 0);
}

fn a_busy_connection_is_closed<A: Adapter>() {
    let server = Running::start::<A>(ServeOptions::default(), Behaviour::Flood);
    let mut client = server.client().upgraded();
    for _ in 0..10 {
        assert_eq!(client.frame().0, 0x82);
    }
    // Now the handler waits for room.
    thread::sleep(Duration::from_millis(50));
    server.handle.shutdown(LONG);
    client.goes_away();
    let counters = server.join();
    assert_eq!((counters.cut, counters.failed), (0, 0));
}

fn a_handler_that_does_not_listen_is_cut<A: Adapter>() {
    let server = Running::start::<A>(ServeOptions::default(), Behaviour::Ignore);
    let mut client = server.client().upgraded();
    server.wait(|counters| counters.open == 1);
    let begin = Instant::now();
    let counters = server.stop(Duration::from_millis(300));
    assert!(begin.elapsed() >= Duration::from_millis(300) && begin.elapsed() < LONG);
    assert_eq!((counters.open, counters.cut), (0, 1));
    assert!(client.is_at_end());
}

fn a_peer_that_does_not_answer_is_cut<A: Adapter>() {
    let server = Running::start::<A>(ServeOptions::default(), Behaviour::Flood);
    let deaf = server.client().upgraded();
    thread::sleep(Duration::from_millis(200));
    let counters = server.stop(Duration::from_millis(300));
    assert_eq!((counters.open, counters.cut), (0, 1));
    drop(deaf);
}

fn a_shutdown_can_be_shortened<A: Adapter>() {
    let server = Running::start::<A>(ServeOptions::default(), Behaviour::Ignore);
    let _client = server.client().upgraded();
    server.wait(|counters| counters.open == 1);
    server.handle.shutdown(Duration::from_secs(600));
    assert!(server.handle.is_shutting_down());
    thread::sleep(Duration::from_millis(50));
    assert_eq!(server.stop(Duration::from_millis(100)).cut, 1);
}

fn a_client_without_a_request_is_not_waited_for<A: Adapter>() {
    let server = Running::start::<A>(ServeOptions::default(), Behaviour::Echo);
    let mut client = server.client();
    server.wait(|counters| counters.handshakes == 1);
    let begin = Instant::now();
    let counters = server.stop(LONG);
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert_eq!((counters.failed_handshakes, counters.cut), (1, 0));
    assert!(client.is_at_end());
}

fn a_request_after_the_shutdown_is_refused<A: Adapter>() {
    let options = ServeOptions::builder()
        .decide(|_| async {
            // Blocks a thread of the runtime for a while, which is acceptable in a test.
            thread::sleep(Duration::from_millis(300));
            Acceptance::new().into()
        })
        .build()
        .unwrap();
    let server = Running::start::<A>(options, Behaviour::Echo);
    let mut client = server.client();
    client.ask("/", &[]);
    server.wait(|counters| counters.handshakes == 1);
    thread::sleep(Duration::from_millis(100));
    server.handle.shutdown(LONG);
    assert_eq!(client.status(), 503);
    drop(client);
    assert_eq!(server.join().refused, 1);
}
