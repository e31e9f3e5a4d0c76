//! How a split connection ends, as its parts are told.

use crate::error::Error;
use crate::split::shared::State;
use crate::websocket::End;
use tidegate_core::Closed;

impl State {
    /// Whether there is something for the receiver: an event, or the end.
    pub(crate) fn has_news(&self) -> bool {
        self.connection.queued_messages() > 0
            || (self.connection.closed().is_some() && self.is_said())
    }

    /// How it ended, once it has, all events are taken, and nothing is left to be written.
    pub(crate) fn outcome(&self) -> Option<Result<Closed, Error>> {
        if self.end == End::Ahead || !self.is_said() { None } else { self.ending() }
    }

    /// How it ended, once it has and the stream is closed; messages may still have to be received.
    pub(crate) fn verdict(&self) -> Option<Result<Closed, Error>> {
        if self.link.is_open { None } else { self.ending() }
    }

    fn ending(&self) -> Option<Result<Closed, Error>> {
        let closed = self.connection.closed()?;
        Some(if closed.is_clean() { Ok(closed.clone()) } else { Err(self.cannot_send()) })
    }

    /// Whether nothing is left to be written, or to be hoped for.
    fn is_said(&self) -> bool {
        let link = &self.link;
        !link.is_open
            || link.has_write_failed
            || (link.is_flushed && !self.connection.wants_output())
    }
}
