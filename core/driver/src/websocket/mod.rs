//! A WebSocket on a stream: the calls of an application.

pub(crate) mod chunks;
pub(crate) mod close;
pub(crate) mod closer;
#[cfg(feature = "futures-io")]
pub(crate) mod futures_io;
pub(crate) mod home;
pub(crate) mod reader;
pub(crate) mod send;
pub(crate) mod sink;
pub(crate) mod writer;

pub use self::closer::Closer;
pub use self::reader::{MessageReader, MessageSource};
pub use self::writer::{MessageTarget, MessageWriter};

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::error::Error;
use crate::event_loop::end_wait::EndWait;
use crate::event_loop::endpoint::Link;
use crate::event_loop::{Driven, Goal};
use crate::io::ByteStream;
use crate::io::Clock;
use crate::trace::Seen;
use crate::websocket::chunks::Intake;
use crate::websocket::home::WayHome;
use crate::websocket::sink::Tasks;
use tidegate_core::{Closed, Connection, Event, Message, Stats};

/// A connection on a stream, for one task at a time.
///
/// Nothing happens outside its calls: while the application is in none, nothing is read, and the
/// peer is slowed down by TCP. In any call that waits, and in every call that sends or receives now
/// and then, pings are answered, messages are read ahead up to the gate and output goes out: an
/// application that only sends keeps its connection, and learns that the peer closes.
/// [`drive`](Self::drive) is the call that does only that.
///
/// Dropping it closes the stream without a closing handshake; [`close`](Self::close) comes first.
/// What is not written then is lost, and what has arrived and is not read makes most systems reset
/// the connection, which can take back from the peer what was written last.
/// One that [`serve`](fn@crate::serve) gave to a handler is closed by the server then.
///
/// It is also a `Stream` of `Result<Message, Error>` and a `Sink<Message>`.
#[derive(Debug)]
pub struct WebSocket<S, C> {
    pub(crate) link: Link<S, C>,
    pub(crate) connection: Connection,
    pub(crate) subprotocol: Option<Box<str>>,
    pub(crate) end: End,
    pub(crate) end_wait: EndWait,
    pub(crate) intake: Intake,
    pub(crate) tasks: Tasks,
    pub(crate) pings: u64,
    pub(crate) closer: Option<Closer>,
    pub(crate) home: Option<WayHome<S, C>>,
    pub(crate) seen: Seen,
}

impl<S: ByteStream, C: Clock> WebSocket<S, C> {
    /// Puts a connection on a stream: behind an opening handshake made elsewhere.
    ///
    /// The connection must have been made with times of this clock.
    pub fn from_connection(stream: S, clock: C, connection: Connection) -> Self {
        Self::from_link(Link::new(stream, clock), connection, None)
    }

    /// Notes the subprotocol that was agreed on elsewhere.
    pub fn with_subprotocol(mut self, name: impl Into<Option<String>>) -> Self {
        self.subprotocol = name.into().map(Box::from);
        self
    }

    pub(crate) fn from_link(
        link: Link<S, C>,
        connection: Connection,
        subprotocol: Option<&str>,
    ) -> Self {
        let seen = Seen::new(&connection, subprotocol);
        Self {
            link,
            connection,
            subprotocol: subprotocol.map(Box::from),
            end: End::Ahead,
            end_wait: EndWait::default(),
            intake: Intake::default(),
            tasks: Tasks::default(),
            pings: 0,
            closer: None,
            home: None,
            seen,
        }
    }

    /// Receives the next message; `None` at the end of a conversation that ended as such: the
    /// peer closed with 1000, 1001 or no code, or we closed it and the peer answered.
    ///
    /// Whatever waits to be written goes out before it waits.
    ///
    /// With [`Delivery::Chunks`](tidegate_core::Delivery::Chunks) it puts the message together: up to
    /// `max_message_size` bytes, beside [`memory_bound`](tidegate_core::Config::memory_bound). What is left of a message that was begun in chunks, with
    /// [`read_message`](Self::read_message) for example, is skipped.
    ///
    /// The end is told when our own Close is written, or cannot be. The peer may still have the
    /// stream open then; [`drive`](Self::drive) waits for it. Repeated calls give `None`.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]: the connection ended otherwise. Says who ended it and why: any other close
    /// code of the peer with its reason, a violation, a limit. [`Error::Io`]: the transport failed,
    /// and nothing else is known. Once; all messages that came before are received first.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: the message that would have come next comes with the next call.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Gives a message that is decoded already. Neither reads, nor writes, nor looks at the clock:
    /// for taking what came at once in a batch, between calls that wait.
    pub fn try_recv(&mut self) -> Option<Message> {
        loop {
            let event = self.take_event()?;
            if let Some(message) = self.intake.message(event) {
                return Some(message);
            }
        }
    }

    /// Receives the next event: a message or a chunk, or a ping or pong if the configuration surfaces
    /// them; `None` as [`recv`](Self::recv) has it. Never [`Event::Closed`].
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// As [`recv`](Self::recv).
    pub async fn next_event(&mut self) -> Result<Option<Event>, Error> {
        if let Some(chunk) = self.intake.take_assembled(Intake::Passing) {
            return Ok(Some(Event::Chunk(chunk)));
        }
        poll_fn(|cx| {
            self.poll_until(cx, |socket| match socket.take_event() {
                Some(event) => match socket.intake.event(event) {
                    Some(event) => Goal::Done(Ok(Some(event))),
                    None => Goal::Again,
                },
                None => socket.end(),
            })
        })
        .await
    }

    /// Reads ahead up to the gate, answers pings, writes what waits and keeps the connection alive;
    /// takes no message. Returns when the gate is closed, when only the end is left to be received, or
    /// when the connection is over.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn read_ahead(&mut self) {
        poll_fn(|cx| {
            self.poll_until(cx, |socket| {
                if socket.can_read_on() && socket.link.stream.is_some() {
                    Goal::Wait
                } else {
                    Goal::Done(())
                }
            })
        })
        .await;
    }

    /// Does what [`read_ahead`](Self::read_ahead) does, and behind a closed gate goes on writing
    /// and keeping the connection alive. Returns when the stream is closed: to be cancelled by
    /// something else that the application waits for.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn drive(&mut self) {
        poll_fn(|cx| {
            self.poll_until(cx, |socket| match socket.link.stream {
                Some(_) => Goal::Wait,
                None => Goal::Done(()),
            })
        })
        .await;
    }

    /// The protocol behind it: gauges, settings, how it stands.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The subprotocol that was agreed on, if one was.
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// How the connection ended, once that is decided; messages may still have to be received.
    pub fn closed(&self) -> Option<&Closed> {
        self.connection.closed()
    }

    /// How long the newest answered ping took.
    pub fn latency(&self) -> Option<Duration> {
        self.connection.latency()
    }

    /// Counters so far.
    pub fn stats(&self) -> Stats {
        self.connection.stats()
    }

    /// How many messages are read and not received by the application.
    pub fn queued_messages(&self) -> usize {
        self.connection.queued_messages()
    }

    /// How many bytes of payload are read and not received by the application.
    pub fn queued_bytes(&self) -> usize {
        self.connection.queued_bytes()
    }

    /// How many bytes of output wait.
    pub fn queued_output(&self) -> usize {
        self.connection.queued_output()
    }

    /// The stream; `None` once it is closed.
    pub fn get_ref(&self) -> Option<&S> {
        self.link.stream.as_ref()
    }

    /// The stream, for its settings; `None` once it is closed. Who reads from it or writes to it
    /// breaks the protocol.
    pub fn get_mut(&mut self) -> Option<&mut S> {
        self.link.stream.as_mut()
    }

    /// The stream, without a closing handshake; `None` once it is closed.
    pub fn into_inner(mut self) -> Option<S> {
        self.link.stream.take()
    }

    /// All that it is, leaving something closed behind, which is to be dropped. A server's way home
    /// is not taken out.
    pub(crate) fn take_out(&mut self) -> Self {
        Self {
            link: self.link.take_out(),
            connection: self.take_connection(),
            subprotocol: self.subprotocol.take(),
            end: self.end,
            end_wait: self.end_wait,
            intake: std::mem::take(&mut self.intake),
            tasks: std::mem::take(&mut self.tasks),
            pings: self.pings,
            closer: self.closer.take(),
            home: None,
            seen: self.seen.take_out(),
        }
    }

    /// The connection, leaving a new one behind that is not used.
    pub(crate) fn take_connection(&mut self) -> Connection {
        let config = Arc::clone(self.connection.config());
        let nothing = Connection::server(self.link.clock.now(), config);
        std::mem::replace(&mut self.connection, nothing)
    }

    pub(crate) fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Message>, Error>> {
        // What arrived together is taken together: the stream is asked now and then, so that an
        // application that is long about each message still answers pings, and at once where an
        // answer to one waits to be written.
        if self.connection.queued_messages() > 0
            && !self.link.is_look_due()
            && let Some(message) = self.try_recv()
        {
            if self.connection.wants_control_output() {
                self.link.poll_output(cx, &mut self.connection);
            }
            self.after();
            return Poll::Ready(Ok(Some(message)));
        }
        self.poll_until(cx, |socket| match socket.take_event() {
            Some(event) => match socket.intake.message(event) {
                Some(message) => Goal::Done(Ok(Some(message))),
                None => Goal::Again,
            },
            None => socket.end(),
        })
    }

    /// Whether more may come before the application takes what is there.
    pub(crate) fn can_read_on(&self) -> bool {
        self.connection.is_gate_open() && !self.connection.is_end_queued()
    }

    /// The next event but the last, which is only noted.
    pub(crate) fn take_event(&mut self) -> Option<Event> {
        match self.connection.poll_event() {
            Some(Event::Closed(_)) => {
                self.end = End::Drained;
                None
            }
            event => event,
        }
    }
}

impl<S: ByteStream, C: Clock> Driven for WebSocket<S, C> {
    type Stream = S;
    type Clock = C;
    type Machine = Connection;

    fn parts(&mut self) -> (&mut Link<S, C>, &mut Connection) {
        (&mut self.link, &mut self.connection)
    }

    fn before(&mut self, cx: &mut Context<'_>) {
        self.obey(cx);
    }

    /// An application that sends and does not receive is told of the end all the same.
    fn looked(&mut self) {
        let now = self.link.now();
        let _ = self.end_wait.check(&mut self.connection, now);
    }

    fn after(&mut self) {
        let news = self.seen.look(&self.connection, self.link.fault.as_ref());
        self.seen.tell(news);
        if self.link.stream.is_none() {
            self.home = None;
        }
    }
}

impl<S, C> Drop for WebSocket<S, C> {
    fn drop(&mut self) {
        if let Some(way) = self.home.take()
            && self.link.stream.is_some()
        {
            way.bring(self);
        }
    }
}

/// How far the end has come towards the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// There may be more events.
    Ahead,
    /// All events are taken.
    Drained,
    /// The application was told how it ended.
    Reported,
}
