//! What a proxy is asked for.

use alloc::vec::Vec;

use crate::handshake::credentials::BasicCredentials;
use crate::handshake::exchange::Steps;
use crate::handshake::limits::Limits;
use crate::handshake::proxy::error::{ProxyError, ProxyRequestError};

/// The steps of a request to a proxy, which ends in a tunnel. Implemented only in this crate.
pub trait ProxySteps: Steps<Failure = ProxyError> + Sized {
    /// The first bytes to send, and the state in which the answer is awaited.
    #[doc(hidden)]
    fn begin(
        target: &ProxyTarget<'_>,
        limits: &Limits,
    ) -> Result<(Vec<u8>, Self), ProxyRequestError>;
}

/// Where a proxy is to connect to, and how the client authenticates at the proxy.
#[derive(Debug)]
#[allow(unnameable_types, reason = "nobody else can implement `ProxySteps`")]
pub struct ProxyTarget<'t> {
    /// A name, or an IP address without brackets.
    pub(crate) host: &'t str,
    pub(crate) port: u16,
    pub(crate) credentials: Option<&'t BasicCredentials>,
}
