//! A time limit for an application that takes no messages while the peer's end waits behind them.

use std::time::Duration;

use crate::event_loop::READ_INTERVAL;
use tidegate_core::{Connection, Timestamp};

/// Since when the peer's Close, or its protocol error, waits behind how many messages.
///
/// The core lets it take effect only when the messages before it are taken and the next one is
/// asked for, because until then they can be answered. An application that only sends never asks,
/// so the driver limits the wait.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct QueuedEndTimeout(Option<(Timestamp, usize)>);

impl QueuedEndTimeout {
    /// Lets the end take effect if it has waited long enough, and returns whether it did so.
    ///
    /// # Errors
    ///
    /// The end has to wait longer: the time at which to check again.
    pub(crate) fn check(
        &mut self,
        connection: &mut Connection,
        now: Timestamp,
    ) -> Result<bool, Timestamp> {
        let Some(timeout) = timeout(connection) else {
            self.0 = None;
            return Ok(false);
        };
        let queued = connection.queued_messages();
        let since = match self.0 {
            // Nothing after the end is decoded, so the number of messages can only fall. The same
            // number means that none was taken.
            Some((since, before)) if before == queued => since,
            // The application has taken messages since, and may answer them: the wait begins anew.
            Some(_) | None => now,
        };
        self.0 = Some((since, queued));
        if now < since + timeout {
            return Err(since + timeout);
        }
        self.0 = None;
        Ok(connection.answer_end(now))
    }
}

/// How long the end waits while the application takes nothing.
///
/// If no message is before it, the application gets a moment to answer the last one. Otherwise the
/// application takes no messages at all; half of our own limit for a Close is as long as the peer is
/// kept waiting.
fn timeout(connection: &Connection) -> Option<Duration> {
    if !connection.is_end_queued() {
        None
    } else if connection.queued_messages() == 0 {
        Some(READ_INTERVAL)
    } else {
        // If `close_timeout` is off, the end waits until the application takes the messages.
        connection.config().close_timeout().map(|limit| limit / 2)
    }
}
