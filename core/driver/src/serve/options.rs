//! How a server serves.

use std::fmt;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;

use crate::serve::decision::{ClientInfo, Decision};
use crate::serve::origins::Origins;
use tidegate_core::Config;
use tidegate_core::handshake::{Acceptance, Limits, Request};

/// Limits of a server, and what it decides requests by.
///
/// ```
/// use std::num::NonZeroUsize;
/// use tidegate_core::handshake::{Acceptance, Rejection};
/// use tidegate_driver::{Decision, Origins, ServeOptions};
///
/// let options = ServeOptions::new()
///     .max_connections(NonZeroUsize::new(10_000))
///     .origins(Origins::new(["https://example.org"]))
///     .subprotocols(["chat.v2", "chat.v1"])
///     .decide(|client| async move {
///         match client.request().path() {
///             "/chat" => Decision::from(Acceptance::new().header("X-Served-By", "tidegate")),
///             _ => Rejection::new(404).body("not here\n").into(),
///         }
///     });
/// ```
#[derive(Clone)]
pub struct ServeOptions {
    pub(crate) max_connections: Option<NonZeroUsize>,
    pub(crate) max_handshakes: Option<NonZeroUsize>,
    pub(crate) max_connections_per_address: Option<NonZeroUsize>,
    pub(crate) limits: Limits,
    pub(crate) config: Arc<Config>,
    pub(crate) origins: Option<Origins>,
    pub(crate) subprotocols: Vec<String>,
    pub(crate) decide: Option<Decide>,
}

/// The application's decision, behind a pointer: it is asked once in a connection.
type Decide =
    Arc<dyn Fn(ClientInfo) -> Pin<Box<dyn Future<Output = Decision> + Send>> + Send + Sync>;

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            // What a process may usually open, and 2.4 GiB at the very worst.
            max_connections: NonZeroUsize::new(1024),
            // A fifth of a second of signatures for a TLS server of one core; 4 MiB of heads.
            max_handshakes: NonZeroUsize::new(256),
            // Behind a proxy all have one address.
            max_connections_per_address: None,
            limits: Limits::default(),
            config: Arc::default(),
            origins: None,
            subprotocols: Vec::new(),
            decide: None,
        }
    }
}

impl ServeOptions {
    /// Every valid request is accepted, within the default limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many connections there may be at once, handshakes included. A connection counts
    /// until its stream is closed, also if its handler has given it, or its parts, to other tasks.
    /// With that many, nothing is accepted: clients wait in the backlog of the operating system, and
    /// are served when others leave; handshakes without a complete request give way, as with
    /// [`max_handshakes`](Self::max_handshakes). Default: 1024; `None`: as many as come.
    pub fn max_connections(mut self, most: impl Into<Option<NonZeroUsize>>) -> Self {
        self.max_connections = most.into();
        self
    }

    /// Sets how many handshakes may be under way at once, decisions included. With that many, the
    /// oldest that has not sent a complete request gives way to a new one and is closed without an
    /// answer, so that silent clients cannot keep others out; if all have sent theirs, nothing is
    /// accepted. A client that is refused counts until its answer is written: then it has two
    /// seconds to close the stream, as one of at most 128. Default: 256; `None`: as many as
    /// connections.
    pub fn max_handshakes(mut self, most: impl Into<Option<NonZeroUsize>>) -> Self {
        self.max_handshakes = most.into();
        self
    }

    /// Sets how many connections one address may have at once, handshakes included; more are closed
    /// at once, without an answer. All of an IPv6 network of 64 bits is one address; Unix sockets
    /// have none. Not for a server behind a proxy, whose address all clients have. Default: `None`,
    /// no limit.
    pub fn max_connections_per_address(mut self, most: impl Into<Option<NonZeroUsize>>) -> Self {
        self.max_connections_per_address = most.into();
        self
    }

    /// Sets the limits of the opening handshake. The timeout is for each of its steps: to open the
    /// stream (TLS), to send the request, for the application to decide, to take the answer.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets up the connections, unless a decision brings something else. With options for
    /// permessage-deflate, that is negotiated.
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = config.into();
        self
    }

    /// Rejects requests of other origins with 403, before anything else is decided. A server that
    /// authenticates by cookies must do this (RFC 6455 §10.2). Default: any origin.
    pub fn origins(mut self, origins: Origins) -> Self {
        self.origins = Some(origins);
        self
    }

    /// Names the subprotocols that the server speaks. The first of the client's that is one of them
    /// is chosen, unless a decision chooses; if there is none, none is.
    pub fn subprotocols<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.subprotocols = names.into_iter().map(Into::into).collect();
        self
    }

    /// Asks the application about each request: by its path, its origin, its credentials. If it
    /// takes longer than the timeout of the limits, the client gets a 503.
    pub fn decide<D, F>(mut self, decide: D) -> Self
    where
        D: Fn(ClientInfo) -> F + Send + Sync + 'static,
        F: Future<Output = Decision> + Send + 'static,
    {
        self.decide = Some(Arc::new(move |client| Box::pin(decide(client))));
        self
    }

    /// Fills in what an acceptance leaves out.
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
