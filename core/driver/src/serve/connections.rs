//! All clients of a server: how many there are in which stage, and which one gives way when there are
//! too many. Knows no lock, no waker and no clock.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

use crate::serve::listener::Remote;
use crate::serve::options::ServeOptions;

/// How far a client has come on its way to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientStage {
    /// Its request is not complete, perhaps not even its TLS handshake.
    Silent,
    /// It was silent, and gives way to a newer client unless its request turns out to have arrived.
    Displaced,
    /// Its request is complete. The response is being decided or written.
    Requested,
    /// Its connection is open.
    Open,
    /// It was refused, has its response, and has not closed the stream yet.
    Lingering,
}

/// All clients of a server, by a number that rises with each one.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    clients: BTreeMap<u64, ClientEntry>,
    /// The first one is the oldest.
    silent: BTreeSet<u64>,
    lingering: BTreeSet<u64>,
    handshakes: usize,
    displaced: usize,
    open: usize,
    /// Empty unless there is a limit for each address.
    addresses: BTreeMap<IpAddr, usize>,
}

#[derive(Debug)]
struct ClientEntry {
    stage: ClientStage,
    address: Option<IpAddr>,
}

impl Connections {
    /// The numbers of handshakes, of open connections, and of refused clients.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let lingering = self.clients.len() - self.handshakes - self.open;
        (self.handshakes, self.open, lingering)
    }

    pub(crate) fn has_room(&self, options: &ServeOptions) -> bool {
        // Refused clients do not count. Otherwise a few hundred that do not close their streams
        // would lock everybody out.
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

    /// Adds a client that has sent nothing yet.
    pub(crate) fn add(&mut self, number: u64, peer: &Remote, options: &ServeOptions) {
        let address = options.max_connections_per_address.and_then(|_| address(peer));
        if let Some(address) = address {
            *self.addresses.entry(address).or_default() += 1;
        }
        self.clients.insert(number, ClientEntry { stage: ClientStage::Silent, address });
        self.count_in(number, ClientStage::Silent);
    }

    /// Moves a client to another stage.
    pub(crate) fn advance(&mut self, number: u64, stage: ClientStage) {
        if let Some(client) = self.clients.get_mut(&number) {
            let before = std::mem::replace(&mut client.stage, stage);
            self.count_out(number, before);
            self.count_in(number, stage);
        }
    }

    pub(crate) fn remove(&mut self, number: u64) {
        let Some(ClientEntry { stage, address }) = self.clients.remove(&number) else { return };
        self.count_out(number, stage);
        if let Some(address) = address
            && let Some(count) = self.addresses.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(&address);
            }
        }
    }

    /// Picks the oldest silent client to give way, unless one is on its way out already.
    pub(crate) fn displace(&mut self) -> Option<u64> {
        // The accept loop waits with one client and needs one place. A second client that gives way
        // before the first has closed its stream would be dropped for nothing.
        if self.displaced > 0 {
            return None;
        }
        let oldest = *self.silent.first()?;
        self.advance(oldest, ClientStage::Displaced);
        Some(oldest)
    }

    /// Picks the oldest refused client to be closed, if there are too many.
    pub(crate) fn displace_lingering(&mut self) -> Option<u64> {
        // The client stays in `clients` until its stream is closed. It leaves this set at once, so
        // that it is not picked again.
        if self.lingering.len() > MAX_LINGERING { self.lingering.pop_first() } else { None }
    }

    fn count_in(&mut self, number: u64, stage: ClientStage) {
        match stage {
            ClientStage::Silent => {
                self.silent.insert(number);
                self.handshakes += 1;
            }
            ClientStage::Displaced => {
                self.displaced += 1;
                // It still counts as a handshake: its place is free only when its stream is closed.
                self.handshakes += 1;
            }
            ClientStage::Requested => self.handshakes += 1,
            ClientStage::Open => self.open += 1,
            ClientStage::Lingering => {
                self.lingering.insert(number);
            }
        }
    }

    fn count_out(&mut self, number: u64, stage: ClientStage) {
        match stage {
            ClientStage::Silent => {
                self.silent.remove(&number);
                self.handshakes -= 1;
            }
            ClientStage::Displaced => {
                self.displaced -= 1;
                self.handshakes -= 1;
            }
            ClientStage::Requested => self.handshakes -= 1,
            ClientStage::Open => self.open -= 1,
            ClientStage::Lingering => {
                self.lingering.remove(&number);
            }
        }
    }
}

/// What counts as one address. For IPv6 it is the /64 network, because one host usually has all the
/// addresses in it.
fn address(peer: &Remote) -> Option<IpAddr> {
    // A socket for both families reports IPv4 clients as `::ffff:192.0.2.1`. Without the
    // conversion, all of them would be in one /64 network.
    match peer.address()?.ip().to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            Some(IpAddr::V6(Ipv6Addr::from_bits(network)))
        }
        address @ IpAddr::V4(_) => Some(address),
    }
}

/// How many refused clients may keep the stream open: each of them occupies a file and a task.
const MAX_LINGERING: usize = 128;

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn peer(ip: &str) -> Remote {
        Remote::Ip(SocketAddr::new(ip.parse().expect(ip), 1))
    }

    #[test]
    fn the_oldest_silent_client_gives_way_and_only_one_at_a_time() {
        let options = ServeOptions::builder().max_handshakes(3).build().expect("valid");
        let mut connections = Connections::default();
        for number in 0..3 {
            assert!(connections.has_room(&options));
            connections.add(number, &peer("10.0.0.1"), &options);
        }
        connections.advance(0, ClientStage::Requested);
        assert!(!connections.has_room(&options));
        assert_eq!((connections.displace(), connections.displace()), (Some(1), None));
        // Its request has arrived after all, so the next one has to give way.
        connections.advance(1, ClientStage::Requested);
        assert!(!connections.has_room(&options));
        assert_eq!((connections.displace(), connections.counts()), (Some(2), (3, 0, 0)));
        connections.remove(2);
        assert!(connections.has_room(&options));
        connections.advance(0, ClientStage::Open);
        assert_eq!((connections.displace(), connections.counts()), (None, (1, 1, 0)));
        connections.remove(0);
        connections.remove(1);
        assert_eq!(connections.counts(), (0, 0, 0));
    }

    #[test]
    fn refused_clients_are_not_handshakes_and_their_number_is_limited() {
        let (options, mut connections) = (ServeOptions::default(), Connections::default());
        for number in 0..=MAX_LINGERING as u64 {
            assert_eq!(connections.displace_lingering(), None);
            connections.add(number, &peer("10.0.0.1"), &options);
            connections.advance(number, ClientStage::Lingering);
        }
        assert_eq!(
            (connections.displace_lingering(), connections.displace_lingering()),
            (Some(0), None)
        );
        assert_eq!(connections.counts(), (0, 0, MAX_LINGERING + 1));
        connections.remove(0);
        assert_eq!(connections.counts(), (0, 0, MAX_LINGERING));
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let options = ServeOptions::builder().max_connections_per_address(1);
        let options = options.build().expect("valid");
        let mut connections = Connections::default();
        connections.add(0, &peer("2001:db8:1:2::1"), &options);
        assert!(connections.is_too_many(&peer("2001:db8:1:2:ffff::9"), &options));
        assert!(!connections.is_too_many(&peer("2001:db8:1:3::1"), &options));
        connections.add(1, &peer("192.0.2.1"), &options);
        assert!(connections.is_too_many(&peer("::ffff:192.0.2.1"), &options));
        assert!(!connections.is_too_many(&peer("192.0.2.2"), &options));
        assert!(!connections.is_too_many(&Remote::Unix(None), &options));
        connections.remove(0);
        connections.remove(1);
        assert!(!connections.is_too_many(&peer("2001:db8:1:2::1"), &options));
        assert!(connections.addresses.is_empty());
    }
}
