//! How messages are compressed, and which parameters of permessage-deflate are offered or accepted.

use crate::deflate::negotiation::{ClientWindow, DeflateOffer, DeflateParams};
use crate::deflate::pool::DeflatePool;
use crate::error::ConfigError;

/// Settings of permessage-deflate, for either role.
///
/// With context takeover, which is the default, a connection that compresses and inflates holds up to
/// 390 KiB. A direction that was not used between two pings of the keepalive gives up its tables: it
/// keeps only the window that the next message may refer to, at most 32 KiB, and builds the tables
/// again when that message comes. Without `ping_interval` the tables stay.
///
/// ```
/// use tidegate_core::deflate::DeflateOptions;
///
/// // Ten thousand idle connections shall not hold ten thousand windows.
/// let options = DeflateOptions::builder()
///     .level(1)
///     .server_no_context_takeover(true)
///     .client_no_context_takeover(true)
///     .build()?;
/// assert_eq!(options.min_size(), 64);
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
            // A shorter message seldom saves more than the size of a frame header.
            min_size: 64,
            // Level 8, zlib's default, changes the compressed size of 64 KiB of text by at most 1 %,
            // takes eight times the memory, and 40 % more instructions for messages of 1 KiB.
            mem_level: 5,
            params: DeflateParams::default(),
            pool: None,
        }
    }
}

/// The settings. The setter of the same name in [`DeflateOptionsBuilder`] says what each one does.
impl DeflateOptions {
    /// Begins with the defaults.
    pub fn builder() -> DeflateOptionsBuilder {
        DeflateOptionsBuilder { options: Self::default() }
    }

    /// Begins with these settings.
    pub fn to_builder(&self) -> DeflateOptionsBuilder {
        DeflateOptionsBuilder { options: self.clone() }
    }

    /// How hard to compress, from 1 to 9. Default: 3.
    pub fn level(&self) -> u8 {
        self.level
    }

    /// How much memory the compressor's buffers take, from 1 to 9. Default: 5.
    pub fn mem_level(&self) -> u8 {
        self.mem_level
    }

    /// The shortest message that is compressed, in bytes. Default: 64.
    pub fn min_size(&self) -> usize {
        self.min_size
    }

    /// Whether the server begins every message with an empty window. Default: `false`.
    pub fn server_no_context_takeover(&self) -> bool {
        self.params.server_no_context_takeover
    }

    /// Whether the client begins every message with an empty window. Default: `false`.
    pub fn client_no_context_takeover(&self) -> bool {
        self.params.client_no_context_takeover
    }

    /// The largest window of the server, as a power of two, from 9 to 15. Default: 15.
    pub fn server_max_window_bits(&self) -> u8 {
        self.params.server_max_window_bits
    }

    /// The largest window of the client, as a power of two, from 9 to 15. Default: 15.
    pub fn client_max_window_bits(&self) -> u8 {
        self.params.client_max_window_bits
    }

    /// The pool that contexts without takeover come from. Default: `None`.
    pub fn pool(&self) -> Option<&DeflatePool> {
        self.pool.as_ref()
    }

    /// What a client offers with these settings.
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

    /// The parameters that a server prefers with these settings.
    pub fn params(&self) -> DeflateParams {
        self.params
    }
}

/// Builds [`DeflateOptions`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct DeflateOptionsBuilder {
    options: DeflateOptions,
}

impl DeflateOptionsBuilder {
    /// How hard to compress: from 1 (fast) to 9 (small). Default: 3.
    pub fn level(mut self, level: u8) -> Self {
        self.options.level = level;
        self
    }

    /// How much memory the compressor's buffers take: from 1 (about 1 KiB) to 9 (about 224 KiB), in
    /// addition to 260 KiB for the full window and its tables. Default: 5 (14 KiB).
    pub fn mem_level(mut self, level: u8) -> Self {
        self.options.mem_level = level;
        self
    }

    /// The shortest message that is compressed, in bytes; shorter ones are sent as they are.
    /// Default: 64.
    pub fn min_size(mut self, bytes: usize) -> Self {
        self.options.min_size = bytes;
        self
    }

    /// Whether the server shall begin every message with an empty window (RFC 7692 §7.1.1.1). This
    /// saves the server a compressor for each connection, and the client a window. Default: `false`.
    pub fn server_no_context_takeover(mut self, no_takeover: bool) -> Self {
        self.options.params.server_no_context_takeover = no_takeover;
        self
    }

    /// Whether the client shall begin every message with an empty window (RFC 7692 §7.1.1.2). This
    /// saves the client a compressor, and the server a window for each connection. Default: `false`.
    pub fn client_no_context_takeover(mut self, no_takeover: bool) -> Self {
        self.options.params.client_no_context_takeover = no_takeover;
        self
    }

    /// The largest window that the server shall use, as a power of two: from 9 (512 bytes) to 15
    /// (32 KiB). Default: 15.
    pub fn server_max_window_bits(mut self, bits: u8) -> Self {
        self.options.params.server_max_window_bits = bits;
        self
    }

    /// The largest window that the client shall use, as a power of two: from 9 (512 bytes) to 15
    /// (32 KiB). Default: 15.
    pub fn client_max_window_bits(mut self, bits: u8) -> Self {
        self.options.params.client_max_window_bits = bits;
        self
    }

    /// The pool that contexts without takeover are taken from and given back to. Default: `None`,
    /// each message without takeover creates a context and drops it.
    pub fn pool(mut self, pool: impl Into<Option<DeflatePool>>) -> Self {
        self.options.pool = pool.into();
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`ConfigError::OutOfRange`] if a level is not from 1 to 9, or a window not from 9 to 15 bits.
    pub fn build(self) -> Result<DeflateOptions, ConfigError> {
        let DeflateOptions { level, mem_level, params, .. } = &self.options;
        check_range("level", *level, 1, 9)?;
        check_range("mem_level", *mem_level, 1, 9)?;
        let (server, client) = (params.server_max_window_bits, params.client_max_window_bits);
        check_range("server_max_window_bits", server, 9, 15)?;
        check_range("client_max_window_bits", client, 9, 15)?;
        Ok(self.options)
    }
}

fn check_range(setting: &'static str, value: u8, least: u8, most: u8) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(ConfigError::OutOfRange { setting, value, least, most })
    }
}
