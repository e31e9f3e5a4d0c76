//! permessage-deflate (RFC 7692): negotiation, and compression with or without context takeover.

#[cfg(feature = "deflate")]
mod compressor;
#[cfg(feature = "deflate")]
mod context;
#[cfg(feature = "deflate")]
mod inflater;
#[cfg(feature = "deflate")]
mod negotiation;
#[cfg(feature = "deflate")]
mod options;
#[cfg(feature = "deflate")]
mod pool;
pub(crate) mod session;

#[cfg(feature = "deflate")]
pub use self::negotiation::{ClientWindow, DeflateOffer, DeflateParams};
#[cfg(feature = "deflate")]
pub use self::options::{DeflateOptions, DeflateOptionsBuilder};
#[cfg(feature = "deflate")]
pub use self::pool::DeflatePool;

#[cfg(feature = "deflate")]
pub(crate) use self::compressor::Compressor;
#[cfg(feature = "deflate")]
pub(crate) use self::inflater::Inflater;

/// The most that a compressor and an inflater hold, with the full window and this `mem_level`.
///
/// Measured by a counting allocator, for every `mem_level` (`tests/tests/deflate_memory.rs` does it
/// again): an inflater 79 KiB (state, window, our copy of it), a compressor 292 KiB (window, chains,
/// hash table, our copy of the window), and its buffers for symbols and pending output, which double
/// with each level: seven bytes for each of `64 << mem_level` symbols. The level of compression makes no difference.
#[cfg(feature = "deflate")]
pub(crate) const fn context_bound(mem_level: u8) -> usize {
    376 * 1024 + ((7 * 64) << mem_level)
}
