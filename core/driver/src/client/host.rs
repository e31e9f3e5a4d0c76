//! The host of an address: a name, an IPv4 address, or an IPv6 address with an optional zone.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use crate::error::UrlError;

/// A valid host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    /// The name or the address, without brackets and zone.
    name: String,
    zone: Option<String>,
}

impl Host {
    /// Parses the host part of an address, where an IPv6 address is in brackets.
    pub(crate) fn parse(host: &str) -> Result<Self, UrlError> {
        let host = to_ascii(host)?;
        if let Some(byte) = host.bytes().find(|byte| !byte.is_ascii_graphic()) {
            return Err(UrlError::Character { byte });
        }
        if let Some(literal) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            let (literal, zone) = match literal.split_once('%') {
                Some((literal, zone)) => (literal, Some(zone)),
                None => (literal, None),
            };
            literal.parse::<Ipv6Addr>().map_err(|_| UrlError::Host)?;
            let zone = zone.map(parse_zone).transpose()?;
            return Ok(Self { name: literal.into(), zone });
        }
        // Underscores are not allowed in host names, but in use. Everything else that RFC 3986 would
        // allow is read differently by different parsers.
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        // A name may end with a dot. No resolver accepts an empty part elsewhere.
        let mut parts = host.strip_suffix('.').unwrap_or(&host).split('.');
        if parts.any(str::is_empty) || !host.bytes().all(is_name) {
            return Err(UrlError::Host);
        }
        if ends_in_a_number(&host) && host.parse::<Ipv4Addr>().is_err() {
            return Err(UrlError::NumericHost);
        }
        Ok(Self { name: host.into_owned(), zone: None })
    }

    /// The name or the address, without brackets and without a zone.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.name.parse().ok()
    }

    /// The address to connect to, if nothing has to be looked up: neither the name of a host nor the
    /// name of a network interface in a zone.
    pub(crate) fn socket_address(&self, port: u16) -> Option<SocketAddr> {
        match (self.address()?, &self.zone) {
            (IpAddr::V6(address), Some(zone)) => {
                // `parse` alone would accept a sign.
                let is_number = zone.bytes().all(|byte| byte.is_ascii_digit());
                let interface = zone.parse().ok().filter(|_| is_number)?;
                Some(SocketAddrV6::new(address, port, 0, interface).into())
            }
            (address, _) => Some(SocketAddr::new(address, port)),
        }
    }

    /// The host as the system's resolver and people write it: with its zone, without brackets.
    pub(crate) fn with_zone(&self) -> Cow<'_, str> {
        match &self.zone {
            Some(zone) => Cow::Owned(format!("{}%{zone}", self.name)),
            None => Cow::Borrowed(&self.name),
        }
    }

    /// The host as it is sent to others: in brackets if necessary, without its zone. RFC 6874 §4: the
    /// zone must be removed before the address leaves the machine.
    pub(crate) fn without_zone(&self) -> Cow<'_, str> {
        match self.name.contains(':') {
            true => Cow::Owned(format!("[{}]", self.name)),
            false => Cow::Borrowed(&self.name),
        }
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.name.eq_ignore_ascii_case(&other.name) && self.zone == other.zone
    }
}

/// Writes the host as it is written in an address.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(zone) = &self.zone else { return f.write_str(&self.without_zone()) };
        write!(f, "[{}%25", self.name)?;
        for byte in zone.bytes() {
            match is_unreserved(byte) {
                true => write!(f, "{}", char::from(byte))?,
                false => write!(f, "%{byte:02X}")?,
            }
        }
        f.write_str("]")
    }
}

/// Parses `25` and a zone: what follows the `%` in an address (RFC 6874 §2).
fn parse_zone(zone: &str) -> Result<String, UrlError> {
    let zone = zone.strip_prefix("25").ok_or(UrlError::Zone)?;
    if !zone.bytes().all(|byte| is_unreserved(byte) || byte == b'%') {
        return Err(UrlError::Zone);
    }
    let zone = percent_decode(zone).ok_or(UrlError::Zone)?;
    // The system's resolver would misread these characters, and no interface has them in its name.
    let is_odd = |byte: u8| !byte.is_ascii_graphic() || matches!(byte, b'%' | b'/' | b'[' | b']');
    if zone.is_empty() || zone.bytes().any(is_odd) { Err(UrlError::Zone) } else { Ok(zone) }
}

/// Whether the URL standard would parse the host as an IPv4 address ("ends in a number"). Resolvers
/// turn `127.1`, `0x7f.1` and `2130706433` into addresses, which a filter of names would not notice.
fn ends_in_a_number(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let last = host.rsplit('.').next().unwrap_or_default();
    let digits = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    match digits {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// Whether a byte never needs percent-encoding (RFC 3986 §2.3).
pub(crate) const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Decodes percent-encoding (RFC 3986 §2.1). `None` if it is malformed or the result is not UTF-8.
pub(crate) fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let value = digit().zip(digit()).map(|(high, low)| high * 16 + low);
                u8::try_from(value?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

/// Converts an international name to Punycode, if the feature `idna` is on.
fn to_ascii(host: &str) -> Result<Cow<'_, str>, UrlError> {
    if host.is_ascii() {
        return Ok(Cow::Borrowed(host));
    }
    #[cfg(feature = "idna")]
    return idna::domain_to_ascii_cow(host.as_bytes(), idna::AsciiDenyList::URL)
        .map_err(|_| UrlError::HostNotAscii);
    #[cfg(not(feature = "idna"))]
    Err(UrlError::HostNotAscii)
}
