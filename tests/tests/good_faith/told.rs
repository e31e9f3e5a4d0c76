//! The end is reported at once, with its first cause.

use tidegate_core::{CloseCode, Closed, Config, Failure, Role};
use tidegate_driver::Error;

use crate::frames::encode;
use crate::link::Link;
use crate::peer::{Peer, Reading};
use crate::scene::{Scene, ms, s};

/// A protocol violation from a peer in this role.
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

/// What the peer does after the violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Resets,
    HangsUp,
    IsSilent,
}

/// Receives the end after a violation, on a whole or split connection. Returns when it was reported.
fn violated(role: Role, bytes: &[u8], then: Then, is_split: bool) -> (Error, core::time::Duration) {
    let (mut scene, mut socket) = Scene::new(Link::FINE, role, Config::default());
    let (world, peer) = (scene.world.clone(), scene.peer.clone());
    peer.fall_silent();
    // The peer does not read either, so that its unread Close turns its end into a reset.
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
            // Like an application that calls after everything has happened.
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
fn a_violation_is_reported_although_the_peer_disconnects() {
    each_violation(Then::HangsUp, |name, error, _| assert!(is_violation(error), "{name}: {error}"));
}

/// Our Close is written, and there is nothing more to wait for: 100 ms, not 10 s.
#[test]
fn a_violation_is_reported_at_once() {
    each_violation(Then::IsSilent, |name, error, time| {
        assert!(is_violation(error), "{name}: {error}");
        assert!(time < ms(400), "{name}: told after {time:?}");
    });
}

/// The peer said why it closes. The reset after that does not change the cause.
#[test]
fn a_reset_does_not_hide_the_close_code() {
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
                // It only sends: at the latest the third send fails, with the right cause.
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

/// The peer answers our Close and leaves TCP open, as a client may, and as some servers do. `close`
/// returns when both have sent Close.
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

/// The peer closes and leaves TCP open: the connection has ended when our answer is written.
#[test]
fn the_peers_close_is_reported_at_once() {
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

/// The peer disconnects while a long message is being sent: the sending call reports it at once.
#[test]
fn a_send_reports_that_the_peer_disconnected() {
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

/// A violation by a peer that reads nothing, with output queued before our Close: our Close cannot be
/// sent, and the connection ends after the time for a peer that reads nothing.
#[test]
fn a_violation_is_reported_although_the_peer_reads_nothing() {
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
