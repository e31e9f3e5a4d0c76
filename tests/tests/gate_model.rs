//! The core against the model of the gate, over random schedules.
#![allow(clippy::unwrap_used, clippy::std_instead_of_alloc, clippy::wildcard_enum_match_arm)]

use bytes::Buf;
use core::time::Duration;
use proptest::collection::vec;
use proptest::prelude::*;

use tidegate_core::{
    CloseCode, CloseFrame, Config, Connection, Event, Message, PongPolicy, Role, Timestamp,
    Watermarks,
};
use tidegate_tests::frames::{Frame, opcode};
use tidegate_tests::model::{Model, Rules, Sent, Taken};

/// Something the peer sends.
#[derive(Clone, Debug)]
enum Item {
    /// A message of so many bytes in fragments of these lengths, with pings between them.
    Message {
        text: bool,
        length: usize,
        cuts: Vec<usize>,
        ping_between: bool,
    },
    Ping(usize),
    Pong(usize),
}

/// Something that happens.
#[derive(Clone, Debug)]
enum Action {
    Receive(usize),
    Take(usize),
    Send(usize),
    Wait(u64),
    Drain,
    Close,
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    let length = || prop_oneof![3 => 0usize..4, 3 => 0usize..40, 1 => 0usize..400];
    let message = (any::<bool>(), length(), vec(0usize..200, 0..4), any::<bool>()).prop_map(
        |(text, length, cuts, ping_between)| Item::Message { text, length, cuts, ping_between },
    );
    let item = prop_oneof![
        5 => message,
        2 => (0usize..126).prop_map(Item::Ping),
        1 => (0usize..126).prop_map(Item::Pong),
    ];
    vec(item, 0..40)
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        6 => (0usize..200).prop_map(Action::Receive),
        2 => (0usize..2000).prop_map(Action::Receive),
        6 => (1usize..4).prop_map(Action::Take),
        1 => (0usize..50).prop_map(Action::Send),
        1 => (0u64..3000).prop_map(Action::Wait),
        2 => Just(Action::Drain),
    ];
    // A close of our own in a third of all schedules.
    (vec(action, 0..60), prop::option::weighted(0.3, 0usize..60)).prop_map(
        |(mut actions, close)| {
            if let Some(position) = close {
                actions.insert(position.min(actions.len()), Action::Close);
            }
            actions
        },
    )
}

fn rules() -> impl Strategy<Value = Rules> {
    let marks = |most: usize| {
        prop_oneof![Just(1usize), 1..most].prop_flat_map(|high| (Just(high), 0..=high))
    };
    let policy = prop_oneof![
        Just(PongPolicy::OnReceipt),
        Just(PongPolicy::InOrder),
        Just(PongPolicy::Manual)
    ];
    (marks(12), marks(500), any::<bool>(), policy).prop_map(
        |(messages, bytes, surface_control, pong_policy)| Rules {
            messages,
            bytes,
            surface_control,
            pong_policy,
        },
    )
}

/// The peer's bytes, and what they mean, each with the position at which it is complete.
fn encode(items: &[Item], close: bool, role: Role) -> (Vec<u8>, Vec<(usize, Sent)>) {
    let (mut bytes, mut sent) = (Vec::new(), Vec::new());
    let push = |bytes: &mut Vec<u8>, frame: Frame| {
        let frame = if role == Role::Server { frame.masked([1, 2, 3, 4]) } else { frame };
        bytes.extend(frame.encode());
    };
    for (number, item) in items.iter().enumerate() {
        let mark = b'a' + u8::try_from(number % 26).unwrap();
        match item {
            Item::Message { text, length, cuts, ping_between } => {
                let payload = vec![mark; *length];
                let mut opcode = if *text { opcode::TEXT } else { opcode::BINARY };
                let mut rest = &payload[..];
                for cut in cuts {
                    let (piece, later) = rest.split_at((*cut).min(rest.len()));
                    push(&mut bytes, Frame::new(opcode, piece).unfinished());
                    (opcode, rest) = (opcode::CONTINUATION, later);
                    if *ping_between {
                        push(&mut bytes, Frame::new(opcode::PING, [mark, b'-']));
                        sent.push((bytes.len(), Sent::Ping(vec![mark, b'-'])));
                    }
                }
                push(&mut bytes, Frame::new(opcode, rest));
                sent.push((bytes.len(), Sent::Message(payload)));
            }
            Item::Ping(length) => {
                push(&mut bytes, Frame::new(opcode::PING, vec![mark; *length]));
                sent.push((bytes.len(), Sent::Ping(vec![mark; *length])));
            }
            Item::Pong(length) => {
                push(&mut bytes, Frame::new(opcode::PONG, vec![mark; *length]));
                sent.push((bytes.len(), Sent::Pong(vec![mark; *length])));
            }
        }
    }
    if close {
        push(&mut bytes, Frame::close(Some(1000), "bye"));
        sent.push((bytes.len(), Sent::Close));
        push(&mut bytes, Frame::new(opcode::TEXT, "too late"));
        sent.push((bytes.len(), Sent::Message("too late".into())));
    }
    (bytes, sent)
}

struct Both {
    core: Connection,
    model: Model,
    now: Timestamp,
    output: Vec<u8>,
    /// The pongs of the core, and those of the model.
    pongs: (Vec<Vec<u8>>, Vec<Vec<u8>>),
}

impl Both {
    fn new(rules: Rules, role: Role) -> Self {
        let marks = |(high, low)| Watermarks::new(high, low).unwrap();
        let config = Config::builder()
            .message_marks(marks(rules.messages))
            .byte_marks(marks(rules.bytes))
            .surface_control(rules.surface_control)
            .pong_policy(rules.pong_policy)
            .ping_interval(Duration::from_secs(1))
            .pong_timeout(None)
            .close_timeout(None)
            .build()
            .unwrap();
        let now = Timestamp::ZERO;
        let core = match role {
            Role::Client => Connection::client(now, config, [3; 32]),
            Role::Server => Connection::server(now, config),
        };
        let (output, pongs) = (Vec::new(), Default::default());
        Self { core, model: Model::new(rules), now, output, pongs }
    }

    fn take(&mut self) -> bool {
        let taken = match self.core.poll_event() {
            None => None,
            Some(Event::Message(Message::Text(text))) => {
                Some(Taken::Message(text.as_bytes().to_vec()))
            }
            Some(Event::Message(Message::Binary(bytes))) => Some(Taken::Message(bytes.to_vec())),
            Some(Event::Ping(payload)) => Some(Taken::Ping(payload.to_vec())),
            Some(Event::Pong(payload)) => Some(Taken::Pong(payload.to_vec())),
            Some(Event::Closed(_)) => Some(Taken::Closed),
            Some(other) => panic!("{other:?}"),
        };
        assert_eq!(taken, self.model.take());
        taken.is_some()
    }

    fn drain(&mut self) {
        let output = self.core.output();
        while output.has_remaining() {
            let length = output.chunk().len();
            self.output.extend_from_slice(output.chunk());
            output.advance(length);
        }
        for frame in Frame::parse_all(&core::mem::take(&mut self.output)).unwrap() {
            if frame.opcode == opcode::PONG {
                self.pongs.0.push(frame.payload);
            }
        }
        self.pongs.1.append(&mut self.model.pongs);
        assert_eq!(self.pongs.0, self.pongs.1);
    }

    fn compare(&self) {
        assert_eq!(self.core.queued_messages(), self.model.queued_messages(), "messages");
        assert_eq!(self.core.queued_bytes(), self.model.queued_bytes(), "bytes");
        assert_eq!(self.core.wants_input(), self.model.wants_input(), "wants_input");
        assert_eq!(self.core.stats().times_closed, self.model.times_closed, "times closed");
    }

    fn act(&mut self, action: &Action) {
        match action {
            Action::Receive(_) => unreachable!("done by the caller"),
            Action::Take(count) => {
                for _ in 0..*count {
                    self.take();
                    self.compare();
                }
            }
            Action::Send(length) => {
                let could = self.core.can_send();
                assert_eq!(self.core.send(vec![b's'; *length]).is_ok(), could);
            }
            Action::Wait(millis) => {
                self.now = self.now + Duration::from_millis(*millis);
                self.core.handle_timeout(self.now);
            }
            Action::Drain => self.drain(),
            Action::Close => {
                let close = CloseFrame::new(CloseCode::NORMAL, "");
                let was_closing = self.core.is_closing();
                assert_eq!(self.core.close(self.now, close).is_err(), was_closing);
                self.model.close();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_core_does_what_the_model_does(
        items in items(),
        close: bool,
        actions in actions(),
        rules in rules(),
        is_client: bool,
        respects: bool,
    ) {
        let role = if is_client { Role::Client } else { Role::Server };
        let (bytes, sent) = encode(&items, close, role);
        let mut both = Both::new(rules, role);
        let (mut received, mut sent) = (0, sent.into_iter().peekable());
        let mut receive = |both: &mut Both, count: usize| {
            let to = bytes.len().min(received + count);
            both.core.handle_input(both.now, &bytes[received..to]);
            received = to;
            while let Some((_, sent)) = sent.next_if(|(position, _)| *position <= received) {
                both.model.receive(sent);
            }
            both.compare();
            received == bytes.len()
        };
        for action in &actions {
            match action {
                Action::Receive(_) if respects && !both.core.wants_input() => {}
                Action::Receive(count) => drop(receive(&mut both, *count)),
                other => both.act(other),
            }
            both.compare();
        }
        // The rest, and the end.
        while !receive(&mut both, 333) {
            both.drain();
            while respects && !both.core.wants_input() {
                prop_assert!(both.take(), "a closed gate has something to take");
                both.compare();
            }
        }
        both.core.handle_eof(both.now);
        both.model.end();
        both.compare();
        while both.take() {
            both.compare();
        }
        prop_assert_eq!(both.core.poll_event(), None, "and that was all");
    }
}
