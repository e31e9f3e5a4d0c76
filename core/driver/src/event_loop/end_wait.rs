//! How long the end of a connection waits for an application that takes no messages.

use std::time::Duration;

use crate::event_loop::endpoint::LOOK_INTERVAL;
use tidegate_core::{Connection, Timestamp};

/// Since when the peer's Close, or its fault, waits behind so many messages.
///
/// It has its turn when the messages before it are taken, and the next one is asked for: until then
/// they can be answered. An application that only sends never asks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EndWait(Option<(Timestamp, usize)>);

impl EndWait {
    /// Answers the end if it has waited for long enough: true; or when to ask again.
    pub(crate) fn check(
        &mut self,
        connection: &mut Connection,
        now: Timestamp,
    ) -> Result<bool, Timestamp> {
        let Some(patience) = patience(connection) else {
            self.0 = None;
            return Ok(false);
        };
        let queued = connection.queued_messages();
        let since = match self.0 {
            // It takes messages: answers may come.
            Some((since, before)) if before == queued => since,
            Some(_) | None => now,
        };
        self.0 = Some((since, queued));
        if now < since + patience {
            return Err(since + patience);
        }
        self.0 = None;
        Ok(connection.answer_end(now))
    }
}

/// With no message before the end, the application has its time to answer the last one. With some,
/// it takes none: half of our own limit for a Close is as long as a peer is kept waiting.
fn patience(connection: &Connection) -> Option<Duration> {
    if !connection.is_end_queued() {
        None
    } else if connection.queued_messages() == 0 {
        Some(LOOK_INTERVAL)
    } else {
        connection.config().close_timeout().map(|limit| limit / 2)
    }
}
