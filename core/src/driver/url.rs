//! Addresses: `ws://host:port/path?query`, and nothing that could mean two things.

use core::fmt;
use core::net::Ipv6Addr;

/// Where to connect to, and what to ask for there (RFC 6455 §3).
///
/// ```
/// use tidegate_core::driver::Url;
///
/// let url: Url = "ws://[::1]:9001/chat?room=1".parse()?;
/// assert_eq!((url.host(), url.port()), ("::1", 9001));
/// assert_eq!((url.authority(), url.target()), ("[::1]:9001", "/chat?room=1"));
/// # Ok::<(), tidegate_core::driver::UrlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    host: String,
    port: u16,
    authority: String,
    target: String,
}

impl Url {
    /// The host: a name or an IP address; an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; 80 if the address has none.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What stands in the `Host` header: the host, and the port if it is not 80.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The path and the query.
    pub fn target(&self) -> &str {
        &self.target
    }
}

impl core::str::FromStr for Url {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<Self, UrlError> {
        if let Some(byte) = url.bytes().find(|byte| !byte.is_ascii_graphic()) {
            return Err(UrlError::Character { byte });
        }
        let (scheme, rest) = url.split_once("://").ok_or(UrlError::Scheme)?;
        if scheme.eq_ignore_ascii_case("wss") {
            return Err(UrlError::TlsNotBuilt);
        }
        if !scheme.eq_ignore_ascii_case("ws") {
            return Err(UrlError::Scheme);
        }
        // "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST NOT be
        // used on these URIs" (RFC 6455 §3).
        if rest.contains('#') {
            return Err(UrlError::Fragment);
        }
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(UrlError::UserInfo);
        }
        let (host, bracketed, port) = split_authority(authority)?;
        let port = match port {
            "" => DEFAULT_PORT,
            port => parse_port(port).ok_or(UrlError::Port)?,
        };
        let authority =
            if port == DEFAULT_PORT { bracketed.into() } else { format!("{bracketed}:{port}") };
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Self { host: host.into(), port, authority, target: format!("{slash}{target}") })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ws://{}{}", self.authority, self.target)
    }
}

/// The host, the host as it is written in an authority, and the port, which may be empty.
fn split_authority(authority: &str) -> Result<(&str, &str, &str), UrlError> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or(UrlError::Host)?;
        host.parse::<Ipv6Addr>().map_err(|_| UrlError::Host)?;
        let port = match port.strip_prefix(':') {
            Some(port) => port,
            None if port.is_empty() => port,
            None => return Err(UrlError::Port),
        };
        let bracketed = authority.get(..host.len() + 2).ok_or(UrlError::Host)?;
        return Ok((host, bracketed, port));
    }
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    // Letters, digits, dots, hyphens, and underscores, which are not allowed and in use. Whatever
    // else RFC 3986 would let pass is read differently by different parsers.
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if host.is_empty() || !host.bytes().all(is_name) {
        return Err(UrlError::Host);
    }
    Ok((host, host, port))
}

fn parse_port(port: &str) -> Option<u16> {
    // `parse` alone would take a sign.
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    port.parse().ok().filter(|port| is_number && *port != 0)
}

/// Why an address cannot be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UrlError {
    /// The scheme is not `ws`.
    Scheme,
    /// The scheme is `wss`, and this version is built without TLS. A TLS stream of your own goes
    /// into `client`.
    TlsNotBuilt,
    /// A space, a control character or one beyond ASCII: to be percent-encoded, or in a host name to
    /// be written in Punycode.
    Character {
        /// The first such byte.
        byte: u8,
    },
    /// The host is missing, or neither a name nor an IP address.
    Host,
    /// The port is not a number from 1 to 65535.
    Port,
    /// There is a user name or a password. They are sent in a header, if at all.
    UserInfo,
    /// There is a fragment (RFC 6455 §3).
    Fragment,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme => f.write_str("the address does not begin with ws://"),
            Self::TlsNotBuilt => f.write_str(
                "wss:// needs TLS, which is not built in this version; hand a TLS stream to client()",
            ),
            Self::Character { byte } => {
                write!(f, "the address has the byte {byte:#04x}, which must be percent-encoded")
            }
            Self::Host => f.write_str("the host is neither a name nor an IP address"),
            Self::Port => f.write_str("the port is not a number from 1 to 65535"),
            Self::UserInfo => {
                f.write_str("the address has a user name; send an Authorization header instead")
            }
            Self::Fragment => f.write_str("the address has a fragment (#), which it must not"),
        }
    }
}

impl core::error::Error for UrlError {}

const DEFAULT_PORT: u16 = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let cases = [
            ("ws://example.org", ("example.org", 80, "example.org", "/")),
            ("WS://Example.org:/", ("Example.org", 80, "Example.org", "/")),
            ("ws://example.org:80/a", ("example.org", 80, "example.org", "/a")),
            ("ws://127.0.0.1:9001?q=1", ("127.0.0.1", 9001, "127.0.0.1:9001", "/?q=1")),
            ("ws://h/a:b@c?d=/e?", ("h", 80, "h", "/a:b@c?d=/e?")),
            ("ws://h?a@b", ("h", 80, "h", "/?a@b")),
            ("ws://[::1]", ("::1", 80, "[::1]", "/")),
            ("ws://[2001:db8::1]:65535/x", ("2001:db8::1", 65535, "[2001:db8::1]:65535", "/x")),
        ];
        for (text, (host, port, authority, target)) in cases {
            let url: Url = text.parse().expect(text);
            assert_eq!((url.host(), url.port()), (host, port), "{text}");
            assert_eq!((url.authority(), url.target()), (authority, target), "{text}");
            assert_eq!(url.to_string().parse::<Url>(), Ok(url));
        }
    }

    #[test]
    fn what_is_refused() {
        let cases = [
            ("", UrlError::Scheme),
            ("example.org", UrlError::Scheme),
            ("http://example.org", UrlError::Scheme),
            ("wss://example.org", UrlError::TlsNotBuilt),
            ("ws://", UrlError::Host),
            ("ws:///path", UrlError::Host),
            ("ws://:80", UrlError::Host),
            ("ws://a%41", UrlError::Host),
            ("ws://a\\b", UrlError::Host),
            ("ws://[::1", UrlError::Host),
            ("ws://[fe80::1%25eth0]/", UrlError::Host),
            ("ws://[127.0.0.1]/", UrlError::Host),
            ("ws://::1/", UrlError::Host),
            ("ws://[::1]80", UrlError::Port),
            ("ws://a:0", UrlError::Port),
            ("ws://a:65536", UrlError::Port),
            ("ws://a:+80", UrlError::Port),
            ("ws://a:80:80", UrlError::Port),
            ("ws://user@a", UrlError::UserInfo),
            ("ws://user:password@a:80/", UrlError::UserInfo),
            ("ws://a/#", UrlError::Fragment),
            ("ws://a/b c", UrlError::Character { byte: b' ' }),
            ("ws://a/\r\nHost: b", UrlError::Character { byte: b'\r' }),
            ("ws://m\u{fc}ller", UrlError::Character { byte: 0xc3 }),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<Url>(), Err(error), "{text}");
        }
    }
}
