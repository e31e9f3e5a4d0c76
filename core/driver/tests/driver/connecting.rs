//! Which addresses a client tries, where it is sent, and what it says when that comes to nothing.

use std::error::Error as _;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tidegate_core::handshake::HandshakeError;
use tidegate_driver::{ConnectFault, Error, Options};

use crate::world::{Fate, World, addresses};

/// A name of the attacker's with as many addresses as one answer of a name server has room for.
#[test]
fn a_name_with_sixty_thousand_addresses_is_tried_at_a_few() {
    let world = World::new(addresses(60_000), [Fate::Refused(ErrorKind::ConnectionRefused)]);
    let error = world.run(world.client(Options::default()).connect("ws://many.test/")).unwrap_err();
    let Error::Connect(error) = error else { panic!("{error:?}") };
    assert_eq!((error.attempts().len(), error.untried()), (32, 60_000 - 32));
    assert_eq!(*world.dialled.lock().unwrap(), addresses(32));
    let text = error.to_string();
    assert!(text.contains("24 more that failed; 59968 more that were not tried"), "{text}");
    assert!(text.len() < 1000, "{} bytes", text.len());
    assert_eq!(world.now(), Duration::ZERO, "a refusal is not waited for");
}

/// The families take turns before the list is cut.
#[test]
fn both_families_are_among_the_addresses_that_are_tried() {
    let mut many = addresses(100);
    many.extend((0..100).map(|port| SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port))));
    let world = World::new(many, [Fate::Refused(ErrorKind::ConnectionRefused)]);
    world.run(world.client(Options::default()).connect("ws://many.test/")).unwrap_err();
    let dialled = world.dialled.lock().unwrap();
    assert_eq!(dialled.iter().filter(|address| address.is_ipv6()).count(), 16);
}

#[test]
fn addresses_that_are_silent_hold_a_bounded_number_of_sockets() {
    let world = World::new(addresses(1000), [Fate::Silent]);
    let error = world.run(world.client(Options::default()).connect("ws://many.test/")).unwrap_err();
    let Error::Connect(error) = error else { panic!("{error:?}") };
    assert!(matches!(error.fault(), ConnectFault::TimedOut), "{error}");
    assert_eq!((error.attempts().len(), error.untried()), (32, 968));
    assert_eq!(world.most_under_way.load(Ordering::Relaxed), 16);
    assert!(error.to_string().len() < 1000);
    assert_eq!(world.now(), Duration::from_secs(30), "the timeout of the options");
}

/// The kind of the fault is found by following the chain, whatever is around it.
#[test]
fn a_refused_connection_leads_to_the_error_of_the_system() {
    for (fates, count) in [
        (vec![Fate::Refused(ErrorKind::ConnectionRefused)], 1),
        (vec![Fate::Refused(ErrorKind::ConnectionRefused)], 3),
        (
            vec![
                Fate::Refused(ErrorKind::NetworkUnreachable),
                Fate::Refused(ErrorKind::ConnectionRefused),
            ],
            2,
        ),
    ] {
        let world = World::new(addresses(count), fates.clone());
        let error =
            world.run(world.client(Options::default()).connect("ws://a.test/")).unwrap_err();
        let mut chain = vec![error.to_string()];
        let mut kinds = Vec::new();
        let mut source = error.source();
        while let Some(error) = source {
            chain.push(error.to_string());
            kinds.extend(error.downcast_ref::<io::Error>().map(io::Error::kind));
            source = error.source();
        }
        assert_eq!(kinds, [ErrorKind::ConnectionRefused], "{fates:?}");
        let chain = chain.join(": ");
        assert_eq!(chain.matches("refused").count(), 1, "{chain}");
        assert_eq!(chain.matches("127.0.0.1:0").count(), 1, "{chain}");
    }
}

fn redirection(locations: &[&str], rest: &str) -> Fate {
    let fields: String =
        locations.iter().map(|location| format!("Location: {location}\r\n")).collect();
    Fate::Answers(format!("HTTP/1.1 302 Found\r\n{fields}{rest}\r\n"))
}

/// Where to go is known when the head is there. The body, and the end of the stream, may never come.
#[test]
fn a_redirection_is_followed_when_its_head_is_there() {
    for rest in ["Content-Length: 10\r\n", "", "Transfer-Encoding: chunked\r\n"] {
        let refused = Fate::Refused(ErrorKind::ConnectionRefused);
        let hops = [redirection(&["/b"], rest), redirection(&["/c"], rest), refused];
        let world = World::new(addresses(1), hops);
        let client = world.client(Options::builder().redirects(2).build().unwrap());
        let error = world.run(client.connect("ws://a.test/")).unwrap_err();
        assert!(matches!(error, Error::Connect(_)), "{error:?}");
        assert_eq!(world.dialled.lock().unwrap().len(), 3, "two hops");
        assert_eq!(world.now(), Duration::ZERO, "{rest:?}");
    }
}

/// Proxies and libraries differ in which of them they take: two servers would be meant.
#[test]
fn a_redirection_to_two_places_is_not_followed() {
    for (locations, hops) in
        [(&["/b", "/c"][..], 0), (&["/b", "/b", "http://evil.test/"], 0), (&["/b", "/b"], 1)]
    {
        let refused = Fate::Refused(ErrorKind::ConnectionRefused);
        let world = World::new(addresses(1), [redirection(locations, ""), refused]);
        let client = world.client(Options::builder().redirects(2).build().unwrap());
        let error = world.run(client.connect("ws://a.test/")).unwrap_err();
        assert_eq!(world.dialled.lock().unwrap().len(), 1 + hops, "{locations:?}");
        let is_refused = matches!(error, Error::Handshake { error: HandshakeError::Location, .. });
        assert_eq!(is_refused, hops == 0, "{error:?}");
        assert!(!is_refused || !error.is_temporary());
    }
}
