//! How a connection compresses, and what it offers or accepts.

use crate::deflate::negotiation::{ClientWindow, DeflateOffer, DeflateParams};
use crate::deflate::pool::DeflatePool;
use crate::error::ConfigError;

/// Settings of permessage-deflate, for either role.
///
/// With context takeover, which is the default, a connection that compresses and inflates holds up to
/// 390 KiB. A direction that is not used from one ping of the keepalive to the next rests: it keeps
/// only what the next message may refer to, at most 32 KiB, and builds its tables again when that
/// comes. Without `ping_interval` nothing rests.
///
/// ```
/// use tidegate_core::deflate::DeflateOptions;
///
/// // Ten thousand idle connections shall not hold ten thousand windows.
/// let options = DeflateOptions::default()
///     .level(1)?
///     .server_no_context_takeover(true)
///     .client_no_context_takeover(true);
/// # Ok::<(), tidegate_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeflateOptions {
    pub(crate) level: u8,
    pub(crate) min_size: usize,
    pub(crate) mem_level: u8,
    pub(crate) params: DeflateParams,
    pub(crate) pool: Option<DeflatePool>,
}

impl Default for DeflateOptions {
    fn default() -> Self {
        Self {
            // Most of what level 6 gains on JSON, at about half of its time.
            level: 3,
            // Below this a message seldom gets shorter by more than its header.
            min_size: 64,
            // Level 8, zlib's, makes 64 KiB of text at most a hundredth shorter or longer; it takes eight
            // times the memory, and on messages of 1 KiB 40 % more instructions.
            mem_level: 5,
            params: DeflateParams::default(),
            pool: None,
        }
    }
}

impl DeflateOptions {
    /// How hard to compress: 1 (fast) to 9 (small). Default: 3.
    ///
    /// # Errors
    ///
    /// [`ConfigError::OutOfRange`].
    pub fn level(mut self, level: u8) -> Result<Self, ConfigError> {
        self.level = in_range("level", level, 1, 9)?;
        Ok(self)
    }

    /// How much memory the compressor's buffers take: 1 (about 1 KiB) to 9 (about 224 KiB), beside
    /// 260 KiB for the full window and its tables. Default: 5 (14 KiB).
    ///
    /// # Errors
    ///
    /// [`ConfigError::OutOfRange`].
    pub fn mem_level(mut self, level: u8) -> Result<Self, ConfigError> {
        self.mem_level = in_range("mem_level", level, 1, 9)?;
        Ok(self)
    }

    /// Messages below this many bytes go out as they are. Default: 64.
    pub fn min_size(mut self, bytes: usize) -> Self {
        self.min_size = bytes;
        self
    }

    /// Whether the server shall begin every message with an empty window (RFC 7692 §7.1.1.1).
    /// Saves the server a compressor for each connection, and the client a window. Default: no.
    pub fn server_no_context_takeover(mut self, wish: bool) -> Self {
        self.params.server_no_context_takeover = wish;
        self
    }

    /// Whether the client shall begin every message with an empty window (RFC 7692 §7.1.1.2).
    /// Default: no.
    pub fn client_no_context_takeover(mut self, wish: bool) -> Self {
        self.params.client_no_context_takeover = wish;
        self
    }

    /// The largest window that the server shall use, as a power of two: 9 (512 bytes) to 15
    /// (32 KiB). Default: 15.
    ///
    /// # Errors
    ///
    /// [`ConfigError::OutOfRange`].
    pub fn server_max_window_bits(mut self, bits: u8) -> Result<Self, ConfigError> {
        self.params.server_max_window_bits = in_range("server_max_window_bits", bits, 9, 15)?;
        Ok(self)
    }

    /// The largest window that the client shall use, likewise. Default: 15.
    ///
    /// # Errors
    ///
    /// [`ConfigError::OutOfRange`].
    pub fn client_max_window_bits(mut self, bits: u8) -> Result<Self, ConfigError> {
        self.params.client_max_window_bits = in_range("client_max_window_bits", bits, 9, 15)?;
        Ok(self)
    }

    /// Where contexts without takeover come from and go back to. Without a pool each such message
    /// makes its own, and drops it.
    pub fn pool(mut self, pool: DeflatePool) -> Self {
        self.pool = Some(pool);
        self
    }

    /// What a client offers by these settings.
    pub fn offer(&self) -> DeflateOffer {
        let DeflateParams {
            server_no_context_takeover,
            client_no_context_takeover,
            server_max_window_bits,
            client_max_window_bits,
        } = self.params;
        DeflateOffer {
            server_no_context_takeover,
            client_no_context_takeover,
            server_max_window_bits: (server_max_window_bits < 15).then_some(server_max_window_bits),
            client_max_window_bits: if client_max_window_bits < 15 {
                ClientWindow::AtMost(client_max_window_bits)
            } else {
                ClientWindow::Any
            },
        }
    }

    /// What a server wishes by these settings.
    pub fn wishes(&self) -> DeflateParams {
        self.params
    }
}

fn in_range(setting: &'static str, value: u8, least: u8, most: u8) -> Result<u8, ConfigError> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(ConfigError::OutOfRange { setting, value, least, most })
    }
}
