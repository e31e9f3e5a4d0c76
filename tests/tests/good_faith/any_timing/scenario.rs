//! Derives a scenario from a seed, and checks what must hold in every scenario.

use core::time::Duration;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tidegate_core::testing::Random;
use tidegate_core::{Config, Role, Timestamp, Watermarks};

use crate::link::Link;
use crate::peer::{Peer, Reading, Seen};
use crate::scene::{Scene, ms, s};
use crate::world::{Party, World};

use super::application::{Application, Kind, Record};
use super::connection::{Close, Connection};

/// How the application holds the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Whole,
    Split,
    Halves,
}

/// Which end closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    We(Close),
    Peer,
}

#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) mode: Mode,
    role: Role,
    deflate: bool,
    link: Link,
    pub(crate) kind: Kind,
    pub(crate) ends: Ends,
    reading: Reading,
    /// How many messages the peer sends, and how long it waits before each.
    count: u32,
    interval: Duration,
    pings: Option<Duration>,
    /// The longest message.
    pub(crate) longest: usize,
    pauses: Vec<(Paused, Timestamp, Duration)>,
    /// The defaults, unless the seed chooses settings.
    config: Config,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Paused {
    Ours,
    Peer,
    Link,
}

impl Scenario {
    /// With the default settings.
    pub(crate) fn new(seed: u64, mode: Mode) -> Self {
        let mut random = Random::new(seed);
        let rate = random.pick(&[1_000, 10_000, 64_000, 1_000_000, 1_000_000_000]).unwrap();
        let latency = random.pick(&[100, 5_000, 80_000, 600_000]).unwrap();
        // At most two seconds of the link's rate, because data in the kernels is invisible to both ends.
        let buffer = usize::try_from(2 * rate).unwrap().clamp(2_048, 65_536);
        let link = Link::rate(rate).latency(Duration::from_micros(latency)).buffer(buffer);
        let kinds = [
            Kind::SendsOnly,
            Kind::ReceivesOnly,
            Kind::Answers,
            Kind::Works,
            Kind::Bursts,
            Kind::Impatient,
            Kind::TwoTasks,
        ];
        let kind = random.pick(&kinds).unwrap();
        let ends = match random.below(4) {
            0 => Ends::We(Close::Drops),
            1 => Ends::We(Close::Receives),
            _ => Ends::Peer,
        };
        let is_slow = rate < 1_000_000;
        let we_close = ends != Ends::Peer;
        let count = match kind {
            // Messages that are never taken must fit below the watermarks, or nothing after them is
            // decoded. A Close takes effect after such messages (rule 11 of the gate).
            Kind::SendsOnly if we_close => random.below(8),
            Kind::SendsOnly => 0,
            Kind::Works => 1 + random.below(6),
            // The answer to our Close comes after what the peer is sending. A slow link would need more
            // than the default limit of 10 s for that.
            _ if we_close && is_slow => 0,
            _ => random.below(60),
        };
        let slowly = Reading::Slowly(buffer / 4, ms(100 + random.below(300) as u64));
        let reading = if random.one_in(3) { slowly } else { Reading::Freely };
        let interval = random.pick(&[0, 20, 700, 5_000]).unwrap();
        let pings = random.pick(&[None, Some(s(2)), Some(s(20))]).unwrap();
        let longest = usize::try_from(rate).unwrap().clamp(200, 60_000);
        let pauses = (0..random.below(4)).map(|_| {
            let paused = random.pick(&[Paused::Ours, Paused::Ours, Paused::Peer, Paused::Link]);
            let paused = paused.unwrap();
            let longest = match paused {
                Paused::Ours => 100_000,
                _ if we_close => 1_000,
                Paused::Peer | Paused::Link => 4_000,
            };
            // At any time, or when a keepalive ping (30 s) is probably in flight.
            let from = match random.below(2) {
                0 => random.below(120_000),
                _ => 30_000 * (1 + random.below(3)) + random.below(1_300),
            };
            let from = Timestamp::from_millis(from as u64);
            (paused, from, ms(random.below(longest) as u64))
        });
        let pauses = pauses.collect();
        Self {
            seed,
            mode,
            role: random.pick(&[Role::Client, Role::Server]).unwrap(),
            deflate: random.one_in(3),
            link,
            kind,
            ends,
            reading,
            count: u32::try_from(count).unwrap(),
            interval: ms(interval),
            pings,
            longest: if kind == Kind::SendsOnly { longest.min(20_000) } else { longest },
            pauses,
            config: Config::default(),
        }
    }

    /// With settings that applications choose: overlapping pings, one message at a time, an outbox of
    /// one line of text, fragments.
    pub(crate) fn with_other_settings(seed: u64, mode: Mode) -> Self {
        let mut scenario = Self::new(seed, mode);
        let mut random = Random::new(!seed);
        let marks = |high: usize, low: usize| Watermarks::new(high, low);
        let ping = random.pick(&[ms(250), s(1), s(30)]).unwrap();
        let fragment = random.pick(&[None, Some(1), Some(1_000)]).unwrap();
        let mut config = Config::builder().ping_interval(ping);
        if random.one_in(2) {
            config = config.message_marks(marks(1, 0));
            // The application takes no message, and this would close its gate.
            scenario.count = if scenario.kind == Kind::SendsOnly { 0 } else { scenario.count };
        }
        if random.one_in(2) {
            config = config.send_marks(marks(80, random.below(80)));
        }
        // Frames of one byte are only for short messages.
        if fragment != Some(1) || scenario.longest < 2_000 {
            config = config.fragment_size(fragment);
        }
        scenario.config = config.build().unwrap();
        scenario
    }

    /// Runs the scenario, and checks what users expect.
    pub(crate) fn run(&self) {
        let (mut scene, socket) =
            Scene::with_deflate(self.link, self.role, Config::default(), self.deflate, self.seed);
        let (world, peer) = (scene.world.clone(), scene.peer.clone());
        for (paused, from, time) in &self.pauses {
            match paused {
                Paused::Ours => world.pause(Party::Ours, *from, *time),
                Paused::Peer => world.pause(Party::Peer, *from, *time),
                Paused::Link => world.pause_link(*from, *time),
            }
        }
        peer.read(self.reading);
        let said = Rc::new(Cell::new(None));
        let talk = self.clone().talk(world.clone(), peer.clone(), Rc::clone(&said));
        scene.theirs("talks", talk);
        let pings = Rc::new(RefCell::new(Vec::new()));
        if let Some(interval) = self.pings {
            let (world, peer, pings) = (world.clone(), peer.clone(), Rc::clone(&pings));
            scene.run.background(Party::Peer, "pings", async move {
                while !peer.is_over() {
                    world.sleep(interval).await;
                    let number = u8::try_from(pings.borrow().len()).unwrap_or(u8::MAX);
                    if number < u8::MAX {
                        pings.borrow_mut().push(world.now());
                        peer.ping(&[number]);
                    }
                }
            });
        }
        let record = Rc::new(RefCell::new(Record::default()));
        let connection = Connection::new(&mut scene, socket, self.mode);
        let application = Application::new(self.clone(), world, Rc::clone(&record));
        application.spawn(&mut scene, connection);
        scene.within(s(3000));
        self.check(&peer, &record.borrow(), &pings.borrow());
        if let (Some(attention), Some(said), Some(told)) =
            (self.attention(), said.get(), record.borrow().told)
        {
            let time = told.saturating_duration_since(said);
            assert!(time <= self.limit(attention), "its Close was told after {time:?}");
        }
    }

    /// The peer's script: its messages, one after another, and its Close.
    async fn talk(self, world: World, peer: Peer, said: Rc<Cell<Option<Timestamp>>>) {
        for number in 0..self.count {
            world.sleep(self.interval).await;
            peer.until(|peer| peer.is_idle() || peer.is_over()).await;
            peer.message(&payload(!self.seed, number, self.longest));
        }
        if self.ends == Ends::Peer {
            world.sleep(ms(self.seed % 100_000)).await;
            peer.close(1000, "");
            said.set(Some(world.now()));
        }
        peer.until(Peer::is_over).await;
    }

    fn check(&self, peer: &Peer, record: &Record, pings: &[Timestamp]) {
        // Every accepted message arrived, whole and in order; a cancelled one arrived whole or not at all.
        let messages = peer.messages();
        let numbers: Vec<u32> = messages.iter().map(|message| number(message)).collect();
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "in order: {numbers:?}");
        for (message, number) in messages.iter().zip(&numbers) {
            assert_eq!(*message, payload(self.seed, *number, self.longest), "as it was sent");
        }
        let lost: Vec<_> = record.sent.iter().filter(|sent| !numbers.contains(sent)).collect();
        assert!(lost.is_empty(), "accepted and lost: {lost:?} of {}", record.sent.len());
        // What arrived before the end was delivered before it.
        for (index, received) in record.received.iter().enumerate() {
            let index = u32::try_from(index).unwrap();
            assert_eq!(*received, payload(!self.seed, index, self.longest), "message {index}");
        }
        let takes_all = self.kind != Kind::SendsOnly && self.ends != Ends::We(Close::Drops);
        if takes_all && self.ends == Ends::Peer {
            assert_eq!(record.received.len(), self.count as usize, "all before the end");
        }
        // The peer got a Close, and the stream ended properly.
        assert_eq!(peer.closed_with(), Some(Some((1000, String::new()))));
        assert!(peer.has_ended(), "{:?}", peer.log().last());
        if let Some(attention) = self.attention() {
            self.check_pongs(peer, pings, attention);
        }
    }

    /// The longest time between two calls of the application, if it always returns.
    fn attention(&self) -> Option<Duration> {
        match (self.kind, self.mode) {
            (Kind::ReceivesOnly | Kind::Answers, _) => Some(Duration::ZERO),
            (Kind::SendsOnly, Mode::Split) => Some(Duration::ZERO),
            (Kind::SendsOnly, _) => Some(s(3)),
            (Kind::Works | Kind::Bursts | Kind::Impatient | Kind::TwoTasks, _) => None,
        }
    }

    /// How long an answer may take: the time on the link, the pauses, and one second.
    fn limit(&self, attention: Duration) -> Duration {
        let still: Duration = self.pauses.iter().map(|(_, _, time)| *time).sum();
        let kernels = self.link.time(4 * self.link.buffer + 4 * self.longest);
        let slow = if matches!(self.reading, Reading::Slowly(..)) { s(4) } else { s(0) };
        attention + still + kernels + 2 * self.link.latency + slow + s(1)
    }

    /// Each ping was answered in time, by its own pong or by that of a later ping.
    fn check_pongs(&self, peer: &Peer, pings: &[Timestamp], attention: Duration) {
        let limit = self.limit(attention);
        let log = peer.log();
        let end = log.last().map_or(Timestamp::ZERO, |(time, _)| *time);
        for (index, sent) in pings.iter().enumerate() {
            let is_answer = |seen: &Seen| match seen {
                Seen::Pong(payload) => {
                    payload.first().is_some_and(|pong| usize::from(*pong) >= index)
                }
                Seen::Close(_) | Seen::Fin => true,
                _ => false,
            };
            let answered = log.iter().find(|(time, seen)| *time >= *sent && is_answer(seen));
            let answered = answered.map_or(end, |(time, _)| *time);
            let time = answered.saturating_duration_since(*sent);
            assert!(time <= limit, "ping {index} at {sent:?} was answered after {time:?}");
        }
    }
}

/// The message of this number, so that the receiver can check it.
pub(crate) fn payload(seed: u64, number: u32, longest: usize) -> Vec<u8> {
    let mut random = Random::new(seed ^ u64::from(number) << 32);
    let length = match random.below(3) {
        0 => 0,
        1 => random.below(100.min(longest)),
        _ => random.below(longest),
    };
    let mut message = number.to_be_bytes().to_vec();
    message.extend(random.bytes(length));
    message
}

fn number(message: &[u8]) -> u32 {
    u32::from_be_bytes(*message.first_chunk().expect("all begin with their number"))
}
