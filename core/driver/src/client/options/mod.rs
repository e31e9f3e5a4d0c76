//! The options of a client: what its request says, and how it connects.

mod builder;

pub use self::builder::OptionsBuilder;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::client::proxy::Proxy;
use crate::client::url::Url;
use crate::error::EnvironmentError;
use crate::io::SocketOptions;
use tidegate_core::Config;
use tidegate_core::handshake::{ClientRequest, ClientRequestBuilder, Limits, RequestError};

/// The options of a client, which [`OptionsBuilder::build`] has checked.
///
/// ```
/// use tidegate_driver::{Options, Url};
///
/// let options = Options::builder()
///     .subprotocol("chat")
///     .header("Authorization", "Bearer abc")
///     .build()?;
/// let url: Url = "ws://example.org/".parse()?;
/// assert_eq!(options.request(&url)?.subprotocols(), ["chat"]);
/// # Ok::<(), tidegate_driver::Error>(())
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
            // Enough to try a name server twice, and some addresses that do not answer.
            timeout: Some(Duration::from_secs(30)),
            socket: SocketOptions::default(),
            // Environment variables belong to the whole process: they shall not send a connection
            // elsewhere unless the application asks for it.
            proxy: ProxyChoice::None,
            // "The client MAY follow redirections, but servers are not required to send them"
            // (RFC 6455 §4.1). Browsers do not follow them, and without them a request goes only to
            // the server that the application named.
            redirects: 0,
        }
    }
}

/// The options. The setter of the same name in [`OptionsBuilder`] says what each one does.
impl Options {
    /// The subprotocols that are offered, the most preferred first. Default: none.
    pub fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// The origin that is sent. Default: `None`, none is sent.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// The names and values of the header fields that were added to those of the handshake, in
    /// their order. Default: none.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The limits of the opening handshake. Default: [`Limits::default`].
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The settings of the connection. Default: [`Config::default`].
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// How long it may take until the connection is open. Default: 30 s; `None`: as long as the
    /// operating system allows.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`). Default: `true`.
    pub fn nodelay(&self) -> bool {
        self.socket.nodelay
    }

    /// The local address to connect from. Default: `None`, the operating system chooses.
    pub fn bind(&self) -> Option<IpAddr> {
        self.socket.bind
    }

    /// The proxy that was given. Default: `None`.
    pub fn proxy(&self) -> Option<&Proxy> {
        match &self.proxy {
            ProxyChoice::Given(proxy) => Some(proxy),
            ProxyChoice::None | ProxyChoice::Environment => None,
        }
    }

    /// Whether the environment names the proxy. Default: `false`.
    pub fn proxy_from_environment(&self) -> bool {
        matches!(self.proxy, ProxyChoice::Environment)
    }

    /// How many redirections are followed. Default: 0.
    pub fn redirects(&self) -> usize {
        self.redirects
    }

    /// The request for this address.
    ///
    /// # Errors
    ///
    /// [`RequestError`]: the options and the address do not make a valid request.
    pub fn request(&self, url: &Url) -> Result<ClientRequest, RequestError> {
        self.request_to(url, true)
    }

    /// The request for this address. Without trust it leaves out what is meant for the first server
    /// only.
    pub(crate) fn request_to(
        &self,
        url: &Url,
        is_trusted: bool,
    ) -> Result<ClientRequest, RequestError> {
        let mut request = ClientRequest::builder(url.authority(), url.target());
        let has_authorization =
            self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("Authorization"));
        // A header that the application gives takes precedence over the credentials in the address.
        if let Some(credentials) = url.credentials().filter(|_| !has_authorization) {
            request = request.header("Authorization", &credentials.to_header());
        }
        self.add_to(request, is_trusted).build()
    }

    /// Adds what these options ask for to a request.
    fn add_to(&self, mut request: ClientRequestBuilder, is_trusted: bool) -> ClientRequestBuilder {
        for name in &self.subprotocols {
            request = request.subprotocol(name);
        }
        if let Some(origin) = &self.origin {
            request = request.origin(origin);
        }
        for (name, value) in &self.headers {
            let is_secret = SECRETS.iter().any(|secret| secret.eq_ignore_ascii_case(name));
            if is_trusted || !is_secret {
                request = request.header(name, value);
            }
        }
        request
    }

    /// The proxy on the way to this address.
    pub(crate) fn proxy_to(&self, url: &Url) -> Result<Option<Proxy>, EnvironmentError> {
        match &self.proxy {
            ProxyChoice::None => Ok(None),
            ProxyChoice::Given(proxy) => Ok(Some(proxy.clone())),
            ProxyChoice::Environment => {
                // A value that is not UTF-8 is not ignored: the replacement characters in it make
                // it an error.
                let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
                Proxy::from_environment(url, |name| std::env::var_os(name).map(text))
            }
        }
    }

    /// The limits of the opening handshake, with its timeout cut to the time that is left; `None` if
    /// no time is left.
    pub(crate) fn limits_within(&self, left: Option<Duration>) -> Option<Limits> {
        let timeout = self.limits.timeout().into_iter().chain(left).min();
        self.limits.to_builder().timeout(timeout).build().ok()
    }

    pub(crate) fn socket(&self) -> SocketOptions {
        self.socket
    }
}

/// Shows only the names of headers and the number of subprotocols, because this ends up in logs: the
/// value of a header may be a secret, and a subprotocol often is one (a browser can send a token in
/// no other way).
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

/// Header fields that carry credentials.
const SECRETS: [&str; 3] = ["Authorization", "Proxy-Authorization", "Cookie"];

#[cfg(test)]
mod tests {
    use tidegate_core::ConfigError;

    use super::*;
    use crate::error::Error;

    #[test]
    fn secrets_go_to_the_first_server_alone_and_not_into_logs() {
        let url: Url = "ws://me:secret@a.test/".parse().expect("valid");
        let options = Options::builder().header("X-A", "b").header("COOKIE", "secret");
        let options = options.build().expect("valid");
        assert!(!format!("{options:?} {url:?}").contains("secret"));
        assert_eq!(
            options.request_to(&url.without_credentials(), false),
            ClientRequest::builder("a.test", "/").header("X-A", "b").build()
        );
    }

    #[test]
    fn a_header_counts_for_more_than_the_address() {
        let url: Url = "ws://me:x@a.test/".parse().expect("valid");
        let authorization = ("authorization", "Bearer abc");
        let options = Options::builder().header(authorization.0, authorization.1);
        let options = options.build().expect("valid");
        assert_eq!(
            options.request(&url),
            ClientRequest::builder("a.test", "/").header(authorization.0, authorization.1).build()
        );
    }

    #[test]
    fn the_shorter_time_counts() {
        let seconds = Duration::from_secs;
        let limits = Limits::builder().timeout(seconds(5)).build().expect("not zero");
        let options = Options::builder().limits(limits).build().expect("valid");
        let within = |left| options.limits_within(left).map(|limits| limits.timeout());
        assert_eq!(within(None), Some(Some(seconds(5))));
        assert_eq!(within(Some(seconds(9))), Some(Some(seconds(5))));
        assert_eq!(within(Some(seconds(1))), Some(Some(seconds(1))));
        assert_eq!(within(Some(seconds(0))), None);
    }

    #[test]
    fn what_cannot_be_sent_is_refused_when_the_options_are_built() {
        let wrong: [fn(OptionsBuilder) -> OptionsBuilder; 5] = [
            |options| options.subprotocol("a b"),
            |options| options.subprotocol("a").subprotocol("a"),
            |options| options.origin(""),
            |options| options.header("X", "a\r\nb"),
            |options| options.header("Host", "a"),
        ];
        for wrong in wrong {
            let refused = wrong(Options::builder()).build();
            assert!(matches!(refused, Err(Error::Request(_))), "{refused:?}");
        }
        let refused = Options::builder().timeout(Duration::from_nanos(999)).build();
        let error = ConfigError::ZeroDuration { setting: "timeout" };
        assert!(matches!(refused, Err(Error::Config(found)) if found == error));
    }

    #[test]
    fn every_option_can_be_read() {
        let limits = Limits::builder().max_headers(5).build().expect("valid");
        let config = Config::builder().max_message_size(5).build().expect("valid");
        let proxy: Proxy = "http://proxy.test".parse().expect("valid");
        let address: IpAddr = "127.0.0.1".parse().expect("valid");
        let options = Options::builder()
            .subprotocol("a")
            .origin("b")
            .header("c", "d")
            .limits(limits.clone())
            .config(config.clone())
            .timeout(Duration::from_secs(5))
            .nodelay(false)
            .bind(address)
            .proxy(proxy)
            .redirects(5)
            .build()
            .expect("valid");
        assert_eq!((options.subprotocols(), options.origin()), (&["a".into()][..], Some("b")));
        assert_eq!(options.headers().collect::<Vec<_>>(), [("c", "d")]);
        assert_eq!((options.limits(), &**options.config()), (&limits, &config));
        assert_eq!(options.timeout(), Some(Duration::from_secs(5)));
        assert_eq!((options.nodelay(), options.bind()), (false, Some(address)));
        assert_eq!(options.proxy().map(Proxy::host), Some("proxy.test"));
        assert_eq!((options.proxy_from_environment(), options.redirects()), (false, 5));
        let options = options.to_builder().proxy_from_environment().build().expect("valid");
        assert!(options.proxy().is_none() && options.proxy_from_environment());
    }
}
