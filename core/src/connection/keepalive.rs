//! Pings that have no pong yet, and the latency that the last pong showed.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem::size_of;
use core::num::NonZeroU32;
use core::time::Duration;

use bytes::Bytes;

use crate::opcode::MAX_CONTROL_PAYLOAD;
use crate::time::Timestamp;

/// Matches pongs with the pings that they answer.
#[derive(Debug, Default)]
pub(crate) struct Keepalive {
    /// `None` while every ping is answered, so that an idle connection needs no memory for this.
    outstanding: Option<Box<Outstanding>>,
    /// The round trip that the last pong showed, in microseconds plus one, which keeps the `Option` at
    /// four bytes.
    latency: Option<NonZeroU32>,
    /// The number of the newest ping.
    newest: u32,
}

#[derive(Debug)]
struct Outstanding {
    /// In the order in which they were sent.
    pings: Vec<Ping>,
    /// The number of the newest ping that is answered. All before it count as answered.
    answered: u32,
}

#[derive(Debug)]
struct Ping {
    number: u32,
    payload: PingPayload,
    sent: Timestamp,
}

/// The payload by which the pong to a ping is recognised.
#[derive(Debug)]
pub(crate) enum PingPayload {
    /// The payload of a keepalive ping is its number, which needs no memory of its own.
    Number(u32),
    /// The payload of a ping that the application sent.
    Given(Bytes),
}

impl PingPayload {
    /// The number as it is sent.
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
    /// Notes a ping that was sent, and returns its number.
    ///
    /// Only [`KEPT`] pings are kept: the oldest, because their pongs come first, and the newest,
    /// because its pong answers all pings before it.
    pub(crate) fn sent(&mut self, payload: PingPayload, now: Timestamp) -> u32 {
        let answered = self.newest;
        self.newest = self.newest.wrapping_add(1);
        let outstanding = self.outstanding.get_or_insert_with(|| {
            // One place is usually enough: the keepalive has more pings on their way only if a round
            // trip takes longer than its interval.
            Box::new(Outstanding { pings: Vec::with_capacity(1), answered })
        });
        if outstanding.pings.len() == KEPT {
            outstanding.pings.pop();
        }
        outstanding.pings.push(Ping { number: self.newest, payload, sent: now });
        self.newest
    }

    /// The number of the next ping.
    pub(crate) const fn next(&self) -> u32 {
        self.newest.wrapping_add(1)
    }

    /// Takes a pong. It answers the ping with the same payload, and all pings before that one
    /// (RFC 6455 §5.5.3).
    pub(crate) fn received(&mut self, payload: &[u8], now: Timestamp) {
        let Some(outstanding) = &mut self.outstanding else { return };
        let Outstanding { pings, answered } = &mut **outstanding;
        // A peer may send pongs that nobody asked for (RFC 6455 §5.5.3). They are ignored.
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

    /// Whether the newest ping waits for its pong.
    pub(crate) const fn is_outstanding(&self) -> bool {
        self.outstanding.is_some()
    }

    /// Whether the ping with this number, or a later one, is answered.
    pub(crate) fn is_answered(&self, number: u32) -> bool {
        let answered = match &self.outstanding {
            Some(outstanding) => outstanding.answered,
            None => self.newest,
        };
        // The numbers wrap after 2^32 pings, so they are compared by their difference.
        number.wrapping_sub(answered).cast_signed() <= 0
    }

    pub(crate) fn latency(&self) -> Option<Duration> {
        self.latency.map(|latency| Duration::from_micros(u64::from(latency.get() - 1)))
    }
}

/// How many unanswered pings are kept.
const KEPT: usize = 16;

/// The most memory that they take.
pub(crate) const BOUND: usize = 2 * KEPT * (size_of::<Ping>() + MAX_CONTROL_PAYLOAD + 64);

#[cfg(test)]
mod tests {
    use super::*;

    fn given(payload: &'static [u8]) -> PingPayload {
        PingPayload::Given(Bytes::from_static(payload))
    }

    #[test]
    fn latency_is_measured_even_if_it_is_longer_than_the_ping_interval() {
        let mut keepalive = Keepalive::default();
        let numbers = [given(b"first"), PingPayload::Number(2), given(b"third")]
            .into_iter()
            .zip(0..)
            .map(|(payload, second)| keepalive.sent(payload, Timestamp::from_secs(second)))
            .collect::<Vec<_>>();
        keepalive.received(b"other", Timestamp::from_secs(3));
        assert_eq!(keepalive.latency(), None, "no ping had this payload");
        keepalive.received(b"first", Timestamp::from_secs(4));
        assert_eq!(keepalive.latency(), Some(Duration::from_secs(4)));
        assert_eq!(numbers.iter().filter(|ping| keepalive.is_answered(**ping)).count(), 1);
        assert!(keepalive.is_outstanding());
        keepalive.received(b"third", Timestamp::from_secs(6));
        assert_eq!(keepalive.latency(), Some(Duration::from_secs(4)));
        assert!(numbers.iter().all(|ping| keepalive.is_answered(*ping)), "also those before it");
        assert!(!keepalive.is_outstanding());
    }

    /// With a thousand pings in flight the memory is bounded, and the pongs of the oldest pings are
    /// still recognised.
    #[test]
    fn of_many_pings_in_flight_the_oldest_are_kept() {
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
