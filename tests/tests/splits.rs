//! The same bytes have the same effect in whatever pieces they come, and no order of calls breaks
//! what always holds.
#![allow(clippy::unwrap_used, clippy::std_instead_of_alloc)]

use bytes::{Buf, Bytes};
use core::time::Duration;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use tidegate_core::{
    Chunk, CloseCode, CloseFrame, Closed, Config, Connection, Event, Message, MessageKind,
    PongPolicy, Role, Stats, Timestamp, Transport, Watermarks,
};
use tidegate_tests::frames::{Frame, opcode};

fn config() -> impl Strategy<Value = Config> {
    let marks = |most: usize| (1..most).prop_flat_map(|high| (Just(high), 0..=high));
    let policy = prop_oneof![
        Just(PongPolicy::OnReceipt),
        Just(PongPolicy::InOrder),
        Just(PongPolicy::Manual)
    ];
    let frame_limit = prop::option::of(1usize..200);
    let switches = (any::<bool>(), any::<bool>());
    let time = || prop::option::of((1u64..5000).prop_map(Duration::from_millis));
    (
        (marks(8), marks(300), marks(1000)),
        (1usize..400, frame_limit, switches, policy),
        (time(), time(), time(), time()),
    )
        .prop_map(
            |((messages, bytes, send), (size, frame, (utf8, surface), policy), times)| {
                let marks = |(high, low)| Watermarks::new(high, low).unwrap();
                Config::builder()
                    .message_marks(marks(messages))
                    .byte_marks(marks(bytes))
                    .send_marks(marks(send))
                    .max_message_size(size)
                    .max_frame_size(frame)
                    .validate_utf8(utf8)
                    .surface_control(surface)
                    .pong_policy(policy)
                    .ping_interval(times.0)
                    .pong_timeout(times.1)
                    .close_timeout(times.2)
                    .write_timeout(times.3)
                    .build()
                    .unwrap()
            },
        )
}

fn frame() -> impl Strategy<Value = Frame> {
    let opcode = prop_oneof![
        4 => Just(opcode::TEXT),
        4 => Just(opcode::BINARY),
        4 => Just(opcode::CONTINUATION),
        3 => Just(opcode::PING),
        1 => Just(opcode::PONG),
    ];
    let payload = prop_oneof![
        3 => vec(any::<u8>(), 0..4),
        3 => ".{0,20}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 120..300),
    ];
    let close = (prop::option::of(prop_oneof![Just(1000u16), 990u16..5010]), "[a-zß]{0,10}");
    prop_oneof![
        20 => (opcode, any::<bool>(), payload).prop_map(|(opcode, fin, mut payload)| {
            let control = opcode >= 8;
            if control {
                payload.truncate(125);
            }
            let frame = Frame::new(opcode, payload);
            if fin || control { frame } else { frame.unfinished() }
        }),
        1 => close.prop_map(|(code, reason)| Frame::close(code, &reason)),
    ]
}

/// A change to the bytes: at a position, what.
type Mutation = (usize, u8, u8);

/// The bytes of these frames for this role, mostly in a legal order, and perhaps changed.
fn encode(frames: &[Frame], role: Role, tidy: bool, mutations: &[Mutation]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut in_message = false;
    for frame in frames {
        let mut frame = frame.clone();
        if tidy && frame.opcode < 8 {
            frame.opcode = match (in_message, frame.opcode) {
                (true, _) => opcode::CONTINUATION,
                (false, opcode::CONTINUATION) => opcode::BINARY,
                (false, opcode) => opcode,
            };
            in_message = !frame.fin;
        }
        let frame = if role == Role::Server { frame.masked([9, 0, 200, 77]) } else { frame };
        bytes.extend(frame.encode());
    }
    for (position, kind, byte) in mutations {
        let position = position % (bytes.len() + 1);
        match kind % 4 {
            0 => bytes.insert(position, *byte),
            1 => bytes.truncate(position.max(bytes.len() / 2)),
            _ if position == bytes.len() => {}
            2 => bytes[position] ^= 1 << (byte % 8),
            _ => drop(bytes.remove(position)),
        }
    }
    bytes
}

fn connection(role: Role, config: &Config) -> Connection {
    match role {
        Role::Client => Connection::client(Timestamp::ZERO, config.clone(), [4; 32]),
        Role::Server => Connection::server(Timestamp::ZERO, config.clone()),
    }
}

fn drain(connection: &mut Connection, most: usize, into: &mut Vec<u8>) {
    let output = connection.output();
    let mut left = most;
    while output.has_remaining() && left > 0 {
        let count = output.chunk().len().min(left);
        into.extend_from_slice(&output.chunk()[..count]);
        output.advance(count);
        left -= count;
    }
}

/// All that can be seen of one replay.
#[derive(Debug, PartialEq)]
struct Seen {
    events: Vec<Event>,
    output: Vec<u8>,
    closed: Option<Closed>,
    transport: Transport,
    stats: Stats,
    wants_input: bool,
    timeout: Option<Timestamp>,
}

/// Between the segments of input the application takes so many events, and drains or not.
type Segment = (usize, usize, bool);

fn replay(
    role: Role,
    config: &Config,
    bytes: &[u8],
    segments: &[Segment],
    sizes: &[usize],
) -> Seen {
    let mut connection = connection(role, config);
    let (mut events, mut output) = (Vec::new(), Vec::new());
    let mut sizes = sizes.iter().cycle();
    let mut rest = bytes;
    let last = (usize::MAX, usize::MAX, true);
    for (index, &(length, takes, drains)) in segments.iter().chain([&last]).enumerate() {
        let now = Timestamp::from_millis(10 * index as u64);
        let (mut segment, later) = rest.split_at(length.min(rest.len()));
        rest = later;
        while !segment.is_empty() {
            let (piece, more) = segment.split_at((*sizes.next().unwrap()).min(segment.len()));
            segment = more;
            connection.handle_input(now, piece);
        }
        if index == segments.len() {
            connection.handle_eof(now);
        }
        for _ in 0..takes {
            match connection.poll_event() {
                Some(event) => events.push(event),
                None => break,
            }
        }
        if drains {
            drain(&mut connection, usize::MAX, &mut output);
        }
        connection.handle_timeout(now);
    }
    Seen {
        events,
        output,
        closed: connection.closed().cloned(),
        transport: connection.transport(),
        stats: connection.stats(),
        wants_input: connection.wants_input(),
        timeout: connection.poll_timeout(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_split_has_the_same_effect(
        config in config(),
        is_client: bool,
        frames in vec(frame(), 0..30),
        tidy in prop::bool::weighted(0.8),
        mutations in prop_oneof![2 => Just(vec![]), 1 => vec(any::<Mutation>(), 0..3)],
        segments in vec((0usize..150, 0usize..4, any::<bool>()), 0..12),
        sizes in vec(1usize..60, 1..10),
    ) {
        let role = if is_client { Role::Client } else { Role::Server };
        let bytes = encode(&frames, role, tidy, &mutations);
        let whole = replay(role, &config, &bytes, &segments, &[usize::MAX]);
        prop_assert_eq!(&whole, &replay(role, &config, &bytes, &segments, &[1]));
        prop_assert_eq!(&whole, &replay(role, &config, &bytes, &segments, &sizes));
        let ends: Vec<_> =
            whole.events.iter().filter(|event| matches!(event, Event::Closed(_))).collect();
        prop_assert_eq!(ends.len(), 1, "the end is told once");
        prop_assert!(matches!(whole.events.last(), Some(Event::Closed(_))), "and last");
    }
}

/// A call.
#[derive(Clone, Debug)]
enum Call {
    Input(usize),
    Noise(Vec<u8>),
    Eof,
    Timeout,
    Take(usize),
    Send(bool, usize),
    SendChunk(bool, Vec<u8>, bool),
    Ping(usize),
    Pong(usize),
    Close(Option<u16>, usize),
    Abort,
    Write(usize),
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        12 => (0usize..300).prop_map(Call::Input),
        1 => vec(any::<u8>(), 0..10).prop_map(Call::Noise),
        1 => Just(Call::Eof),
        5 => Just(Call::Timeout),
        8 => (1usize..5).prop_map(Call::Take),
        4 => (any::<bool>(), 0usize..600).prop_map(|(text, length)| Call::Send(text, length)),
        4 => (any::<bool>(), vec(any::<u8>(), 0..5), any::<bool>())
            .prop_map(|(text, bytes, last)| Call::SendChunk(text, bytes, last)),
        2 => (0usize..140).prop_map(Call::Ping),
        2 => (0usize..140).prop_map(Call::Pong),
        1 => (prop::option::of(990u16..5010), 0usize..140)
            .prop_map(|(code, length)| Call::Close(code, length)),
        1 => Just(Call::Abort),
        8 => (0usize..400).prop_map(Call::Write),
    ]
}

/// A connection that is called in any order, and what was seen of it.
struct Fuzz {
    connection: Connection,
    now: Timestamp,
    input: Vec<u8>,
    output: Vec<u8>,
    was_told_the_end: bool,
    closed: Option<Closed>,
    was_transport_closed: bool,
}

impl Fuzz {
    fn call(&mut self, call: Call) -> Result<(), TestCaseError> {
        let (connection, now) = (&mut self.connection, self.now);
        match call {
            Call::Input(length) => {
                let length = length.min(self.input.len());
                let piece: Vec<u8> = self.input.drain(..length).collect();
                connection.handle_input(now, &piece);
            }
            Call::Noise(bytes) => connection.handle_input(now, &bytes),
            Call::Eof => connection.handle_eof(now),
            Call::Timeout => {
                connection.handle_timeout(now);
                // Or the caller would go round in circles.
                let next = connection.poll_timeout();
                prop_assert!(next.is_none_or(|next| next > now), "{next:?} is over at {now:?}");
            }
            Call::Take(count) => {
                for _ in 0..count {
                    let event = connection.poll_event();
                    prop_assert!(event.is_none() || !self.was_told_the_end, "{event:?} at the end");
                    self.was_told_the_end |= matches!(event, Some(Event::Closed(_)));
                }
            }
            Call::Send(text, length) => {
                let message = if text {
                    Message::text("x".repeat(length))
                } else {
                    Message::binary(vec![b'x'; length])
                };
                let could = connection.can_send();
                let sent = connection.send(message.clone());
                prop_assert_eq!(could, sent.is_ok());
                if let Err(error) = sent {
                    prop_assert_eq!(error.into_message(), message, "it comes back");
                }
            }
            Call::SendChunk(text, bytes, last) => {
                let kind = if text { MessageKind::Text } else { MessageKind::Binary };
                let chunk = Chunk { kind, payload: Bytes::from(bytes), last };
                if let Err(error) = connection.send_chunk(chunk.clone()) {
                    prop_assert_eq!(error.into_chunk(), chunk, "it comes back");
                }
            }
            Call::Ping(length) => {
                let sent = connection.ping(now, vec![b'i'; length]);
                prop_assert!(sent.is_err() || length <= 125);
            }
            Call::Pong(length) => {
                let could = !connection.is_closing() && length <= 125;
                prop_assert_eq!(connection.pong(vec![b'o'; length]).is_ok(), could);
            }
            Call::Close(code, length) => {
                let frame =
                    code.map(|code| CloseFrame::new(CloseCode::from(code), "r".repeat(length)));
                let legal = code.is_none_or(|code| CloseCode::from(code).is_sendable());
                let fits = code.is_none() || length <= 123;
                let could = !connection.is_closing() && legal && fits;
                prop_assert_eq!(connection.close(now, frame).is_ok(), could);
            }
            Call::Abort => connection.abort(),
            Call::Write(most) => drain(connection, most, &mut self.output),
        }
        self.check()
    }

    /// What holds after every call.
    fn check(&mut self) -> Result<(), TestCaseError> {
        let connection = &mut self.connection;
        let config = connection.config().clone();
        let (messages, bytes) = (connection.queued_messages(), connection.queued_bytes());
        prop_assert!(messages <= config.message_marks().high());
        let longest = config.max_message_size().max(125);
        prop_assert!(bytes < config.byte_marks().high() + longest);
        prop_assert!(!connection.wants_input() || connection.is_gate_open());
        prop_assert!(connection.is_gate_open() || messages > 0, "a closed gate can be opened");
        let full = messages >= config.message_marks().high() || bytes >= config.byte_marks().high();
        let low = messages <= config.message_marks().low() && bytes <= config.byte_marks().low();
        prop_assert!(!full || low || !connection.is_gate_open());

        let wants_output = connection.wants_output();
        prop_assert_eq!(connection.output().has_remaining(), wants_output);
        match connection.transport() {
            Transport::KeepOpen => prop_assert!(!self.was_transport_closed, "closed is closed"),
            Transport::ShutdownWrite => {
                prop_assert!(!wants_output, "all is written");
                prop_assert!(!self.was_transport_closed, "closed is closed");
            }
            Transport::Close => {
                self.was_transport_closed = true;
                prop_assert!(!connection.wants_input());
                prop_assert!(connection.closed().is_some());
            }
        }
        prop_assert!(connection.closed().is_none() || connection.is_closing());
        prop_assert!(!connection.can_send() || !connection.is_closing());
        prop_assert!(!self.was_told_the_end || connection.queued_messages() == 0);
        if self.closed.is_some() {
            prop_assert_eq!(self.closed.as_ref(), connection.closed(), "decided once");
        }
        self.closed = connection.closed().cloned();
        Ok(())
    }

    /// After the end of the stream and with time enough, everything comes to its end.
    fn finish(mut self) -> Result<(), TestCaseError> {
        let masks = self.connection.role() == Role::Client;
        self.connection.handle_eof(self.now);
        self.check()?;
        while let Some(event) = self.connection.poll_event() {
            prop_assert!(!self.was_told_the_end, "{event:?} behind the end");
            self.was_told_the_end = matches!(event, Event::Closed(_));
            self.check()?;
        }
        prop_assert!(self.was_told_the_end, "the end is told");
        let mut output = core::mem::take(&mut self.output);
        drain(&mut self.connection, usize::MAX, &mut output);
        prop_assert_eq!(self.connection.transport(), Transport::Close);
        // The limit on closing may have to begin yet, and then runs out and does nothing.
        self.connection.handle_timeout(self.now);
        if let Some(deadline) = self.connection.poll_timeout() {
            self.connection.handle_timeout(deadline);
        }
        prop_assert_eq!(self.connection.poll_timeout(), None, "nothing is left to wait for");
        prop_assert_eq!(self.connection.transport(), Transport::Close);
        prop_assert_eq!(self.connection.closed(), self.closed.as_ref());

        // What went out is frames, up to where it was cut.
        let (mut rest, mut is_closed) = (&output[..], false);
        while let Some((frame, length)) = Frame::parse(rest).unwrap() {
            rest = &rest[length..];
            prop_assert_eq!(frame.key.is_some(), masks);
            prop_assert!(frame.opcode >= 8 || !is_closed, "data behind a Close");
            prop_assert!(frame.opcode != opcode::CLOSE || !is_closed, "a second Close");
            is_closed |= frame.opcode == opcode::CLOSE;
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_order_of_calls_leaves_it_consistent(
        config in config(),
        is_client: bool,
        frames in vec(frame(), 0..30),
        tidy in prop::bool::weighted(0.8),
        mutations in prop_oneof![2 => Just(vec![]), 1 => vec(any::<Mutation>(), 0..3)],
        calls in vec((call(), 0u64..2000, prop::bool::weighted(0.05)), 0..80),
    ) {
        let role = if is_client { Role::Client } else { Role::Server };
        let mut fuzz = Fuzz {
            connection: connection(role, &config),
            now: Timestamp::ZERO,
            input: encode(&frames, role, tidy, &mutations),
            output: Vec::new(),
            was_told_the_end: false,
            closed: None,
            was_transport_closed: false,
        };
        let mut latest = Timestamp::ZERO;
        for (call, wait, goes_back) in calls {
            latest = latest + Duration::from_millis(wait / 4);
            // A clock that goes back is not believed.
            let is_timeout = matches!(call, Call::Timeout);
            fuzz.now = if goes_back && !is_timeout { Timestamp::ZERO } else { latest };
            fuzz.call(call)?;
        }
        fuzz.now = latest;
        fuzz.finish()?;
    }
}
