//! Who is there, and how far they have come. Knows no lock, no waker, no clock.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

use crate::serve::listener::Remote;
use crate::serve::options::ServeOptions;

/// How far a client has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its request is not complete, or not even its TLS: nothing is known of it.
    Silent,
    /// It was silent, and gives way to a newer one, unless its task finds that its request has come.
    Displaced,
    /// Its request is complete. The answer is being decided on or written.
    Asked,
    /// It is a connection.
    Open,
    /// It has its answer, a refusal, and has not closed the stream.
    Lingering,
}

/// All clients of a server, by the number that each got when it came.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    members: BTreeMap<u64, Member>,
    /// The oldest is first.
    silent: BTreeSet<u64>,
    lingering: BTreeSet<u64>,
    handshakes: usize,
    displaced: usize,
    open: usize,
    /// Only if there is a limit for each.
    addresses: BTreeMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Member {
    stage: Stage,
    address: Option<IpAddr>,
}

impl Crowd {
    /// How many handshakes, connections and refused ones there are.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let lingering = self.members.len() - self.handshakes - self.open;
        (self.handshakes, self.open, lingering)
    }

    pub(crate) fn has_room(&self, options: &ServeOptions) -> bool {
        let all = self.handshakes + self.open;
        options.max_connections.is_none_or(|most| all < most)
            && options.max_handshakes.is_none_or(|most| self.handshakes < most)
    }

    pub(crate) fn has_silent(&self) -> bool {
        !self.silent.is_empty()
    }

    pub(crate) fn is_too_many(&self, peer: &Remote, options: &ServeOptions) -> bool {
        options.max_connections_per_address.is_some_and(|most| {
            address(peer).and_then(|address| self.addresses.get(&address)).copied().unwrap_or(0)
                >= most
        })
    }

    /// One more, of whom nothing is known.
    pub(crate) fn enter(&mut self, number: u64, peer: &Remote, options: &ServeOptions) {
        let address = options.max_connections_per_address.and_then(|_| address(peer));
        if let Some(address) = address {
            *self.addresses.entry(address).or_default() += 1;
        }
        self.members.insert(number, Member { stage: Stage::Silent, address });
        self.arrive(number, Stage::Silent);
    }

    /// It has come further.
    pub(crate) fn go_on(&mut self, number: u64, stage: Stage) {
        if let Some(member) = self.members.get_mut(&number) {
            let before = std::mem::replace(&mut member.stage, stage);
            self.depart(number, before);
            self.arrive(number, stage);
        }
    }

    pub(crate) fn leave(&mut self, number: u64) {
        let Some(Member { stage, address }) = self.members.remove(&number) else { return };
        self.depart(number, stage);
        if let Some(address) = address
            && let Some(count) = self.addresses.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(&address);
            }
        }
    }

    /// The oldest of the silent, which is to go, unless one is going already.
    pub(crate) fn displace(&mut self) -> Option<u64> {
        if self.displaced > 0 {
            return None;
        }
        let oldest = *self.silent.first()?;
        self.go_on(oldest, Stage::Displaced);
        Some(oldest)
    }

    /// The oldest of the refused, which is to go, if they are too many.
    pub(crate) fn displace_lingering(&mut self) -> Option<u64> {
        if self.lingering.len() > MAX_LINGERING { self.lingering.pop_first() } else { None }
    }

    fn arrive(&mut self, number: u64, stage: Stage) {
        match stage {
            Stage::Silent => {
                self.silent.insert(number);
                self.handshakes += 1;
            }
            Stage::Displaced => {
                self.displaced += 1;
                self.handshakes += 1;
            }
            Stage::Asked => self.handshakes += 1,
            Stage::Open => self.open += 1,
            Stage::Lingering => {
                self.lingering.insert(number);
            }
        }
    }

    fn depart(&mut self, number: u64, stage: Stage) {
        match stage {
            Stage::Silent => {
                self.silent.remove(&number);
                self.handshakes -= 1;
            }
            Stage::Displaced => {
                self.displaced -= 1;
                self.handshakes -= 1;
            }
            Stage::Asked => self.handshakes -= 1,
            Stage::Open => self.open -= 1,
            Stage::Lingering => {
                self.lingering.remove(&number);
            }
        }
    }
}

/// What counts as one address: of IPv6 the network of 64 bits, of which a host has all addresses.
fn address(peer: &Remote) -> Option<IpAddr> {
    match peer.address()?.ip().to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            Some(IpAddr::V6(Ipv6Addr::from_bits(network)))
        }
        address @ IpAddr::V4(_) => Some(address),
    }
}

/// How many refused clients may take their time to close the stream: each holds a file and a task.
const MAX_LINGERING: usize = 128;

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn peer(ip: &str) -> Remote {
        Remote::Ip(SocketAddr::new(ip.parse().expect(ip), 1))
    }

    #[test]
    fn the_oldest_that_has_not_asked_gives_way_and_one_at_a_time() {
        let options = ServeOptions::builder().max_handshakes(3).build().expect("valid");
        let mut crowd = Crowd::default();
        for number in 0..3 {
            assert!(crowd.has_room(&options));
            crowd.enter(number, &peer("10.0.0.1"), &options);
        }
        crowd.go_on(0, Stage::Asked);
        assert!(!crowd.has_room(&options));
        assert_eq!((crowd.displace(), crowd.displace()), (Some(1), None));
        // Its request has come: it is the next one's turn.
        crowd.go_on(1, Stage::Asked);
        assert!(!crowd.has_room(&options));
        assert_eq!((crowd.displace(), crowd.counts()), (Some(2), (3, 0, 0)));
        crowd.leave(2);
        assert!(crowd.has_room(&options));
        crowd.go_on(0, Stage::Open);
        assert_eq!((crowd.displace(), crowd.counts()), (None, (1, 1, 0)));
        crowd.leave(0);
        crowd.leave(1);
        assert_eq!(crowd.counts(), (0, 0, 0));
    }

    #[test]
    fn the_refused_are_no_handshakes_and_not_too_many() {
        let (options, mut crowd) = (ServeOptions::default(), Crowd::default());
        for number in 0..=MAX_LINGERING as u64 {
            assert_eq!(crowd.displace_lingering(), None);
            crowd.enter(number, &peer("10.0.0.1"), &options);
            crowd.go_on(number, Stage::Lingering);
        }
        assert_eq!((crowd.displace_lingering(), crowd.displace_lingering()), (Some(0), None));
        assert_eq!(crowd.counts(), (0, 0, MAX_LINGERING + 1));
        crowd.leave(0);
        assert_eq!(crowd.counts(), (0, 0, MAX_LINGERING));
    }

    #[test]
    fn an_address_of_ipv6_is_a_network() {
        let options = ServeOptions::builder().max_connections_per_address(1);
        let options = options.build().expect("valid");
        let mut crowd = Crowd::default();
        crowd.enter(0, &peer("2001:db8:1:2::1"), &options);
        assert!(crowd.is_too_many(&peer("2001:db8:1:2:ffff::9"), &options));
        assert!(!crowd.is_too_many(&peer("2001:db8:1:3::1"), &options));
        crowd.enter(1, &peer("192.0.2.1"), &options);
        assert!(crowd.is_too_many(&peer("::ffff:192.0.2.1"), &options));
        assert!(!crowd.is_too_many(&peer("192.0.2.2"), &options));
        assert!(!crowd.is_too_many(&Remote::Unix(None), &options));
        crowd.leave(0);
        crowd.leave(1);
        assert!(!crowd.is_too_many(&peer("2001:db8:1:2::1"), &options));
        assert!(crowd.addresses.is_empty());
    }
}
