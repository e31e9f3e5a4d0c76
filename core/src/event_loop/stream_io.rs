//! One read, or one flush, of a non-blocking stream, with "would block" as a result and not an error.

use std::io::{self, ErrorKind};

use crate::connection::Transport;
use crate::event_loop::duplex::Duplex;

/// How writing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// The stream has taken everything.
    All,
    /// The stream takes no more now.
    Blocked,
    /// The budget of this call is used up.
    BudgetUsedUp,
}

/// Flushes the stream, and shuts its writing side down if `transport` says so.
pub(crate) fn flush<S: Duplex + ?Sized>(
    stream: &mut S,
    transport: Transport,
) -> io::Result<Written> {
    let mut flushed = stream.flush();
    // Only after a flush: a FIN before our Close has left the stream's buffer would cut it off.
    if flushed.is_ok() && transport == Transport::ShutdownWrite {
        flushed = stream.shut_down_write();
    }
    match flushed {
        Ok(()) => Ok(Written::All),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(Written::Blocked)
        }
        Err(error) => Err(error),
    }
}

/// How a read ended.
pub(crate) enum Read<'b> {
    Bytes(&'b [u8]),
    End,
    Blocked,
    Interrupted,
}

/// Reads once. Refuses an empty buffer, a mistake of the caller: the read of 0 bytes would look like
/// the end of the stream.
pub(crate) fn read_once<'b, S: Duplex + ?Sized>(
    stream: &mut S,
    buffer: &'b mut [u8],
) -> io::Result<Read<'b>> {
    if buffer.is_empty() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "the read buffer is empty"));
    }
    match stream.read(buffer) {
        Ok(0) => Ok(Read::End),
        Ok(count) => Ok(Read::Bytes(buffer.get(..count).unwrap_or(buffer))),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Read::Blocked),
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(Read::Interrupted),
        Err(error) => Err(error),
    }
}
