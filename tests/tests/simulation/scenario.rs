//! Derives a run from a seed: settings, kinds of connection, applications, network conditions, faults.

use core::cell::Cell;
use core::time::Duration;
use std::rc::Rc;

use tidegate_core::testing::{Conditions, Random};
use tidegate_core::{Config, Connection, PongPolicy, Timestamp, Watermarks};
use tidegate_driver::{Driver, WebSocket};

use crate::apps::{ASKED, Manner, Whole};
use crate::executor::{Effort, Task, run};
use crate::network::{End, Fault, Time, World};

/// One run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    seed: u64,
    client_is_split: bool,
    server_is_split: bool,
    pattern: Pattern,
    pub(crate) fault: Option<(usize, Fault)>,
    /// Without a keepalive only bytes wake tasks, so a lost wake-up is always found.
    keeps_alive: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pattern {
    /// The client sends requests, the server echoes.
    Echo,
    /// The client sends, the server takes and closes.
    Up,
    /// The server sends, the client takes and closes.
    Down,
}

impl Scenario {
    /// Nothing fails.
    pub(crate) fn fair(seed: u64) -> Self {
        let mut random = Random::new(seed);
        Self {
            seed,
            client_is_split: random.one_in(2),
            server_is_split: random.one_in(2),
            pattern: random.pick(&[Pattern::Echo, Pattern::Up, Pattern::Down]).unwrap(),
            fault: None,
            keeps_alive: random.one_in(3),
        }
    }

    /// Something fails, somewhere.
    pub(crate) fn foul(seed: u64) -> Self {
        let mut random = Random::new(!seed);
        let bytes = random.below(12_000);
        let fault = match random.below(3) {
            0 => Fault::HalfClose(bytes),
            1 => Fault::Reset(bytes),
            _ => Fault::Silence(bytes),
        };
        let fault = Some((random.below(2), fault));
        Self { fault, keeps_alive: true, ..Self::fair(seed) }
    }

    /// Runs it to its end. Returns the counters and the time.
    pub(crate) fn run(self) -> (Effort, Timestamp) {
        let mut random = Random::new(self.seed ^ 0xABCD);
        let world = World::new(conditions(&mut random), self.seed, self.fault);
        let longest = random.pick(&[20, 300, 3000]).unwrap();
        let (client, server) = world.streams();
        let (config, other) =
            (self.config(&mut random, longest), self.config(&mut random, longest));
        let now = Timestamp::ZERO;
        let client = WebSocket::from_connection(
            client,
            world.clock(),
            Connection::client(now, config, [7; 32]),
        );
        let server =
            WebSocket::from_connection(server, world.clock(), Connection::server(now, other));
        let mut manner = || Manner {
            world: world.clone(),
            seed: self.seed,
            count: 30,
            longest,
            cancels: random.one_in(2),
            dawdles: random.one_in(3).then(|| Duration::from_millis(random.below(900) as u64)),
            may_fail: self.fault.is_some(),
        };
        let (near, far) = (manner(), manner());
        let mut tasks = Vec::new();
        match self.pattern {
            Pattern::Echo => {
                ask(&mut tasks, client, near, self.client_is_split);
                echo(&mut tasks, server, far, self.server_is_split);
            }
            Pattern::Up => {
                flood(&mut tasks, client, near, self.client_is_split);
                collect(&mut tasks, server, far, self.server_is_split);
            }
            Pattern::Down => {
                collect(&mut tasks, client, near, self.client_is_split);
                flood(&mut tasks, server, far, self.server_is_split);
            }
        }
        let effort = run(&world, tasks);
        (effort, world.now())
    }

    fn config(&self, random: &mut Random, longest: usize) -> Config {
        // A client that sends requests must have room for the answers.
        let high = ASKED + 1 + random.below(8);
        let bytes = (ASKED + 1) * (longest + 20) + random.below(4000);
        let marks = |high: usize, low: usize| Watermarks::new(high, low);
        let send = 1 + random.below(6000);
        Config::builder()
            .message_marks(marks(high, random.below(high)))
            .byte_marks(marks(bytes, random.below(bytes)))
            .send_marks(marks(send, random.below(send)))
            .fragment_size(random.one_in(3).then(|| 1 + random.below(500)))
            .pong_policy(random.pick(&[PongPolicy::OnReceipt, PongPolicy::InOrder]).unwrap())
            .ping_interval(self.keeps_alive.then_some(PING))
            .pong_timeout(self.keeps_alive.then_some(PONG))
            .close_timeout(CLOSE)
            .build()
            .unwrap()
    }
}

/// Network conditions in which nothing takes longer than the configured limits.
fn conditions(random: &mut Random) -> Conditions {
    let capacity = random.pick(&[60, 3000, 60_000]).unwrap();
    let longest_piece = random.pick(&[40, 900, 60_000]).unwrap();
    Conditions {
        capacity: 1 + random.below(capacity),
        longest_piece: 1 + random.below(longest_piece),
        delay: Duration::from_micros(random.below(3000) as u64),
        stall_one_in: random.pick(&[0, 30, 200]).unwrap(),
        stall: Duration::from_millis(random.below(100) as u64),
        cut_after: None,
    }
}

/// The driver of a split connection, which ends with the connection.
fn driving(driver: Driver<End, Time>, may_fail: bool) -> Task {
    Box::pin(async move {
        let ended = driver.await;
        assert!(may_fail || ended.is_ok_and(|closed| closed.is_clean()));
    })
}

fn clock(manner: &Manner) -> Time {
    manner.world.clock()
}

fn ask(tasks: &mut Vec<Task>, socket: Whole, manner: Manner, is_split: bool) {
    if !is_split {
        let clock = clock(&manner);
        tasks.push(Box::pin(manner.ask(socket, clock)));
        return;
    }
    let (sender, receiver, driver) = socket.split();
    tasks.push(driving(driver, manner.may_fail));
    let done = Rc::new(Cell::new(false));
    let (flooding, time) = (manner.clone(), clock(&manner));
    tasks.push(Box::pin(flooding.flood_half(sender.clone(), time, done)));
    let time = clock(&manner);
    tasks.push(Box::pin(manner.collect_half(sender, receiver, time)));
}

fn echo(tasks: &mut Vec<Task>, socket: Whole, manner: Manner, is_split: bool) {
    let time = clock(&manner);
    if !is_split {
        tasks.push(Box::pin(manner.echo(socket, time)));
        return;
    }
    let (sender, receiver, driver) = socket.split();
    tasks.push(driving(driver, manner.may_fail));
    tasks.push(Box::pin(manner.echo_split(sender, receiver, time)));
}

/// Sends everything, and waits for the other end to close.
fn flood(tasks: &mut Vec<Task>, mut socket: Whole, manner: Manner, is_split: bool) {
    let mut time = clock(&manner);
    if !is_split {
        tasks.push(Box::pin(async move {
            if manner.flood(&mut socket, &mut time).await {
                manner.end(&mut socket).await;
            }
        }));
        return;
    }
    let (mut sender, mut receiver, driver) = socket.split();
    tasks.push(driving(driver, manner.may_fail));
    tasks.push(Box::pin(async move {
        if manner.flood(&mut sender, &mut time).await {
            manner.end(&mut receiver).await;
        }
    }));
}

/// Takes everything, and closes.
fn collect(tasks: &mut Vec<Task>, mut socket: Whole, manner: Manner, is_split: bool) {
    let mut time = clock(&manner);
    if !is_split {
        tasks.push(Box::pin(async move {
            if manner.collect(&mut socket, &mut time, manner.count).await {
                manner.close(&mut socket).await;
            }
        }));
        return;
    }
    let (mut sender, mut receiver, driver) = socket.split();
    tasks.push(driving(driver, manner.may_fail));
    tasks.push(Box::pin(async move {
        if manner.collect(&mut receiver, &mut time, manner.count).await {
            manner.close(&mut sender).await;
        }
    }));
}

pub(crate) const PING: Duration = Duration::from_secs(20);
pub(crate) const PONG: Duration = Duration::from_secs(15);
pub(crate) const CLOSE: Duration = Duration::from_secs(10);
