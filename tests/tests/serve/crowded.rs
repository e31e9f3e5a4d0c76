//! More clients than the limits allow, most of them malicious.

use core::time::Duration;
use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use tidegate_driver::ServeOptions;

use crate::{Adapter, Behaviour, LONG, Running, for_each_adapter};

for_each_adapter!(
    silent_clients_are_dropped_for_newer_ones,
    silent_clients_do_not_keep_the_last_places,
    refused_clients_that_stay_do_not_count,
    connections_from_one_address_are_limited,
);

/// Keeps this many streams open that send these bytes and then nothing, whether they are answered or
/// not. Opens each again that was closed, or was answered a while ago.
pub(crate) fn besiege(server: &Running, streams: usize, first: &'static [u8], stop: &AtomicBool) {
    let mut held: Vec<(TcpStream, Instant)> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        held.retain(|(stream, begin)| {
            let is_silent =
                stream.peek(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
            is_silent || (!first.is_empty() && begin.elapsed() < Duration::from_millis(500))
        });
        // All at first, and then about two hundred a second, so that each client gets enough time.
        let wanted = if held.is_empty() { streams } else { streams.min(held.len() + 2) };
        while held.len() < wanted {
            let mut stream = TcpStream::connect(server.address).unwrap();
            let _ = stream.write_all(first);
            stream.set_nonblocking(true).unwrap();
            held.push((stream, Instant::now()));
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Checks that all proper clients are served at once beside this many malicious ones.
pub(crate) fn are_served<A: Adapter>(
    options: ServeOptions,
    first: &'static [u8],
    is_served: impl Fn(&Running),
) {
    /// Also if the test fails.
    struct Stop<'a>(&'a AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    let server = Running::start::<A>(options, Behaviour::Echo);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| besiege(&server, 120, first, &stop));
        let _stop = Stop(&stop);
        server.wait(|counters| counters.accepted >= 120);
        let mut worst = Duration::ZERO;
        for _ in 0..10 {
            let begin = Instant::now();
            is_served(&server);
            worst = worst.max(begin.elapsed());
        }
        assert!(worst < Duration::from_secs(2), "{worst:?}");
    });
    server.stop(Duration::ZERO);
}

fn is_served(server: &Running) {
    let mut client = server.client().upgraded();
    client.echo();
    client.send(0x88, &[]);
    assert_eq!(client.frame().0, 0x88);
}

fn silent_clients_are_dropped_for_newer_ones<A: Adapter>() {
    let options = || ServeOptions::builder().max_handshakes(48).build().unwrap();
    are_served::<A>(options(), b"", is_served);
    // Half a request.
    are_served::<A>(options(), b"GET / HTTP/1.1\r\nHost: a.test\r\n", is_served);
}

fn silent_clients_do_not_keep_the_last_places<A: Adapter>() {
    let options = ServeOptions::builder().max_connections(48).max_handshakes(None).build().unwrap();
    are_served::<A>(options, b"", is_served);
}

fn refused_clients_that_stay_do_not_count<A: Adapter>() {
    let options = ServeOptions::builder().max_handshakes(48).build().unwrap();
    are_served::<A>(options, b"GET / HTTP/1.1\r\n\r\n", is_served);
}

fn connections_from_one_address_are_limited<A: Adapter>() {
    let options = ServeOptions::builder().max_connections_per_address(2).build().unwrap();
    let server = Running::start::<A>(options, Behaviour::Echo);
    let mut first = server.client().upgraded();
    let mut second = server.client().upgraded();
    let mut third = server.client();
    assert!(third.is_at_end());
    first.echo();
    second.echo();
    drop(first);
    server.wait(|counters| counters.open == 1);
    server.client().upgraded().echo();
    let counters = server.stop(LONG);
    assert_eq!((counters.accepted, counters.too_many_of_address), (4, 1));
}

/// A measurement with the default settings: how long a client waits that connects every 0.5 s,
/// beside 1,500 clients with silent streams that are opened again when they are closed.
///
/// `cargo test -p tidegate-tests --test serve -- --ignored --nocapture fifteen_hundred`
#[test]
#[ignore = "it measures, and takes a minute"]
fn beside_fifteen_hundred() {
    for first in [&b""[..], b"GET / HTTP/1.1\r\n\r\n"] {
        let server =
            Running::start::<crate::adapters::Tokio>(ServeOptions::default(), Behaviour::Echo);
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| besiege(&server, 1500, first, &stop));
            server.wait(|counters| counters.accepted >= 1500);
            let before = server.handle.counters();
            let begin = Instant::now();
            let mut waits: Vec<Duration> = (0..20)
                .map(|_| {
                    thread::sleep(Duration::from_millis(500));
                    let begin = Instant::now();
                    is_served(&server);
                    begin.elapsed()
                })
                .collect();
            let seconds = begin.elapsed().as_secs_f64();
            stop.store(true, Ordering::Relaxed);
            waits.sort();
            let after = server.handle.counters();
            println!(
                "{} of 20 served, median {:?}, worst {:?}; {:.0} connects/s; {after:?}",
                waits.len(),
                waits[10],
                waits[19],
                (after.accepted - before.accepted) as f64 / seconds,
            );
        });
        server.stop(Duration::ZERO);
    }
}
