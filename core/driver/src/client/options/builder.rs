//! Sets the options of a client, and checks them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::client::options::{Options, ProxyChoice};
use crate::client::proxy::Proxy;
use crate::error::Error;
use tidegate_core::handshake::{ClientRequest, Limits};
use tidegate_core::{Config, ConfigError};

/// Builds [`Options`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct OptionsBuilder {
    pub(super) options: Options,
}

impl Options {
    /// Begins with the defaults.
    pub fn builder() -> OptionsBuilder {
        OptionsBuilder { options: Self::default() }
    }

    /// Begins with these options.
    pub fn to_builder(&self) -> OptionsBuilder {
        OptionsBuilder { options: self.clone() }
    }
}

impl OptionsBuilder {
    /// Offers a subprotocol, after those that are already offered: the most preferred comes first.
    /// Default: none.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.options.subprotocols.push(name.into());
        self
    }

    /// Sends this origin, as a browser would. Default: none.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.options.origin = Some(origin.into());
        self
    }

    /// Adds a header field to the request. After a redirection to another server, `Authorization`,
    /// `Proxy-Authorization` and `Cookie` are left out. Default: none but those of the handshake.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.headers.push((name.into(), value.into()));
        self
    }

    /// The limits of the opening handshake, and of a proxy's answer. Default: [`Limits::default`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.options.limits = limits;
        self
    }

    /// The settings of the connection. Share one `Arc` between connections. Default:
    /// [`Config::default`].
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.options.config = config.into();
        self
    }

    /// How long it may take until the connection is open: the name lookup, all addresses, a proxy,
    /// TLS, the opening handshake and all redirections together. Default: 30 s; `None`: as long as
    /// the operating system allows.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.options.timeout = timeout.into();
        self
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`). Default: `true`.
    pub fn nodelay(mut self, nodelay: bool) -> Self {
        self.options.socket.nodelay = nodelay;
        self
    }

    /// The local address to connect from. Connecting to an address of the other family, IPv4 or
    /// IPv6, then fails. Default: `None`, the operating system chooses.
    pub fn bind(mut self, address: impl Into<Option<IpAddr>>) -> Self {
        self.options.socket.bind = address.into();
        self
    }

    /// Connects through this proxy. Default: none, directly.
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.options.proxy = ProxyChoice::Given(proxy);
        self
    }

    /// Connects through the proxy that the environment names, if any, at the time of each attempt to
    /// connect: see [`Proxy::from_environment`]. Replaces [`proxy`](Self::proxy). Default: the
    /// environment is not read.
    pub fn proxy_from_environment(mut self) -> Self {
        self.options.proxy = ProxyChoice::Environment;
        self
    }

    /// How many redirections (301, 302, 303, 307, 308) are followed. A redirection from `wss://` to
    /// `ws://` never is, and credentials are sent to no other server. Default: 0, which makes a
    /// redirection [`HandshakeError::Status`](tidegate_core::handshake::HandshakeError::Status).
    pub fn redirects(mut self, limit: usize) -> Self {
        self.options.redirects = limit;
        self
    }

    /// Checks the options.
    ///
    /// # Errors
    ///
    /// [`Error::Request`]: a subprotocol, the origin or a header cannot be sent. [`Error::Config`]:
    /// the timeout is less than a microsecond.
    pub fn build(self) -> Result<Options, Error> {
        let options = self.options;
        ConfigError::check_duration("timeout", options.timeout).map_err(Error::Config)?;
        // Every request has a valid host and target of its own; these two stand in for them.
        let request = options.add_to(ClientRequest::builder("localhost", "/"), true);
        request.build().map_err(Error::Request)?;
        Ok(options)
    }
}
