//! The `WebSocket` type: a connection on a stream, for one task.

mod chunk_assembly;
mod close;
mod closer;
mod end;
#[cfg(feature = "futures-io")]
mod futures_io;
mod half_wakers;
mod queued_end;
mod reader;
mod recv;
mod return_slot;
mod send;
mod sink;
mod writer;

pub(crate) use self::chunk_assembly::ChunkAssembly;
pub(crate) use self::closer::CloseRequest;
pub use self::closer::Closer;
pub(crate) use self::end::{EndProgress, is_cause_known, reason, received_end};
pub(crate) use self::half_wakers::HalfWakers;
pub(crate) use self::queued_end::QueuedEndTimeout;
pub(crate) use self::reader::{ChunkSource, WantedChunk};
pub use self::reader::{MessageReader, MessageSource};
pub(crate) use self::return_slot::{ReturnGuard, ReturnSlot};
pub use self::writer::{MessageTarget, MessageWriter};
pub(crate) use self::writer::{Target, abandoned};

use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use crate::event_loop::{Endpoint, EventLoop};
use crate::io::{ByteStream, Clock};
use crate::trace::ConnectionLog;
use tidegate_core::{Closed, Connection, Stats};

/// A WebSocket connection on a stream, for use by one task at a time.
///
/// It works only inside its calls. While the application is in none of them nothing is read, and TCP
/// slows the peer down. A call that waits also answers pings, reads messages ahead until the gate
/// closes, and writes output. Calls that send or receive without waiting do the same from time to
/// time, so an application that only sends keeps its connection and notices when the peer closes.
/// [`drive`](Self::drive) does only this work.
///
/// Dropping it closes the stream without a closing handshake: call [`close`](Self::close) before.
/// Output that is not written by then is lost. If input is still unread, most operating systems
/// reset the connection, and the peer may lose even what was written last. A connection that
/// [`serve`](fn@crate::serve) gave to a handler is different: when it is dropped, the server closes
/// it in order.
///
/// It is also a `Stream` of `Result<Message, Error>` and a `Sink<Message>`.
#[derive(Debug)]
pub struct WebSocket<S, C> {
    pub(crate) endpoint: Endpoint<S, C>,
    pub(crate) connection: Connection,
    pub(crate) subprotocol: Option<Box<str>>,
    pub(crate) end: EndProgress,
    pub(crate) queued_end_timeout: QueuedEndTimeout,
    pub(crate) assembly: ChunkAssembly,
    pub(crate) half_wakers: HalfWakers,
    pub(crate) pings: u64,
    pub(crate) closer: Option<Closer>,
    /// Of a connection that a server gave to a handler.
    pub(crate) return_guard: Option<ServerGuard<S, C>>,
    pub(crate) log: ConnectionLog,
}

/// What a server gets back of a connection when its handler lets go of it.
pub(crate) enum Returned<S, C> {
    /// The `WebSocket` was dropped.
    Socket(Box<WebSocket<S, C>>),
    /// The driver of a split connection was dropped. The application may still have the senders and
    /// the receiver.
    Driver(Box<<S as HasDriver<C>>::Driver>),
    /// The application was told how the connection ended, and may keep the `WebSocket`. This is the
    /// stream that is left to close.
    Stream(Box<Endpoint<S, C>>),
}

pub(crate) type ServerGuard<S, C> = ReturnGuard<Returned<S, C>, WebSocket<S, C>>;

/// Names the driver of a split connection. The `split` module, which builds on this one, implements
/// it for every `S`; this module does not import from there.
pub(crate) trait HasDriver<C> {
    type Driver;
}

impl<S: ByteStream, C: Clock> WebSocket<S, C> {
    /// Puts a connection on a stream, after an opening handshake that was done elsewhere.
    ///
    /// The connection must have been created with a time of the same clock.
    pub fn from_connection(stream: S, clock: C, connection: Connection) -> Self {
        Self::from_endpoint(Endpoint::new(stream, clock), connection, None)
    }

    /// Sets the subprotocol that was agreed on elsewhere.
    pub fn with_subprotocol(mut self, name: impl Into<Option<String>>) -> Self {
        self.subprotocol = name.into().map(Box::from);
        self
    }

    pub(crate) fn from_endpoint(
        endpoint: Endpoint<S, C>,
        connection: Connection,
        subprotocol: Option<&str>,
    ) -> Self {
        let log = ConnectionLog::new(&connection, subprotocol);
        Self {
            endpoint,
            connection,
            subprotocol: subprotocol.map(Box::from),
            end: EndProgress::EventsLeft,
            queued_end_timeout: QueuedEndTimeout::default(),
            assembly: ChunkAssembly::default(),
            half_wakers: HalfWakers::default(),
            pings: 0,
            closer: None,
            return_guard: None,
            log,
        }
    }

    /// Returns the protocol state: queues, settings, counters.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Returns the subprotocol that was agreed on, if any.
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// Returns how the connection ended, as soon as that is decided. There may still be messages to
    /// receive.
    pub fn closed(&self) -> Option<&Closed> {
        self.connection.closed()
    }

    /// Returns the round-trip time of the newest ping that was answered.
    pub fn latency(&self) -> Option<Duration> {
        self.connection.latency()
    }

    /// Returns the counters of this connection.
    pub fn stats(&self) -> Stats {
        self.connection.stats()
    }

    /// Returns how many messages were read and are not yet received by the application.
    pub fn queued_messages(&self) -> usize {
        self.connection.queued_messages()
    }

    /// Returns how many bytes of payload were read and are not yet received by the application.
    pub fn queued_bytes(&self) -> usize {
        self.connection.queued_bytes()
    }

    /// Returns how many bytes wait to be written.
    pub fn queued_output(&self) -> usize {
        self.connection.queued_output()
    }

    /// Returns the stream; `None` once it is closed.
    pub fn get_ref(&self) -> Option<&S> {
        self.endpoint.stream.as_ref()
    }

    /// Returns the stream, to change its settings; `None` once it is closed. Reading from it or
    /// writing to it breaks the protocol.
    pub fn get_mut(&mut self) -> Option<&mut S> {
        self.endpoint.stream.as_mut()
    }

    /// Returns the stream, without a closing handshake; `None` once it is closed.
    pub fn into_inner(mut self) -> Option<S> {
        // `Drop` finds no stream after this. So the server of a handler gets nothing back, and
        // stops counting the connection.
        self.endpoint.stream.take()
    }

    /// Moves everything out except the guard; what remains is closed, and only to be dropped.
    pub(crate) fn take_out(&mut self) -> Self {
        Self {
            endpoint: self.endpoint.take_out(),
            connection: self.take_connection(),
            subprotocol: self.subprotocol.take(),
            end: self.end,
            queued_end_timeout: self.queued_end_timeout,
            assembly: std::mem::take(&mut self.assembly),
            half_wakers: std::mem::take(&mut self.half_wakers),
            pings: self.pings,
            closer: self.closer.take(),
            return_guard: None,
            log: self.log.take_out(),
        }
    }

    /// Moves the connection out; the new one that remains is never used.
    pub(crate) fn take_connection(&mut self) -> Connection {
        let config = Arc::clone(self.connection.config());
        let nothing = Connection::server(self.endpoint.clock.now(), config);
        std::mem::replace(&mut self.connection, nothing)
    }
}

impl<S: ByteStream, C: Clock> EventLoop for WebSocket<S, C> {
    type Stream = S;
    type Clock = C;
    type Machine = Connection;

    fn parts(&mut self) -> (&mut Endpoint<S, C>, &mut Connection) {
        (&mut self.endpoint, &mut self.connection)
    }

    fn before_polling(&mut self, cx: &mut Context<'_>) {
        self.follow_closer(cx);
    }

    /// An application that only sends must notice the peer's end too.
    fn after_extra_read(&mut self) {
        let now = self.endpoint.now();
        // The time for the next check is not needed: this call returns now, and a later call
        // checks again.
        let _ = self.queued_end_timeout.check(&mut self.connection, now);
    }

    fn after_polling(&mut self) {
        let changes = self.log.changes(&self.connection, self.endpoint.fault.as_ref());
        self.log.write(changes);
        // The server stops counting the connection when the guard is dropped.
        if self.endpoint.stream.is_none() {
            self.return_guard = None;
        }
    }
}

impl<S, C> Drop for WebSocket<S, C> {
    fn drop(&mut self) {
        if let Some(guard) = self.return_guard.take()
            && self.endpoint.stream.is_some()
        {
            guard.give_back_contents(self);
        }
    }
}
