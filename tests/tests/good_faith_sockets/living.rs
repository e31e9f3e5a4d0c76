//! A connection stays alive whatever a reasonable application does.

use core::time::Duration;
use std::thread;
use std::time::Instant;

use tidegate_core::{Config, ConfigBuilder};
use tidegate_tests::ends::{Adapter, Mode, raw_client, soon, within};

use crate::peer::{Peer, Seen};

const NOW: Duration = Duration::ZERO;

fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// Long enough for a busy machine, and short enough for a test.
fn keepalive(interval: u64) -> ConfigBuilder {
    Config::builder().ping_interval(ms(interval)).pong_timeout(ms(400))
}

pub(crate) async fn only_sends<A: Adapter>(mode: Mode) {
    let (mut end, raw) = raw_client::<A>(mode, keepalive(200).build().unwrap()).await;
    let peer = Peer::client(&raw, NOW);
    for number in 0..100 {
        let sent = end.send("tick").await;
        sent.unwrap_or_else(|error| panic!("message {number}: {error}"));
        A::sleep(ms(20)).await;
    }
    drop(peer);
}

pub(crate) async fn is_pinged_and_closed_while_it_only_sends<A: Adapter>(mode: Mode) {
    let (mut end, raw) = raw_client::<A>(mode, Config::default()).await;
    let mut peer = Peer::client(&raw, NOW);
    end.send("hello").await.unwrap();
    peer.send(0x89, b"there?");
    for _ in 0..3 {
        A::sleep(ms(300)).await;
        end.send("tick").await.unwrap();
    }
    assert!(peer.has(&Seen::Pong(b"there?".to_vec())), "{:?}", peer.log());
    peer.close(1000, "");
    let closed = Instant::now();
    while end.send("tick").await.is_ok() {
        A::sleep(ms(300)).await;
        assert!(closed.elapsed() < ms(2_000), "nobody notices its Close");
    }
    A::sleep(ms(300)).await;
    assert!(peer.has(&Seen::Close(vec![3, 232])), "{:?}", peer.log());
}

/// Cancels a call with a ping in flight, and is then busy for longer than both limits.
pub(crate) async fn gives_up_and_is_busy<A: Adapter>(mode: Mode) {
    let (mut end, raw) = raw_client::<A>(mode, keepalive(300).build().unwrap()).await;
    let peer = Peer::client(&raw, ms(50));
    for round in 0..3 {
        let received = within::<A, _>(ms(320), end.recv()).await;
        assert!(received.is_none(), "round {round}: {received:?}");
        A::sleep(ms(800)).await;
    }
    drop(peer);
}

/// The runtime's thread is blocked, as in a process that is stopped.
pub(crate) async fn is_stopped<A: Adapter>(mode: Mode) {
    let (mut end, raw) = raw_client::<A>(mode, keepalive(300).build().unwrap()).await;
    let peer = Peer::client(&raw, ms(50));
    for round in 0..3 {
        let received = within::<A, _>(ms(320), end.recv()).await;
        assert!(received.is_none(), "round {round}: {received:?}");
        thread::sleep(ms(800));
    }
    let received = within::<A, _>(ms(100), end.recv()).await;
    assert!(received.is_none(), "{received:?}");
    drop(peer);
}

/// A round trip of 300 ms, and a keepalive that pings every 100 ms.
pub(crate) async fn pings_over_a_long_way<A: Adapter>(mode: Mode) {
    let config = Config::builder().ping_interval(ms(100)).pong_timeout(ms(2_000));
    let (mut end, raw) = raw_client::<A>(mode, config.build().unwrap()).await;
    let peer = Peer::client(&raw, ms(300));
    let latency = within::<A, _>(ms(3_000), end.ping()).await;
    let latency = latency.expect("it comes back").unwrap().unwrap();
    assert!(latency >= ms(300), "{latency:?}");
    drop(peer);
}

/// The acknowledgement of the first of two messages is sent before the work on it.
pub(crate) async fn acknowledges_and_works<A: Adapter>(mode: Mode) {
    let (mut end, raw) = raw_client::<A>(mode, Config::default()).await;
    let mut peer = Peer::client(&raw, NOW);
    let two = [crate::frames::encode(0x81, b"1", true), crate::frames::encode(0x81, b"2", true)];
    peer.raw(&two.concat());
    A::sleep(ms(100)).await;
    soon::<A, _>(end.recv()).await.unwrap().unwrap();
    end.send("got it").await.unwrap();
    A::sleep(ms(1_000)).await;
    assert_eq!(peer.messages(), 1, "a second after `send`");
}
