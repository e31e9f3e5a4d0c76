//! Pings that keep a connection alive and measure it.

use alloc::boxed::Box;
use core::time::Duration;

use bytes::Bytes;

use crate::timestamp::Timestamp;

/// The pings that are not answered, and what the last pong told.
#[derive(Debug, Default)]
pub(crate) struct Keepalive {
    outstanding: Option<Box<Outstanding>>,
    latency: Option<Duration>,
    count: u32,
}

#[derive(Debug)]
struct Outstanding {
    newest: Ping,
    /// The first one that went before it, if that is not answered either: where a pong takes longer
    /// than it is until the next ping, no pong would ever answer the newest one.
    earlier: Option<Ping>,
}

#[derive(Debug)]
struct Ping {
    payload: Bytes,
    sent: Timestamp,
}

impl Keepalive {
    /// The payload of the next ping of our own: a number, so that its pong can be told from others.
    pub(crate) fn next_payload(&mut self) -> Bytes {
        self.count = self.count.wrapping_add(1);
        Bytes::copy_from_slice(&self.count.to_be_bytes())
    }

    pub(crate) fn sent(&mut self, payload: Bytes, now: Timestamp) {
        let earlier = self.outstanding.take().map(|last| last.earlier.unwrap_or(last.newest));
        let newest = Ping { payload, sent: now };
        self.outstanding = Some(Box::new(Outstanding { newest, earlier }));
    }

    /// A pong: the answer to a ping if it carries its payload, and to all that went before it
    /// (RFC 6455 §5.5.3).
    pub(crate) fn received(&mut self, payload: &[u8], now: Timestamp) {
        if let Some(all) = self.outstanding.take_if(|pings| pings.newest.payload == payload) {
            self.latency = Some(now.saturating_duration_since(all.newest.sent));
        } else if let Some(pings) = &mut self.outstanding
            && let Some(ping) = pings.earlier.take_if(|ping| ping.payload == payload)
        {
            self.latency = Some(now.saturating_duration_since(ping.sent));
        }
    }

    /// Whether the newest ping is not answered.
    pub(crate) const fn is_outstanding(&self) -> bool {
        self.outstanding.is_some()
    }

    pub(crate) const fn latency(&self) -> Option<Duration> {
        self.latency
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn the_way_is_measured_also_when_it_takes_longer_than_a_ping_interval() {
        let mut keepalive = Keepalive::default();
        let mut pings = Vec::new();
        for second in 0..3 {
            let payload = keepalive.next_payload();
            keepalive.sent(payload.clone(), Timestamp::from_secs(second));
            pings.push(payload);
        }
        keepalive.received(&pings[1], Timestamp::from_secs(4));
        assert_eq!(keepalive.latency(), None, "neither the newest nor the one that is measured");
        keepalive.received(&pings[0], Timestamp::from_secs(5));
        assert_eq!(keepalive.latency(), Some(Duration::from_secs(5)));
        assert!(keepalive.is_outstanding());
        keepalive.received(&pings[2], Timestamp::from_secs(6));
        assert_eq!(keepalive.latency(), Some(Duration::from_secs(4)));
        assert!(!keepalive.is_outstanding());
    }
}
