//! Limits on numbers and times, and errors that a server survives.

use core::time::Duration;
use std::io::Write;
use std::thread;
use std::time::Instant;

use tidegate_core::handshake::Limits;
use tidegate_driver::ServeOptions;

use crate::{Adapter, Behaviour, LONG, Running, for_each_adapter};

for_each_adapter!(
    serves_and_counts,
    more_than_the_limit_wait_in_the_backlog,
    handshakes_have_a_limit_and_a_deadline,
    a_handshake_sent_byte_by_byte_is_cut,
    a_panic_costs_one_connection,
    survives_errors_of_accept,
    continues_at_once_after_a_reset_connection,
);

fn quick() -> Limits {
    Limits::builder().timeout(Duration::from_millis(300)).build().unwrap()
}

fn serves_and_counts<A: Adapter>() {
    let server = Running::start::<A>(ServeOptions::default(), Behaviour::Echo);
    let mut first = server.client().upgraded();
    let mut second = server.client().upgraded();
    first.echo();
    second.echo();
    let mut lost = server.client();
    lost.0.write_all(b"nonsense\r\n\r\n").unwrap();
    assert_eq!(lost.status(), 400);
    drop(lost);
    first.send(0x88, &[]);
    assert_eq!(first.frame(), (0x88, vec![]));
    assert!(first.is_at_end());
    drop(first);
    drop(second); // without a closing handshake, which is an error for the handler
    server.wait(|counters| counters.open == 0 && counters.handshakes == 0);
    let counters = server.stop(LONG);
    assert_eq!((counters.accepted, counters.opened, counters.failed), (3, 2, 1));
    assert_eq!((counters.failed_handshakes, counters.refused, counters.cut), (1, 0, 0));
    assert_eq!((counters.accept_errors, counters.panicked), (0, 0));
}

fn more_than_the_limit_wait_in_the_backlog<A: Adapter>() {
    let options = ServeOptions::builder().max_connections(2).build().unwrap();
    let server = Running::start::<A>(options, Behaviour::Echo);
    let first = server.client().upgraded();
    let mut second = server.client().upgraded();
    let mut third = server.client();
    third.ask("/", &[]);
    assert!(third.is_silent(Duration::from_millis(200)));
    assert_eq!(server.handle.counters().accepted, 2);
    second.echo();
    drop(first);
    assert_eq!(third.status(), 101);
    third.echo();
    server.stop(Duration::ZERO);
}

fn handshakes_have_a_limit_and_a_deadline<A: Adapter>() {
    // Handshakes with a complete request are not dropped: other clients wait until those are decided.
    let options = ServeOptions::builder()
        .max_handshakes(1)
        .limits(quick())
        .decide(|_| core::future::pending())
        .build()
        .unwrap();
    let server = Running::start::<A>(options, Behaviour::Echo);
    let begin = Instant::now();
    let mut first = server.client();
    first.ask("/", &[]);
    server.wait(|counters| counters.handshakes == 1);
    thread::sleep(Duration::from_millis(100));
    let mut next = server.client();
    next.ask("/", &[]);
    assert_eq!(first.status(), 503);
    assert!(begin.elapsed() >= Duration::from_millis(300));
    // The first need not have closed its stream: it is enough that it has its response.
    assert_eq!(next.status(), 503);
    assert!(begin.elapsed() >= Duration::from_millis(600));
    assert_eq!(server.stop(Duration::ZERO).failed_handshakes, 2);

    let server = Running::start::<A>(
        ServeOptions::builder().limits(quick()).build().unwrap(),
        Behaviour::Echo,
    );
    let begin = Instant::now();
    assert_eq!(server.client().status(), 408);
    assert!(begin.elapsed() >= Duration::from_millis(300));
    server.stop(Duration::ZERO);
}

fn a_handshake_sent_byte_by_byte_is_cut<A: Adapter>() {
    let server = Running::start::<A>(
        ServeOptions::builder().limits(quick()).build().unwrap(),
        Behaviour::Echo,
    );
    let mut slow = server.client();
    let begin = Instant::now();
    for byte in b"GET / HTTP/1.1\r\nHost: a.test\r\nX: ".iter().chain([b'x'; 1000].iter()) {
        if slow.0.write_all(&[*byte]).is_err() || begin.elapsed() > LONG {
            break;
        }
        thread::sleep(Duration::from_millis(10));
        if !slow.is_silent(Duration::from_millis(1)) {
            break;
        }
    }
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert_eq!(slow.status(), 408);
    drop(slow);
    server.wait(|counters| counters.failed_handshakes == 1 && counters.handshakes == 0);
    server.stop(LONG);
}

fn a_panic_costs_one_connection<A: Adapter>() {
    let server = Running::start::<A>(ServeOptions::default(), Behaviour::Panic);
    let mut first = server.client().upgraded();
    let mut second = server.client().upgraded();
    first.send(0x81, b"boo");
    assert_eq!(first.frame(), (0x88, 1011_u16.to_be_bytes().to_vec()));
    drop(first);
    assert!(second.is_silent(Duration::from_millis(100)));
    let counters = server.wait(|counters| counters.open == 1);
    assert_eq!((counters.panicked, counters.failed), (1, 0));
    second.send(0x89, b"still there?");
    assert_eq!(second.frame(), (0x8a, b"still there?".to_vec()));
    server.stop(Duration::ZERO);
}

/// EMFILE and ENFILE: the server pauses each time, and continues.
fn survives_errors_of_accept<A: Adapter>() {
    let begin = Instant::now();
    let server = Running::start_failing::<A>(
        vec![EMFILE, ENFILE, EMFILE],
        ServeOptions::default(),
        Behaviour::Echo,
    );
    server.client().upgraded().echo();
    assert!(begin.elapsed() >= Duration::from_millis(300));
    assert_eq!(server.stop(Duration::ZERO).accept_errors, 3);
}

/// ECONNABORTED and ECONNRESET. Even if they never end, the server does not spin.
fn continues_at_once_after_a_reset_connection<A: Adapter>() {
    let failures = [ABORTED, RESET].repeat(8);
    let begin = Instant::now();
    let server = Running::start_failing::<A>(failures, ServeOptions::default(), Behaviour::Echo);
    server.wait(|counters| counters.accept_errors == 16);
    assert!(begin.elapsed() < Duration::from_millis(90));
    server.client().upgraded().echo();
    server.stop(Duration::ZERO);

    let server =
        Running::start_failing::<A>(vec![ABORTED; 1000], ServeOptions::default(), Behaviour::Echo);
    thread::sleep(Duration::from_millis(250));
    assert!(server.stop(Duration::ZERO).accept_errors < 25);
}

/// These numbers are the same on every Unix.
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;

/// ECONNABORTED and ECONNRESET on Linux, and on systems derived from BSD.
const ABORTED: i32 = if cfg!(target_os = "linux") { 103 } else { 53 };
const RESET: i32 = if cfg!(target_os = "linux") { 104 } else { 54 };
