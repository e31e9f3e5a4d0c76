//! Parses `no_proxy`: the list of hosts that are reached without a proxy.

use std::net::IpAddr;

use crate::client::host::Host;
use crate::client::url::{parse_port, split_host};

/// The parsed entries of `no_proxy`.
#[derive(Debug)]
pub(crate) struct Exceptions(Vec<Exception>);

#[derive(Debug)]
struct Exception {
    pattern: Pattern,
    port: Option<u16>,
}

#[derive(Debug)]
enum Pattern {
    Everything,
    /// The name itself and all of its subdomains.
    Name(String),
    /// The subdomains of the name, but not the name itself.
    Subdomains(String),
    /// All addresses that have the first so many bits in common with this one.
    Network(IpAddr, u32),
}

impl Exceptions {
    /// Parses the list.
    ///
    /// # Errors
    ///
    /// The first entry that cannot be parsed.
    pub(crate) fn parse(list: &str) -> Result<Self, &str> {
        let entries = list.split([',', ' ', '\t']).filter(|entry| !entry.is_empty());
        entries
            .map(|entry| Exception::parse(entry).ok_or(entry))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether one of the entries matches this server.
    pub(crate) fn contains(&self, host: &Host, port: u16) -> bool {
        self.0.iter().any(|exception| {
            exception.port.is_none_or(|own| own == port) && exception.pattern.matches(host)
        })
    }
}

impl Exception {
    fn parse(entry: &str) -> Option<Self> {
        if entry == "*" {
            return Some(Self { pattern: Pattern::Everything, port: None });
        }
        if let Some((address, bits)) = entry.split_once('/') {
            let address = parse_address(address)?;
            let max = if address.is_ipv4() { 32 } else { 128 };
            // `parse` alone would accept a sign.
            let is_number = bits.bytes().all(|byte| byte.is_ascii_digit());
            let bits = bits.parse().ok().filter(|bits| is_number && *bits <= max)?;
            return Some(Self { pattern: Pattern::Network(address, bits), port: None });
        }
        if let Some(address) = parse_address(entry) {
            return Some(Self { pattern: Pattern::of(address), port: None });
        }
        let (host, port) = split_host(entry).ok()?;
        let port = match port {
            // A colon without a port is an error, like every entry of an unknown form.
            "" if host.len() == entry.len() => None,
            port => Some(parse_port(port)?),
        };
        let pattern = match parse_address(host) {
            Some(address) => Pattern::of(address),
            None => match host.strip_prefix("*.") {
                Some(name) => Pattern::Subdomains(parse_name(name)?),
                None => Pattern::Name(parse_name(host.strip_prefix('.').unwrap_or(host))?),
            },
        };
        Some(Self { pattern, port })
    }
}

impl Pattern {
    /// Matches one address. More bits than an address has mean all of them.
    fn of(address: IpAddr) -> Self {
        Self::Network(address, u32::MAX)
    }

    fn matches(&self, host: &Host) -> bool {
        match (self, host.address()) {
            (Self::Everything, _) => true,
            (Self::Network(network, bits), Some(address)) => is_within(address, *network, *bits),
            (Self::Name(name), None) => is_subdomain(host.name(), name, true),
            (Self::Subdomains(name), None) => is_subdomain(host.name(), name, false),
            (Self::Network(..), None) | (Self::Name(_) | Self::Subdomains(_), Some(_)) => false,
        }
    }
}

/// Parses an IP address, with or without brackets.
fn parse_address(text: &str) -> Option<IpAddr> {
    match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(literal) => literal.parse().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    }
}

/// Parses a host name, and removes a dot at its end.
fn parse_name(name: &str) -> Option<String> {
    let host = Host::parse(name).ok().filter(|host| host.address().is_none())?;
    Some(host.name().strip_suffix('.').unwrap_or(host.name()).into())
}

/// Whether both addresses have the first `bits` bits in common.
fn is_within(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let differing = address.to_bits() ^ network.to_bits();
            differing.leading_zeros() >= bits.min(u32::BITS)
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let differing = address.to_bits() ^ network.to_bits();
            differing.leading_zeros() >= bits.min(u128::BITS)
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

/// Whether `host` is a subdomain of `name`, or `name` itself if `or_same`.
fn is_subdomain(host: &str, name: &str, or_same: bool) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let Some(at) = host.len().checked_sub(name.len()) else { return false };
    let ends_so = host.get(at..).is_some_and(|end| end.eq_ignore_ascii_case(name));
    let before = at.checked_sub(1).and_then(|at| host.as_bytes().get(at));
    // The dot keeps `notexample.org` from being taken for a part of `example.org`.
    ends_so && if at == 0 { or_same } else { before == Some(&b'.') }
}
