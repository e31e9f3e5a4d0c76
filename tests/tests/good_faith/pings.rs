//! `ping` returns the round trip of its own pong, and always returns.

use futures_util::SinkExt;
use tidegate_core::{
    CloseCode, CloseFrame, Config, ConfigBuilder, Connection, Event, Message, PongPolicy, Role,
    Timestamp,
};

use crate::frames::encode;
use crate::link::Link;
use crate::scene::{Scene, ms, s};
use crate::world::Party;

fn fast_keepalive() -> ConfigBuilder {
    Config::builder().ping_interval(ms(250)).pong_timeout(s(2))
}

/// A round trip of 300 ms, and a keepalive that pings every 250 ms.
#[test]
fn a_ping_returns_where_the_keepalive_is_faster_than_the_link() {
    let link = Link::FINE.latency(ms(150));
    let config = fast_keepalive().build().unwrap();
    let (mut scene, mut socket) = Scene::new(link, Role::Client, config);
    scene.ours("pings", async move {
        for _ in 0..5 {
            let latency = socket.ping().await.unwrap().unwrap();
            assert!((ms(300)..ms(330)).contains(&latency), "{latency:?}");
        }
    });
    scene.within(s(5));
}

#[test]
fn a_ping_returns_where_the_keepalive_is_faster_than_the_link_split() {
    let link = Link::FINE.latency(ms(150));
    let config = fast_keepalive().build().unwrap();
    let (mut scene, socket) = Scene::new(link, Role::Server, config);
    let (sender, receiver) = scene.split(socket);
    let second = sender.clone();
    scene.ours("pings", async move {
        for _ in 0..5 {
            let latency = sender.ping().await.unwrap().unwrap();
            assert!((ms(300)..ms(330)).contains(&latency), "{latency:?}");
        }
        drop(receiver);
    });
    let world = scene.world.clone();
    scene.ours("pings, too", async move {
        world.sleep(ms(100)).await;
        second.ping().await.unwrap().unwrap();
    });
    scene.within(s(5));
}

/// Even without a keepalive, a ping without an answer has a time limit.
#[test]
fn a_ping_has_a_limit_without_a_keepalive() {
    let config = Config::builder().ping_interval(None).build().unwrap();
    let (mut scene, mut socket) = Scene::new(Link::FINE, Role::Client, config);
    scene.peer.fall_silent();
    scene.ours("pings", async move {
        let answer = socket.ping().await;
        assert!(!matches!(answer, Ok(Some(_))), "nobody answered: {answer:?}");
    });
    scene.within(s(61));
}

#[test]
fn a_ping_has_a_limit_without_a_keepalive_split() {
    let config = Config::builder().ping_interval(None).build().unwrap();
    let (mut scene, socket) = Scene::new(Link::FINE, Role::Client, config);
    scene.peer.fall_silent();
    let (sender, receiver) = scene.split(socket);
    scene.ours("pings", async move {
        let answer = sender.ping().await;
        assert!(!matches!(answer, Ok(Some(_))), "nobody answered: {answer:?}");
        drop(receiver);
    });
    scene.within(s(61));
}

/// With `PongPolicy::Manual`, a ping that arrives while we close can be answered.
#[test]
fn a_ping_can_be_answered_manually_while_closing() {
    let config = Config::builder().pong_policy(PongPolicy::Manual).build().unwrap();
    let now = Timestamp::ZERO;
    let mut connection = Connection::server(now, config);
    connection.close(now, CloseFrame::from(CloseCode::NORMAL)).unwrap();
    let output = connection.output();
    let length = bytes::Buf::remaining(output);
    bytes::Buf::advance(output, length);
    connection.handle_input(now, &encode(0x89, b"there?", true));
    assert_eq!(connection.poll_event(), Some(Event::Ping(b"there?".to_vec().into())));
    connection.pong(b"there?".to_vec()).unwrap();
    let output = connection.output();
    let written = bytes::Buf::copy_to_bytes(output, bytes::Buf::remaining(output));
    assert_eq!(written, encode(0x8A, b"there?", false));
}

#[test]
fn a_ping_can_be_answered_manually_while_closing_split() {
    let config = Config::builder().pong_policy(PongPolicy::Manual).build().unwrap();
    let (mut scene, socket) = Scene::new(Link::FINE, Role::Server, config);
    let (sender, mut receiver) = scene.split(socket);
    let (world, peer) = (scene.world.clone(), scene.peer.clone());
    scene.peer.fall_silent();
    scene.ours("closes and answers", async move {
        sender.begin_close(CloseCode::NORMAL, "").unwrap();
        let event = receiver.next_event().await.unwrap();
        assert_eq!(event, Some(Event::Ping(b"there?".to_vec().into())));
        sender.pong(b"there?".to_vec()).unwrap();
        world.sleep(s(1)).await;
    });
    scene.theirs("pings", async move {
        peer.until(|peer| peer.closed_with().is_some()).await;
        peer.ping(b"there?");
    });
    let peer = scene.peer.clone();
    scene.within(s(5));
    let pong = crate::peer::Seen::Pong(b"there?".to_vec());
    assert!(peer.time_of(|seen| *seen == pong).is_some(), "{:?}", peer.log());
}

/// A split connection answers pings by itself, however long the application takes.
#[test]
fn a_split_connection_answers_while_the_application_works() {
    let (mut scene, socket) = Scene::new(Link::FINE, Role::Server, Config::default());
    let (mut sender, mut receiver) = scene.split(socket);
    let world = scene.world.clone();
    scene.run.background(Party::Ours, "works", async move {
        while let Some(message) = receiver.recv().await.unwrap() {
            world.sleep(s(50)).await;
            SinkExt::<Message>::send(&mut sender, message).await.unwrap();
        }
    });
    let (world, peer) = (scene.world.clone(), scene.peer.clone());
    scene.theirs("asks and pings", async move {
        peer.message(b"work");
        for number in 0..100_u8 {
            peer.ping(&[number]);
            world.sleep(ms(500)).await;
            let pong = crate::peer::Seen::Pong(vec![number]);
            assert!(peer.time_of(|seen| *seen == pong).is_some(), "ping {number}");
        }
        peer.until(|peer| peer.count() == 1).await;
    });
    scene.within(s(60));
}

/// The peer closes instead of answering: the call that waits for the pong returns at once.
#[test]
fn a_waiting_ping_returns_at_the_end() {
    for is_split in [false, true] {
        let (mut scene, mut socket) = Scene::new(Link::FINE, Role::Client, Config::default());
        let (world, peer) = (scene.world.clone(), scene.peer.clone());
        peer.fall_silent();
        scene.theirs("closes", async move {
            world.sleep(s(2)).await;
            peer.close(1001, "");
        });
        let world = scene.world.clone();
        let check = move |answer: Result<Option<core::time::Duration>, _>| {
            let answer: Result<_, tidegate_driver::Error> = answer;
            assert!(!matches!(answer, Ok(Some(_))), "{answer:?}");
            assert!(world.now().as_micros() < 3_000_000, "split {is_split}: {:?}", world.now());
        };
        if is_split {
            let (sender, receiver) = scene.split(socket);
            scene.ours("pings", async move {
                check(sender.ping().await);
                drop(receiver);
            });
        } else {
            scene.ours("pings", async move { check(socket.ping().await) });
        }
        scene.within(s(60));
    }
}
