//! The form for completions, under a system that finishes operations when it likes.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;

use proptest::prelude::*;
use tidegate_core::event_loop::{Handler, Next, Operations, Submit};
use tidegate_core::testing::strategies;
use tidegate_core::testing::{Frame, Random, Socket, opcode, sockets};
use tidegate_core::{
    Closed, Config, Connection, Event, Failure, Message, READ_SIZE, Role, Timestamp, Watermarks,
};

use crate::script::{close, frame, server, text};
use crate::world::{Told, echo};

const NOW: Timestamp = Timestamp::ZERO;

/// A connection, and what the system does for it.
struct Peer<H> {
    connection: Connection,
    operations: Operations,
    told: Told<H>,
    socket: Socket,
    receiving: Option<usize>,
    sending: Option<Vec<u8>>,
    over: Option<Closed>,
    random: Random,
}

impl<H: Handler> Peer<H> {
    fn new(connection: Connection, socket: Socket, seed: u64, handler: H) -> Self {
        let (operations, told, random) =
            (Operations::default(), Told::new(handler), Random::new(seed));
        let (receiving, sending, over) = (None, None, None);
        Self { connection, operations, told, socket, receiving, sending, over, random }
    }

    /// Finishes some of what is under way; whether anything was.
    fn finish(&mut self, now: Timestamp) -> bool {
        let mut has_moved = false;
        if let Some(size) = self.receiving
            && self.random.one_in(2)
        {
            let mut buffer = [0; 4096];
            let size = size.min(buffer.len());
            let result = self.socket.read(&mut buffer[..size]);
            if let Ok(count) = result {
                let Self { connection, operations, told, .. } = self;
                operations.received(connection, now, Ok(&buffer[..count]), told);
                (self.receiving, has_moved) = (None, true);
            }
        }
        if let Some(bytes) = &self.sending
            && self.random.one_in(2)
            && let Ok(count) = self.socket.write(bytes)
        {
            self.operations.sent(&mut self.connection, Ok(count));
            (self.sending, has_moved) = (None, true);
        }
        has_moved
    }

    fn next(&mut self, now: Timestamp) {
        let Self { connection, operations, told, .. } = self;
        match operations.next(connection, now, told) {
            Next::Submit(Submit { receive, send, shut_down, .. }) => {
                assert!(receive.is_none() || self.receiving.is_none(), "one at a time");
                assert!(send.is_none() || self.sending.is_none(), "one at a time");
                self.receiving = self.receiving.or(receive);
                self.sending = self.sending.take().or(send.map(Vec::from));
                match shut_down {
                    Some(Shutdown::Write) => self.socket.shut_down(),
                    Some(_) => {
                        self.socket.shut_down();
                        self.cancel(now);
                    }
                    None => {}
                }
            }
            Next::Over { how, error } => {
                assert!(error.is_none() && self.receiving.is_none() && self.sending.is_none());
                assert_eq!(self.told.closed.as_ref(), Some(&how));
                self.socket.shut_down();
                self.over = Some(how);
            }
        }
    }

    fn cancel(&mut self, now: Timestamp) {
        let Self { connection, operations, told, .. } = self;
        if self.receiving.take().is_some() {
            operations.received(connection, now, Ok(&[]), told);
        }
        if self.sending.take().is_some() {
            operations.sent(connection, Err(ErrorKind::BrokenPipe.into()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..Default::default() })]

    /// Both ends by completions: everything comes back in order, and both are told.
    #[test]
    fn every_message_comes_back_in_order(
        config in strategies::config(),
        messages in prop::collection::vec(strategies::message(3000), 0..30),
        conditions in strategies::conditions(),
        seed: u64,
    ) {
        let config = config.to_builder().max_message_size(5000).max_frame_size(None);
        let config = config.ping_interval(None).close_timeout(None).write_timeout(None).build()?;
        let (socket, stream) = sockets(conditions, seed);
        let mut server = Peer::new(Connection::server(NOW, config), stream, seed, echo);
        let (mut rest, mut echoes) = (messages.iter(), Vec::new());
        let patient = Config::builder().ping_interval(None).close_timeout(None).write_timeout(None);
        let client = Connection::client(NOW, patient.build()?, [5; 32]);
        let take = |connection: &mut Connection, event: Event| {
            if let Event::Message(message) = event {
                echoes.push(message);
                if echoes.len() == messages.len() {
                    connection.close(NOW, None).unwrap();
                }
            }
        };
        let mut client = Peer::new(client, socket, !seed, take);
        if messages.is_empty() {
            client.connection.close(NOW, None).unwrap();
        }
        let (mut now, mut still) = (NOW, 0);
        for _ in 0..1_000_000 {
            if client.over.is_some() && server.over.is_some() {
                break;
            }
            // From outside, as fast as it can.
            while client.connection.can_send() && let Some(message) = rest.next() {
                client.connection.send(message.clone()).unwrap();
            }
            client.next(now);
            server.next(now);
            client.socket.set_now(now);
            if client.finish(now) | server.finish(now) {
                still = 0;
                continue;
            }
            still += 1;
            if still > 30 {
                // Nothing is finished: time goes on.
                let arrivals = [client.socket.next_arrival(), server.socket.next_arrival()];
                now = arrivals.into_iter().flatten().filter(|next| *next > now).min().unwrap_or(now);
            }
            prop_assert!(still < 10_000, "stuck");
        }
        prop_assert!(client.over.clone().is_some_and(|closed| closed.is_clean()));
        prop_assert!(server.over.clone().is_some_and(|closed| closed.is_clean()));
        drop(client);
        prop_assert_eq!(echoes, messages);
    }

    /// A stream that ends anywhere, in the form for completions.
    #[test]
    fn what_came_whole_is_handed_over_and_then_the_end(
        session in strategies::session(Role::Client, 10, 2000),
        cut: prop::sample::Index,
        sizes in strategies::sizes(),
    ) {
        let bytes = session.bytes();
        let cut = cut.index(bytes.len() + 1);
        let mut told = Told::new(|_: &mut Connection, _: Event| {});
        let (mut connection, mut operations) = (server(Config::default()), Operations::default());
        let _ = operations.next(&mut connection, NOW, &mut told);
        for piece in strategies::pieces(&bytes[..cut], &sizes) {
            operations.received(&mut connection, NOW, Ok(piece), &mut told);
            let _ = operations.next(&mut connection, NOW, &mut told);
        }
        operations.received(&mut connection, NOW, Ok(&[]), &mut told);
        // A pong may be under way.
        let mut next = operations.next(&mut connection, NOW, &mut told);
        if let Next::Submit(_) = next {
            operations.sent(&mut connection, Err(ErrorKind::BrokenPipe.into()));
            next = operations.next(&mut connection, NOW, &mut told);
        }
        let Next::Over { how, .. } = next else { panic!("{next:?}") };
        prop_assert_eq!(told.closed, Some(how));
        let whole = |(end, sent): &(usize, tidegate_core::testing::Sent)| {
            *end <= cut && matches!(sent, tidegate_core::testing::Sent::Message(_))
        };
        prop_assert_eq!(told.events, session.positions().iter().filter(|sent| whole(sent)).count() + 1);
    }
}

/// Hands things in, one after the other; echoes.
struct Steps {
    connection: Connection,
    operations: Operations,
    told: Vec<Event>,
}

impl Steps {
    fn new(config: Config) -> Self {
        Self { connection: server(config), operations: Operations::default(), told: Vec::new() }
    }

    fn next(&mut self) -> Next {
        let Self { connection, operations, told } = self;
        let mut handler = |connection: &mut Connection, event: Event| {
            told.push(event.clone());
            echo(connection, event);
        };
        operations.next(connection, NOW, &mut handler)
    }

    fn submit(&mut self) -> Submit {
        match self.next() {
            Next::Submit(submit) => submit,
            over @ Next::Over { .. } => panic!("{over:?}"),
        }
    }

    fn received(&mut self, result: io::Result<&[u8]>) {
        let Self { connection, operations, told } = self;
        let mut handler = |connection: &mut Connection, event: Event| {
            told.push(event.clone());
            echo(connection, event);
        };
        operations.received(connection, NOW, result, &mut handler);
    }

    fn sent(&mut self, result: io::Result<usize>) {
        self.operations.sent(&mut self.connection, result);
    }
}

#[test]
fn a_send_in_parts_goes_on_where_it_stopped() {
    let mut steps = Steps::new(Config::default());
    assert!(steps.submit().receive.is_some());
    steps.received(Ok(&text("abc")));
    assert_eq!(steps.submit().send.as_deref(), Some(&b"\x81\x03abc"[..]));
    assert_eq!(steps.connection.queued_output(), 5, "it is not sent before it is");
    steps.received(Ok(&text("d")));
    assert!(steps.submit().send.is_none(), "one at a time");
    steps.sent(Ok(2));
    assert_eq!(steps.submit().send.as_deref(), Some(&b"abc\x81\x01d"[..]));
    steps.sent(Err(ErrorKind::Interrupted.into()));
    assert_eq!(steps.submit().send.as_deref(), Some(&b"abc\x81\x01d"[..]));
    steps.sent(Ok(6));
    assert!(steps.submit().send.is_none());
}

#[test]
fn while_the_gate_is_closed_nothing_is_received() {
    let marks = Watermarks::new(10, 0);
    let config = Config::builder().send_marks(marks).message_marks(Watermarks::new(2, 1));
    let mut steps = Steps::new(config.build().unwrap());
    assert!(steps.submit().receive.is_some());
    let messages: Vec<_> = (0..9).flat_map(|_| text("0123456789")).collect();
    steps.received(Ok(&messages));
    let submit = steps.submit();
    assert!(submit.receive.is_none() && submit.send.is_some());
    assert_eq!(steps.told.len(), 1, "the next one could not be answered");
    for told in 2..=9 {
        steps.sent(Ok(usize::MAX));
        assert!(steps.submit().send.is_some());
        assert_eq!(steps.told.len(), told);
    }
}

#[test]
fn the_end_comes_when_nothing_is_under_way() {
    let mut steps = Steps::new(Config::default());
    assert!(steps.submit().receive.is_some());
    steps.received(Ok(&close(1000, "bye")));
    let submit = steps.submit();
    assert!(submit.shut_down.is_none() && submit.receive.is_some());
    let closes = Frame::parse_all(&submit.send.unwrap()).unwrap();
    assert_eq!(closes[0].opcode, opcode::CLOSE);
    steps.sent(Ok(usize::MAX));
    assert_eq!(steps.submit().shut_down, Some(Shutdown::Write));
    assert_eq!(steps.submit().shut_down, None, "once");
    steps.received(Ok(&[]));
    let Next::Over { how, error: None } = steps.next() else { panic!("it is over") };
    assert_eq!(how.received(), Some(&frame(1000, "bye")));
    assert_eq!(steps.told, [Event::Closed(how)]);
}

#[test]
fn what_is_under_way_when_it_is_cut_is_ended_first() {
    let mut steps = Steps::new(Config::default());
    assert!(steps.submit().receive.is_some());
    steps.connection.send("a").unwrap();
    assert!(steps.submit().send.is_some());
    steps.connection.abort();
    assert_eq!(steps.submit().shut_down, Some(Shutdown::Both));
    steps.sent(Err(ErrorKind::BrokenPipe.into()));
    assert_eq!(steps.submit().shut_down, None, "once");
    steps.received(Ok(&[]));
    let Next::Over { how, error: Some(_) } = steps.next() else { panic!("it is over") };
    assert_eq!(how.failure(), Some(Failure::Aborted));
}

#[test]
fn the_peers_close_is_the_cause_and_a_failed_send_comes_beside_it() {
    let mut steps = Steps::new(Config::default());
    assert!(steps.submit().receive.is_some());
    steps.received(Ok(&text("a")));
    assert!(steps.submit().send.is_some());
    steps.sent(Err(ErrorKind::ConnectionReset.into()));
    let submit = steps.submit();
    assert!(submit.send.is_none(), "nothing is sent after an error");
    assert_eq!(submit.shut_down, Some(Shutdown::Both), "so that the receive ends");
    steps.received(Ok(&[text("b"), close(1009, "too large")].concat()));
    let submit = steps.submit();
    assert!(submit.receive.is_some() && submit.send.is_none());
    steps.received(Err(ErrorKind::ConnectionReset.into()));
    let Next::Over { how, error: Some(_) } = steps.next() else { panic!("it is over") };
    assert_eq!(how.received(), Some(&frame(1009, "too large")));
    let texts = ["a", "b"].map(|text| Event::Message(Message::text(text)));
    assert_eq!(steps.told[..2], texts);
}

#[test]
fn a_peer_that_sends_on_after_our_send_failed_is_left() {
    let mut steps = Steps::new(Config::default());
    assert!(steps.submit().receive.is_some());
    steps.connection.send("a").unwrap();
    assert!(steps.submit().send.is_some());
    steps.sent(Ok(0));
    let load = text(&"x".repeat(READ_SIZE));
    for _ in 0..200 {
        steps.received(Ok(&load));
        if let Next::Over { how, error: Some(error) } = steps.next() {
            assert_eq!(how.failure(), Some(Failure::EndOfStream));
            assert_eq!(error.kind(), ErrorKind::WriteZero);
            return;
        }
    }
    panic!("it does not end");
}

#[test]
fn messages_that_wait_are_handed_over_in_shares() {
    let config = Config::builder().message_marks(Watermarks::UNLIMITED);
    let mut steps = Steps::new(config.byte_marks(Watermarks::UNLIMITED).build().unwrap());
    steps.connection.handle_input(NOW, &[0x8A, 0x80, 0, 0, 0, 0]);
    steps.connection.handle_input(NOW, &[0x82, 0x80, 0, 0, 0, 0].repeat(20_000));
    let submit = steps.submit();
    assert!(steps.told.len() < 17_000 && submit.until == Some(NOW), "at once, after the others");
    while steps.told.len() < 20_000 {
        steps.sent(Ok(usize::MAX));
        assert!(steps.submit().send.is_some());
    }
}
