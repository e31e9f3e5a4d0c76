//! The options of a server: its limits, and how it decides about requests.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::io::BoxFuture;
use crate::serve::decision::{ClientInfo, Decision};
use crate::serve::origins::Origins;
use tidegate_core::handshake::{Acceptance, Limits, Request};
use tidegate_core::{Config, ConfigError};

/// The options of a server, which [`ServeOptionsBuilder::build`] has checked.
///
/// ```
/// use tidegate_core::handshake::{Acceptance, Rejection};
/// use tidegate_driver::{Decision, Origins, ServeOptions};
///
/// let options = ServeOptions::builder()
///     .max_connections(10_000)
///     .origins(Origins::new(["https://example.org"]))
///     .subprotocols(["chat.v2", "chat.v1"])
///     .decide(|client| async move {
///         match client.request().path() {
///             "/chat" => Decision::from(Acceptance::new().header("X-Served-By", "tidegate")),
///             _ => Rejection::new(404).body("not here\n").into(),
///         }
///     })
///     .build()?;
/// # Ok::<(), tidegate_core::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct ServeOptions {
    pub(crate) max_connections: Option<usize>,
    pub(crate) max_handshakes: Option<usize>,
    pub(crate) max_connections_per_address: Option<usize>,
    pub(crate) limits: Limits,
    pub(crate) config: Arc<Config>,
    pub(crate) origins: Option<Origins>,
    pub(crate) subprotocols: Vec<String>,
    pub(crate) decide: Option<Arc<Decide>>,
}

/// The application's decision about a request. Its type is erased, which costs one allocation for
/// each connection.
type Decide = dyn Fn(ClientInfo) -> BoxFuture<Decision> + Send + Sync;

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            // As many files as a process may usually open, and 2.4 GiB in the worst case.
            max_connections: Some(1024),
            // A fifth of a second of signatures for a TLS server with one core; 4 MiB of heads.
            max_handshakes: Some(256),
            // Behind a proxy, all clients have the same address.
            max_connections_per_address: None,
            limits: Limits::default(),
            config: Arc::default(),
            origins: None,
            subprotocols: Vec::new(),
            decide: None,
        }
    }
}

/// The options. The setter of the same name in [`ServeOptionsBuilder`] says what each one does.
impl ServeOptions {
    /// Begins with the defaults: every valid request is accepted, within the default limits.
    pub fn builder() -> ServeOptionsBuilder {
        ServeOptionsBuilder { options: Self::default() }
    }

    /// Begins with these options.
    pub fn to_builder(&self) -> ServeOptionsBuilder {
        ServeOptionsBuilder { options: self.clone() }
    }

    /// How many connections there may be at once. Default: 1024; `None`: any number.
    pub fn max_connections(&self) -> Option<usize> {
        self.max_connections
    }

    /// How many handshakes may be under way at once. Default: 256; `None`: as many as connections.
    pub fn max_handshakes(&self) -> Option<usize> {
        self.max_handshakes
    }

    /// How many connections one address may have at once. Default: `None`, any number.
    pub fn max_connections_per_address(&self) -> Option<usize> {
        self.max_connections_per_address
    }

    /// The limits of the opening handshake. Default: [`Limits::default`].
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The settings of the connections. Default: [`Config::default`].
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The origins that may connect. Default: `None`, any origin.
    pub fn origins(&self) -> Option<&Origins> {
        self.origins.as_ref()
    }

    /// The subprotocols that the server speaks. Default: none.
    pub fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// The application's decision about each request. Default: `None`, every request is accepted.
    pub fn decide(&self) -> Option<&(dyn Fn(ClientInfo) -> BoxFuture<Decision> + Send + Sync)> {
        self.decide.as_deref()
    }

    /// Sets what the application's acceptance leaves open.
    pub(crate) fn complete(&self, mut acceptance: Acceptance, request: &Request) -> Acceptance {
        if acceptance.chosen_subprotocol().is_none() {
            let supported: Vec<&str> = self.subprotocols.iter().map(String::as_str).collect();
            if let Some(name) = request.select_subprotocol(&supported) {
                acceptance = acceptance.subprotocol(name);
            }
        }
        if acceptance.chosen_config().is_none() {
            acceptance = acceptance.config(Arc::clone(&self.config));
        }
        acceptance
    }
}

/// Builds [`ServeOptions`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct ServeOptionsBuilder {
    options: ServeOptions,
}

impl ServeOptionsBuilder {
    /// How many connections there may be at once, including handshakes.
    ///
    /// A connection counts until its stream is closed, even if its handler has given it, or its
    /// parts, to other tasks. With that many connections the server accepts no more: clients wait in
    /// the backlog of the operating system until others leave. Handshakes without a complete request
    /// are closed to make room, as with [`max_handshakes`](Self::max_handshakes). Default: 1024;
    /// `None`: any number.
    pub fn max_connections(mut self, most: impl Into<Option<usize>>) -> Self {
        self.options.max_connections = most.into();
        self
    }

    /// How many handshakes may be under way at once, including decisions.
    ///
    /// With that many, a new client replaces the oldest one that has not sent a complete request,
    /// which is closed without an answer: silent clients cannot keep others out. If all have sent
    /// theirs, the server accepts no more. A client that is refused counts until its answer is
    /// written; it then has two seconds to close the stream, and at most 128 clients are waited for
    /// like this. Default: 256; `None`: as many as connections.
    pub fn max_handshakes(mut self, most: impl Into<Option<usize>>) -> Self {
        self.options.max_handshakes = most.into();
        self
    }

    /// How many connections one address may have at once, including handshakes. More of them are
    /// closed at once, without an answer.
    ///
    /// All addresses of an IPv6 network of 64 bits count as one; Unix sockets have no address. Leave
    /// it out for a server behind a proxy, where all clients have the address of the proxy. Default:
    /// `None`, any number.
    pub fn max_connections_per_address(mut self, most: impl Into<Option<usize>>) -> Self {
        self.options.max_connections_per_address = most.into();
        self
    }

    /// The limits of the opening handshake. The timeout applies to each of its steps: opening the
    /// stream (TLS), the request, the application's decision, the answer. Default:
    /// [`Limits::default`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.options.limits = limits;
        self
    }

    /// The settings of the connections; a decision may replace them for one connection. If they have
    /// options for permessage-deflate, it is negotiated. Default: [`Config::default`].
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.options.config = config.into();
        self
    }

    /// The origins that may connect. A request from another origin is rejected with 403 before
    /// anything else is decided. A server that authenticates by cookies must set them (RFC 6455
    /// §10.2). Default: `None`, any origin.
    pub fn origins(mut self, origins: impl Into<Option<Origins>>) -> Self {
        self.options.origins = origins.into();
        self
    }

    /// The subprotocols that the server speaks, in any order. The first one of the client's list
    /// that is among them is chosen, or none if there is no such one; a decision may choose another.
    /// Default: none.
    pub fn subprotocols<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.options.subprotocols = names.into_iter().map(Into::into).collect();
        self
    }

    /// Asks the application about each request, which it may accept or reject by the path, the
    /// origin or the credentials. If that takes longer than the timeout of the limits, the client
    /// gets a 503. Default: every request is accepted.
    pub fn decide<D, F>(mut self, decide: D) -> Self
    where
        D: Fn(ClientInfo) -> F + Send + Sync + 'static,
        F: Future<Output = Decision> + Send + 'static,
    {
        self.options.decide = Some(Arc::new(move |client| Box::pin(decide(client))));
        self
    }

    /// Checks the options.
    ///
    /// # Errors
    ///
    /// [`ConfigError::ZeroLimit`] if a number of connections or handshakes is 0.
    pub fn build(self) -> Result<ServeOptions, ConfigError> {
        let options = self.options;
        for (setting, limit) in [
            ("max_connections", options.max_connections),
            ("max_handshakes", options.max_handshakes),
            ("max_connections_per_address", options.max_connections_per_address),
        ] {
            ConfigError::check_limit(setting, limit)?;
        }
        Ok(options)
    }
}

impl fmt::Debug for ServeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServeOptions")
            .field("max_connections", &self.max_connections)
            .field("max_handshakes", &self.max_handshakes)
            .field("max_connections_per_address", &self.max_connections_per_address)
            .field("limits", &self.limits)
            .field("config", &self.config)
            .field("origins", &self.origins)
            .field("subprotocols", &self.subprotocols)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_for_no_connection_is_refused_when_the_options_are_built() {
        type Wrong = fn(ServeOptionsBuilder) -> ServeOptionsBuilder;
        let wrong = [
            ("max_connections", (|options| options.max_connections(0)) as Wrong),
            ("max_handshakes", |options| options.max_handshakes(0)),
            ("max_connections_per_address", |options| options.max_connections_per_address(0)),
        ];
        for (setting, wrong) in wrong {
            let refused = wrong(ServeOptions::builder()).build().err();
            assert_eq!(refused, Some(ConfigError::ZeroLimit { setting }));
        }
    }

    #[test]
    fn every_option_can_be_read() {
        let limits = Limits::builder().max_headers(5).build().expect("valid");
        let config = Config::builder().max_message_size(6).build().expect("valid");
        let origins = Origins::new(["https://example.org"]);
        let options = ServeOptions::builder()
            .max_connections(7)
            .max_handshakes(8)
            .max_connections_per_address(9)
            .limits(limits.clone())
            .config(config.clone())
            .origins(origins.clone())
            .subprotocols(["a"])
            .decide(|_| async { Acceptance::new().into() })
            .build()
            .expect("valid");
        assert_eq!((options.max_connections(), options.max_handshakes()), (Some(7), Some(8)));
        assert_eq!(options.max_connections_per_address(), Some(9));
        assert_eq!((options.limits(), &**options.config()), (&limits, &config));
        assert_eq!(
            (options.origins(), options.subprotocols()),
            (Some(&origins), &["a".into()][..])
        );
        assert!(options.decide().is_some() && ServeOptions::default().decide().is_none());
    }
}
