//! Two connections over a virtual network: every scenario ends within a bounded number of steps, and
//! nothing is lost, reordered or duplicated.
#![allow(clippy::unwrap_used, clippy::std_instead_of_alloc, clippy::wildcard_enum_match_arm)]

use core::time::Duration;
use std::collections::VecDeque;

use tidegate_core::testing::{Application, Conditions, End, Pair, Pipe, Random, Rest};
use tidegate_core::{
    CloseCode, CloseFrame, Config, Event, Failure, Message, SendError, Timestamp, Watermarks,
};

/// An application that sends a list or echoes, takes at its own pace, pings and closes.
#[derive(Clone, Debug, Default)]
struct Talker {
    to_send: VecDeque<Message>,
    echoes: bool,
    received: Vec<Message>,
    /// The pause between two takes; zero to take all there is.
    pace: Duration,
    next_take: Timestamp,
    takes_nothing: bool,
    ping_every: Option<Duration>,
    next_ping: Timestamp,
    pings: usize,
    close: Close,
    has_closed: bool,
}

/// When an application closes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Close {
    #[default]
    Never,
    /// When it has sent everything and has received this many.
    After(usize),
    At(Timestamp),
    /// As soon as its gate is closed.
    WhenGateCloses,
}

impl Talker {
    fn sending(messages: &[Message]) -> Self {
        Self { to_send: messages.iter().cloned().collect(), ..Self::default() }
    }

    fn echo() -> Self {
        Self { echoes: true, ..Self::default() }
    }

    fn closing(mut self, close: Close) -> Self {
        self.close = close;
        self
    }

    fn slowly(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }

    fn take_one(&mut self, end: &mut End) -> bool {
        match end.take() {
            None => false,
            Some(Event::Message(message)) => {
                if self.echoes {
                    self.to_send.push_back(message.clone());
                }
                self.received.push(message);
                true
            }
            Some(event) => panic!("nobody asked for {event:?}"),
        }
    }

    fn take(&mut self, now: Timestamp, end: &mut End) {
        if self.takes_nothing {
            return;
        }
        if self.pace.is_zero() {
            while self.take_one(end) {}
        } else if now >= self.next_take && self.take_one(end) {
            self.next_take = now + self.pace;
        }
    }

    fn wants_to_close(&self, now: Timestamp, end: &End) -> bool {
        !self.has_closed
            && match self.close {
                Close::Never => false,
                Close::After(count) => self.to_send.is_empty() && self.received.len() >= count,
                Close::At(time) => now >= time,
                Close::WhenGateCloses => !end.connection.is_gate_open(),
            }
    }
}

impl Application for Talker {
    fn act(&mut self, now: Timestamp, end: &mut End) {
        self.take(now, end);
        while let Some(message) = self.to_send.pop_front() {
            match end.send(message) {
                Ok(()) => {}
                Err(SendError::Full(message)) => {
                    self.to_send.push_front(message);
                    break;
                }
                // An end that closes early gives up what it has not sent.
                Err(_) => break,
            }
        }
        if let Some(every) = self.ping_every
            && now >= self.next_ping
            && !end.connection.is_closing()
        {
            // At most sixteen may be queued.
            let accepted = end.connection.ping(now, self.pings.to_string());
            self.pings += usize::from(accepted.is_ok());
            self.next_ping = now + every;
        }
        if self.wants_to_close(now, end) {
            self.has_closed = true;
            // The peer may have closed first.
            let _ = end.connection.close(now, CloseFrame::new(CloseCode::NORMAL, "done"));
        }
    }

    fn next_action(&self) -> Option<Timestamp> {
        let take = (!self.pace.is_zero() && !self.takes_nothing).then_some(self.next_take);
        let ping = self.ping_every.map(|_| self.next_ping);
        let close = match self.close {
            Close::At(time) if !self.has_closed => Some(time),
            _ => None,
        };
        [take, ping, close].into_iter().flatten().min()
    }
}

fn messages(count: usize, longest: usize, seed: u64) -> Vec<Message> {
    let mut random = Random::new(seed);
    let one = |index: usize| {
        let length = match random.below(6) {
            0 => 0,
            1 => random.below(4),
            2 => longest,
            _ => random.below(longest),
        };
        if random.one_in(2) {
            let mut bytes = random.bytes(length);
            bytes.extend_from_slice(&index.to_be_bytes()[6..]);
            Message::binary(bytes)
        } else {
            let words = ["tide", "gäte", "€", "🌊"];
            let mut text = format!("{index}:");
            while text.len() < length {
                text.push_str(random.pick(&words).unwrap());
            }
            Message::text(text)
        }
    };
    (0..count).map(one).collect()
}

fn tight() -> Config {
    Config::builder()
        .message_marks(Watermarks::new(4, 1))
        .byte_marks(Watermarks::new(4096, 512))
        .send_marks(Watermarks::new(2048, 512))
        .build()
        .unwrap()
}

const CONDITIONS: [Conditions; 3] = [Conditions::GOOD, Conditions::POOR, Conditions::BYTE_BY_BYTE];
const BOUND: usize = 400_000;

fn assert_clean(pair: &Pair) {
    for end in [&pair.client, &pair.server] {
        let closed = end.closed.as_ref().unwrap();
        assert!(closed.is_clean(), "{closed:?}");
    }
}

#[test]
fn an_echo_returns_everything() {
    for conditions in CONDITIONS {
        for seed in 0..4 {
            let sent = messages(40, 1500, seed);
            let mut client = Talker::sending(&sent).closing(Close::After(40));
            let mut server = Talker::echo();
            let mut pair = Pair::new(tight(), Config::default(), conditions, seed);
            assert_eq!(
                pair.run(&mut client, &mut server, BOUND),
                Rest::Over,
                "{conditions:?} {seed}"
            );
            assert_eq!(server.received, sent);
            assert_eq!(client.received, sent);
            assert_clean(&pair);
        }
    }
}

#[test]
fn both_directions_full_at_once() {
    for conditions in CONDITIONS {
        for seed in 10..14 {
            let (up, down) = (messages(60, 1200, seed), messages(60, 1200, !seed));
            let mut client = Talker::sending(&up).closing(Close::After(60));
            let mut server = Talker::sending(&down).closing(Close::After(60));
            let mut pair = Pair::new(tight(), tight(), conditions, seed);
            assert_eq!(
                pair.run(&mut client, &mut server, BOUND),
                Rest::Over,
                "{conditions:?} {seed}"
            );
            assert_eq!(server.received, up);
            assert_eq!(client.received, down);
            assert_clean(&pair);
        }
    }
}

/// The reader's gate closes, the bytes stay in the network, and the sender's outbox fills: it is the
/// sender that waits.
#[test]
fn a_slow_reader_slows_its_peer_down() {
    for conditions in [Conditions { capacity: 2048, ..Conditions::GOOD }, Conditions::POOR] {
        let sent = messages(80, 1000, 3);
        let mut client = Talker::sending(&sent).closing(Close::At(Timestamp::from_secs(1000)));
        let mut server = Talker::default().slowly(Duration::from_secs(1));
        let mut pair = Pair::new(tight(), tight(), conditions, 3);
        assert_eq!(pair.run(&mut client, &mut server, BOUND), Rest::Over, "{conditions:?}");
        assert_eq!(server.received, sent);
        assert_clean(&pair);
        let stats = pair.server.connection.stats();
        assert!(stats.times_closed > 10, "{stats:?}");
        assert!(stats.peak_messages <= 4, "{stats:?}");
        assert!(pair.now >= Timestamp::from_secs(79));
    }
}

#[test]
fn close_from_either_end_and_from_both() {
    let soon = Close::At(Timestamp::from_millis(500));
    let later = Close::At(Timestamp::from_secs(2));
    for conditions in CONDITIONS {
        for (client, server) in
            [(soon, Close::Never), (Close::Never, soon), (soon, soon), (soon, later), (later, soon)]
        {
            let sent = messages(3, 20, 1);
            let mut client = Talker::sending(&sent).closing(client);
            let mut server = Talker::sending(&sent).closing(server);
            let mut pair = Pair::new(Config::default(), tight(), conditions, 5);
            assert_eq!(pair.run(&mut client, &mut server, BOUND), Rest::Over, "{conditions:?}");
            assert_clean(&pair);
            assert_eq!((&client.received, &server.received), (&sent, &sent));
            // The close timeout would take ten seconds.
            assert!(pair.now < Timestamp::from_secs(9), "{:?}", pair.now);
        }
    }
}

/// An end that closes while its own gate is closed, and goes on taking events, gets everything that
/// the peer has sent, and a clean end.
#[test]
fn close_while_the_gate_is_closed() {
    for conditions in CONDITIONS {
        let sent = messages(20, 300, 7);
        let mut client = Talker::sending(&sent);
        let mut server =
            Talker::default().slowly(Duration::from_millis(50)).closing(Close::WhenGateCloses);
        let mut pair = Pair::new(tight(), tight(), conditions, 7);
        assert_eq!(pair.run(&mut client, &mut server, BOUND), Rest::Over, "{conditions:?}");
        assert_clean(&pair);
        let count = server.received.len();
        assert_eq!(server.received, sent[..count], "in order, and without a gap");
        assert_eq!(client.to_send.len() + count, sent.len() - usize::from(count < sent.len()));
    }
}

/// The application takes nothing: the peer is not blamed for that, however long it lasts. Our Close
/// still goes out, and when the application takes the queued messages, it gets all of them and the
/// end.
#[test]
fn a_close_held_back_by_the_gate_waits_for_the_application() {
    let sent = messages(50, 300, 7);
    let mut client = Talker::sending(&sent);
    let mut server =
        Talker { takes_nothing: true, ..Talker::default() }.closing(Close::WhenGateCloses);
    let mut pair = Pair::new(tight(), tight(), Conditions::GOOD, 7);
    assert_eq!(pair.run(&mut client, &mut server, BOUND), Rest::Exhausted);
    assert!(pair.now >= Timestamp::from_secs(100), "{:?}", pair.now);
    assert_eq!(pair.server.connection.closed(), None);
    let peer = pair.client.closed.clone().unwrap();
    assert_eq!(peer.code(), CloseCode::NORMAL, "our Close went out all the same: {peer:?}");

    server.takes_nothing = false;
    pair.run(&mut client, &mut server, BOUND);
    assert!(pair.server.is_transport_closed);
    assert!(pair.server.connection.closed().is_some());
    let count = server.received.len();
    assert_eq!(server.received, sent[..count], "in order, and without a gap");
}

/// Pings are answered while both directions are full, and a short keepalive blames nobody.
#[test]
fn pings_are_answered_while_data_flows() {
    let keepalive = |config: Config| {
        let config = config.to_builder().ping_interval(Duration::from_millis(200));
        config.pong_timeout(Duration::from_secs(3)).build().unwrap()
    };
    for conditions in [Conditions::GOOD, Conditions::POOR] {
        for seed in 20..24 {
            let (up, down) = (messages(100, 1500, seed), messages(100, 1500, !seed));
            let mut client = Talker::sending(&up).slowly(Duration::from_millis(80));
            client.ping_every = Some(Duration::from_millis(700));
            let mut server = Talker::sending(&down).slowly(Duration::from_millis(90));
            server.close = Close::After(100);
            let mut pair = Pair::new(keepalive(tight()), keepalive(tight()), conditions, seed);
            assert_eq!(
                pair.run(&mut client, &mut server, BOUND),
                Rest::Over,
                "{conditions:?} {seed}"
            );
            assert_clean(&pair);
            assert_eq!(server.received, up);
            assert_eq!(client.received, down);
            assert!(client.pings > 5, "{}", client.pings);
            assert!(pair.client.connection.latency().is_some());
            assert!(pair.client.connection.stats().pongs_in > 5);
        }
    }
}

/// A session that is cut after every possible number of bytes, in either direction: both connections
/// always end, and exactly the messages that arrived whole are delivered.
#[test]
fn an_abrupt_end_at_every_byte() {
    let sent = messages(6, 40, 9);
    let session = |up: Option<usize>, down: Option<usize>| {
        let mut client = Talker::sending(&sent).closing(Close::After(6));
        client.ping_every = Some(Duration::from_secs(5));
        let mut server = Talker::echo();
        let mut pair = Pair::new(tight(), tight(), Conditions::GOOD, 9);
        let conditions = |cut_after| Conditions { cut_after, ..Conditions::GOOD };
        pair.upstream = Pipe::new(conditions(up), 1);
        pair.downstream = Pipe::new(conditions(down), 2);
        let rest = pair.run(&mut client, &mut server, 5_000);
        assert_eq!(rest, Rest::Over, "cut after {up:?} {down:?}");
        (pair, client, server)
    };
    let (whole, ..) = session(None, None);
    assert_clean(&whole);
    let (up, down) = (whole.upstream.carried(), whole.downstream.carried());
    assert!(up > 100 && down > 100);
    let cuts = (0..up).map(|cut| (Some(cut), None)).chain((0..down).map(|cut| (None, Some(cut))));
    for (up, down) in cuts {
        let (pair, client, server) = session(up, down);
        assert_eq!(server.received, sent[..server.received.len()], "cut after {up:?} {down:?}");
        assert_eq!(client.received, sent[..client.received.len()], "cut after {up:?} {down:?}");
        for end in [&pair.client, &pair.server] {
            let closed = end.closed.as_ref().unwrap();
            let ended = [None, Some(Failure::EndOfStream)].contains(&closed.failure());
            assert!(ended, "cut after {up:?} {down:?}: {closed:?}");
        }
        let closed = if up.is_some() { &pair.server } else { &pair.client };
        assert!(!closed.closed.as_ref().unwrap().is_clean(), "cut after {up:?} {down:?}");
    }
}
