//! The decision of a server about a client's request.

use std::sync::Arc;

use crate::serve::listener::Remote;
use tidegate_core::Config;
use tidegate_core::handshake::{Rejection, Request};

/// A client's request and address.
///
/// Clones share the request. A handler that does not need it any more should drop it: that frees its
/// memory for the rest of the connection.
#[derive(Clone, Debug)]
pub struct Arrival {
    request: Arc<Request>,
    peer: Remote,
}

impl Arrival {
    pub(crate) fn new(request: Request, peer: Remote) -> Self {
        Self { request: Arc::new(request), peer }
    }

    /// Returns the request.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Returns the client's address.
    pub fn remote(&self) -> &Remote {
        &self.peer
    }
}

/// The answer to a request: an [`Accept`] or a [`Rejection`], which both convert into it.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_enums, reason = "there is no third answer")]
pub enum Decision {
    /// Accepts the request.
    Accept(Accept),
    /// Rejects the request. A rejection that cannot be sent becomes a 500.
    Reject(Rejection),
}

impl From<Accept> for Decision {
    fn from(accept: Accept) -> Self {
        Self::Accept(accept)
    }
}

impl From<Rejection> for Decision {
    fn from(rejection: Rejection) -> Self {
        Self::Reject(rejection)
    }
}

/// How to accept a request. For what it leaves out, the server's options apply.
#[derive(Clone, Debug, Default)]
#[must_use = "it has no effect unless it is returned"]
pub struct Accept {
    pub(crate) subprotocol: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) config: Option<Arc<Config>>,
}

impl Accept {
    /// Accepts as the server's options say.
    pub fn new() -> Self {
        Self::default()
    }

    /// Chooses a subprotocol, which the client must have offered.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocol = Some(name.into());
        self
    }

    /// Adds a header field to the response.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets a configuration for this connection, in place of the server's.
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = Some(config.into());
        self
    }

    /// Fills in what is left out.
    pub(crate) fn or(mut self, subprotocol: Option<&str>, config: &Arc<Config>) -> Self {
        self.subprotocol = self.subprotocol.or_else(|| subprotocol.map(String::from));
        self.config.get_or_insert_with(|| Arc::clone(config));
        self
    }
}
