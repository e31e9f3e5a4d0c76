//! permessage-deflate (RFC 7692): negotiation, and compression with or without context takeover.

mod compressor;
mod context;
mod inflater;
mod negotiation;
mod options;
mod pool;

pub use self::negotiation::{ClientWindow, DeflateOffer, DeflateParams};
pub use self::options::DeflateOptions;
pub use self::pool::DeflatePool;

pub(crate) use self::compressor::Compressor;
pub(crate) use self::inflater::Inflater;

/// The most that a compressor (window, chains, hash table and pending output) and an inflater
/// (state, window, history) hold.
pub(crate) const CONTEXT_BOUND: usize = 384 * 1024;
