//! What the peer sees when a handler returns, with a whole or a split connection. Nothing is lost.

use core::time::Duration;
use std::thread;
use std::time::Instant;

use tidegate_core::Config;
use tidegate_driver::ServeOptions;

use crate::{Adapter, Behaviour, LONG, Returns, Running, for_each_adapter};

for_each_adapter!(
    fed_messages_are_written_and_the_connection_is_closed,
    fed_messages_of_a_split_connection_are_written,
    fed_messages_of_a_connection_that_the_handler_drives_are_written,
    a_driver_that_is_dropped_before_ends_it_at_once,
    a_receiver_that_is_dropped_before_closes_at_once,
    answers_to_messages_that_came_together_are_not_lost,
    an_end_in_the_shutdown_says_so,
    a_peer_that_does_not_close_is_cut_in_time,
    a_peer_that_reads_nothing_is_cut_in_time,
    a_socket_that_another_task_drops_is_closed_too,
);

/// How a handler ends, and the code that its peer gets.
const ENDS: [(Returns, u16); 3] =
    [(Returns::Ok, 1000), (Returns::Err, 1011), (Returns::Panic, 1011)];

fn ends<A: Adapter>(behaviour: impl Fn(Returns) -> Behaviour) {
    for (returns, code) in ENDS {
        let server = Running::start::<A>(ServeOptions::default(), behaviour(returns));
        let mut client = server.client().upgraded();
        client.send(0x81, b"go");
        assert_eq!(client.frame(), (0x81, b"fed".to_vec()), "{returns:?}");
        assert_eq!(client.frame(), (0x88, code.to_be_bytes().to_vec()), "{returns:?}");
        // The connection is counted until it has ended, and is closed properly.
        assert_eq!(server.handle.counters().open, 1);
        client.send(0x88, &code.to_be_bytes());
        assert!(client.is_at_end());
        drop(client);
        server.wait(|counters| counters.open == 0);
        let counters = server.stop(LONG);
        let expected = match returns {
            Returns::Ok => (0, 0),
            Returns::Err => (1, 0),
            Returns::Panic => (0, 1),
        };
        assert_eq!((counters.failed, counters.panicked), expected, "{returns:?}");
    }
}

fn fed_messages_are_written_and_the_connection_is_closed<A: Adapter>() {
    ends::<A>(Behaviour::Feed);
}

fn fed_messages_of_a_split_connection_are_written<A: Adapter>() {
    ends::<A>(Behaviour::FeedInParts);
}

fn fed_messages_of_a_connection_that_the_handler_drives_are_written<A: Adapter>() {
    ends::<A>(Behaviour::FeedAndDrive);
}

fn a_driver_that_is_dropped_before_ends_it_at_once<A: Adapter>() {
    let server = Running::start::<A>(ServeOptions::default(), Behaviour::DropDriver);
    let mut client = server.client().upgraded();
    client.send(0x81, b"go");
    assert!(client.is_at_end());
    assert_eq!(server.handle.counters().open, 1, "its handler goes on");
    server.stop(Duration::ZERO);
}

fn a_receiver_that_is_dropped_before_closes_at_once<A: Adapter>() {
    let server = Running::start::<A>(ServeOptions::default(), Behaviour::DropReceiver);
    let mut client = server.client().upgraded();
    client.send(0x81, b"go");
    assert_eq!(client.frame(), (0x88, 1001_u16.to_be_bytes().to_vec()));
    server.stop(Duration::ZERO);
}

fn answers_to_messages_that_came_together_are_not_lost<A: Adapter>() {
    let server = Running::start::<A>(ServeOptions::default(), Behaviour::Twice);
    let mut client = server.client().upgraded();
    client.send_all(&[(0x81, b"1"), (0x81, b"2"), (0x81, b"3")]);
    for _ in 0..2 {
        assert_eq!(client.frame(), (0x81, b"so far".to_vec()));
    }
    assert_eq!(client.frame(), (0x88, 1000_u16.to_be_bytes().to_vec()));
    server.stop(Duration::ZERO);
}

fn an_end_in_the_shutdown_says_so<A: Adapter>() {
    let server = Running::start::<A>(ServeOptions::default(), Behaviour::Feed(Returns::Ok));
    let client = server.client().upgraded();
    server.wait(|counters| counters.open == 1);
    server.handle.shutdown(LONG);
    // The shutdown has closed the connection, the handler's "fed" is discarded, and nothing else is sent.
    client.goes_away();
    assert_eq!(server.join().cut, 0);
}

fn quick() -> ServeOptions {
    let config = Config::builder().close_timeout(Duration::from_millis(300)).build().unwrap();
    ServeOptions::builder().config(config).build().unwrap()
}

fn a_peer_that_does_not_close_is_cut_in_time<A: Adapter>() {
    let server = Running::start::<A>(quick(), Behaviour::Feed(Returns::Ok));
    let mut client = server.client().upgraded();
    client.send(0x81, b"go");
    assert_eq!(client.frame().0, 0x81);
    let begin = Instant::now();
    server.wait(|counters| counters.open == 0);
    assert!(begin.elapsed() >= Duration::from_millis(200) && begin.elapsed() < LONG / 4);
    assert_eq!(server.stop(LONG).cut, 0);
}

fn a_peer_that_reads_nothing_is_cut_in_time<A: Adapter>() {
    let server = Running::start::<A>(quick(), Behaviour::FloodAndReturn);
    let mut client = server.client().upgraded();
    client.send(0x81, b"go");
    let begin = Instant::now();
    server.wait(|counters| counters.opened == 1 && counters.open == 0);
    assert!(begin.elapsed() < LONG / 4);
    server.stop(LONG);
}

fn a_socket_that_another_task_drops_is_closed_too<A: Adapter>() {
    let server = Running::start::<A>(ServeOptions::default(), Behaviour::SpawnAndReturn);
    let mut client = server.client().upgraded();
    client.send(0x81, b"first");
    assert_eq!(client.frame(), (0x81, b"first".to_vec()));
    thread::sleep(Duration::from_millis(50));
    assert_eq!(server.handle.counters().open, 1);
    client.send(0x81, b"last");
    assert_eq!(client.frame(), (0x81, b"last".to_vec()));
    assert_eq!(client.frame(), (0x88, 1000_u16.to_be_bytes().to_vec()));
    server.stop(Duration::ZERO);
}
