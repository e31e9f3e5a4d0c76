//! [`Connection`]: an open WebSocket of either role, from the end of the opening handshake on.

mod after_handshake;
mod closing;
mod deadlines;
pub(crate) mod event;
mod gauge;
mod getters;
mod keepalive;
mod memory_bound;
mod phase;
pub(crate) mod receive;
pub(crate) mod send;
pub(crate) mod stats;
mod timers;
mod transport;

pub use self::transport::Transport;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use chacha20::ChaCha12Rng;
use chacha20::rand_core::SeedableRng;

use crate::close::CloseFrame;
use crate::config::Config;
use crate::connection::event::{Closed, Event};
use crate::connection::keepalive::Keepalive;
use crate::connection::phase::Phase;
use crate::connection::receive::{DataFrames, FastPath, Inbox, PendingInput};
use crate::connection::send::{Outbox, OutgoingChunks, Output};
use crate::connection::stats::ConnectionCounters;
use crate::connection::timers::{Timer, TimerTable};
use crate::deflate::session::Compression;
use crate::frame::{Decoder, HeaderRules, OpCode};
use crate::role::Role;
use crate::time::Timestamp;

/// A WebSocket connection after its opening handshake. It does no I/O: the caller passes in the bytes
/// that were read, the time and the application's requests, and gets back events, bytes to write and
/// a deadline.
///
/// The names of the methods follow a pattern:
///
/// - `handle_*` takes what comes from outside: input, the end of the stream, the time.
/// - Plain verbs ([`send`](Self::send), [`ping`](Self::ping), [`close`](Self::close)) are what the
///   application asks for.
/// - `poll_*` returns something, or `None`. After `None`, ask again when another method was called.
/// - All other methods only read the state.
///
/// The methods may be called in any order. The state is consistent after each call, and a call that
/// comes late only delays things.
///
/// ```
/// use bytes::Buf;
/// use tidegate_core::{Config, Connection, Event, Message, Timestamp};
///
/// let now = Timestamp::ZERO;
/// let mut server = Connection::server(now, Config::default());
///
/// server.handle_input(now, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"); // from the socket
/// assert_eq!(server.poll_event(), Some(Event::Message(Message::text("Hello"))));
///
/// server.send("Hello yourself")?;
/// assert_eq!(server.output().chunk(), b"\x81\x0eHello yourself"); // to the socket
/// # Ok::<(), tidegate_core::SendError>(())
/// ```
///
/// # Time
///
/// Methods that need the time take it as an argument. A time earlier than the last one counts as the
/// last one. Some methods start a deadline without knowing the time, for example when the
/// application takes an event. Such a deadline starts at the next call that passes the time in. Until
/// then [`poll_timeout`](Self::poll_timeout) returns a time that has passed, so that the caller makes
/// this call at once.
pub struct Connection {
    role: Role,
    config: Arc<Config>,
    decoder: Decoder,
    fast_path: FastPath,
    receiving: Receiving,
    data_frames: DataFrames,
    compression: Compression,
    inbox: Inbox,
    /// Input that is not decoded yet, or a Close or violation that has not taken effect yet.
    pending_input: PendingInput,
    /// Whether the stream has ended. Takes effect when all input before its end is decoded.
    end_of_stream: bool,

    outgoing_chunks: OutgoingChunks,
    output: Output,

    phase: Phase,
    /// `None` until the end begins, so that an open connection needs no memory for it.
    ending: Option<Box<Ending>>,
    /// Next to the timers, because a loop over many connections reads only these two fields
    /// ([`poll_timeout`](Self::poll_timeout)).
    now: Timestamp,
    timers: TimerTable,
    keepalive: Keepalive,
    counters: ConnectionCounters,
}

/// The kind of the frame that is being received.
#[derive(Debug)]
pub(crate) enum Receiving {
    Data,
    Control(Box<ControlFrame>),
}

#[derive(Debug)]
pub(crate) struct ControlFrame {
    pub(crate) opcode: OpCode,
    pub(crate) payload: Vec<u8>,
}

/// How the connection ended, as far as that is known.
#[derive(Debug)]
pub(crate) enum Ending {
    /// We have sent this Close and wait for the peer's.
    Undecided { sent: CloseFrame },
    Decided {
        closed: Closed,
        /// Whether the application has taken [`Event::Closed`].
        reported: bool,
        /// How many bytes have arrived since.
        trailing: u32,
    },
}

impl Connection {
    /// Creates the server's end of a connection whose opening handshake was made elsewhere: by
    /// another library, or by an extended CONNECT of HTTP/2 (RFC 8441) or HTTP/3 (RFC 9220).
    ///
    /// For opening handshakes over HTTP/1.1 see [`handshake`](crate::handshake).
    pub fn server(now: Timestamp, config: impl Into<Arc<Config>>) -> Self {
        Self::new(now, Role::Server, config.into(), None)
    }

    /// Creates the client's end of a connection whose opening handshake was made elsewhere.
    ///
    /// The masking keys are generated from `seed`. It must be unpredictable (RFC 6455 §10.3), so take
    /// it from the random number generator of the operating system.
    pub fn client(now: Timestamp, config: impl Into<Arc<Config>>, seed: [u8; 32]) -> Self {
        let keys = Box::new(ChaCha12Rng::from_seed(seed));
        Self::new(now, Role::Client, config.into(), Some(keys))
    }

    /// Turns on permessage-deflate with the parameters that were negotiated. Call this before any
    /// input is passed in. The opening handshakes of this crate call it themselves.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn with_deflate(mut self, params: crate::deflate::DeflateParams) -> Self {
        let options = self.config.deflate.clone().unwrap_or_default();
        self.compression = Compression::new(self.role, params, &options);
        // Without negotiation RSV1 is a violation (RFC 6455 §5.2), so only this decoder allows it.
        self.decoder = Decoder::new(HeaderRules { sender: self.role.peer(), allow_rsv1: true });
        self
    }

    pub(crate) fn new(
        now: Timestamp,
        role: Role,
        config: Arc<Config>,
        keys: Option<Box<ChaCha12Rng>>,
    ) -> Self {
        let rules = HeaderRules { sender: role.peer(), allow_rsv1: false };
        let mut timers = TimerTable::default();
        if let Some(interval) = config.ping_interval {
            timers.set(Timer::Ping, now + interval);
        }
        Self {
            role,
            now,
            decoder: Decoder::new(rules),
            fast_path: FastPath::new(role.peer(), &config),
            receiving: Receiving::Data,
            data_frames: DataFrames::new(config.delivery),
            compression: Compression::default(),
            inbox: Inbox::default(),
            pending_input: PendingInput::default(),
            end_of_stream: false,
            outgoing_chunks: OutgoingChunks::default(),
            output: Output::new(Outbox::new(Arc::clone(&config), keys)),
            phase: Phase::Open,
            ending: None,
            timers,
            keepalive: Keepalive::default(),
            counters: ConnectionCounters::default(),
            config,
        }
    }

    /// Takes bytes that were read from the transport. They may be split in any way.
    ///
    /// Decodes them until the gate closes, and keeps the rest for later. While
    /// [`wants_input`](Self::wants_input) is false everything is kept, so nothing is lost, but
    /// [`Config::memory_bound`] does not account for this memory.
    pub fn handle_input(&mut self, now: Timestamp, input: &[u8]) {
        self.tick(now);
        // After a cut only what had arrived before it is decoded.
        if input.is_empty() || self.end_of_stream || self.phase == Phase::Cut {
            return;
        }
        self.note_input(input.len());
        if self.decodes() {
            self.decode_input(input);
        } else {
            self.discard_input(input.len());
        }
        self.note_gate();
        self.timers.tick(self.now);
    }

    /// Decodes input up to the next event and returns it: [`handle_input`](Self::handle_input) and
    /// [`poll_event`](Self::poll_event) in one call.
    ///
    /// The bytes after the event stay in `input`. Pass them in by the next call, or by
    /// `handle_input`, before any later input. Returns `None` if there is no event; `input` is empty
    /// then.
    ///
    /// This is the fastest way to receive for a caller that takes each message at once: the message
    /// skips the queue, so the gate stays open, and input is not copied to be kept.
    ///
    /// ```
    /// use tidegate_core::{Config, Connection, Event, Message, Timestamp};
    ///
    /// let mut client = Connection::client(Timestamp::ZERO, Config::default(), [7; 32]);
    /// let mut input = &b"\x81\x03one\x81\x03two\x81\x05thr"[..]; // one read of the socket
    /// let mut texts = Vec::new();
    /// while let Some(event) = client.receive(Timestamp::ZERO, &mut input) {
    ///     if let Event::Message(Message::Text(text)) = event {
    ///         texts.push(text);
    ///     }
    /// }
    /// assert_eq!(texts, ["one", "two"]);
    /// assert!(input.is_empty(), "the beginning of the third message is kept");
    /// ```
    #[inline]
    pub fn receive(&mut self, now: Timestamp, input: &mut &[u8]) -> Option<Event> {
        if self.can_skip_queue()
            && let Some(event) = self.take_unqueued(input)
        {
            self.now = self.now.max(now);
            return Some(event);
        }
        self.receive_general(now, input)
    }

    /// Takes the end of the stream: the peer has shut down its writing side, or the transport has
    /// failed. Everything that was received before is still decoded and delivered.
    pub fn handle_eof(&mut self, now: Timestamp) {
        self.tick(now);
        if !self.end_of_stream {
            // What waits behind the gate comes first. `release` ends the connection when the
            // application has taken it.
            self.end_of_stream = true;
            if self.is_all_decoded() {
                self.end();
                self.timers.tick(self.now);
            }
        }
    }

    /// Advances the clock and fires expired timers. Call it at the time that
    /// [`poll_timeout`](Self::poll_timeout) returned; extra calls are harmless.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.tick(now);
        // The second `tick` starts the limits of what a fired timer has queued, such as a Close.
        self.expire();
        self.tick(now);
    }

    /// Returns the next event. After `None` there is no event until the next call of `handle_*`.
    ///
    /// Taking an event may open the gate. Then input that was kept is decoded, which may lead to new
    /// output and a new deadline.
    ///
    /// The peer's Close, or a violation of the protocol by the peer, takes effect when the
    /// application has taken all events before it and asks for the next one. Until then answers to
    /// those events can be sent.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        let only = self.inbox.pop_only();
        if only.is_some() { only } else { self.poll_any() }
    }

    /// The bytes to write to the transport. See [`Output`].
    pub fn output(&mut self) -> &mut Output {
        self.output.outbox.commit();
        &mut self.output
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) if nothing else happens before. A time
    /// that has passed means now; `None` means that no timer is running.
    ///
    /// May change with every call that is not a getter, and when output is written.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        // Neither `send` nor writing passes the time in. So a limit that begins with what they did
        // needs one more call, at once.
        if self.output.outbox.has_urgent_changes() {
            return Some(self.now);
        }
        self.timers.next(self.now)
    }
}
