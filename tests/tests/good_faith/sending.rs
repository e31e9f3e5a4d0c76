//! When `send` returns, the kernel has the message, whatever happens next.

use futures_util::{SinkExt, StreamExt};
use tidegate_core::{Config, Message, Role};
use tidegate_driver::Sender;

use crate::link::Link;
use crate::peer::{Peer, Reading};
use crate::scene::{Scene, Socket, ms, s, timeout};

/// A server that received two messages at once.
fn two_at_once() -> (Scene, Socket) {
    let (scene, socket) = Scene::new(Link::FINE, Role::Server, Config::default());
    scene.peer.message(b"first");
    scene.peer.message(b"second");
    (scene, socket)
}

/// Acknowledges the first of two messages, and then works for 2 s.
#[test]
fn an_acknowledgement_does_not_wait_for_the_work() {
    let (mut scene, mut socket) = two_at_once();
    let world = scene.world.clone();
    scene.ours("works", async move {
        world.sleep(s(1)).await;
        socket.recv().await.unwrap().unwrap();
        socket.send("got it").await.unwrap();
        world.sleep(s(2)).await;
        socket.recv().await.unwrap().unwrap();
    });
    let (world, peer) = (scene.world.clone(), scene.peer.clone());
    scene.theirs("waits", async move {
        peer.until(|peer| peer.count() == 1).await;
        let now = world.now().as_micros();
        assert!(now < 1_100_000, "the acknowledgement came at {now} us, sent at 1,000,000");
    });
    scene.within(s(5));
}

/// After its acknowledgement, waits for what the peer then does over another channel.
#[test]
fn an_application_that_waits_elsewhere_does_not_hang_its_peer() {
    let (mut scene, mut socket) = two_at_once();
    let peer = scene.peer.clone();
    scene.ours("waits elsewhere", async move {
        socket.recv().await.unwrap().unwrap();
        socket.send("your turn").await.unwrap();
        peer.until(|peer| peer.count() == 1).await;
        socket.recv().await.unwrap().unwrap();
    });
    scene.within(s(5));
}

/// A handler that acknowledges and returns: the socket is dropped, and the message still arrives.
#[test]
fn a_sent_message_survives_the_drop_of_the_socket() {
    let (mut scene, mut socket) = two_at_once();
    scene.ours("returns", async move {
        socket.recv().await.unwrap().unwrap();
        socket.send("got it").await.unwrap();
    });
    let peer = scene.peer.clone();
    scene.theirs("is left", async move {
        peer.until(Peer::is_over).await;
        assert_eq!(peer.messages(), [b"got it"]);
    });
    scene.within(s(5));
}

/// The plain loop with `feed`: fed messages are written at the latest when `recv` has to wait.
#[test]
fn fed_messages_are_written_when_recv_waits() {
    let (mut scene, mut socket) = two_at_once();
    scene.run.background(crate::world::Party::Ours, "echo", async move {
        while let Some(message) = socket.recv().await.unwrap() {
            socket.feed(message).await.unwrap();
        }
    });
    let peer = scene.peer.clone();
    scene.theirs("waits", async move { peer.until(|peer| peer.count() == 2).await });
    scene.within(s(1));
}

/// Fed messages are written with the next `send`, and before its message.
#[test]
fn fed_messages_go_before_a_later_send() {
    let (mut scene, mut socket) = two_at_once();
    let world = scene.world.clone();
    scene.ours("feeds", async move {
        socket.recv().await.unwrap().unwrap();
        socket.feed("a").await.unwrap();
        socket.send("b").await.unwrap();
        world.sleep(s(2)).await;
    });
    let peer = scene.peer.clone();
    scene.theirs("waits", async move { peer.until(|peer| peer.count() == 2).await });
    let (world, peer) = (scene.world.clone(), scene.peer.clone());
    scene.within(s(5));
    let second = peer.log()[1].0;
    assert!(second.as_micros() < 100_000, "{:?} {:?}", peer.log(), world.now());
    assert_eq!(peer.messages(), [b"a", b"b"]);
}

/// A `Sender` used as a `Sink`: a cancelled flush, more messages from it or from a clone, and a flush
/// that waits for all of them.
fn a_flush_behind_a_flush_that_was_given_up(sends_by_clone: bool) {
    let (mut scene, socket) = Scene::new(Link::FINE, Role::Client, Config::default());
    scene.peer.read(Reading::Stopped);
    let (mut sender, receiver) = scene.split(socket);
    let (world, peer) = (scene.world.clone(), scene.peer.clone());
    scene.ours("flushes", async move {
        // More than the buffers of both kernels hold.
        Sender::feed(&sender, vec![1; 200_000]).await.unwrap();
        let flushed = timeout(&world, s(1), SinkExt::flush(&mut sender)).await;
        assert!(flushed.is_none(), "the peer does not read");
        // The second message is accepted when enough of the first has been written.
        peer.read(Reading::Slowly(10_000, ms(1)));
        let second = if sends_by_clone { &sender.clone() } else { &sender };
        Sender::feed(second, vec![2; 500_000]).await.unwrap();
        SinkExt::flush(&mut sender).await.unwrap();
        let queued = sender.queued_output();
        assert_eq!(queued, 0, "flushed, and {queued} bytes wait");
        drop(receiver);
    });
    scene.within(s(60));
}

#[test]
fn a_flush_after_a_cancelled_flush_waits_for_all() {
    a_flush_behind_a_flush_that_was_given_up(false);
}

#[test]
fn a_flush_after_a_cancelled_flush_waits_for_messages_of_clones() {
    a_flush_behind_a_flush_that_was_given_up(true);
}

/// The same on a whole connection divided by `StreamExt::split`.
#[test]
fn a_flush_of_the_sink_half_waits_for_all() {
    let (mut scene, socket) = Scene::new(Link::FINE, Role::Client, Config::default());
    scene.peer.read(Reading::Slowly(10_000, ms(5)));
    let peer = scene.peer.clone();
    let world = scene.world.clone();
    scene.ours("flushes", async move {
        let (mut sink, _stream) = StreamExt::split::<Message>(socket);
        sink.feed(Message::binary(vec![1; 500_000])).await.unwrap();
        assert!(timeout(&world, ms(20), sink.flush()).await.is_none());
        sink.feed(Message::binary(vec![2; 500_000])).await.unwrap();
        sink.flush().await.unwrap();
        // Everything was written except what the two kernels hold.
        peer.until(|peer| peer.count() == 2).await;
        world.sleep(s(1)).await;
    });
    scene.within(s(60));
}
