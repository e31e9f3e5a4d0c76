//! A peer that reads and answers is never considered dead, whatever the application does meanwhile.

use futures_util::{SinkExt, StreamExt};
use tidegate_core::{Config, ConfigBuilder, Failure, Message, Role, Timestamp};
use tidegate_driver::Error;

use crate::link::Link;
use crate::peer::{Peer, Reading, Seen};
use crate::scene::{Scene, Socket, ms, s, timeout};
use crate::world::{Party, World};

fn half_a_second() -> ConfigBuilder {
    Config::builder().ping_interval(ms(500)).pong_timeout(ms(500))
}

/// Sends a message a second for an hour, and never receives.
fn ticker_for_an_hour(role: Role) {
    let (mut scene, mut socket) = Scene::new(Link::FINE, role, Config::default());
    let (world, peer) = (scene.world.clone(), scene.peer.clone());
    scene.ours("ticker", async move {
        for tick in 0..3600 {
            socket.send("tick").await.unwrap_or_else(|error| panic!("tick {tick}: {error}"));
            world.sleep(s(1)).await;
        }
        assert_eq!(peer.count(), 3600);
    });
    scene.within(s(3601));
}

#[test]
fn a_server_that_only_sends_stays_connected_for_an_hour() {
    ticker_for_an_hour(Role::Server);
}

#[test]
fn a_client_that_only_sends_stays_connected_for_an_hour() {
    ticker_for_an_hour(Role::Client);
}

/// Sends a message a second to a client that pings every two seconds: each ping is answered within a
/// second.
#[test]
fn pings_are_answered_by_an_application_that_only_sends() {
    let (mut scene, mut socket) = Scene::new(Link::FINE, Role::Server, Config::default());
    let (world, peer) = (scene.world.clone(), scene.peer.clone());
    scene.run.background(Party::Ours, "ticker", async move {
        loop {
            socket.send("tick").await.unwrap();
            world.sleep(s(1)).await;
        }
    });
    let world = scene.world.clone();
    scene.theirs("pings", async move {
        for number in 0..10_u8 {
            peer.ping(&[number]);
            world.sleep(s(2)).await;
            let pongs = peer.log().iter().filter(|(_, seen)| matches!(seen, Seen::Pong(_))).count();
            assert_eq!(pongs, usize::from(number) + 1, "ping {number} is not answered in 2 s");
        }
    });
    scene.within(s(30));
}

/// The same client closes: the Close is answered within a second, and the stream ends properly.
#[test]
fn a_close_is_answered_by_an_application_that_only_sends() {
    let (mut scene, mut socket) = Scene::new(Link::FINE, Role::Server, Config::default());
    let (world, peer) = (scene.world.clone(), scene.peer.clone());
    scene.ours("ticker", async move {
        let ended = loop {
            if let Err(error) = socket.send("tick").await {
                break error;
            }
            world.sleep(s(1)).await;
        };
        // Whatever the error is called, it must say that the peer closed, not that the connection was lost.
        assert!(matches!(ended, Error::Closed(_) | Error::Closing), "{ended:?}");
    });
    let world = scene.world.clone();
    scene.theirs("closes", async move {
        world.sleep(ms(4500)).await;
        peer.close(1000, "");
        world.sleep(ms(1100)).await;
        assert_eq!(peer.closed_with(), Some(Some((1000, String::new()))), "answered in a tick");
        world.sleep(ms(1100)).await;
        assert!(peer.has_ended(), "and the stream ends in order: {:?}", peer.log().last());
    });
    scene.within(s(20));
}

/// A message and an end arrive together. The application takes the message, and then only sends. No
/// message is left before the end, so the application is told.
fn an_end_in_one_piece_with_the_last_message(end: impl Fn(&Peer)) -> Error {
    let (mut scene, mut socket) = Scene::new(Link::FINE, Role::Server, Config::default());
    let world = scene.world.clone();
    scene.peer.message(b"subscribe");
    end(&scene.peer);
    let (told, result) = std::sync::mpsc::channel();
    scene.ours("ticker", async move {
        world.sleep(ms(100)).await;
        socket.recv().await.unwrap().unwrap();
        for _ in 0..5 {
            if let Err(error) = socket.send("tick").await {
                return told.send(error).unwrap();
            }
            world.sleep(s(1)).await;
        }
        panic!("nothing is told in 5 s");
    });
    let peer = scene.peer.clone();
    scene.within(s(10));
    assert!(peer.closed_with().is_some(), "the peer is told, too");
    result.recv().unwrap()
}

#[test]
fn a_close_together_with_the_last_message_is_noticed_by_sends() {
    let error = an_end_in_one_piece_with_the_last_message(|peer| peer.close(1000, ""));
    assert!(matches!(error, Error::Closed(_) | Error::Closing), "{error:?}");
}

#[test]
fn a_violation_together_with_the_last_message_is_noticed_by_sends() {
    let unmasked = crate::frames::encode(0x81, b"hi", false);
    let error = an_end_in_one_piece_with_the_last_message(|peer| peer.raw(&unmasked));
    assert!(matches!(error, Error::Closed(_) | Error::Closing), "{error:?}");
}

#[test]
fn a_client_that_always_sends_and_never_receives_stays_connected() {
    let (mut scene, mut socket) = Scene::new(Link::FINE, Role::Client, Config::default());
    let world = scene.world.clone();
    scene.ours("sends", async move {
        for number in 0..9_000_u32 {
            let sent = socket.send(number.to_be_bytes().to_vec()).await;
            sent.unwrap_or_else(|error| panic!("message {number}: {error}"));
            world.sleep(ms(20)).await;
        }
    });
    scene.within(s(181));
}

/// `StreamExt::split`, of which only the sink is used.
#[test]
fn a_connection_survives_the_use_of_its_sink_half_alone() {
    let (mut scene, socket) = Scene::new(Link::FINE, Role::Client, Config::default());
    let world = scene.world.clone();
    scene.ours("sends", async move {
        let (mut sink, _stream) = StreamExt::split::<Message>(socket);
        for number in 0..9_000_u32 {
            let sent = sink.send(Message::binary(number.to_be_bytes().to_vec())).await;
            sent.unwrap_or_else(|error| panic!("message {number}: {error}"));
            world.sleep(ms(20)).await;
        }
    });
    scene.within(s(181));
}

/// `recv` with a timeout, then work that takes longer than the keepalive's limit, repeated.
#[test]
fn a_connection_survives_a_cancelled_recv_and_long_work() {
    let config = half_a_second().build().unwrap();
    let link = Link::FINE.latency(ms(5));
    let (mut scene, mut socket) = Scene::new(link, Role::Client, config);
    let world = scene.world.clone();
    scene.ours("busy", async move {
        for round in 0..20 {
            let received = timeout(&world, ms(501), socket.recv()).await;
            assert!(received.is_none(), "round {round}: {received:?}");
            world.sleep(ms(1200)).await;
        }
    });
    scene.within(s(60));
}

/// An application that makes no call for longer than both limits, with a ping in flight.
#[test]
fn a_connection_survives_a_long_time_between_calls() {
    let link = Link::FINE.latency(ms(5));
    let (mut scene, mut socket) = Scene::new(link, Role::Server, Config::default());
    let world = scene.world.clone();
    scene.ours("away", async move {
        for round in 0..10_u64 {
            let sent = socket.send("here I am").await;
            sent.unwrap_or_else(|error| panic!("round {round}: {error}"));
            let received = timeout(&world, ms(30_001), socket.recv()).await;
            assert!(received.is_none(), "round {round}: {received:?}");
            world.sleep(s(29 + 17 * round)).await;
        }
    });
    scene.within(s(2000));
}

/// A reader that takes a message every ten minutes, for hours. The peer answers pings, but its pongs
/// are held back by our own closed gate.
#[test]
fn a_connection_survives_a_very_slow_reader() {
    let (mut scene, socket) = Scene::new(Link::FINE, Role::Server, Config::default());
    let (sender, mut receiver) = scene.split(socket);
    for number in 0..40 {
        scene.peer.message(&vec![number; 20_000]);
    }
    scene.peer.close(1000, "");
    let world = scene.world.clone();
    scene.ours("takes its time", async move {
        for number in 0..40 {
            let received = receiver.recv().await;
            let received = received.unwrap_or_else(|error| panic!("{number} of 40: {error}"));
            assert_eq!(received, Some(Message::binary(vec![number; 20_000])));
            world.sleep(s(600)).await;
        }
        assert_eq!(receiver.recv().await.unwrap(), None);
        drop(sender);
    });
    let peer = scene.peer.clone();
    scene.theirs("is closed", async move { peer.until(Peer::is_over).await });
    let peer = scene.peer.clone();
    scene.within(s(8 * 60 * 60));
    assert!(peer.has_ended(), "{:?}", peer.log().last());
}

/// SIGSTOP for 1.6 s at every phase of the keepalive, with a round trip of 300 ms.
fn stopped(task: impl Fn(&mut Scene, Socket, World)) {
    let config = Config::builder().ping_interval(s(1)).pong_timeout(s(1)).build().unwrap();
    for phase in 0..40 {
        let link = Link::FINE.latency(ms(150));
        let (mut scene, socket) = Scene::new(link, Role::Client, config.clone());
        let world = scene.world.clone();
        for stop in 0..3 {
            world.pause(
                Party::Ours,
                Timestamp::from_millis(2000 + 5000 * stop + 50 * phase),
                ms(1600),
            );
        }
        task(&mut scene, socket, world);
        scene.within(s(40));
    }
}

#[test]
fn a_connection_survives_a_stopped_process() {
    stopped(|scene, mut socket, world| {
        scene.ours("receives", async move {
            let received = timeout(&world, s(25), socket.recv()).await;
            assert!(received.is_none(), "{received:?}");
        });
    });
}

#[test]
fn a_connection_survives_a_stopped_process_split() {
    stopped(|scene, socket, world| {
        let (sender, mut receiver) = scene.split(socket);
        scene.ours("receives", async move {
            let received = timeout(&world, s(25), receiver.recv()).await;
            assert!(received.is_none(), "{received:?}");
            drop(sender);
        });
    });
}

/// While the window is full a send is cancelled. The peer reads everything while the application
/// does something else. The next send arrives, and so does the message that was begun. The peer
/// never paused for longer than 1.6 s, and the limit is 2 s.
#[test]
fn a_cancelled_send_does_not_count_against_the_peer() {
    const LENGTH: usize = 1024 * 1024;
    let config = Config::builder().write_timeout(s(2)).ping_interval(None).build().unwrap();
    let (mut scene, mut socket) = Scene::new(Link::rate(10_000_000), Role::Client, config);
    let (world, peer) = (scene.world.clone(), scene.peer.clone());
    peer.read(Reading::Stopped);
    scene.ours("sends", async move {
        let given_up = timeout(&world, ms(2200), socket.send(vec![1; LENGTH])).await;
        assert!(given_up.is_none(), "the window is full: {given_up:?}");
        world.sleep(s(3)).await;
        for number in 2..5 {
            socket.send(vec![number; LENGTH]).await.unwrap();
        }
    });
    let world = scene.world.clone();
    scene.theirs("drains", async move {
        world.sleep(s(1)).await;
        peer.read(Reading::Freely);
        world.sleep(ms(10)).await;
        peer.read(Reading::Stopped);
        world.sleep(ms(1590)).await;
        peer.read(Reading::Freely);
        peer.until(|peer| peer.count() == 4 || peer.is_over()).await;
    });
    let peer = scene.peer.clone();
    scene.within(s(60));
    assert_eq!(peer.messages().iter().map(Vec::len).collect::<Vec<_>>(), [LENGTH; 4]);
}

/// A peer that reads nothing, but sends something from time to time, does not live forever. It is
/// not in good faith, and is given up one `write_timeout` (30 s by default) after it read the last
/// byte.
#[test]
fn a_peer_that_reads_nothing_is_given_up_although_it_sends() {
    let (mut scene, mut socket) = Scene::new(Link::FINE, Role::Server, Config::default());
    let (world, peer) = (scene.world.clone(), scene.peer.clone());
    peer.read(Reading::Stopped);
    let chatting = peer.clone();
    scene.ours("sends", async move {
        let error = loop {
            if let Err(error) = socket.send(vec![0; 60_000]).await {
                break error;
            }
        };
        match error {
            Error::Closed(closed) => assert_eq!(closed.failure(), Some(Failure::WriteTimeout)),
            other => panic!("{other:?}"),
        }
    });
    let chat = scene.world.clone();
    scene.run.background(Party::Peer, "chats", async move {
        loop {
            chat.sleep(s(20)).await;
            chatting.pong(b"");
        }
    });
    scene.within(s(61));
    assert!(world.now().as_micros() >= 30_000_000, "not before");
    drop(peer);
}

/// Not in good faith either: a peer that answers nothing at all is still detected in time.
#[test]
fn a_silent_peer_is_given_up() {
    for is_split in [false, true] {
        let (mut scene, mut socket) = Scene::new(Link::FINE, Role::Server, Config::default());
        scene.peer.fall_silent();
        let check = |result| match result {
            Err(Error::Closed(closed)) => {
                assert_eq!(closed.failure(), Some(Failure::KeepaliveTimeout));
            }
            other => panic!("{other:?}"),
        };
        if is_split {
            let (sender, mut receiver) = scene.split(socket);
            scene.ours("receives", async move {
                check(receiver.recv().await);
                drop(sender);
            });
        } else {
            scene.ours("receives", async move { check(socket.recv().await) });
        }
        scene.within(s(61));
    }
}
