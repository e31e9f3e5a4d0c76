//! What a server decides about a request.

use std::sync::Arc;

use crate::serve::listener::Remote;
use tidegate_core::Config;
use tidegate_core::handshake::{Rejection, Request};

/// A client that has arrived: its request, and where it is.
///
/// Clones share the request. A handler that drops it saves that memory for the rest of a
/// connection.
#[derive(Clone, Debug)]
pub struct Arrival {
    request: Arc<Request>,
    peer: Remote,
}

impl Arrival {
    pub(crate) fn new(request: Request, peer: Remote) -> Self {
        Self { request: Arc::new(request), peer }
    }

    /// What it asks for.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Where it is.
    pub fn remote(&self) -> &Remote {
        &self.peer
    }
}

/// What becomes of a request: an [`Accept`] or a [`Rejection`] in another type.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_enums, reason = "there is no third answer")]
pub enum Decision {
    /// A WebSocket.
    Accept(Accept),
    /// An answer that says why not. One that cannot be sent becomes a 500.
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

/// How to accept a request. What it leaves open is as the server's options say.
#[derive(Clone, Debug, Default)]
#[must_use = "it is an answer only when it is returned"]
pub struct Accept {
    pub(crate) subprotocol: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) config: Option<Arc<Config>>,
}

impl Accept {
    /// As the server's options say.
    pub fn new() -> Self {
        Self::default()
    }

    /// Chooses a subprotocol, which the client must have offered.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocol = Some(name.into());
        self
    }

    /// Adds a header field to the answer.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets up this connection otherwise than the others.
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = Some(config.into());
        self
    }

    pub(crate) fn or(mut self, subprotocol: Option<&str>, config: &Arc<Config>) -> Self {
        self.subprotocol = self.subprotocol.or_else(|| subprotocol.map(String::from));
        self.config.get_or_insert_with(|| Arc::clone(config));
        self
    }
}
