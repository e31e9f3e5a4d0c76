//! Addresses: `ws://user:password@host:port/path?query`, and nothing that could mean two things.

use alloc::borrow::Cow;
use core::fmt;
use core::net::Ipv6Addr;

use crate::handshake::{BasicCredentials, CredentialsError};

/// Where to connect to, and what to ask for there (RFC 6455 §3).
///
/// A user name and a password are percent-decoded and sent as `Authorization: Basic`. They are in
/// neither `Debug` nor `Display`, which end up in logs.
///
/// ```
/// use tidegate_core::driver::Url;
///
/// let url: Url = "ws://[::1]:9001/chat?room=1".parse()?;
/// assert_eq!((url.host(), url.port()), ("::1", 9001));
/// assert_eq!((url.authority(), url.target()), ("[::1]:9001", "/chat?room=1"));
/// let url: Url = "wss://me:secret@example.org/".parse()?;
/// assert!(url.is_secure());
/// assert_eq!((url.port(), url.to_string().as_str()), (443, "wss://example.org/"));
/// # Ok::<(), tidegate_core::driver::UrlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    is_secure: bool,
    credentials: Option<BasicCredentials>,
    host: String,
    port: u16,
    authority: String,
    target: String,
}

impl Url {
    /// Whether it is `wss://`: TLS below.
    pub const fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// The user name and the password.
    pub const fn credentials(&self) -> Option<&BasicCredentials> {
        self.credentials.as_ref()
    }

    /// The host: a name or an IP address; an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; 80 if the address has none, 443 of `wss://`.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What stands in the `Host` header: the host, and the port if it is not the default one.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The path and the query.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Without the user name and the password.
    pub(super) fn without_credentials(mut self) -> Self {
        self.credentials = None;
        self
    }

    /// With the user name and the password of another address.
    pub(super) fn with_credentials_of(mut self, other: &Self) -> Self {
        self.credentials.clone_from(&other.credentials);
        self
    }

    /// Whether both are of one server: what credentials are meant for. Another port or scheme is
    /// another server.
    pub(super) fn has_origin_of(&self, other: &Self) -> bool {
        self.is_secure == other.is_secure
            && self.port == other.port
            && self.host.eq_ignore_ascii_case(&other.host)
    }
}

impl core::str::FromStr for Url {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = url.split_once("://").ok_or(UrlError::Scheme)?;
        let is_secure = match scheme {
            _ if scheme.eq_ignore_ascii_case("ws") => false,
            _ if scheme.eq_ignore_ascii_case("wss") => true,
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
        let host = to_ascii(host)?;
        for part in [&*host, port, target] {
            if let Some(byte) = part.bytes().find(|byte| !byte.is_ascii_graphic()) {
                return Err(UrlError::Character { byte });
            }
        }
        let (host, bracketed) = check_host(&host)?;
        let default = if is_secure { 443 } else { 80 };
        let port = match port {
            "" => default,
            port => parse_port(port).ok_or(UrlError::Port)?,
        };
        let authority =
            if port == default { bracketed.into() } else { format!("{bracketed}:{port}") };
        let slash = if target.starts_with('/') { "" } else { "/" };
        let target = format!("{slash}{target}");
        Ok(Self { is_secure, credentials, host: host.into(), port, authority, target })
    }
}

/// Without the user name and the password.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.authority, self.target)
    }
}

/// Takes `user:password@` off an authority. The last `@` ends it: a password may have others, and
/// no host has one.
pub(super) fn split_credentials(
    authority: &str,
) -> Result<(Option<BasicCredentials>, &str), UrlError> {
    let Some((user_info, rest)) = authority.rsplit_once('@') else { return Ok((None, authority)) };
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let (user, password) = (percent_decode(user)?, percent_decode(password)?);
    let credentials = BasicCredentials::new(user, password)?;
    Ok((Some(credentials), rest))
}

fn percent_decode(text: &str) -> Result<String, UrlError> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let value = digit().zip(digit()).map(|(high, low)| high * 16 + low);
                value.and_then(|value| u8::try_from(value).ok()).ok_or(UrlError::UserInfo)?
            }
            byte if byte.is_ascii_graphic() => byte,
            byte => return Err(UrlError::Character { byte }),
        });
    }
    String::from_utf8(decoded).map_err(|_| UrlError::UserInfo)
}

/// The host, in brackets if it is in brackets, and the port, which may be empty.
pub(super) fn split_host(authority: &str) -> Result<(&str, &str), UrlError> {
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

/// The host without and with brackets.
pub(super) fn check_host(host: &str) -> Result<(&str, &str), UrlError> {
    if let Some(literal) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        literal.parse::<Ipv6Addr>().map_err(|_| UrlError::Host)?;
        return Ok((literal, host));
    }
    // Letters, digits, dots, hyphens, and underscores, which are not allowed and in use. Whatever
    // else RFC 3986 would let pass is read differently by different parsers.
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if host.is_empty() || !host.bytes().all(is_name) {
        return Err(UrlError::Host);
    }
    Ok((host, host))
}

/// The host in ASCII.
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

pub(super) fn parse_port(port: &str) -> Option<u16> {
    // `parse` alone would take a sign.
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    port.parse().ok().filter(|port| is_number && *port != 0)
}

/// Why an address cannot be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UrlError {
    /// The scheme is neither `ws` nor `wss`.
    Scheme,
    /// The scheme is `wss`, and the adapter is built without TLS: its feature `rustls` is off. A TLS
    /// stream of your own goes into `client`.
    TlsNotBuilt,
    /// A space, a control character or one beyond ASCII, to be percent-encoded.
    Character {
        /// The first such byte.
        byte: u8,
    },
    /// The host is missing, or neither a name nor an IP address.
    Host,
    /// The host is not ASCII, and is to be written in Punycode (`xn--...`); with the feature `idna`:
    /// it is not an international name that may be registered.
    HostNotAscii,
    /// The port is not a number from 1 to 65535.
    Port,
    /// The user name or the password is not percent-encoded UTF-8.
    UserInfo,
    /// The user name or the password cannot be sent.
    Credentials(CredentialsError),
    /// There is a fragment (RFC 6455 §3).
    Fragment,
    /// The scheme of a proxy is neither `http` nor `socks5`.
    ProxyScheme,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "the address does not begin with ws:// or wss://",
            Self::TlsNotBuilt => {
                "wss:// needs the feature rustls of the adapter; or hand a TLS stream to client()"
            }
            Self::Character { byte } => {
                return write!(
                    f,
                    "the address has the byte {byte:#04x}, which must be percent-encoded"
                );
            }
            Self::Host => "the host is neither a name nor an IP address",
            Self::HostNotAscii if cfg!(feature = "idna") => {
                "the host is not a valid international name"
            }
            Self::HostNotAscii => {
                "the host is not ASCII: write it in Punycode (xn--...), or use the feature idna"
            }
            Self::Port => "the port is not a number from 1 to 65535",
            Self::UserInfo => "the user name or the password is not percent-encoded UTF-8",
            Self::Credentials(error) => return error.fmt(f),
            Self::Fragment => "the address has a fragment (#), which it must not",
            Self::ProxyScheme => "the address of a proxy does not begin with http:// or socks5://",
        })
    }
}

impl core::error::Error for UrlError {}

impl From<CredentialsError> for UrlError {
    fn from(error: CredentialsError) -> Self {
        Self::Credentials(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("m%C3%BCller:x@y", ("m\u{fc}ller", "x@y")),
        ];
        for (text, (user, password)) in cases {
            let url: Url = format!("wss://{text}@[::1]:8443/x").parse().expect(text);
            let expected = BasicCredentials::new(user, password).expect(text);
            assert_eq!(url.credentials(), Some(&expected), "{text}");
            assert_eq!(url.to_string(), "wss://[::1]:8443/x");
            assert!(!format!("{url:?}").contains("secret"));
        }
    }

    #[test]
    fn what_is_refused() {
        let cases = [
            ("", UrlError::Scheme),
            ("example.org", UrlError::Scheme),
            ("http://example.org", UrlError::Scheme),
            ("ws://", UrlError::Host),
            ("ws:///path", UrlError::Host),
            ("ws://:80", UrlError::Host),
            ("ws://a%41", UrlError::Host),
            ("ws://a\\b", UrlError::Host),
            ("ws://[::1", UrlError::Host),
            ("ws://[fe80::1%25eth0]/", UrlError::Host),
            ("ws://[127.0.0.1]/", UrlError::Host),
            ("ws://::1/", UrlError::Host),
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
