//! Tests that the invariants of a connection hold after any order of calls.
#![allow(clippy::unwrap_used, clippy::std_instead_of_alloc)]

mod streams;

use bytes::{Buf, Bytes};
use core::time::Duration;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use tidegate_core::deflate::DeflateParams;
use tidegate_core::testing::{Frame, opcode};
use tidegate_core::{
    Chunk, CloseCode, CloseFrame, Closed, Connection, Event, Message, MessageKind, Role, Timestamp,
    Transport,
};
use tidegate_tests::inflate::Inflater;

use tidegate_core::testing::strategies::config;

use self::streams::{Mutation, connection, deflate, drain, encode, frame};

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

/// A connection that is called in any order, and what it has done.
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
                // Otherwise the caller would loop forever.
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
                // Also while we wait for the peer's Close, since the peer may ping until then.
                let could = connection.closed().is_none() && length <= 125;
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

    /// Checks the invariants after every call.
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
                // Or both Closes have been exchanged, and only events for the application are left.
                prop_assert!(connection.closed().is_some() || connection.is_closing());
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

    /// After the end of the stream, and with enough time, every connection ends.
    fn finish(mut self, params: Option<DeflateParams>) -> Result<(), TestCaseError> {
        let masks = self.connection.role() == Role::Client;
        self.connection.handle_eof(self.now);
        self.check()?;
        while let Some(event) = self.connection.poll_event() {
            prop_assert!(!self.was_told_the_end, "{event:?} after the end");
            self.was_told_the_end = matches!(event, Event::Closed(_));
            self.check()?;
        }
        prop_assert!(self.was_told_the_end, "the end is told");
        let mut output = core::mem::take(&mut self.output);
        drain(&mut self.connection, usize::MAX, &mut output);
        prop_assert_eq!(self.connection.transport(), Transport::Close);
        // The close limit may still have to start. Then it passes, and so may the write limit, each with
        // a last look that finds nothing.
        self.connection.handle_timeout(self.now);
        for _ in 0..4 {
            if let Some(deadline) = self.connection.poll_timeout() {
                self.connection.handle_timeout(deadline);
            }
        }
        prop_assert_eq!(self.connection.poll_timeout(), None, "nothing is left to wait for");
        prop_assert_eq!(self.connection.transport(), Transport::Close);
        prop_assert_eq!(self.connection.closed(), self.closed.as_ref());

        // The output is a sequence of frames, up to where it was cut.
        let (mut rest, mut is_closed) = (&output[..], false);
        let mut messages = Messages::new(self.connection.role(), params);
        while let Some((frame, length)) = Frame::parse(rest).unwrap() {
            rest = &rest[length..];
            prop_assert_eq!(frame.key.is_some(), masks);
            prop_assert!(frame.opcode >= 8 || !is_closed, "data after a Close");
            prop_assert!(frame.opcode != opcode::CLOSE || !is_closed, "a second Close");
            is_closed |= frame.opcode == opcode::CLOSE;
            messages.read(&frame)?;
        }
        Ok(())
    }
}

/// The compressed messages in the output.
struct Messages {
    inflater: Option<Inflater>,
    compressed: Option<Vec<u8>>,
}

impl Messages {
    fn new(role: Role, params: Option<DeflateParams>) -> Self {
        let inflater = params.map(|params| match role {
            Role::Client => {
                Inflater::new(params.client_max_window_bits, !params.client_no_context_takeover)
            }
            Role::Server => {
                Inflater::new(params.server_max_window_bits, !params.server_no_context_takeover)
            }
        });
        Self { inflater, compressed: None }
    }

    /// Checks that messages marked as compressed can be inflated with the negotiated parameters.
    fn read(&mut self, frame: &Frame) -> Result<(), TestCaseError> {
        let is_first = matches!(frame.opcode, opcode::TEXT | opcode::BINARY);
        prop_assert!(frame.reserved == 0 || (frame.reserved == 4 && is_first), "{frame:?}");
        if frame.reserved == 4 {
            prop_assert!(self.inflater.is_some(), "that was not agreed: {frame:?}");
            self.compressed = Some(Vec::new());
        }
        let Some(compressed) = self.compressed.as_mut().filter(|_| frame.opcode < 8) else {
            return Ok(());
        };
        compressed.extend_from_slice(&frame.payload);
        if frame.fin
            && let (Some(inflater), Some(compressed)) = (&mut self.inflater, self.compressed.take())
        {
            let inflated = inflater.message(&compressed);
            prop_assert!(inflated.is_ok(), "{inflated:?}: {compressed:?}");
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
        params in deflate(),
        frames in vec(frame(), 0..30),
        tidy in prop::bool::weighted(0.8),
        mutations in prop_oneof![2 => Just(vec![]), 1 => vec(any::<Mutation>(), 0..3)],
        calls in vec((call(), 0u64..2000, prop::bool::weighted(0.05)), 0..80),
    ) {
        let role = if is_client { Role::Client } else { Role::Server };
        let mut fuzz = Fuzz {
            connection: connection(role, &config, params),
            now: Timestamp::ZERO,
            input: encode(frames, role, params, tidy, &mutations),
            output: Vec::new(),
            was_told_the_end: false,
            closed: None,
            was_transport_closed: false,
        };
        let mut latest = Timestamp::ZERO;
        for (call, wait, goes_back) in calls {
            latest = latest + Duration::from_millis(wait / 4);
            // A time before the latest one is ignored.
            let is_timeout = matches!(call, Call::Timeout);
            fuzz.now = if goes_back && !is_timeout { Timestamp::ZERO } else { latest };
            fuzz.call(call)?;
        }
        fuzz.now = latest;
        fuzz.finish(params)?;
    }
}
