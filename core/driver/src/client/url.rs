//! Parses addresses such as `ws://user:password@host:port/path?query`, and refuses ambiguous ones.

use std::fmt;

use crate::client::host::{Host, is_unreserved, percent_decode};
use crate::error::UrlError;
use tidegate_core::handshake::BasicCredentials;

/// The address of a WebSocket (RFC 6455 §3).
///
/// `http://` and `https://` mean `ws://` and `wss://`, as in browsers. A host that ends in a number
/// must be an IPv4 address of four decimal parts: `127.1`, `0x7f.1` and `2130706433` are refused,
/// because some parsers read them as names and others as addresses.
///
/// A user name and a password are percent-decoded and sent as `Authorization: Basic`. Neither `Debug`
/// nor `Display` shows them, since both end up in logs. `Debug` also hides the query, which often
/// contains a secret token.
///
/// ```
/// use tidegate_driver::Url;
///
/// let url: Url = "ws://[::1]:9001/chat?room=1".parse()?;
/// assert_eq!((url.host(), url.port()), ("::1", 9001));
/// assert_eq!((url.authority(), url.target()), ("[::1]:9001", "/chat?room=1"));
/// let url: Url = "wss://me:secret@example.org/".parse()?;
/// assert!(url.is_secure());
/// assert_eq!((url.port(), url.to_string().as_str()), (443, "wss://example.org/"));
/// # Ok::<(), tidegate_driver::UrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    is_secure: bool,
    credentials: Option<BasicCredentials>,
    host: Host,
    port: u16,
    authority: String,
    target: String,
}

impl Url {
    /// Whether the scheme is `wss://` or `https://`, which means TLS.
    pub const fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// The user name and the password.
    pub const fn credentials(&self) -> Option<&BasicCredentials> {
        self.credentials.as_ref()
    }

    /// The host: a name or an IP address; an IPv6 address without its brackets and its zone.
    pub fn host(&self) -> &str {
        self.host.name()
    }

    /// The zone of an IPv6 address, decoded: the name or the number of the network interface
    /// (RFC 6874). It is used on this machine only and never sent.
    pub fn zone(&self) -> Option<&str> {
        self.host.zone()
    }

    pub(crate) const fn checked_host(&self) -> &Host {
        &self.host
    }

    /// The port. If the address has none: 80, or 443 for `wss://`.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The value of the `Host` header: the host, and the port if it is not the default one.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The path and the query.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Removes the user name and the password.
    pub(crate) fn without_credentials(mut self) -> Self {
        self.credentials = None;
        self
    }

    /// Takes over the user name and the password of another address.
    pub(crate) fn with_credentials_of(mut self, other: &Self) -> Self {
        self.credentials.clone_from(&other.credentials);
        self
    }

    /// The scheme, the host with its zone, and the port: the address without its path.
    pub(crate) fn origin(&self) -> String {
        let (scheme, default) = if self.is_secure { ("wss", 443) } else { ("ws", 80) };
        match self.port == default {
            true => format!("{scheme}://{}", self.host),
            false => format!("{scheme}://{}:{}", self.host, self.port),
        }
    }

    /// Whether both addresses belong to the same server, so that credentials for one may be sent to
    /// the other. Another port or scheme is another server.
    pub(crate) fn has_origin_of(&self, other: &Self) -> bool {
        self.is_secure == other.is_secure
            && self.port == other.port
            && self.host.is_same(&other.host)
    }
}

impl std::str::FromStr for Url {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = url.split_once("://").ok_or(UrlError::Scheme)?;
        let is_secure = match scheme.to_ascii_lowercase().as_str() {
            // The WebSocket constructor of browsers accepts the schemes of HTTP as well.
            "ws" | "http" => false,
            "wss" | "https" => true,
            _ => return Err(UrlError::Scheme),
        };
        // "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST NOT be
        // used on these URIs" (RFC 6455 §3).
        if rest.contains('#') {
            return Err(UrlError::Fragment);
        }
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (credentials, authority) = split_credentials(authority)?;
        let (host, port) = split_host(authority)?;
        let host = Host::parse(host)?;
        if let Some(byte) = [port, target].iter().find_map(|part| not_graphic(part)) {
            return Err(UrlError::Character { byte });
        }
        let path = target.split('?').next().unwrap_or_default();
        // Other parsers take a backslash for a slash, and find another host in `/\evil.test/`.
        if path.contains('\\') {
            return Err(UrlError::Character { byte: b'\\' });
        }
        let default = if is_secure { 443 } else { 80 };
        let port = match port {
            "" => default,
            port => parse_port(port).ok_or(UrlError::Port)?,
        };
        let bracketed = host.without_zone();
        let authority =
            if port == default { bracketed.into() } else { format!("{bracketed}:{port}") };
        let slash = if target.starts_with('/') { "" } else { "/" };
        let target = format!("{slash}{target}");
        Ok(Self { is_secure, credentials, host, port, authority, target })
    }
}

/// The first byte that is not visible ASCII.
fn not_graphic(text: &str) -> Option<u8> {
    text.bytes().find(|byte| !byte.is_ascii_graphic())
}

/// Leaves out the user name, the password and the query.
impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, query) = match self.target.split_once('?') {
            Some((path, _)) => (path, "?.."),
            None => (self.target.as_str(), ""),
        };
        write!(f, "Url({}{path}{query})", self.origin())
    }
}

/// Leaves out the user name and the password.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.target)
    }
}

/// Splits an authority into `user:password` and the rest. "The user information [...] is followed by
/// a commercial at-sign" (RFC 3986 §3.2.1). Neither part may contain another one, nor a backslash, at
/// which other parsers end the host.
pub(crate) fn split_credentials(
    authority: &str,
) -> Result<(Option<BasicCredentials>, &str), UrlError> {
    let Some((user_info, rest)) = authority.rsplit_once('@') else { return Ok((None, authority)) };
    let is_allowed = |byte: u8| is_unreserved(byte) || b"!$&'()*+,;=:%".contains(&byte);
    if let Some(byte) = user_info.bytes().find(|byte| !is_allowed(*byte)) {
        return Err(UrlError::Character { byte });
    }
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let decode = |text| percent_decode(text).ok_or(UrlError::UserInfo);
    let credentials = BasicCredentials::new(decode(user)?, decode(password)?)?;
    Ok((Some(credentials), rest))
}

/// Splits an authority into the host, with its brackets if it has any, and the port, which may be
/// empty.
pub(crate) fn split_host(authority: &str) -> Result<(&str, &str), UrlError> {
    let end = match authority.strip_prefix('[') {
        Some(rest) => rest.find(']').ok_or(UrlError::Host)? + 2,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at(end);
    match port.strip_prefix(':') {
        Some(port) => Ok((host, port)),
        None if port.is_empty() => Ok((host, port)),
        None => Err(UrlError::Port),
    }
}

pub(crate) fn parse_port(port: &str) -> Option<u16> {
    // `parse` alone would accept a sign.
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    port.parse().ok().filter(|port| is_number && *port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_core::handshake::CredentialsError;

    #[test]
    fn parts() {
        let cases = [
            ("ws://example.org", ("example.org", 80, "example.org", "/")),
            ("WS://Example.org:/", ("Example.org", 80, "Example.org", "/")),
            ("ws://example.org:80/a", ("example.org", 80, "example.org", "/a")),
            ("ws://example.org:443/a", ("example.org", 443, "example.org:443", "/a")),
            ("wss://example.org", ("example.org", 443, "example.org", "/")),
            ("wsS://example.org:443", ("example.org", 443, "example.org", "/")),
            ("wss://example.org:80", ("example.org", 80, "example.org:80", "/")),
            ("ws://127.0.0.1:9001?q=1", ("127.0.0.1", 9001, "127.0.0.1:9001", "/?q=1")),
            ("ws://h/a:b@c?d=/e?", ("h", 80, "h", "/a:b@c?d=/e?")),
            ("ws://h?a@b", ("h", 80, "h", "/?a@b")),
            ("ws://[::1]", ("::1", 80, "[::1]", "/")),
            ("wss://[::1]:443/", ("::1", 443, "[::1]", "/")),
            ("ws://[2001:db8::1]:65535/x", ("2001:db8::1", 65535, "[2001:db8::1]:65535", "/x")),
        ];
        for (text, (host, port, authority, target)) in cases {
            let url: Url = text.parse().expect(text);
            assert_eq!(url.is_secure(), text[..3].eq_ignore_ascii_case("wss"));
            assert_eq!((url.host(), url.port()), (host, port), "{text}");
            assert_eq!((url.authority(), url.target()), (authority, target), "{text}");
            assert_eq!(url.credentials(), None);
            assert_eq!(url.to_string().parse::<Url>(), Ok(url));
        }
    }

    #[test]
    fn credentials_are_decoded_and_not_shown() {
        let cases = [
            ("me:secret", ("me", "secret")),
            ("me", ("me", "")),
            ("me:", ("me", "")),
            (":key", ("", "key")),
            ("a%40b:c%3Ad:%25", ("a@b", "c:d:%")),
            ("m%C3%BCller:x%40y", ("m\u{fc}ller", "x@y")),
            ("!$&'()*:+,;=-._~:", ("!$&'()*", "+,;=-._~:")),
        ];
        for (text, (user, password)) in cases {
            let url: Url = format!("wss://{text}@[::1]:8443/x?secret").parse().expect(text);
            let expected = BasicCredentials::new(user, password).expect(text);
            assert_eq!(url.credentials(), Some(&expected), "{text}");
            assert_eq!(url.to_string(), "wss://[::1]:8443/x?secret");
            assert_eq!(format!("{url:?}"), "Url(wss://[::1]:8443/x?..)");
        }
    }

    #[test]
    fn what_is_refused() {
        let cases = [
            ("", UrlError::Scheme),
            ("example.org", UrlError::Scheme),
            ("ftp://example.org", UrlError::Scheme),
            ("ws://", UrlError::Host),
            ("ws:///path", UrlError::Host),
            ("ws://:80", UrlError::Host),
            ("ws://a%41", UrlError::Host),
            ("ws://a\\b", UrlError::Host),
            ("ws://[::1", UrlError::Host),
            ("ws://user@name@a", UrlError::Character { byte: b'@' }),
            ("ws://[127.0.0.1]/", UrlError::Host),
            ("ws://::1/", UrlError::Host),
            ("ws://./", UrlError::Host),
            ("ws://a..b/", UrlError::Host),
            ("ws://.a/", UrlError::Host),
            ("ws://0../", UrlError::Host),
            ("ws://user@", UrlError::Host),
            ("ws://[::1]80", UrlError::Port),
            ("ws://a:0", UrlError::Port),
            ("ws://a:65536", UrlError::Port),
            ("ws://a:+80", UrlError::Port),
            ("ws://a:80:80", UrlError::Port),
            ("ws://a%zz@a", UrlError::UserInfo),
            ("ws://a%4@a", UrlError::UserInfo),
            ("ws://a%ff@a", UrlError::UserInfo),
            ("ws://a%3ab@a", UrlError::Credentials(CredentialsError::Colon)),
            ("ws://a%0d%0aX:@a", UrlError::Credentials(CredentialsError::ControlCharacter)),
            ("ws://a b@a", UrlError::Character { byte: b' ' }),
            ("ws://a/#", UrlError::Fragment),
            ("ws://a/b c", UrlError::Character { byte: b' ' }),
            ("ws://a b/", UrlError::Character { byte: b' ' }),
            ("ws://a/\r\nHost: b", UrlError::Character { byte: b'\r' }),
            ("ws://a/m\u{fc}ller", UrlError::Character { byte: 0xc3 }),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<Url>(), Err(error), "{text}");
        }
    }

    #[test]
    #[cfg(not(feature = "idna"))]
    fn names_beyond_ascii_want_punycode() {
        let error = "ws://m\u{fc}ller.test".parse::<Url>();
        assert_eq!(error, Err(UrlError::HostNotAscii));
        assert!("ws://xn--mller-kva.test".parse::<Url>().is_ok());
    }

    #[test]
    #[cfg(feature = "idna")]
    fn names_beyond_ascii_become_punycode() {
        let url: Url = "ws://M\u{fc}ller.test:81/".parse().expect("a valid name");
        assert_eq!((url.host(), url.authority()), ("xn--mller-kva.test", "xn--mller-kva.test:81"));
        // A full stop of another script is one; a slash is none that passes.
        for bad in ["ws://\u{ad}/", "ws://a\u{2100}b/", "ws://xn--\u{fc}/"] {
            let error = bad.parse::<Url>().expect_err(bad);
            assert!(matches!(error, UrlError::HostNotAscii | UrlError::Host), "{bad:?}: {error}");
        }
    }
}
