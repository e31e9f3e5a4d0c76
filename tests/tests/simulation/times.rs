//! Every time limit ends a connection at exactly the right microsecond: its deadline plus the last
//! look.

use core::time::Duration;
use std::io::IoSlice;

use tidegate_core::testing::{Conditions, Frame, opcode};
use tidegate_core::{CloseCode, Config, ConfigBuilder, Failure, Timestamp, Watermarks};
use tidegate_driver::{ByteStream, Error};

use crate::executor::{Task, run};
use crate::network::{End, Fault, World};

fn config() -> ConfigBuilder {
    Config::builder()
        .ping_interval(Duration::from_secs(20))
        .pong_timeout(Duration::from_secs(15))
        .close_timeout(Duration::from_secs(10))
}

/// The length of the last look for a loop that is not late.
const LAST_LOOK: Duration = Duration::from_millis(1);

/// A peer that sends nothing.
fn silence() -> World {
    World::new(Conditions::GOOD, 1, Some((1, Fault::Silence(0))))
}

fn assert_failed<T: core::fmt::Debug>(result: &Result<T, Error>, failure: Failure) {
    match result {
        Err(Error::Closed(closed)) => assert_eq!(closed.failure(), Some(failure)),
        other => panic!("{other:?}"),
    }
}

/// Runs one task, and keeps the other end of the stream until it has ended.
fn run_one(world: &World, _peer: End, task: impl Future<Output = ()> + 'static) -> Timestamp {
    run(world, vec![Box::pin(task)]);
    world.now()
}

#[test]
fn a_silent_peer_is_given_up_one_pong_timeout_after_the_ping() {
    let world = silence();
    let (mut socket, peer) = world.client(config().build().unwrap());
    let end = run_one(&world, peer, async move {
        assert_failed(&socket.recv().await, Failure::KeepaliveTimeout);
    });
    assert_eq!(end, Timestamp::from_secs(35) + LAST_LOOK);
}

/// The same on a split connection on which no call waits.
#[test]
fn a_driver_detects_a_silent_peer_by_itself() {
    let world = silence();
    let (socket, peer) = world.client(config().build().unwrap());
    let (sender, receiver, driver) = socket.split();
    let end = run_one(&world, peer, async move {
        assert_failed(&driver.await, Failure::KeepaliveTimeout);
        drop((sender, receiver));
    });
    assert_eq!(end, Timestamp::from_secs(35) + LAST_LOOK);
}

/// While our own gate is closed the peer is not blamed: its time begins when the gate opens.
#[test]
fn a_closed_gate_suspends_the_pong_limit() {
    let world = World::new(Conditions::GOOD, 1, None);
    let marks = Watermarks::new(1, 0);
    let (socket, mut peer) = world.client(config().message_marks(marks).build().unwrap());
    let (sender, mut receiver, driver) = socket.split();
    let mut clock = world.clock();
    let driving: Task = Box::pin(async move {
        assert_failed(&driver.await, Failure::KeepaliveTimeout);
    });
    let dozing: Task = Box::pin(async move {
        let frame = Frame::new(opcode::TEXT, "only").encode();
        let mut rest = &frame[..];
        while !rest.is_empty() {
            let slices = [IoSlice::new(rest)];
            let written = core::future::poll_fn(|cx| peer.poll_write(cx, &slices)).await.unwrap();
            rest = &rest[written..];
        }
        // Nothing more arrives.
        clock.sleep(Duration::from_secs(100)).await;
        assert_eq!(receiver.recv().await.unwrap().unwrap().as_text(), Some("only"));
        assert_failed(&receiver.recv().await, Failure::KeepaliveTimeout);
        drop((sender, peer));
    });
    run(&world, vec![driving, dozing]);
    assert_eq!(world.now(), Timestamp::from_secs(115) + LAST_LOOK);
}

#[test]
fn a_peer_that_does_not_answer_a_close_is_given_up_in_time() {
    for is_split in [false, true] {
        let world = silence();
        let (mut socket, peer) = world.client(config().build().unwrap());
        let mut clock = world.clock();
        let end = if is_split {
            let (sender, _receiver, driver) = socket.split();
            let driving: Task = Box::pin(async move {
                assert_failed(&driver.await, Failure::CloseTimeout);
            });
            let closing: Task = Box::pin(async move {
                clock.sleep(Duration::from_secs(3)).await;
                let closed = sender.close(CloseCode::NORMAL, "").await;
                assert_failed(&closed, Failure::CloseTimeout);
            });
            run(&world, vec![driving, closing]);
            drop(peer);
            world.now()
        } else {
            run_one(&world, peer, async move {
                clock.sleep(Duration::from_secs(3)).await;
                let closed = socket.close(CloseCode::NORMAL, "").await;
                assert_failed(&closed, Failure::CloseTimeout);
            })
        };
        assert_eq!(end, Timestamp::from_secs(13) + LAST_LOOK);
    }
}

/// The peer accepts what fits in the buffers, at once, and nothing more.
#[test]
fn a_peer_that_reads_nothing_is_given_up() {
    let conditions = Conditions { capacity: 100, ..Conditions::GOOD };
    let world = World::new(conditions, 1, Some((1, Fault::Silence(0))));
    let config = config().ping_interval(None).write_timeout(Duration::from_secs(5));
    let (mut socket, peer) = world.client(config.build().unwrap());
    let end = run_one(&world, peer, async move {
        let sent = socket.send(vec![0; 1000]).await;
        assert_failed(&sent, Failure::WriteTimeout);
    });
    assert_eq!(end, Timestamp::from_secs(5) + LAST_LOOK);
}
