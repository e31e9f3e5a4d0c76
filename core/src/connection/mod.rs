//! A connection: owns the parts and routes between them.

pub(crate) mod closing;
pub(crate) mod deadlines;
pub(crate) mod event;
pub(crate) mod gauge;
pub(crate) mod getters;
pub(crate) mod keepalive;
pub(crate) mod memory_bound;
pub(crate) mod phase;
pub(crate) mod receive;
pub(crate) mod send;
pub(crate) mod stats;
pub(crate) mod timers;

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
use crate::connection::receive::data_frames::Delivering;
use crate::connection::receive::fast_path::Path;
use crate::connection::receive::pending_input::{Held, Stash};
use crate::connection::receive::queue::Inbox;
use crate::connection::send::chunks::Sending;
use crate::connection::send::output::Output;
use crate::connection::send::queue::Outbox;
use crate::connection::stats::Counters;
use crate::connection::timers::{Timer, TimerTable};
use crate::deflate::session::Compression;
use crate::frame::{Decoder, HeaderRules, OpCode};
use crate::role::Role;
use crate::time::Timestamp;
use crate::{MAX_READ_SIZE, READ_SIZE};

/// A WebSocket connection behind its opening handshake: bytes, time and wishes in; events, bytes
/// and a deadline out.
///
/// The names tell the direction. `handle_*` takes the outside in. Plain verbs are the
/// application's wishes. `poll_*` gives something out, or `None`; ask again after any other call.
/// Everything else only looks. The calls may come in any order: the state is consistent after
/// each of them, and a call that comes late only delays.
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
/// Calls that need the time take it; it never runs backwards. A deadline that begins while the
/// application takes an event begins at the next call that tells the time: until then
/// [`poll_timeout`](Self::poll_timeout) is a time that has passed, so that this call is made.
pub struct Connection {
    pub(crate) role: Role,
    pub(crate) config: Arc<Config>,
    pub(crate) decoder: Decoder,
    pub(crate) short: Path,
    pub(crate) receiving: Receiving,
    pub(crate) delivering: Delivering,
    pub(crate) compression: Compression,
    pub(crate) inbox: Inbox,
    /// What is not decoded, or what ends the connection, behind events that are not taken.
    pub(crate) stash: Stash,
    /// The stream has ended; it counts when the stash is decoded.
    pub(crate) end_of_stream: bool,

    pub(crate) sending: Sending,
    pub(crate) output: Output,

    pub(crate) phase: Phase,
    /// There is none while nothing is known of it.
    pub(crate) ending: Option<Box<Ending>>,
    /// Beside the timers: a pass over many connections looks at these two and at nothing else.
    pub(crate) now: Timestamp,
    pub(crate) timers: TimerTable,
    pub(crate) keepalive: Keepalive,
    pub(crate) counters: Counters,
}

/// The frame whose payload is arriving.
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

/// How the connection ended, as far as it is known.
#[derive(Debug)]
pub(crate) enum Ending {
    /// We have sent this, and the peer's answer is awaited.
    Undecided { sent: CloseFrame },
    Decided {
        closed: Closed,
        reported: bool,
        /// How many bytes have come after that.
        trailing: u32,
    },
}

/// What to do with the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "a caller must handle every one")]
pub enum Transport {
    /// Go on reading and writing as [`Connection::wants_input`] and [`Connection::wants_output`]
    /// say.
    KeepOpen,
    /// All is written: shut the writing side down (TCP FIN), then read and discard until the
    /// stream ends or the instruction is `Close`. Closing at once could make the system reset the
    /// connection and take our last words back from the peer (RFC 6455 §7.1.1). What is read may be
    /// handed over, or not; the end of the stream should be.
    ShutdownWrite,
    /// Close the transport now, whatever is left. Messages may still have to be taken, and
    /// [`Event::Closed`] after them.
    Close,
}

impl Connection {
    /// A server's end, from negotiated parameters: behind an opening handshake made elsewhere, or
    /// an extended CONNECT (RFC 8441), which has none.
    pub fn server(now: Timestamp, config: impl Into<Arc<Config>>) -> Self {
        Self::new(now, Role::Server, config.into(), None)
    }

    /// A client's end, from negotiated parameters.
    ///
    /// The masking keys are generated from `seed`. It must be unpredictable (RFC 6455 §10.3): take
    /// it from the operating system.
    pub fn client(now: Timestamp, config: impl Into<Arc<Config>>, seed: [u8; 32]) -> Self {
        let keys = Box::new(ChaCha12Rng::from_seed(seed));
        Self::new(now, Role::Client, config.into(), Some(keys))
    }

    /// Compresses by permessage-deflate with these parameters, which were negotiated: by the
    /// opening handshake here, which calls this itself, or elsewhere. To be called before any
    /// input.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn with_deflate(mut self, params: crate::deflate::DeflateParams) -> Self {
        let options = self.config.deflate.clone().unwrap_or_default();
        self.compression = Compression::new(self.role, params, &options);
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
            short: Path::new(role.peer(), &config),
            receiving: Receiving::Data,
            delivering: Delivering::new(config.delivery),
            compression: Compression::default(),
            inbox: Inbox::default(),
            stash: Stash::default(),
            end_of_stream: false,
            sending: Sending::default(),
            output: Output::new(Outbox::new(Arc::clone(&config), keys)),
            phase: Phase::Open,
            ending: None,
            timers,
            keepalive: Keepalive::default(),
            counters: Counters::default(),
            config,
        }
    }

    /// Takes bytes that came from the transport, all of them, in any pieces.
    ///
    /// Decodes as far as the gate allows and keeps the rest. While
    /// [`wants_input`](Self::wants_input) is false, everything is kept: nothing is lost, and the
    /// memory is the caller's choice.
    pub fn handle_input(&mut self, now: Timestamp, input: &[u8]) {
        self.tick(now);
        if input.is_empty() || self.end_of_stream || self.phase == Phase::Cut {
            return;
        }
        self.counters.bytes_in += input.len() as u64;
        // Any byte is a sign of life.
        self.timers.clear(Timer::Pong);
        self.timers.hear(input.len());
        if self.decodes() {
            self.decode_input(input);
        } else {
            self.discard_input(input.len());
        }
        self.note_gate();
        self.timers.tick(self.now);
    }

    /// Takes input as far as the next event and gives that: [`handle_input`](Self::handle_input)
    /// and [`poll_event`](Self::poll_event) in one, for a caller that waits for an event. What is
    /// behind the event stays in `input`: to be handed over in the next call, or by
    /// `handle_input`, before anything that comes later. `None` if there is no event; nothing is
    /// left of the input then.
    ///
    /// It is the short way for messages that are taken as they come: they are not queued, so that
    /// the gate stays open, and the input is not copied.
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
        if self.takes_straight()
            && let Some(event) = self.take_straight(input)
        {
            self.now = self.now.max(now);
            return Some(event);
        }
        self.receive_any(now, input)
    }

    /// Takes the end of the stream: the peer has shut its writing side down, or the transport has
    /// failed. What came before it is still decoded and delivered.
    pub fn handle_eof(&mut self, now: Timestamp) {
        self.tick(now);
        if !self.end_of_stream {
            self.end_of_stream = true;
            if self.is_all_decoded() {
                self.end();
                self.timers.tick(self.now);
            }
        }
    }

    /// Takes the time, and does what is due. To be called when
    /// [`poll_timeout`](Self::poll_timeout) is reached; other calls do no harm.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.tick(now);
        self.expire();
        self.tick(now);
    }

    /// Gives the next event, if there is one. There may be another one at once; after a `None`,
    /// after the next `handle_*`.
    ///
    /// Taking an event may open the gate, and then decodes what was kept: there may be new output
    /// and a new deadline. A Close of the peer, or a fault, takes effect when the events before it
    /// are taken and the next one is asked for; until then answers to them can be sent.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        let only = self.inbox.pop_only();
        if only.is_some() { only } else { self.poll_any() }
    }

    /// What waits to be written. See [`Output`].
    pub fn output(&mut self) -> &mut Output {
        self.output.outbox.commit();
        &mut self.output
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, if nothing else happens
    /// before. Changes with every call that is not a getter. A time that has passed means now.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        if self.output.outbox.has_urgent_news() {
            return Some(self.now);
        }
        self.timers.next(self.now)
    }

    /// Whether to read from the transport: the gate is open, nothing is kept undecoded, and more
    /// bytes could still matter. Otherwise do not poll it: that is what slows the peer down.
    ///
    /// Changes to false in `handle_*`, and back to true when events are taken.
    pub fn wants_input(&self) -> bool {
        let matters = match (self.phase, self.stash.held()) {
            (Phase::Open | Phase::Closing, Some(Held::Violation(_))) => false,
            // After a Close only the end of the stream is awaited.
            (Phase::Open | Phase::Closing | Phase::Closed, Some(Held::Close { trailing, .. })) => {
                *trailing < MAX_TRAILING
            }
            (Phase::Open | Phase::Closing | Phase::Closed, _) => true,
            (Phase::Failed | Phase::Cut | Phase::Ended, _) => false,
        };
        matters && self.inbox.is_open() && !self.stash.has_input() && !self.end_of_stream
    }

    /// How much to read at a time: [`READ_SIZE`](crate::READ_SIZE), or more, up to
    /// [`MAX_READ_SIZE`](crate::MAX_READ_SIZE), while the rest of a long frame is to come and the
    /// message is neither compressed nor delivered in chunks. Changes with every `handle_*`.
    ///
    /// It is a matter of speed alone: any other size is taken, too. A message of 1 MiB comes in two
    /// reads by it, and in seventeen otherwise. It never asks for more than sixteen times what has
    /// arrived of the message, so that no buffer grows by a length that is only announced, nor for
    /// anything behind the frame, so that all of it goes into the message and
    /// [`Config::memory_bound`] holds as it does for reads of `READ_SIZE`.
    pub fn read_size(&self) -> usize {
        let remaining = usize::try_from(self.decoder.remaining()).unwrap_or(usize::MAX);
        let earned = self.delivering.arrived().saturating_mul(READ_GROWTH);
        remaining.min(earned).clamp(READ_SIZE, MAX_READ_SIZE)
    }

    /// Whether there is something to write.
    pub fn wants_output(&self) -> bool {
        !self.output.outbox.is_empty()
    }

    /// What to do with the transport. Changes with every call that is not a getter, and with
    /// writing.
    pub fn transport(&self) -> Transport {
        match self.phase {
            Phase::Cut => Transport::Close,
            // The peer has ended its side, and what it had said waits for the application.
            Phase::Closing if self.end_of_stream && !self.wants_output() => Transport::Close,
            Phase::Open | Phase::Closing => Transport::KeepOpen,
            Phase::Closed | Phase::Failed | Phase::Ended if self.wants_output() => {
                Transport::KeepOpen
            }
            // "The server MUST close the underlying TCP connection immediately; the client SHOULD
            // wait for the server" (RFC 6455 §7.1.1).
            Phase::Closed if self.role == Role::Client => Transport::KeepOpen,
            Phase::Closed | Phase::Failed => Transport::ShutdownWrite,
            Phase::Ended => Transport::Close,
        }
    }
}

/// How many times what has arrived of a message the next read may be: what comes in the first read
/// of a message of [`MAX_READ_SIZE`] is enough to read all the rest at once.
const READ_GROWTH: usize = 16;

/// How many bytes may come after the peer's Close: none should (RFC 6455 §5.5.1), and whoever goes
/// on for ever is not read for ever.
const MAX_TRAILING: u32 = 1024 * 1024;
