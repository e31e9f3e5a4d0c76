//! Limits of an opening handshake: how much a peer may send, and how long it may take.

use core::time::Duration;

use crate::error::ConfigError;

/// How much a peer may send, and how long it may take, until the connection is open.
///
/// ```
/// use core::time::Duration;
/// use tidegate_core::handshake::Limits;
///
/// let limits = Limits::default()
///     .with_max_head_bytes(8 * 1024)?
///     .with_timeout(Duration::from_secs(5))?;
/// assert_eq!(limits.max_headers(), 100);
/// # Ok::<(), tidegate_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    max_head_bytes: usize,
    max_headers: usize,
    max_body_bytes: usize,
    timeout: Option<Duration>,
    body_timeout: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Room for the largest cookies that browsers send, and what most servers allow.
            max_head_bytes: 16 * 1024,
            // Browsers send about fifteen, proxies add a few.
            max_headers: 100,
            // Enough of an error page to tell what it is.
            max_body_bytes: 4 * 1024,
            // Several round trips around the world and a retransmission.
            timeout: Some(Duration::from_secs(10)),
            // Status and fields are there; the body only tells more about them. A server that sends
            // one sends it with the head, and one round trip covers a retransmission.
            body_timeout: Some(Duration::from_secs(1)),
        }
    }
}

impl Limits {
    /// Sets the size of a head in bytes, its end included; a larger one fails. Of a client, all
    /// interim responses count together with the final one, and the framing of the chunks of a
    /// refusal's body may be as large again. Default: 16 KiB.
    ///
    /// # Errors
    ///
    /// [`ConfigError::ZeroLimit`].
    pub fn with_max_head_bytes(mut self, bytes: usize) -> Result<Self, ConfigError> {
        self.max_head_bytes = not_zero("max_head_bytes", bytes)?;
        Ok(self)
    }

    /// Sets the number of header fields in a head; more of them fail. Default: 100.
    ///
    /// # Errors
    ///
    /// [`ConfigError::ZeroLimit`].
    pub fn with_max_headers(mut self, headers: usize) -> Result<Self, ConfigError> {
        self.max_headers = not_zero("max_headers", headers)?;
        Ok(self)
    }

    /// Sets how many bytes a client keeps of the body of a refusal. Default: 4 KiB; 0: it does not
    /// wait for any.
    pub fn with_max_body_bytes(mut self, bytes: usize) -> Self {
        self.max_body_bytes = bytes;
        self
    }

    /// Sets how long the peer may take: a server's until the request is complete, and again until
    /// it has taken the answer (a refused one, until it has ended its side, too); a client's until
    /// the response is complete. Default: 10 s; `None`: for ever, which lets a peer keep the
    /// transport.
    ///
    /// # Errors
    ///
    /// [`ConfigError::ZeroDuration`].
    pub fn with_timeout(
        mut self,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Self, ConfigError> {
        self.timeout = timeout.into();
        ConfigError::check_duration("timeout", self.timeout)?;
        Ok(self)
    }

    /// Sets how long a client waits for the body of a refusal after its head, within
    /// [`timeout`](Self::with_timeout): some servers announce none and leave the connection open, or
    /// announce more than they send. What has come by then is the body. Default: 1 s; `None`: as
    /// long as `timeout` allows.
    ///
    /// # Errors
    ///
    /// [`ConfigError::ZeroDuration`], also below a microsecond. Not to wait at all, set
    /// [`max_body_bytes`](Self::with_max_body_bytes) to 0.
    pub fn with_body_timeout(
        mut self,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Self, ConfigError> {
        self.body_timeout = timeout.into();
        ConfigError::check_duration("body_timeout", self.body_timeout)?;
        Ok(self)
    }

    /// The size of a head in bytes. Default: 16 KiB.
    pub fn max_head_bytes(&self) -> usize {
        self.max_head_bytes
    }

    /// The number of header fields in a head. Default: 100.
    pub fn max_headers(&self) -> usize {
        self.max_headers
    }

    /// How many bytes a client keeps of the body of a refusal. Default: 4 KiB.
    pub fn max_body_bytes(&self) -> usize {
        self.max_body_bytes
    }

    /// How long the peer may take. Default: 10 s.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// How long a client waits for the body of a refusal after its head. Default: 1 s.
    pub fn body_timeout(&self) -> Option<Duration> {
        self.body_timeout
    }
}

fn not_zero(setting: &'static str, value: usize) -> Result<usize, ConfigError> {
    if value == 0 { Err(ConfigError::ZeroLimit { setting }) } else { Ok(value) }
}
