//! What the caller has to do with the transport: read, write, shut down or close it.

use crate::config::read_size::{MAX_READ_SIZE, READ_SIZE};
use crate::connection::Connection;
use crate::connection::closing::MAX_TRAILING;
use crate::connection::phase::Phase;
use crate::connection::receive::PendingEnd;
use crate::role::Role;

/// What to do with the transport, for example the TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "a caller must handle every one")]
pub enum Transport {
    /// Go on reading and writing as [`Connection::wants_input`] and [`Connection::wants_output`]
    /// say.
    KeepOpen,
    /// Everything is written. Shut down the writing side (TCP FIN), then read and discard until the
    /// stream ends or this becomes `Close`.
    ///
    /// Do not close right away: the operating system could reset the connection, and the peer could
    /// lose the Close frame that we sent last (RFC 6455 §7.1.1). Passing the input to the connection
    /// is optional here; the end of the stream should be passed to
    /// [`handle_eof`](Connection::handle_eof).
    ShutdownWrite,
    /// Close the transport now, even if output is left. The application may still have messages to
    /// take, and [`Event::Closed`](crate::Event::Closed) after them.
    Close,
}

impl Connection {
    /// Whether to read from the transport. While this is false, do not read and do not poll the
    /// socket for reading: that slows the peer down (backpressure).
    ///
    /// True while the gate is open, all input is decoded, and more bytes could still matter. May
    /// become false in `handle_*`, and true again when events are taken.
    pub fn wants_input(&self) -> bool {
        let matters = match (self.phase, self.pending_input.end()) {
            (Phase::Open | Phase::Closing, Some(PendingEnd::Violation(_))) => false,
            // After the peer's Close, reading goes on only to notice the end of the stream.
            (
                Phase::Open | Phase::Closing | Phase::Closed,
                Some(PendingEnd::Close { trailing, .. }),
            ) => *trailing < MAX_TRAILING,
            (Phase::Open | Phase::Closing | Phase::Closed, _) => true,
            (Phase::Failed | Phase::Cut | Phase::Ended, _) => false,
        };
        matters && self.inbox.is_open() && !self.pending_input.has_input() && !self.end_of_stream
    }

    /// How many bytes to read at a time. This only affects speed; reads of any other size work too.
    ///
    /// Usually [`READ_SIZE`](crate::READ_SIZE). Up to [`MAX_READ_SIZE`](crate::MAX_READ_SIZE) while a
    /// long frame is being received, unless the message is compressed or delivered in chunks: a
    /// message of 1 MiB then takes two reads instead of seventeen. May change with every `handle_*`.
    ///
    /// Two limits keep [`Config::memory_bound`](crate::Config::memory_bound) valid. The size is at most
    /// sixteen times what has arrived of the message, so that a peer cannot make buffers grow by
    /// announcing a length. And a read ends with the frame, so that all of it becomes part of the
    /// message.
    pub fn read_size(&self) -> usize {
        let remaining = usize::try_from(self.decoder.remaining()).unwrap_or(usize::MAX);
        let earned = self.data_frames.arrived().saturating_mul(READ_GROWTH);
        remaining.min(earned).clamp(READ_SIZE, MAX_READ_SIZE)
    }

    /// Whether there is output to write.
    pub fn wants_output(&self) -> bool {
        !self.output.outbox.is_empty()
    }

    /// What to do with the transport. May change with every call that is not a getter, and when
    /// output is written.
    pub fn transport(&self) -> Transport {
        match self.phase {
            Phase::Cut => Transport::Close,
            // The peer has ended its side. Its messages wait for the application, but no bytes will
            // come or go.
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

/// The next read may be this many times as long as what has arrived of the message. One read of
/// [`READ_SIZE`] is enough to earn [`MAX_READ_SIZE`].
const READ_GROWTH: usize = 16;
