//! What a client asks for beside the address, and how it connects.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::client::proxy::Proxy;
use crate::client::url::Url;
use crate::error::EnvironmentError;
use crate::io::SocketOptions;
use tidegate_core::Config;
use tidegate_core::handshake::{ClientRequest, Limits, RequestError};

/// What a client asks for beside the address, and how its connection is set up.
///
/// ```
/// use tidegate_core::Config;
/// use tidegate_driver::{Options, Url};
///
/// let options = Options::new().subprotocol("chat").header("Authorization", "Bearer abc");
/// let url: Url = "ws://example.org/".parse()?;
/// assert!(options.request(&url).is_ok());
/// # Ok::<(), tidegate_driver::UrlError>(())
/// ```
#[derive(Clone)]
pub struct Options {
    subprotocols: Vec<String>,
    origin: Option<String>,
    headers: Vec<(String, String)>,
    limits: Limits,
    config: Arc<Config>,
    timeout: Option<Duration>,
    socket: SocketOptions,
    proxy: ProxyChoice,
    redirects: usize,
}

#[derive(Clone, Debug)]
enum ProxyChoice {
    None,
    Given(Proxy),
    Environment,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            subprotocols: Vec::new(),
            origin: None,
            headers: Vec::new(),
            limits: Limits::default(),
            config: Arc::default(),
            // Room for a name server that is tried twice and for some addresses that do not answer.
            timeout: Some(Duration::from_secs(30)),
            socket: SocketOptions::default(),
            // Variables that a whole process shares send nothing elsewhere unless it is asked for.
            proxy: ProxyChoice::None,
            // "The client MAY follow redirections, but servers are not required to send them"
            // (RFC 6455 §4.1): browsers do not, and what is asked for goes where it was sent.
            redirects: 0,
        }
    }
}

impl Options {
    /// The defaults of [`Limits`] and [`Config`], and nothing else asked for.
    pub fn new() -> Self {
        Self::default()
    }

    /// Offers a subprotocol; the most preferred comes first.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocols.push(name.into());
        self
    }

    /// Says the origin, as a browser would.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// Adds a header field to the request. `Authorization`, `Proxy-Authorization` and `Cookie` go
    /// only to the server of the address, not to one that it redirects to.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the limits of the opening handshake, and of a proxy's answer.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets up the connection. Share one `Arc` between connections.
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = config.into();
        self
    }

    /// Sets how long everything may take until the connection is open: the name, the addresses, a
    /// proxy, TLS, the opening handshake, all redirections. Default: 30 s; `None`: as long as the
    /// system lets it. Less than 1 µs is refused when it connects.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.timeout = timeout.into();
        self
    }

    /// Sets whether small writes go out at once (`TCP_NODELAY`). Default: yes.
    pub fn nodelay(mut self, nodelay: bool) -> Self {
        self.socket.nodelay = nodelay;
        self
    }

    /// Connects from this local address. Addresses of the other family fail then.
    pub fn bind(mut self, address: impl Into<Option<IpAddr>>) -> Self {
        self.socket.bind = address.into();
        self
    }

    /// Connects through this proxy.
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = ProxyChoice::Given(proxy);
        self
    }

    /// Connects through the proxy that the environment names when the connection is made, if it
    /// names one: see [`Proxy::from_environment`]. Default: directly.
    pub fn proxy_from_environment(mut self) -> Self {
        self.proxy = ProxyChoice::Environment;
        self
    }

    /// Follows so many redirections (301, 302, 303, 307, 308), never from `wss://` to `ws://`, and
    /// takes credentials to no other server. Default: 0, which makes a redirection
    /// [`HandshakeError::Status`](tidegate_core::handshake::HandshakeError::Status).
    pub fn redirects(mut self, limit: usize) -> Self {
        self.redirects = limit;
        self
    }

    /// The request to this address.
    ///
    /// # Errors
    ///
    /// [`RequestError`]: a subprotocol, the origin or a header cannot be sent.
    pub fn request(&self, url: &Url) -> Result<ClientRequest, RequestError> {
        self.request_to(url, true)
    }

    /// The request to this address, with what is meant for the first server alone or without.
    pub(crate) fn request_to(
        &self,
        url: &Url,
        is_trusted: bool,
    ) -> Result<ClientRequest, RequestError> {
        let mut request = ClientRequest::new(url.authority(), url.target())?;
        for name in &self.subprotocols {
            request = request.subprotocol(name)?;
        }
        if let Some(origin) = &self.origin {
            request = request.origin(origin)?;
        }
        let has_authorization =
            self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("Authorization"));
        // The application's own word counts for more than the address's.
        if let Some(credentials) = url.credentials().filter(|_| !has_authorization) {
            request = request.header("Authorization", &credentials.to_header())?;
        }
        for (name, value) in &self.headers {
            let is_secret = SECRETS.iter().any(|secret| secret.eq_ignore_ascii_case(name));
            if is_trusted || !is_secret {
                request = request.header(name, value)?;
            }
        }
        Ok(request)
    }

    /// The proxy to this address.
    pub(crate) fn proxy_to(&self, url: &Url) -> Result<Option<Proxy>, EnvironmentError> {
        match &self.proxy {
            ProxyChoice::None => Ok(None),
            ProxyChoice::Given(proxy) => Ok(Some(proxy.clone())),
            ProxyChoice::Environment => {
                // What is not UTF-8 is not passed over: it is no address and no entry of a list.
                let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
                Proxy::from_environment(url, |name| std::env::var_os(name).map(text))
            }
        }
    }

    pub(crate) fn limits_within(&self, left: Option<Duration>) -> Option<Limits> {
        let timeout = self.limits.timeout().into_iter().chain(left).min();
        // No time left is no valid limit.
        self.limits.clone().with_timeout(timeout).ok()
    }

    pub(crate) fn overall_timeout(&self) -> Option<Duration> {
        self.timeout
    }

    pub(crate) fn socket(&self) -> SocketOptions {
        self.socket
    }

    pub(crate) fn redirect_limit(&self) -> usize {
        self.redirects
    }

    pub(crate) fn connection_config(&self) -> Arc<Config> {
        self.config.clone()
    }
}

/// Of the headers the names, and of the subprotocols their number: the value of a header may be a
/// secret, a subprotocol often is a token (a browser can send one in no other way), and this ends up
/// in logs.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Options")
            .field("subprotocols", &self.subprotocols.len())
            .field("origin", &self.origin)
            .field("headers", &names)
            .field("limits", &self.limits)
            .field("config", &self.config)
            .field("timeout", &self.timeout)
            .field("socket", &self.socket)
            .field("proxy", &self.proxy)
            .field("redirects", &self.redirects)
            .finish()
    }
}

/// What says who asks.
const SECRETS: [&str; 3] = ["Authorization", "Proxy-Authorization", "Cookie"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_to_the_first_server_alone_and_not_into_logs() {
        let url: Url = "ws://me:secret@a.test/".parse().expect("valid");
        let options = Options::new().header("X-A", "b").header("COOKIE", "secret");
        assert!(!format!("{options:?} {url:?}").contains("secret"));
        assert_eq!(
            options.request_to(&url.without_credentials(), false),
            ClientRequest::new("a.test", "/").and_then(|request| request.header("X-A", "b"))
        );
    }

    #[test]
    fn a_header_counts_for_more_than_the_address() {
        let url: Url = "ws://me:x@a.test/".parse().expect("valid");
        let authorization = ("authorization", "Bearer abc");
        let options = Options::new().header(authorization.0, authorization.1);
        assert_eq!(
            options.request(&url),
            ClientRequest::new("a.test", "/")
                .and_then(|request| request.header(authorization.0, authorization.1))
        );
    }

    #[test]
    fn the_shorter_time_counts() {
        let seconds = Duration::from_secs;
        let limits = Limits::default().with_timeout(seconds(5)).expect("not zero");
        let options = Options::new().limits(limits);
        let within = |left| options.limits_within(left).map(|limits| limits.timeout());
        assert_eq!(within(None), Some(Some(seconds(5))));
        assert_eq!(within(Some(seconds(9))), Some(Some(seconds(5))));
        assert_eq!(within(Some(seconds(1))), Some(Some(seconds(1))));
        assert_eq!(within(Some(seconds(0))), None);
    }
}
