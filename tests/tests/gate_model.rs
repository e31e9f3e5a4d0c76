//! Compares the core with the model of the gate, over random schedules.
#![allow(clippy::unwrap_used, clippy::std_instead_of_alloc, clippy::wildcard_enum_match_arm)]

use bytes::Buf;
use core::time::Duration;
use proptest::collection::vec;
use proptest::prelude::*;

use tidegate_core::testing::{
    Frame, Model, Rules, Sent, Taken, opcode,
    strategies::{self, Session},
};
use tidegate_core::{
    CloseCode, CloseFrame, Config, Connection, Message, PongPolicy, Role, Timestamp,
};

/// A step of a schedule.
#[derive(Clone, Debug)]
enum Action {
    Receive(usize),
    Take(usize),
    Send(usize),
    Wait(u64),
    Drain,
    Close,
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
    // We close in a third of all schedules.
    (vec(action, 0..60), prop::option::weighted(0.3, 0usize..60)).prop_map(
        |(mut actions, close)| {
            if let Some(position) = close {
                actions.insert(position.min(actions.len()), Action::Close);
            }
            actions
        },
    )
}

fn config() -> impl Strategy<Value = Config> {
    let policy = prop_oneof![
        Just(PongPolicy::OnReceipt),
        Just(PongPolicy::InOrder),
        Just(PongPolicy::Manual)
    ];
    (strategies::marks(1..12), strategies::marks(1..500), any::<bool>(), policy).prop_map(
        |(messages, bytes, surface_control, pong_policy)| {
            Config::builder()
                .message_marks(messages)
                .byte_marks(bytes)
                .surface_control(surface_control)
                .pong_policy(pong_policy)
                .ping_interval(Duration::from_secs(1))
                .pong_timeout(None)
                .close_timeout(None)
                .build()
                .unwrap()
        },
    )
}

/// A Close from the peer, and a message after it that must be ignored.
fn close(sender: Role) -> Session {
    let key = sender.masks().then_some([1, 2, 3, 4]);
    let close = Frame { key, ..Frame::close(Some(1000), "bye") };
    let late = Frame { key, ..Frame::new(opcode::TEXT, "too late") };
    let meaning = vec![(0, Sent::Close), (1, Sent::Message(Message::text("too late")))];
    Session { frames: vec![close, late], meaning }
}

struct Both {
    core: Connection,
    model: Model,
    now: Timestamp,
    output: Vec<u8>,
    /// The core's pongs, and the model's.
    pongs: (Vec<Vec<u8>>, Vec<Vec<u8>>),
}

impl Both {
    fn new(config: Config, role: Role) -> Self {
        let now = Timestamp::ZERO;
        let model = Model::new(Rules::from(&config));
        let core = match role {
            Role::Client => Connection::client(now, config, [3; 32]),
            Role::Server => Connection::server(now, config),
        };
        let (output, pongs) = (Vec::new(), Default::default());
        Self { core, model, now, output, pongs }
    }

    fn take(&mut self) -> bool {
        let event = self.core.poll_event();
        let taken = event.map(|event| Taken::from_event(event).expect("messages come whole"));
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

fn sessions() -> impl Strategy<Value = (Role, Session)> {
    strategies::role().prop_flat_map(|role| {
        (strategies::session(role.peer(), 40, 400), any::<bool>()).prop_map(
            move |(mut session, closes)| {
                if closes {
                    session.append(close(role.peer()));
                }
                (role, session)
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..Default::default() })]

    #[test]
    fn the_core_agrees_with_the_model(
        (role, session) in sessions(),
        actions in actions(),
        config in config(),
        respects: bool,
    ) {
        let (bytes, sent) = (session.bytes(), session.positions());
        let mut both = Both::new(config, role);
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
        // The remaining events, and the end.
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
