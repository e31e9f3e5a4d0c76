//! Limits of the opening handshake: how much the peer may send, and how long it may take.

use core::time::Duration;

use crate::error::ConfigError;

/// How much a peer may send, and how long it may take, until the connection is open.
///
/// ```
/// use core::time::Duration;
/// use tidegate_core::handshake::Limits;
///
/// let limits = Limits::builder()
///     .max_head_bytes(8 * 1024)
///     .timeout(Duration::from_secs(5))
///     .build()?;
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
            // The status and the header fields have arrived; the body only adds detail. A server
            // that sends a body sends it with the head, and one second covers a retransmission.
            body_timeout: Some(Duration::from_secs(1)),
        }
    }
}

/// The settings. The setter of the same name in [`LimitsBuilder`] says what each one does.
impl Limits {
    /// Begins with the defaults.
    pub fn builder() -> LimitsBuilder {
        LimitsBuilder { limits: Self::default() }
    }

    /// Begins with these settings.
    pub fn to_builder(&self) -> LimitsBuilder {
        LimitsBuilder { limits: self.clone() }
    }

    /// The largest size of a head, in bytes. Default: 16 KiB.
    pub fn max_head_bytes(&self) -> usize {
        self.max_head_bytes
    }

    /// The largest number of header fields in a head. Default: 100.
    pub fn max_headers(&self) -> usize {
        self.max_headers
    }

    /// How much of the body of a refusal a client keeps, in bytes. Default: 4 KiB.
    pub fn max_body_bytes(&self) -> usize {
        self.max_body_bytes
    }

    /// How long the peer may take. Default: 10 s; `None`: forever.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// How long a client waits for the body of a refusal. Default: 1 s; `None`: as long as
    /// [`timeout`](Self::timeout) allows.
    pub fn body_timeout(&self) -> Option<Duration> {
        self.body_timeout
    }
}

/// Builds [`Limits`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct LimitsBuilder {
    limits: Limits,
}

impl LimitsBuilder {
    /// The largest size of a head in bytes, including the empty line that ends it; a larger head
    /// fails the handshake. For a client, all interim responses count together with the final one,
    /// and the chunk headers of a refusal's body may take as much again. Default: 16 KiB.
    pub fn max_head_bytes(mut self, bytes: usize) -> Self {
        self.limits.max_head_bytes = bytes;
        self
    }

    /// The largest number of header fields in a head; more of them fail the handshake. Default:
    /// 100.
    pub fn max_headers(mut self, headers: usize) -> Self {
        self.limits.max_headers = headers;
        self
    }

    /// How many bytes of the body of a refusal a client keeps. Default: 4 KiB; 0: the client does
    /// not wait for the body.
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.limits.max_body_bytes = bytes;
        self
    }

    /// How long the peer may take.
    ///
    /// For a server, the time runs until the request is complete, and starts again until the client
    /// has taken the answer; a client that is refused must also end its side of the stream in that
    /// time. For a client, the time runs until the response is complete. Default: 10 s; `None`:
    /// forever, which lets a peer keep the transport.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.limits.timeout = timeout.into();
        self
    }

    /// How long a client waits for the body of a refusal after its head, at most as long as
    /// [`timeout`](Self::timeout) allows.
    ///
    /// Some servers announce no length and leave the connection open, or announce more than they
    /// send; what has arrived when the time is over is the body. To not wait for a body at all, set
    /// [`max_body_bytes`](Self::max_body_bytes) to 0. Default: 1 s; `None`: as long as `timeout`
    /// allows.
    pub fn body_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.limits.body_timeout = timeout.into();
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`ConfigError::ZeroLimit`] if `max_head_bytes` or `max_headers` is 0;
    /// [`ConfigError::ZeroDuration`] if a timeout is less than a microsecond.
    pub fn build(self) -> Result<Limits, ConfigError> {
        let limits = self.limits;
        ConfigError::check_limit("max_head_bytes", limits.max_head_bytes)?;
        ConfigError::check_limit("max_headers", limits.max_headers)?;
        ConfigError::check_duration("timeout", limits.timeout)?;
        ConfigError::check_duration("body_timeout", limits.body_timeout)?;
        Ok(limits)
    }
}
