//! Pings that keep a connection alive and measure it.

use alloc::boxed::Box;
use core::time::Duration;

use bytes::Bytes;

use crate::timestamp::Timestamp;

/// The newest ping and what its pong told.
#[derive(Debug, Default)]
pub(crate) struct Keepalive {
    outstanding: Option<Box<(Bytes, Timestamp)>>,
    latency: Option<Duration>,
    count: u32,
}

impl Keepalive {
    /// The payload of the next ping of our own: a number, so that its pong can be told from others.
    pub(crate) fn next_payload(&mut self) -> Bytes {
        self.count = self.count.wrapping_add(1);
        Bytes::copy_from_slice(&self.count.to_be_bytes())
    }

    pub(crate) fn sent(&mut self, payload: Bytes, now: Timestamp) {
        self.outstanding = Some(Box::new((payload, now)));
    }

    /// A pong: the answer to the newest ping if it carries its payload (RFC 6455 §5.5.3).
    pub(crate) fn received(&mut self, payload: &[u8], now: Timestamp) {
        if let Some(ping) = self.outstanding.take_if(|ping| ping.0 == payload) {
            self.latency = Some(now.saturating_duration_since(ping.1));
        }
    }

    pub(crate) const fn is_outstanding(&self) -> bool {
        self.outstanding.is_some()
    }

    pub(crate) const fn latency(&self) -> Option<Duration> {
        self.latency
    }
}
