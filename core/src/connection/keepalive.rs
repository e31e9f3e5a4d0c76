//! Pings that keep a connection alive and measure it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem::size_of;
use core::num::NonZeroU32;
use core::time::Duration;

use bytes::Bytes;

use crate::opcode::MAX_CONTROL_PAYLOAD;
use crate::time::Timestamp;

/// The pings that are not answered, and what the last pong told.
#[derive(Debug, Default)]
pub(crate) struct Keepalive {
    /// There is none while every ping is answered.
    outstanding: Option<Box<Outstanding>>,
    /// What the last pong told, in microseconds and one more: an idle connection has this too.
    latency: Option<NonZeroU32>,
    /// The number of the newest ping: they are counted.
    newest: u32,
}

#[derive(Debug)]
struct Outstanding {
    /// In the order in which they were sent.
    pings: Vec<Ping>,
    /// The number of the newest ping that is answered; those before it are, too.
    answered: u32,
}

#[derive(Debug)]
struct Ping {
    number: u32,
    payload: PingPayload,
    sent: Timestamp,
}

/// What tells a ping from others.
#[derive(Debug)]
pub(crate) enum PingPayload {
    /// One of our own: its number. Kept as such, it takes no memory while the pong is awaited.
    Number(u32),
    /// One of the application's.
    Given(Bytes),
}

impl PingPayload {
    /// A number on the wire.
    pub(crate) const fn bytes(number: u32) -> [u8; 4] {
        number.to_be_bytes()
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
    /// A ping was sent. Gives its number.
    ///
    /// Where pongs take much longer than the next pings, not all are kept: those that came first
    /// are, since their pongs come first, and the newest, which answers all before it.
    pub(crate) fn sent(&mut self, payload: PingPayload, now: Timestamp) -> u32 {
        let answered = self.newest;
        self.newest = self.newest.wrapping_add(1);
        let outstanding = self.outstanding.get_or_insert_with(|| {
            Box::new(Outstanding { pings: Vec::with_capacity(1), answered })
        });
        if outstanding.pings.len() == KEPT {
            outstanding.pings.pop();
        }
        outstanding.pings.push(Ping { number: self.newest, payload, sent: now });
        self.newest
    }

    /// A ping of our own is to be sent: its number.
    pub(crate) const fn next(&self) -> u32 {
        self.newest.wrapping_add(1)
    }

    /// A pong: the answer to a ping if it carries its payload, and to all that went before it
    /// (RFC 6455 §5.5.3).
    pub(crate) fn received(&mut self, payload: &[u8], now: Timestamp) {
        let Some(outstanding) = &mut self.outstanding else { return };
        let Outstanding { pings, answered } = &mut **outstanding;
        let Some(index) = pings.iter().position(|ping| ping.payload == *payload) else { return };
        if let Some(ping) = pings.drain(..=index).next_back() {
            *answered = ping.number;
            let micros = now.as_micros().saturating_sub(ping.sent.as_micros());
            let micros = u32::try_from(micros).unwrap_or(u32::MAX);
            self.latency = NonZeroU32::new(micros.saturating_add(1));
        }
        if pings.is_empty() {
            self.outstanding = None;
        }
    }

    /// Whether the newest ping is not answered.
    pub(crate) const fn is_outstanding(&self) -> bool {
        self.outstanding.is_some()
    }

    /// Whether the ping of this number is answered, or one that was sent after it.
    pub(crate) fn is_answered(&self, number: u32) -> bool {
        let answered = match &self.outstanding {
            Some(outstanding) => outstanding.answered,
            None => self.newest,
        };
        // Numbers begin anew after 2^32.
        number.wrapping_sub(answered).cast_signed() <= 0
    }

    pub(crate) fn latency(&self) -> Option<Duration> {
        self.latency.map(|latency| Duration::from_micros(u64::from(latency.get() - 1)))
    }
}

/// How many pings are kept that are not answered.
const KEPT: usize = 16;

/// What they hold at most.
pub(crate) const BOUND: usize = 2 * KEPT * (size_of::<Ping>() + MAX_CONTROL_PAYLOAD + 64);

#[cfg(test)]
mod tests {
    use super::*;

    fn given(payload: &'static [u8]) -> PingPayload {
        PingPayload::Given(Bytes::from_static(payload))
    }

    #[test]
    fn the_way_is_measured_also_when_it_takes_longer_than_a_ping_interval() {
        let mut keepalive = Keepalive::default();
        let numbers = [given(b"first"), PingPayload::Number(2), given(b"third")]
            .into_iter()
            .zip(0..)
            .map(|(payload, second)| keepalive.sent(payload, Timestamp::from_secs(second)))
            .collect::<Vec<_>>();
        keepalive.received(b"other", Timestamp::from_secs(3));
        assert_eq!(keepalive.latency(), None, "nobody sent that one");
        keepalive.received(b"first", Timestamp::from_secs(4));
        assert_eq!(keepalive.latency(), Some(Duration::from_secs(4)));
        assert_eq!(numbers.iter().filter(|ping| keepalive.is_answered(**ping)).count(), 1);
        assert!(keepalive.is_outstanding());
        keepalive.received(b"third", Timestamp::from_secs(6));
        assert_eq!(keepalive.latency(), Some(Duration::from_secs(4)));
        assert!(numbers.iter().all(|ping| keepalive.is_answered(*ping)), "those before it too");
        assert!(!keepalive.is_outstanding());
    }

    /// A thousand pings are under way at any time: the memory is bounded, and the first of them is
    /// known to be answered when its own pong is there.
    #[test]
    fn of_many_pings_under_way_the_first_are_known() {
        let mut keepalive = Keepalive::default();
        for number in 0..1000_u32 {
            keepalive.sent(PingPayload::Number(number), Timestamp::from_millis(number.into()));
        }
        let own = keepalive.sent(given(b"own"), Timestamp::from_secs(1));
        assert_eq!(keepalive.outstanding.as_ref().map(|all| all.pings.len()), Some(KEPT));
        keepalive.received(&PingPayload::bytes(0), Timestamp::from_secs(2));
        assert_eq!(keepalive.latency(), Some(Duration::from_secs(2)));
        assert!(!keepalive.is_answered(own));
        keepalive.received(b"own", Timestamp::from_secs(3));
        assert!(keepalive.is_answered(own));
    }
}
