//! The decision of a server about a client's request.

use std::sync::Arc;

use crate::serve::listener::Remote;
use tidegate_core::handshake::{Acceptance, Rejection, Request};

/// A client's request and address.
///
/// Clones share the request. A handler that does not need it any more should drop it: that frees its
/// memory for the rest of the connection.
#[derive(Clone, Debug)]
pub struct ClientInfo {
    request: Arc<Request>,
    remote: Remote,
}

impl ClientInfo {
    pub(crate) fn new(request: Request, remote: Remote) -> Self {
        Self { request: Arc::new(request), remote }
    }

    /// Returns the request.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Returns the client's address.
    pub fn remote(&self) -> &Remote {
        &self.remote
    }
}

/// The answer to a request: an [`Acceptance`] or a [`Rejection`], both of which convert into it.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_enums, reason = "there is no third answer")]
pub enum Decision {
    /// Accepts the request. For what the acceptance leaves out, the server's options apply.
    Accept(Acceptance),
    /// Rejects the request. A rejection that cannot be sent becomes a 500.
    Reject(Rejection),
}

impl From<Acceptance> for Decision {
    fn from(acceptance: Acceptance) -> Self {
        Self::Accept(acceptance)
    }
}

impl From<Rejection> for Decision {
    fn from(rejection: Rejection) -> Self {
        Self::Reject(rejection)
    }
}
