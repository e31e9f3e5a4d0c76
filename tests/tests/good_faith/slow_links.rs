//! A slow but steady link carries everything: a slow peer is not a dead one.

use tidegate_core::{CloseCode, Config, Role};
use tidegate_driver::Sender;

use crate::link::Link;
use crate::peer::Peer;
use crate::scene::{Scene, ms, s};

const MIB: usize = 1024 * 1024;

/// 1 MiB at 10 kB/s takes 105 s. Every byte that leaves in this time shows that the peer is alive.
#[test]
fn a_long_message_arrives_whole() {
    for role in [Role::Client, Role::Server] {
        let (mut scene, mut socket) = Scene::new(Link::rate(10_000), role, Config::default());
        scene.ours("sends", async move {
            socket.send(vec![7; MIB]).await.unwrap();
            assert_eq!(socket.recv().await.unwrap(), None);
        });
        let peer = scene.peer.clone();
        scene.theirs("takes", async move {
            peer.until(|peer| peer.count() == 1 || peer.is_over()).await;
            assert_eq!(peer.count(), 1, "cut off: {:?}", peer.log());
            peer.close(1000, "");
        });
        scene.within(s(130));
    }
}

#[test]
fn a_long_message_arrives_whole_split() {
    let (mut scene, socket) = Scene::new(Link::rate(10_000), Role::Client, Config::default());
    let (sender, mut receiver) = scene.split(socket);
    scene.ours("sends", async move {
        sender.send(vec![7; MIB]).await.unwrap();
        sender.flush().await.unwrap();
        assert_eq!(receiver.recv().await.unwrap(), None);
    });
    let peer = scene.peer.clone();
    scene.theirs("takes", async move {
        peer.until(|peer| peer.count() == 1 || peer.is_over()).await;
        assert_eq!(peer.count(), 1, "cut off: {:?}", peer.log());
        peer.close(1000, "");
    });
    scene.within(s(130));
}

/// The same in the other direction: the message that arrives is the sign of life.
#[test]
fn a_long_message_is_received_whole() {
    let (mut scene, mut socket) = Scene::new(Link::rate(10_000), Role::Client, Config::default());
    let peer = scene.peer.clone();
    peer.message(&vec![7; MIB]);
    peer.close(1000, "");
    scene.ours("receives", async move {
        assert_eq!(socket.recv().await.unwrap().unwrap().len(), MIB);
        assert_eq!(socket.recv().await.unwrap(), None);
    });
    scene.within(s(130));
}

/// What was sent before `close` is sent: the peer gets 1 MiB, at 64 kB/s, and then 1000.
#[test]
fn close_waits_for_what_was_sent_before() {
    let (mut scene, mut socket) = Scene::new(Link::rate(64_000), Role::Client, Config::default());
    scene.ours("closes", async move {
        socket.feed(vec![7; MIB]).await.unwrap();
        let closed = socket.close(CloseCode::NORMAL, "").await.unwrap();
        assert_eq!(closed.code(), CloseCode::NORMAL);
    });
    let peer = scene.peer.clone();
    scene.theirs("takes", async move { peer.until(Peer::is_over).await });
    let peer = scene.peer.clone();
    scene.within(s(30));
    assert_eq!(peer.messages().iter().map(Vec::len).collect::<Vec<_>>(), [MIB]);
    assert_eq!(peer.closed_with(), Some(Some((1000, String::new()))));
    assert!(peer.has_ended());
}

#[test]
fn close_waits_for_what_was_sent_before_split() {
    for begins_only in [false, true] {
        let (mut scene, socket) = Scene::new(Link::rate(64_000), Role::Client, Config::default());
        let (sender, mut receiver) = scene.split(socket);
        scene.ours("closes", async move {
            let sender: Sender = sender;
            sender.send(vec![7; MIB]).await.unwrap();
            if begins_only {
                sender.begin_close(CloseCode::NORMAL, "").unwrap();
                assert_eq!(receiver.recv().await.unwrap(), None);
            } else {
                sender.close(CloseCode::NORMAL, "").await.unwrap();
            }
        });
        let peer = scene.peer.clone();
        scene.theirs("takes", async move { peer.until(Peer::is_over).await });
        let world = scene.world.clone();
        let peer = scene.peer.clone();
        scene.within(s(30));
        assert_eq!(peer.messages().iter().map(Vec::len).collect::<Vec<_>>(), [MIB]);
        assert_eq!(peer.closed_with(), Some(Some((1000, String::new()))));
        assert!(peer.has_ended() && world.now().as_micros() > 15_000_000);
    }
}

/// A burst through a small window over a long delay: it takes its time, and everything arrives.
#[test]
fn a_burst_over_a_thin_and_long_link_arrives() {
    let link = Link::rate(4_000).latency(ms(900)).buffer(8_000);
    let (mut scene, mut socket) = Scene::new(link, Role::Server, Config::default());
    scene.ours("sends", async move {
        for number in 0..300_u32 {
            socket.feed(number.to_be_bytes().repeat(256)).await.unwrap();
        }
        socket.flush().await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), None);
    });
    let peer = scene.peer.clone();
    scene.theirs("takes", async move {
        peer.until(|peer| peer.count() == 300 || peer.is_over()).await;
        assert_eq!(peer.count(), 300, "cut off");
        peer.close(1001, "enough");
    });
    scene.within(s(120));
}
