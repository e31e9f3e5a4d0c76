//! A poller for the virtual network, which calls an end only when what it waits for has come.

use tidegate_core::event_loop::{Handler, Turn, turn_with};
use tidegate_core::testing::Socket;
use tidegate_core::{Closed, Connection, Event, READ_SIZE, Timestamp};

/// Notes what the handler is told, and holds it to the rules.
#[derive(Debug)]
pub(crate) struct Told<H> {
    pub(crate) handler: H,
    pub(crate) events: usize,
    pub(crate) closed: Option<Closed>,
}

impl<H: Handler> Told<H> {
    pub(crate) fn new(handler: H) -> Self {
        Self { handler, events: 0, closed: None }
    }
}

impl<H: Handler> Handler for Told<H> {
    fn event(&mut self, connection: &mut Connection, event: Event) {
        assert!(
            self.closed.is_none(),
            "nothing comes after the end, and that comes once: {event:?}"
        );
        self.events += 1;
        if let Event::Message(_) | Event::Chunk(_) = event {
            assert!(connection.can_send_chunk() || connection.is_closing(), "it can be answered");
            assert!(self.handler.is_ready(), "it takes messages");
        }
        if let Event::Closed(closed) = &event {
            self.closed = Some(closed.clone());
        }
        self.handler.event(connection, event);
    }

    fn is_ready(&self) -> bool {
        self.handler.is_ready()
    }
}

/// A connection on a socket of the virtual network.
#[derive(Debug)]
pub(crate) struct Peer<H> {
    pub(crate) connection: Connection,
    pub(crate) stream: Option<Socket>,
    pub(crate) told: Told<H>,
    /// What the last turn asked for. `None`: to be called at once.
    wait: Option<tidegate_core::event_loop::Wait>,
    buffer: Vec<u8>,
    pub(crate) turns: usize,
}

impl<H: Handler> Peer<H> {
    pub(crate) fn new(connection: Connection, stream: Socket, handler: H) -> Self {
        let (told, buffer) = (Told::new(handler), vec![0; READ_SIZE]);
        Self { connection, stream: Some(stream), told, wait: None, buffer, turns: 0 }
    }

    /// Something was done with the connection from outside.
    pub(crate) fn wake(&mut self) {
        self.wait = None;
    }

    pub(crate) fn is_over(&self) -> bool {
        self.stream.is_none()
    }

    /// Calls the loop if what it waits for has come; whether it was called.
    pub(crate) fn poll(&mut self, now: Timestamp) -> bool {
        let Some(stream) = &mut self.stream else { return false };
        if let Some(wait) = self.wait {
            let arrived = stream.next_arrival().is_some_and(|arrival| arrival <= now);
            let is_due = wait.until.is_some_and(|until| until <= now);
            if !(wait.readable && arrived || wait.writable && stream.has_room() || is_due) {
                return false;
            }
        }
        self.turns += 1;
        let Self { connection, told, buffer, .. } = self;
        match turn_with(connection, stream, buffer, now, told) {
            Turn::Again => self.wait = None,
            Turn::Over { how, error } => {
                assert!(error.is_none(), "this network never fails: {error:?}");
                assert_eq!(self.told.closed.as_ref(), Some(&how), "the application was told");
                self.stream = None;
            }
            Turn::Wait(wait) => {
                self.wait = Some(wait);
                self.check_wait(now);
            }
        }
        true
    }

    /// A wait must be safe with a poller that tells only of changes, and complete.
    fn check_wait(&mut self, now: Timestamp) {
        let Self { connection, stream: Some(stream), wait: Some(wait), .. } = self else { return };
        if wait.readable {
            let arrival = stream.next_arrival();
            assert!(arrival.is_none_or(|arrival| arrival > now), "it reads until it would block");
        }
        assert!(!wait.writable || !stream.has_room(), "it writes until it would block");
        assert!(wait.writable || !connection.wants_output(), "output waits for the stream");
        assert!(wait.readable || !connection.wants_input(), "wishes are told");
        assert_eq!(wait.until, connection.poll_timeout());
        // There is nothing to do: another call comes to the same.
        let (events, stats) = (self.told.events, connection.stats());
        match turn_with(connection, stream, &mut self.buffer, now, &mut self.told) {
            Turn::Wait(again) => assert_eq!(again, *wait),
            other => panic!("{other:?} where it waited"),
        }
        assert_eq!(connection.stats(), stats);
        assert_eq!(self.told.events, events);
    }

    /// When something that it waits for may come.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        let (stream, wait) = (self.stream.as_ref()?, self.wait?);
        let arrival = stream.next_arrival().filter(|_| wait.readable);
        [arrival, wait.until].into_iter().flatten().min()
    }
}

/// Answers every message by itself. No answer is refused for want of room.
pub(crate) fn echo(connection: &mut Connection, event: Event) {
    let refused = match event {
        Event::Message(message) => connection.send(message).err().map(|error| error.to_string()),
        Event::Chunk(chunk) => connection.send_chunk(chunk).err().map(|error| error.to_string()),
        _ => None,
    };
    assert!(refused.is_none() || connection.is_closing(), "{refused:?}");
}
