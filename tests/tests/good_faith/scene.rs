//! One connection of ours, its peer, and the tasks of both.

use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use tidegate_core::deflate::DeflateParams;
use tidegate_core::{Config, Connection, Role};
use tidegate_driver::{Receiver, Sender, WebSocket};

use crate::executor::Run;
use crate::link::{End, Link};
use crate::peer::Peer;
use crate::world::{Party, Time, World};

/// A connection of ours, whole.
pub(crate) type Socket = WebSocket<End, Time>;

/// The two programs.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) peer: Peer,
    pub(crate) run: Run,
}

impl Scene {
    /// We have this role, after an opening handshake.
    pub(crate) fn new(link: Link, role: Role, config: Config) -> (Self, Socket) {
        Self::with_deflate(link, role, config, false, 1)
    }

    pub(crate) fn with_deflate(
        link: Link,
        role: Role,
        config: Config,
        deflate: bool,
        seed: u64,
    ) -> (Self, Socket) {
        let world = World::new(link, seed);
        let mut connection = match role {
            Role::Client => Connection::client(world.now(), config, [7; 32]),
            Role::Server => Connection::server(world.now(), config),
        };
        if deflate {
            connection = connection.with_deflate(DeflateParams {
                server_no_context_takeover: true,
                client_no_context_takeover: true,
                server_max_window_bits: 15,
                client_max_window_bits: 15,
            });
        }
        let stream = End { world: world.clone(), party: Party::Ours };
        let socket = WebSocket::from_connection(stream, world.clock(), connection);
        let peer = Peer::new(&world, other(role), deflate);
        let mut run = Run::new(&world);
        run.background(Party::Peer, "peer", peer.clone().run());
        (Self { world, peer, run }, socket)
    }

    /// A task of our application.
    pub(crate) fn ours(&mut self, name: &'static str, task: impl Future<Output = ()> + 'static) {
        self.run.spawn(Party::Ours, name, task);
    }

    /// A task of the peer.
    pub(crate) fn theirs(&mut self, name: &'static str, task: impl Future<Output = ()> + 'static) {
        self.run.spawn(Party::Peer, name, task);
    }

    /// Splits a connection, and spawns its driver.
    pub(crate) fn split(&mut self, socket: Socket) -> (Sender, Receiver) {
        let (sender, receiver, driver) = socket.split();
        self.run.background(Party::Ours, "driver", async move {
            // The halves report how it ended.
            let _ = driver.await;
        });
        (sender, receiver)
    }

    /// Runs to the end, which must come within this time.
    pub(crate) fn within(self, limit: Duration) {
        self.run.within(limit);
    }
}

pub(crate) fn other(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

/// Waits for a future for this long, and then drops it.
pub(crate) async fn timeout<T>(
    world: &World,
    time: Duration,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = pin!(future);
    let mut sleep = pin!(world.sleep(time));
    poll_fn(|cx| {
        if let Poll::Ready(value) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(value));
        }
        sleep.as_mut().poll(cx).map(|()| None)
    })
    .await
}

/// This many milliseconds.
pub(crate) const fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// This many seconds.
pub(crate) const fn s(time: u64) -> Duration {
    Duration::from_secs(time)
}
