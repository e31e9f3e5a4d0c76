//! The cause comes first, and it is told at once.

use tidegate_core::{CloseCode, Closed, Config, Failure, Role};
use tidegate_driver::Error;

use crate::frames::encode;
use crate::link::Link;
use crate::peer::{Peer, Reading};
use crate::scene::{Scene, ms, s};

/// What breaks the protocol, from a peer in this role.
fn violations(role: Role) -> Vec<(&'static str, Vec<u8>)> {
    let is_client = role == Role::Client;
    vec![
        ("reserved bits", encode(0xF2, b"hi", is_client)),
        ("opcode 0xB", encode(0x8B, b"hi", is_client)),
        ("the wrong masking", encode(0x81, b"hi", !is_client)),
        ("not UTF-8", encode(0x81, b"\xFF", is_client)),
        ("over the limit", encode(0x82, &vec![0; 1024 * 1024 + 1], is_client)[..100].to_vec()),
    ]
}

/// What the peer does when it has sent that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Resets,
    HangsUp,
    IsSilent,
}

/// Receives the end after a violation: whole or split, and when it is told.
fn violated(role: Role, bytes: &[u8], then: Then, is_split: bool) -> (Error, core::time::Duration) {
    let (mut scene, mut socket) = Scene::new(Link::FINE, role, Config::default());
    let (world, peer) = (scene.world.clone(), scene.peer.clone());
    peer.fall_silent();
    // It does not read either: that is how an unread Close makes a reset of an end.
    peer.read(Reading::Stopped);
    peer.raw(bytes);
    scene.theirs("breaks", async move {
        peer.until(Peer::is_idle).await;
        world.sleep(ms(200)).await;
        match then {
            Then::Resets => peer.reset(),
            Then::HangsUp => peer.fin(),
            Then::IsSilent => {}
        }
    });
    let (told, result) = std::sync::mpsc::channel();
    let world = scene.world.clone();
    if is_split {
        let (sender, mut receiver) = scene.split(socket);
        scene.ours("receives", async move {
            // As an application that comes when all has happened.
            world.sleep(ms(if then == Then::Resets { 500 } else { 0 })).await;
            told.send((receiver.recv().await.unwrap_err(), world.now())).unwrap();
            drop(sender);
        });
    } else {
        scene.ours("receives", async move {
            world.sleep(ms(if then == Then::Resets { 500 } else { 0 })).await;
            told.send((socket.recv().await.unwrap_err(), world.now())).unwrap();
        });
    }
    scene.within(s(60));
    let (error, time) = result.recv().unwrap();
    (error, core::time::Duration::from_micros(time.as_micros()))
}

fn each_violation(then: Then, check: impl Fn(&str, &Error, core::time::Duration)) {
    for role in [Role::Client, Role::Server] {
        for (name, bytes) in violations(crate::scene::other(role)) {
            for is_split in [false, true] {
                let (error, time) = violated(role, &bytes, then, is_split);
                check(&format!("{role:?}, split {is_split}, {name}"), &error, time);
            }
        }
    }
}

fn is_violation(error: &Error) -> bool {
    let failure = |closed: &Closed| matches!(closed.failure(), Some(Failure::Protocol(_)));
    matches!(error, Error::Closed(closed) if failure(closed))
}

#[test]
fn a_violation_is_not_called_a_reset() {
    each_violation(Then::Resets, |name, error, _| assert!(is_violation(error), "{name}: {error}"));
}

#[test]
fn a_violation_is_told_though_the_peer_hangs_up() {
    each_violation(Then::HangsUp, |name, error, _| assert!(is_violation(error), "{name}: {error}"));
}

/// Its Close is written, and there is nothing more to wait for: 100 ms, not 10 s.
#[test]
fn a_violation_is_told_at_once() {
    each_violation(Then::IsSilent, |name, error, time| {
        assert!(is_violation(error), "{name}: {error}");
        assert!(time < ms(400), "{name}: told after {time:?}");
    });
}

/// The peer said why it closes; that its end then resets is no news.
#[test]
fn the_code_of_a_close_is_not_lost_to_a_reset() {
    for is_split in [false, true] {
        let (mut scene, mut socket) = Scene::new(Link::FINE, Role::Client, Config::default());
        let (world, peer) = (scene.world.clone(), scene.peer.clone());
        peer.close(4004, "authentication failed");
        scene.theirs("kicks", async move {
            world.sleep(ms(50)).await;
            peer.reset();
        });
        let check = move |error: &Error, closed: Option<Closed>| {
            let Error::Closed(told) = error else { panic!("split {is_split}: {error:?}") };
            let told = [Some(told.clone()), closed];
            for closed in told.into_iter().map(Option::unwrap) {
                let seen = (closed.code().as_u16(), closed.reason().to_owned());
                assert_eq!(seen, (4004, "authentication failed".to_owned()));
            }
        };
        let world = scene.world.clone();
        if is_split {
            let (sender, mut receiver) = scene.split(socket);
            scene.ours("is kicked", async move {
                world.sleep(ms(500)).await;
                let error = sender.send("x").await.unwrap_err();
                check(&error, sender.closed());
                assert!(matches!(receiver.recv().await, Err(Error::Closed(_))));
            });
        } else {
            scene.ours("is kicked", async move {
                world.sleep(ms(500)).await;
                // It only sends: the third finds nobody there at the latest, and knows why.
                let mut error = None;
                for _ in 0..3 {
                    error = error.or(socket.send("x").await.err());
                    world.sleep(ms(100)).await;
                }
                check(&error.unwrap(), socket.closed().cloned());
            });
        }
        scene.within(s(5));
    }
}

/// The peer answers our Close and leaves TCP as it is, which is its right if it is a client; servers
/// do it too. `close` is done when both have said Close.
#[test]
fn close_does_not_wait_for_the_end_of_tcp() {
    for (role, is_split) in
        [(Role::Client, false), (Role::Client, true), (Role::Server, false), (Role::Server, true)]
    {
        let (mut scene, mut socket) = Scene::new(Link::FINE, role, Config::default());
        scene.peer.keep_open();
        let world = scene.world.clone();
        if is_split {
            let (sender, receiver) = scene.split(socket);
            scene.ours("closes", async move {
                sender.close(CloseCode::NORMAL, "").await.unwrap();
                assert!(world.now().as_micros() < 1_000_000, "{role:?}: {:?}", world.now());
                drop(receiver);
            });
        } else {
            scene.ours("closes", async move {
                socket.close(CloseCode::NORMAL, "").await.unwrap();
                assert!(world.now().as_micros() < 1_000_000, "{role:?}: {:?}", world.now());
            });
        }
        scene.within(s(20));
    }
}

/// The peer closes and leaves TCP as it is: our answer is written, and that was all.
#[test]
fn the_peers_close_is_told_at_once() {
    for (role, is_split) in
        [(Role::Client, false), (Role::Client, true), (Role::Server, false), (Role::Server, true)]
    {
        let (mut scene, mut socket) = Scene::new(Link::FINE, role, Config::default());
        scene.peer.keep_open();
        scene.peer.message(b"last words");
        scene.peer.close(1000, "bye");
        let world = scene.world.clone();
        let check = move || {
            assert!(world.now().as_micros() < 1_000_000, "{role:?} {is_split}: {:?}", world.now());
        };
        if is_split {
            let (sender, mut receiver) = scene.split(socket);
            scene.ours("receives", async move {
                assert!(receiver.recv().await.unwrap().is_some());
                assert_eq!(receiver.recv().await.unwrap(), None);
                check();
                drop(sender);
            });
        } else {
            scene.ours("receives", async move {
                assert!(socket.recv().await.unwrap().is_some());
                assert_eq!(socket.recv().await.unwrap(), None);
                check();
            });
        }
        scene.within(s(20));
    }
}

/// The peer hangs up while a long message is being sent: the call that sends says so at once.
#[test]
fn a_send_is_told_that_the_peer_hung_up() {
    for is_split in [false, true] {
        let (mut scene, mut socket) = Scene::new(Link::FINE, Role::Server, Config::default());
        let (world, peer) = (scene.world.clone(), scene.peer.clone());
        peer.read(Reading::Stopped);
        scene.theirs("hangs up", async move {
            world.sleep(s(1)).await;
            peer.fin();
        });
        let world = scene.world.clone();
        let check = move |sent: Result<(), Error>| {
            assert!(matches!(sent, Err(Error::Closed(_))), "{sent:?}");
            assert!(world.now().as_micros() < 2_000_000, "split {is_split}: {:?}", world.now());
        };
        if is_split {
            let (sender, receiver) = scene.split(socket);
            scene.ours("sends", async move {
                let sending = async {
                    sender.send(vec![0; 1024 * 1024]).await?;
                    sender.flush().await
                };
                check(sending.await);
                drop(receiver);
            });
        } else {
            scene.ours("sends", async move { check(socket.send(vec![0; 1024 * 1024]).await) });
        }
        scene.within(s(60));
    }
}

/// A violation of a peer that reads nothing, with output before our Close: it cannot be told why,
/// and is left in the time that a peer has that takes nothing.
#[test]
fn a_violation_is_told_though_the_peer_reads_nothing() {
    let (mut scene, mut socket) = Scene::new(Link::FINE, Role::Server, Config::default());
    scene.peer.read(Reading::Stopped);
    let (world, peer) = (scene.world.clone(), scene.peer.clone());
    scene.ours("sends and receives", async move {
        for _ in 0..4 {
            let _ = socket.feed(vec![0; 60_000]).await;
        }
        let error = loop {
            match socket.recv().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("that was no end"),
                Err(error) => break error,
            }
        };
        assert!(is_violation(&error), "{error}");
        assert!(world.now().as_micros() < 32_000_000, "told at {:?}", world.now());
    });
    let world = scene.world.clone();
    scene.theirs("breaks", async move {
        world.sleep(s(1)).await;
        peer.raw(&encode(0x81, b"hi", false));
    });
    scene.within(s(70));
}
