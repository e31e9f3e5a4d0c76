//! Decisions about requests: accepting, rejecting, origins.

use core::time::Duration;

use tidegate_core::handshake::{Acceptance, Limits, Rejection};
use tidegate_driver::{Decision, Origins, ServeOptions};

use crate::{Adapter, Behaviour, LONG, Running, for_each_adapter};

for_each_adapter!(
    the_application_decides,
    a_list_of_origins_comes_first,
    a_subprotocol_is_chosen,
    a_slow_decision_is_answered,
    a_decision_that_panics_costs_one_handshake,
);

fn the_application_decides<A: Adapter>() {
    let options = ServeOptions::builder()
        .decide(|client| async move {
            assert!(client.remote().address().is_some_and(|address| address.ip().is_loopback()));
            match client.request().path() {
                "/in" => Acceptance::new().header("X-In", "yes").into(),
                "/moved" => Rejection::new(301).header("Location", "/in").into(),
                "/broken" => Rejection::new(200).into(),
                "/unasked" => Acceptance::new().subprotocol("unasked").into(),
                _ => Decision::from(Rejection::new(404).body("not here\n")),
            }
        })
        .build()
        .unwrap();
    let server = Running::start::<A>(options, Behaviour::Echo);
    for (target, status, line) in [
        ("/in?x", 101, "X-In: yes\r\n"),
        ("/moved", 301, "Location: /in\r\n"),
        ("/", 404, "Content-Length: 9\r\n"),
        ("/broken", 500, ""),
        ("/unasked", 500, ""),
    ] {
        let mut client = server.client();
        client.ask(target, &[]);
        let head = client.head();
        assert_eq!(head[9..12], status.to_string(), "{target}");
        assert!(head.contains(line), "{head}");
    }
    server.wait(|counters| counters.handshakes == 0 && counters.open == 0);
    let counters = server.stop(LONG);
    assert_eq!((counters.opened, counters.refused, counters.failed_handshakes), (1, 3, 1));
}

fn a_list_of_origins_comes_first<A: Adapter>() {
    let options = ServeOptions::builder()
        .origins(Origins::new(["https://a.test"]))
        .decide(|_| async { Rejection::new(418).into() })
        .build()
        .unwrap();
    let server = Running::start::<A>(options, Behaviour::Echo);
    for (lines, status) in [
        (&["Origin: https://a.test"][..], 418),
        (&["Origin: HTTPS://A.test"], 418),
        (&["Origin: https://b.test"], 403),
        (&["Origin: null"], 403),
        (&["Origin: https://a.test", "Origin: https://b.test"], 403),
        (&["Origin: \u{e9}"], 403),
        (&[], 403),
    ] {
        let mut client = server.client();
        client.ask("/", lines);
        assert_eq!(client.status(), status, "{lines:?}");
    }
    server.stop(Duration::ZERO);
}

fn a_subprotocol_is_chosen<A: Adapter>() {
    let server = Running::start::<A>(
        ServeOptions::builder().subprotocols(["v2", "v1"]).build().unwrap(),
        Behaviour::Echo,
    );
    for (offered, chosen) in
        [("v1, v2", Some("v1")), ("v3, v2", Some("v2")), ("v3", None), ("V1", None)]
    {
        let mut client = server.client();
        client.ask("/", &[&format!("Sec-WebSocket-Protocol: {offered}")]);
        let head = client.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        match chosen {
            Some(chosen) => assert!(head.contains(&format!("Sec-WebSocket-Protocol: {chosen}\r"))),
            None => assert!(!head.contains("Sec-WebSocket-Protocol")),
        }
    }
    server.stop(Duration::ZERO);
}

fn a_slow_decision_is_answered<A: Adapter>() {
    let limits = Limits::builder().timeout(Duration::from_millis(200)).build().unwrap();
    let options =
        ServeOptions::builder().limits(limits).decide(|_| core::future::pending()).build().unwrap();
    let server = Running::start::<A>(options, Behaviour::Echo);
    let mut client = server.client();
    client.ask("/", &[]);
    assert_eq!(client.status(), 503);
    drop(client);
    server.wait(|counters| counters.failed_handshakes == 1 && counters.handshakes == 0);
    server.stop(LONG);
}

fn a_decision_that_panics_costs_one_handshake<A: Adapter>() {
    let options = ServeOptions::builder()
        .decide(|client| async move {
            assert!(client.request().path() != "/boo", "a decision panics, as the test wants");
            Acceptance::new().into()
        })
        .build()
        .unwrap();
    let server = Running::start::<A>(options, Behaviour::Echo);
    let mut client = server.client();
    client.ask("/boo", &[]);
    assert!(client.is_at_end());
    server.client().upgraded().echo();
    assert_eq!(server.stop(Duration::ZERO).panicked, 1);
}
