//! Pings that keep a connection alive and measure it.

use alloc::boxed::Box;
use core::num::NonZeroU64;
use core::time::Duration;

use bytes::Bytes;

use crate::timestamp::Timestamp;

/// The pings that are not answered, and what the last pong told.
#[derive(Debug, Default)]
pub(crate) struct Keepalive {
    outstanding: Option<Box<Outstanding>>,
    /// What the last pong told, in microseconds and one more: an idle connection has this too.
    latency: Option<NonZeroU64>,
}

#[derive(Debug)]
struct Outstanding {
    newest: Ping,
    /// The first one that went before it, if that is not answered either: where a pong takes longer
    /// than it is until the next ping, no pong would ever answer the newest one.
    earlier: Option<Box<Ping>>,
}

#[derive(Debug)]
struct Ping {
    payload: PingPayload,
    sent: Timestamp,
}

/// What tells a ping from others.
#[derive(Debug)]
pub(crate) enum PingPayload {
    /// One of our own: a number. Kept as such, it takes no memory while the pong is awaited.
    Number(u16),
    /// One of the application's.
    Given(Bytes),
}

impl PingPayload {
    /// A number on the wire.
    pub(crate) fn bytes(number: u16) -> [u8; 4] {
        u32::from(number).to_be_bytes()
    }
}

impl PartialEq<[u8]> for PingPayload {
    fn eq(&self, payload: &[u8]) -> bool {
        match self {
            Self::Number(number) => Self::bytes(*number) == payload,
            Self::Given(given) => given == payload,
        }
    }
}

impl Keepalive {
    pub(crate) fn sent(&mut self, payload: PingPayload, now: Timestamp) {
        let newest = Ping { payload, sent: now };
        let earlier = self.outstanding.take().map(|last| {
            let Outstanding { newest, earlier } = *last;
            earlier.unwrap_or_else(|| Box::new(newest))
        });
        self.outstanding = Some(Box::new(Outstanding { newest, earlier }));
    }

    /// A pong: the answer to a ping if it carries its payload, and to all that went before it
    /// (RFC 6455 §5.5.3).
    pub(crate) fn received(&mut self, payload: &[u8], now: Timestamp) {
        if let Some(all) = self.outstanding.take_if(|pings| pings.newest.payload == *payload) {
            self.measured(&all.newest, now);
        } else if let Some(pings) = &mut self.outstanding
            && let Some(ping) = pings.earlier.take_if(|ping| ping.payload == *payload)
        {
            self.measured(&ping, now);
        }
    }

    /// Whether the newest ping is not answered.
    pub(crate) const fn is_outstanding(&self) -> bool {
        self.outstanding.is_some()
    }

    pub(crate) fn latency(&self) -> Option<Duration> {
        self.latency.map(|latency| Duration::from_micros(latency.get() - 1))
    }

    fn measured(&mut self, ping: &Ping, now: Timestamp) {
        let micros = now.as_micros().saturating_sub(ping.sent.as_micros());
        self.latency = NonZeroU64::new(micros.saturating_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_is_measured_also_when_it_takes_longer_than_a_ping_interval() {
        let mut keepalive = Keepalive::default();
        let pings = [&b"first"[..], b"\0\0\0\x02", b"third"];
        for (second, payload) in (0..).zip(pings) {
            let payload = match second {
                1 => PingPayload::Number(2),
                _ => PingPayload::Given(Bytes::from_static(payload)),
            };
            keepalive.sent(payload, Timestamp::from_secs(second));
        }
        keepalive.received(pings[1], Timestamp::from_secs(4));
        assert_eq!(keepalive.latency(), None, "neither the newest nor the one that is measured");
        keepalive.received(pings[0], Timestamp::from_secs(5));
        assert_eq!(keepalive.latency(), Some(Duration::from_secs(5)));
        assert!(keepalive.is_outstanding());
        keepalive.received(pings[2], Timestamp::from_secs(6));
        assert_eq!(keepalive.latency(), Some(Duration::from_secs(4)));
        assert!(!keepalive.is_outstanding());
    }
}
