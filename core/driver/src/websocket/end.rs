//! What the application is told about the end of a connection, and when. For whole and split
//! connections.

use std::io;
use std::sync::Arc;

use crate::error::{Error, copy};
use crate::event_loop::Endpoint;
use crate::io::{ByteStream, Clock};
use tidegate_core::{Closed, Connection, Failure};

/// How far the application has come with receiving the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndProgress {
    /// There may be more events.
    EventsLeft,
    /// All events are taken.
    EventsTaken,
    /// The application was told how the connection ended.
    Reported,
}

/// Whether all output is written, or none can be written any more: only then the end is reported.
pub(crate) fn is_output_done<S: ByteStream, C: Clock>(
    connection: &Connection,
    endpoint: &Endpoint<S, C>,
) -> bool {
    endpoint.stream.is_none()
        || endpoint.has_write_failed()
        || (!connection.wants_output() && endpoint.is_flushed())
}

/// Whether reading on would tell no more about how the connection ended.
pub(crate) fn is_cause_known(connection: &Connection) -> bool {
    connection.closed().is_some() || !connection.wants_input()
}

/// What a call that receives returns at the end: an error, unless the conversation ended normally.
pub(crate) fn received_end(closed: Closed) -> Result<(), Error> {
    if closed.is_normal() { Ok(()) } else { Err(Error::Closed(closed)) }
}

/// Why nothing can be sent. `fault` is the error of the transport, if it failed.
///
/// What the peer did, or which limit was reached, comes before the error of the transport: after a
/// Close of the peer, "connection reset" would hide the reason.
pub(crate) fn reason(connection: &Connection, fault: Option<&io::Error>) -> Error {
    match (connection.closed(), fault) {
        // All that is known is that the stream has ended. The error of the transport says why.
        (Some(closed), Some(fault)) if closed.failure() == Some(Failure::EndOfStream) => {
            Error::Io(copy(fault))
        }
        (Some(closed), Some(fault)) if !closed.is_clean() => {
            Error::Closed(closed.clone().with_transport_error(Arc::new(copy(fault))))
        }
        // After a clean close the error of the transport is left out: it does not matter any more
        // how the stream ended.
        (Some(closed), _) => Error::Closed(closed.clone()),
        (None, fault) => match (connection.queued_end(), fault) {
            // The end is known, but waits until the application has taken the messages before it.
            (Some(closed), _) => Error::Closed(closed),
            (None, Some(fault)) => Error::Io(copy(fault)),
            (None, None) => Error::Closing,
        },
    }
}
