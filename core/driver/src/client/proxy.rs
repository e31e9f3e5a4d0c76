//! The address of a proxy, and how the variables of the environment choose one.

use std::fmt;

use crate::client::host::Host;
use crate::client::no_proxy::Exceptions;
use crate::client::url::{Url, parse_port, split_credentials, split_host};
use crate::error::{EnvironmentError, UrlError};
use tidegate_core::handshake::BasicCredentials;

/// A proxy: `http://user:password@host:port` or `socks5://user:password@host:port`.
///
/// An HTTP proxy receives CONNECT, also for `ws://` (RFC 6455 §4.1). A SOCKS proxy receives the host
/// name and looks it up itself: `socks5://` and `socks5h://` mean the same here, since a lookup
/// outside of the proxy would reveal the destination to others. Without a scheme it is an HTTP
/// proxy. The default port is 80, and 1080 for SOCKS.
///
/// ```
/// use tidegate_driver::{Proxy, Url};
///
/// let proxy: Proxy = "socks5://[::1]".parse()?;
/// assert_eq!((proxy.host(), proxy.port()), ("::1", 1080));
///
/// let environment = |name: &str| match name {
///     "https_proxy" => Some(String::from("proxy.test:3128")),
///     "NO_PROXY" => Some(String::from("localhost,.internal")),
///     _ => None,
/// };
/// let url: Url = "wss://example.org/".parse()?;
/// let proxy = Proxy::from_environment(&url, environment)?.expect("there is one");
/// assert_eq!((proxy.host(), proxy.port()), ("proxy.test", 3128));
/// let url: Url = "wss://chat.internal/".parse()?;
/// assert_eq!(Proxy::from_environment(&url, environment)?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    kind: ProxyKind,
    credentials: Option<BasicCredentials>,
    host: Host,
    port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyKind {
    Http,
    Socks5,
}

impl Proxy {
    /// The proxy for this address according to the usual variables, as curl reads them:
    /// `http_proxy` for `ws://`, `https_proxy` for `wss://`, otherwise `all_proxy`. `None` if none
    /// is set, or if `no_proxy` lists the host. `lookup` returns the value of a variable, for
    /// example `|name| std::env::var(name).ok()`.
    ///
    /// Lower case takes precedence over upper case. `HTTP_PROXY` in upper case is ignored, because a
    /// web server passes the `Proxy` header of a request to its CGI programs under that name.
    ///
    /// `no_proxy` is a list, separated by commas or blanks. An entry is
    ///
    /// - a name, which matches itself and its subdomains (`example.org` and `.example.org` are the
    ///   same), or `*.example.org`, which matches the subdomains only;
    /// - an IP address, or a network such as `10.0.0.0/8` or `fd00::/8`, which match addresses
    ///   only: names are not looked up for the comparison;
    /// - a name or an address with a port, `example.org:8080` or `[::1]:8080`, which matches that
    ///   port only;
    /// - `*`, which matches everything.
    ///
    /// # Errors
    ///
    /// [`EnvironmentError`]: the variable is not the address of a proxy, or `no_proxy` has an entry
    /// of another form. Such an entry is not ignored, because traffic that should bypass the proxy
    /// would then go through it.
    pub fn from_environment(
        url: &Url,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, EnvironmentError> {
        let first = |names: &[&'static str]| {
            let mut values = names.iter().filter_map(|name| Some((*name, lookup(name)?)));
            values.find(|(_, value)| !value.is_empty())
        };
        let names: &[&'static str] = if url.is_secure() {
            &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
        } else {
            &["http_proxy", "all_proxy", "ALL_PROXY"]
        };
        let Some((variable, proxy)) = first(names) else { return Ok(None) };
        if let Some((variable, exceptions)) = first(&["no_proxy", "NO_PROXY"]) {
            let exceptions = Exceptions::parse(&exceptions)
                .map_err(|entry| EnvironmentError::exception(variable, entry))?;
            if exceptions.contains(url.checked_host(), url.port()) {
                return Ok(None);
            }
        }
        proxy.parse().map(Some).map_err(|error| EnvironmentError::proxy(variable, error))
    }

    /// The host; an IPv6 address without its brackets and its zone.
    pub fn host(&self) -> &str {
        self.host.name()
    }

    pub(crate) const fn checked_host(&self) -> &Host {
        &self.host
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The user name and the password.
    pub const fn credentials(&self) -> Option<&BasicCredentials> {
        self.credentials.as_ref()
    }

    pub(crate) const fn kind(&self) -> ProxyKind {
        self.kind
    }
}

impl std::str::FromStr for Proxy {
    type Err = UrlError;

    fn from_str(address: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = address.split_once("://").unwrap_or(("http", address));
        let (kind, default) = match scheme.to_ascii_lowercase().as_str() {
            "http" => (ProxyKind::Http, 80),
            "socks5" | "socks5h" => (ProxyKind::Socks5, 1080),
            _ => return Err(UrlError::ProxyScheme),
        };
        let (credentials, authority) = split_credentials(rest.strip_suffix('/').unwrap_or(rest))?;
        let (host, port) = split_host(authority)?;
        let host = Host::parse(host)?;
        let port = match port {
            "" => default,
            port => parse_port(port).ok_or(UrlError::Port)?,
        };
        Ok(Self { kind, credentials, host, port })
    }
}

/// Leaves out the user name and the password.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            ProxyKind::Http => "http",
            ProxyKind::Socks5 => "socks5",
        };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, kind, host, port) in [
            ("http://proxy", ProxyKind::Http, "proxy", 80),
            ("HTTP://proxy:3128/", ProxyKind::Http, "proxy", 3128),
            ("proxy:3128", ProxyKind::Http, "proxy", 3128),
            ("127.0.0.1", ProxyKind::Http, "127.0.0.1", 80),
            ("socks5://[::1]:9050", ProxyKind::Socks5, "::1", 9050),
            ("socks5h://me:secret@proxy", ProxyKind::Socks5, "proxy", 1080),
        ] {
            let proxy: Proxy = text.parse().expect(text);
            assert_eq!((proxy.kind(), proxy.host(), proxy.port()), (kind, host, port), "{text}");
            assert!(!format!("{proxy} {proxy:?}").contains("secret"));
        }
        for (text, error) in [
            ("https://proxy", UrlError::ProxyScheme),
            ("socks4://proxy", UrlError::ProxyScheme),
            ("", UrlError::Host),
            ("http://proxy/path", UrlError::Host),
            ("http://proxy:0", UrlError::Port),
            ("http://a%zz@proxy", UrlError::UserInfo),
        ] {
            assert_eq!(text.parse::<Proxy>(), Err(error), "{text}");
        }
    }

    fn found(url: &str, variables: &[(&str, &str)]) -> Option<String> {
        let url: Url = url.parse().expect(url);
        let lookup = |name: &str| {
            let variable = variables.iter().find(|(other, _)| *other == name);
            variable.map(|(_, value)| String::from(*value))
        };
        let proxy = Proxy::from_environment(&url, lookup).expect("addresses are valid");
        proxy.map(|proxy| proxy.host().into())
    }

    #[test]
    fn variables() {
        let all = [
            ("http_proxy", "a"),
            ("https_proxy", "b"),
            ("HTTPS_PROXY", "c"),
            ("all_proxy", "d"),
            ("ALL_PROXY", "e"),
        ];
        assert_eq!(found("ws://x", &all).as_deref(), Some("a"));
        assert_eq!(found("wss://x", &all).as_deref(), Some("b"));
        assert_eq!(found("ws://x", &all[1..]).as_deref(), Some("d"));
        assert_eq!(found("wss://x", &all[2..]).as_deref(), Some("c"));
        assert_eq!(found("wss://x", &all[4..]).as_deref(), Some("e"));
        assert_eq!(found("ws://x", &[("HTTP_PROXY", "evil")]), None);
        assert_eq!(
            found("ws://x", &[("http_proxy", ""), ("ALL_PROXY", "e")]).as_deref(),
            Some("e")
        );
        assert_eq!(found("ws://x", &[]), None);
        let url: Url = "ws://x".parse().expect("valid");
        let error = Proxy::from_environment(&url, |_| Some("ftp://y".into()));
        let error = error.expect_err("no proxy speaks FTP");
        assert_eq!(error.variable(), "no_proxy", "`ftp://y` is no entry either");
    }

    #[test]
    fn exceptions() {
        let list = "localhost, .internal,Example.org 10.0.0.1,[::1],,";
        for (host, is_direct) in [
            ("localhost", true),
            ("LOCALHOST", true),
            ("a.localhost", true),
            ("notlocalhost", false),
            ("internal", true),
            ("chat.internal", true),
            ("chat.internal.test", false),
            ("example.org", true),
            ("www.example.org", true),
            ("org", false),
            ("10.0.0.1", true),
            ("10.0.0.11", false),
            ("[::1]", true),
            ("[::2]", false),
        ] {
            let variables = [("http_proxy", "p"), ("NO_PROXY", list)];
            let proxy = found(&format!("ws://{host}"), &variables);
            assert_eq!(proxy.is_none(), is_direct, "{host}");
        }
        assert_eq!(found("ws://x", &[("http_proxy", "p"), ("no_proxy", " * ")]), None);
        assert_eq!(found("ws://x", &[("http_proxy", "p"), ("no_proxy", "*,y")]), None);
    }
}
