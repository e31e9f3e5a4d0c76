//! Connecting to a server through a proxy, without I/O: [`HttpConnect`] and [`Socks5`].
//!
//! Both are used like the opening handshake, which follows on the same transport: bytes and the time
//! come in, and bytes and a deadline come out, until [`is_open`](HttpConnect::is_open).
//!
//! ```
//! use tidegate_core::Timestamp;
//! use tidegate_core::handshake::Limits;
//! use tidegate_core::handshake::proxy::HttpConnect;
//!
//! let now = Timestamp::ZERO;
//! let mut proxy = HttpConnect::new(now, "example.org", 443, None, &Limits::default())?;
//! assert!(proxy.output().starts_with(b"CONNECT example.org:443 HTTP/1.1\r\n"));
//! proxy.handle_input(now, b"HTTP/1.1 200 Connection established\r\n\r\n");
//! assert!(proxy.is_open() && proxy.rest().is_empty());
//! # Ok::<(), tidegate_core::handshake::proxy::ProxyRequestError>(())
//! ```

mod error;
mod http_connect;
mod request;
mod socks5;

pub use self::error::{ProxyError, ProxyRequestError};
pub use self::http_connect::{HttpConnect, HttpConnectSteps};
pub use self::request::ProxySteps;
use self::request::ProxyTarget;
pub use self::socks5::{Socks5, Socks5Steps};
use crate::handshake::credentials::BasicCredentials;
use crate::handshake::exchange::{Exchange, Handshake};
use crate::handshake::limits::Limits;
use crate::time::Timestamp;

/// A request to a proxy, and its answer.
impl<S: ProxySteps> Handshake<S> {
    /// Asks for a connection to this host (an IPv6 address without brackets) and port.
    /// [`Limits::timeout`] begins. The limits on heads apply to the response of an HTTP proxy.
    ///
    /// # Errors
    ///
    /// [`ProxyRequestError`].
    pub fn new(
        now: Timestamp,
        host: &str,
        port: u16,
        credentials: Option<&BasicCredentials>,
        limits: &Limits,
    ) -> Result<Self, ProxyRequestError> {
        let target = ProxyTarget { host, port, credentials };
        let (output, steps) = S::begin(&target, limits)?;
        Ok(Self { exchange: Exchange::new(now, limits.timeout(), output), steps })
    }

    /// Whether the proxy has connected to the server. The transport then leads there.
    pub fn is_open(&self) -> bool {
        self.steps.is_received()
    }

    /// The bytes that came after the proxy's answer: the server's first bytes, if it sends before
    /// the client does.
    pub fn rest(&self) -> &[u8] {
        &self.exchange.early
    }
}
