//! Closing loses nothing that arrived. A Close may be empty, and an answer repeats the peer's Close.

use futures_util::{SinkExt, StreamExt};
use tidegate_core::{CloseCode, CloseFrame, Config, Message, Role};
use tidegate_driver::Error;

use crate::link::Link;
use crate::peer::Peer;
use crate::scene::{Scene, ms, s, timeout};

fn short_close() -> Config {
    Config::builder().close_timeout(ms(300)).build().unwrap()
}

/// Sixty answers and the peer's Close are in flight when we begin to close; the reader takes one
/// every 20 ms. It gets all sixty, and then the end.
#[test]
fn a_slow_reader_gets_all_messages_in_flight() {
    let (mut scene, socket) = Scene::new(Link::FINE, Role::Client, short_close());
    let (sender, mut receiver) = scene.split(socket);
    for number in 0..60 {
        scene.peer.message(&[number]);
    }
    let world = scene.world.clone();
    scene.ours("reads slowly", async move {
        world.sleep(ms(10)).await;
        sender.begin_close(CloseCode::NORMAL, "").unwrap();
        for number in 0..60 {
            let received = receiver.recv().await;
            let received = received.unwrap_or_else(|error| panic!("{number} of 60: {error}"));
            assert_eq!(received, Some(Message::binary(vec![number])));
            world.sleep(ms(20)).await;
        }
        assert_eq!(receiver.recv().await.unwrap(), None);
    });
    scene.within(s(5));
}

/// The same with the default limits, and a reader that takes a second for each of forty messages.
#[test]
fn a_very_slow_reader_gets_all_messages_in_flight() {
    let (mut scene, socket) = Scene::new(Link::FINE, Role::Server, Config::default());
    let (sender, mut receiver) = scene.split(socket);
    for number in 0..40 {
        scene.peer.message(&[number]);
    }
    let world = scene.world.clone();
    scene.ours("reads slowly", async move {
        world.sleep(ms(10)).await;
        sender.begin_close(CloseCode::NORMAL, "").unwrap();
        for number in 0..40 {
            let received = receiver.recv().await;
            let received = received.unwrap_or_else(|error| panic!("{number} of 40: {error}"));
            assert_eq!(received, Some(Message::binary(vec![number])));
            world.sleep(s(1)).await;
        }
        assert_eq!(receiver.recv().await.unwrap(), None);
    });
    scene.within(s(60));
}

/// `send`, `SinkExt::close`, a pause of a second, `next`: data in the kernel is still received.
#[test]
fn a_pause_after_sink_close_loses_nothing() {
    for has_halves in [false, true] {
        let (mut scene, mut socket) = Scene::new(Link::FINE, Role::Client, short_close());
        let (world, peer) = (scene.world.clone(), scene.peer.clone());
        scene.theirs("answers", async move {
            peer.until(|peer| peer.count() == 1).await;
            for answer in [b"r1", b"r2", b"r3"] {
                peer.message(answer);
            }
        });
        let answer = |number| Message::binary(format!("r{number}").into_bytes());
        scene.ours("asks and closes", async move {
            let mut received = Vec::new();
            if has_halves {
                let (mut sink, mut stream) = StreamExt::split::<Message>(socket);
                sink.send("work".into()).await.unwrap();
                world.sleep(ms(50)).await;
                sink.close().await.unwrap();
                world.sleep(s(1)).await;
                while let Some(message) = stream.next().await {
                    received.push(message.unwrap());
                }
            } else {
                SinkExt::send(&mut socket, "work".into()).await.unwrap();
                world.sleep(ms(50)).await;
                SinkExt::close(&mut socket).await.unwrap();
                world.sleep(s(1)).await;
                while let Some(message) = socket.next().await {
                    received.push(message.unwrap());
                }
            }
            assert_eq!(received, [answer(1), answer(2), answer(3)]);
        });
        scene.within(s(5));
    }
}

/// The name of a method that sends an empty Close.
#[derive(Clone, Copy, Debug)]
enum Way {
    Whole,
    Split,
    BeginClose,
    Closer,
}

/// Browsers close with an empty Close. So can we, with every method.
fn an_empty_close(way: Way) {
    let (mut scene, mut socket) = Scene::new(Link::FINE, Role::Client, Config::default());
    match way {
        Way::Whole => scene.ours("closes", async move {
            let closed = socket.close(CloseCode::NO_STATUS, "").await.unwrap();
            assert_eq!(closed.code(), CloseCode::NO_STATUS);
        }),
        Way::Split => {
            let (sender, receiver) = scene.split(socket);
            scene.ours("closes", async move {
                sender.close(CloseCode::NO_STATUS, "").await.unwrap();
                drop(receiver);
            });
        }
        Way::BeginClose => {
            let (sender, mut receiver) = scene.split(socket);
            scene.ours("closes", async move {
                sender.begin_close(CloseCode::NO_STATUS, "").unwrap();
                assert_eq!(receiver.recv().await.unwrap(), None);
            });
        }
        Way::Closer => {
            let closer = socket.closer();
            scene.ours("is closed", async move { assert_eq!(socket.recv().await.unwrap(), None) });
            scene.ours("closes", async move { closer.close(CloseFrame::EMPTY).unwrap() });
        }
    }
    let peer = scene.peer.clone();
    scene.theirs("is closed", async move { peer.until(Peer::is_over).await });
    let peer = scene.peer.clone();
    scene.within(s(2));
    assert_eq!(peer.closed_with(), Some(None), "{way:?}");
    assert!(peer.has_ended());
}

#[test]
fn an_empty_close_can_be_sent() {
    an_empty_close(Way::Whole);
}

#[test]
fn an_empty_close_can_be_sent_by_a_sender() {
    an_empty_close(Way::Split);
}

#[test]
fn an_empty_close_can_be_started_by_a_sender() {
    an_empty_close(Way::BeginClose);
}

#[test]
fn an_empty_close_can_be_sent_by_a_closer() {
    an_empty_close(Way::Closer);
}

/// An answer to a Close repeats its code and its reason; an empty one is answered by an empty one.
#[test]
fn the_answer_repeats_code_and_reason() {
    let closes = [Some((4001, "gone fishing")), Some((1000, "")), Some((1011, "oh")), None];
    for (is_split, close) in [false, true].into_iter().flat_map(|split| closes.map(|c| (split, c)))
    {
        let (mut scene, mut socket) = Scene::new(Link::FINE, Role::Server, Config::default());
        match close {
            Some((code, reason)) => scene.peer.close(code, reason),
            None => scene.peer.close_empty(),
        }
        if is_split {
            let (sender, mut receiver) = scene.split(socket);
            scene.ours("is closed", async move {
                let _ = receiver.recv().await;
                drop(sender);
            });
        } else {
            scene.ours("is closed", async move { drop(socket.recv().await) });
        }
        let peer = scene.peer.clone();
        scene
            .theirs("closes", async move { peer.until(|peer| peer.closed_with().is_some()).await });
        let peer = scene.peer.clone();
        scene.within(s(2));
        let close = close.map(|(code, reason)| (code, String::from(reason)));
        assert_eq!(peer.closed_with(), Some(close), "split: {is_split}");
    }
}

/// We sent Close first, and then the stream ended: the peer did not begin to close.
#[test]
fn the_end_names_the_side_that_closed_first() {
    let (mut scene, mut socket) = Scene::new(Link::FINE, Role::Client, Config::default());
    let peer = scene.peer.clone();
    peer.fall_silent();
    scene.theirs("hangs up", async move {
        peer.until(|peer| peer.closed_with().is_some()).await;
        peer.fin();
    });
    scene.ours("closes", async move {
        let error = socket.close(CloseCode::NORMAL, "").await.unwrap_err();
        assert!(matches!(error, Error::Closed(_)), "{error:?}");
        assert!(!socket.closed().unwrap().is_by_peer(), "we began");
    });
    scene.within(s(2));
}

/// Both send Close at the same moment: both ends are clean, and neither waits.
#[test]
fn both_close_at_once() {
    for role in [Role::Client, Role::Server] {
        let (mut scene, mut socket) = Scene::new(Link::FINE.latency(ms(200)), role, short_close());
        let peer = scene.peer.clone();
        peer.close(1000, "");
        scene.ours("closes", async move {
            socket.close(CloseCode::GOING_AWAY, "too").await.unwrap();
        });
        scene.theirs("closes", async move { peer.until(Peer::is_over).await });
        let peer = scene.peer.clone();
        scene.within(s(1));
        assert!(peer.has_ended());
    }
}

/// `close` is cancelled, and called again.
#[test]
fn a_cancelled_close_can_be_called_again() {
    let link = Link::FINE.latency(ms(400));
    let (mut scene, mut socket) = Scene::new(link, Role::Client, Config::default());
    let world = scene.world.clone();
    scene.ours("closes", async move {
        let closing = timeout(&world, ms(100), socket.close(CloseCode::NORMAL, "bye")).await;
        assert!(closing.is_none());
        world.sleep(s(30)).await;
        let closed = socket.close(CloseCode::NORMAL, "bye").await.unwrap();
        assert!(!closed.is_by_peer() && closed.code() == CloseCode::NORMAL);
    });
    scene.within(s(33));
}
