//! Pongs, pings and the Close that are queued, or that the transport has not taken all of.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::mem;

use bytes::Bytes;

use crate::close::CloseFrame;
use crate::config::Config;
use crate::connection::send::queue::changes::OutputChanges;
use crate::error::ControlError;
use crate::frame::{MAX_CONTROL_PAYLOAD, MAX_HEADER};

/// Control frames that are queued, and how much output is before the end of those that were
/// committed to the transport.
#[derive(Debug, Default)]
pub(crate) struct ControlQueue {
    pub(crate) pongs: VecDeque<Bytes>,
    pub(crate) pings: VecDeque<Bytes>,
    pub(crate) close: Option<Box<CloseFrame>>,
    /// How many bytes the transport has to take until the committed control frames are gone.
    pub(crate) committed: usize,
    /// What is reported when they are.
    pub(crate) reports: OutputChanges,
}

impl ControlQueue {
    pub(crate) fn has_queued(&self) -> bool {
        !self.pongs.is_empty() || !self.pings.is_empty() || self.close.is_some()
    }

    /// Queues a pong. Beyond `max_pongs` the oldest is dropped: the newest ping is the one that must
    /// be answered (RFC 6455 §5.5.3).
    pub(crate) fn push_pong(&mut self, payload: Bytes, max_pongs: usize) {
        if self.pongs.len() >= max_pongs {
            self.pongs.pop_front();
        }
        push_control(&mut self.pongs, payload);
    }

    pub(crate) fn push_ping(
        &mut self,
        payload: Bytes,
        max_pings: usize,
    ) -> Result<(), ControlError> {
        if self.pings.len() >= max_pings {
            return Err(ControlError::Full);
        }
        push_control(&mut self.pings, payload);
        Ok(())
    }

    /// The transport has taken `count` bytes, which may include committed control frames. Gives what
    /// is to be reported if the last of them is gone.
    pub(crate) fn advance(&mut self, count: usize) -> OutputChanges {
        self.committed = self.committed.saturating_sub(count);
        if self.committed > 0 { OutputChanges::default() } else { mem::take(&mut self.reports) }
    }
}

/// Reserves a single place at first: most often there is one ping or pong and no second.
fn push_control(ring: &mut VecDeque<Bytes>, payload: Bytes) {
    if ring.capacity() == 0 {
        ring.reserve_exact(1);
    }
    ring.push_back(payload);
}

/// The most memory that control frames take, queued and committed: both rings with their places,
/// and the Close.
pub(crate) fn control_bound(config: &Config) -> usize {
    const EACH: usize = MAX_CONTROL_PAYLOAD + MAX_HEADER + 64;
    let rings = config.max_pongs.saturating_add(config.max_pings).saturating_mul(EACH);
    rings.saturating_add(MAX_CONTROL_PAYLOAD).saturating_mul(2)
}
