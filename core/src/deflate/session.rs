//! The seam between a connection and permessage-deflate.

#[cfg(feature = "deflate")]
use alloc::boxed::Box;

use bytes::Bytes;

#[cfg(feature = "deflate")]
use crate::deflate::{Compressor, DeflateOptions, DeflateParams, Inflater};
use crate::error::ProtocolError;
#[cfg(feature = "deflate")]
use crate::role::Role;

/// Whether a message is compressed. Has no effect unless permessage-deflate was negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Compress {
    /// From `DeflateOptions::min_size` on.
    #[default]
    Auto,
    /// Whatever its size.
    Always,
    /// Not at all: it is compressed already, or it mixes secrets with what others chose.
    Never,
}

/// What was negotiated, if anything.
#[derive(Debug, Default)]
pub(crate) struct Compression {
    #[cfg(feature = "deflate")]
    negotiated: Option<Box<Negotiated>>,
}

/// A payload to send, which may have been compressed.
#[derive(Debug)]
pub(crate) struct MaybeCompressed {
    pub(crate) compressed: bool,
    pub(crate) payload: Bytes,
}

/// Where inflated bytes go, a block at a time.
pub(crate) type Sink<'s> = &'s mut dyn FnMut(&[u8]) -> Result<(), ProtocolError>;

#[cfg(feature = "deflate")]
#[derive(Debug)]
struct Negotiated {
    inflater: Inflater,
    compressor: Option<Compressor>,
    /// The message in chunks that is going out is compressed.
    chunks: bool,
}

#[cfg(feature = "deflate")]
impl Compression {
    pub(crate) fn new(role: Role, params: DeflateParams, options: &DeflateOptions) -> Self {
        let server = (params.server_max_window_bits, !params.server_no_context_takeover);
        let client = (params.client_max_window_bits, !params.client_no_context_takeover);
        let (ours, theirs) = match role {
            Role::Server => (server, client),
            Role::Client => (client, server),
        };
        Self {
            negotiated: Some(Box::new(Negotiated {
                inflater: Inflater::new(theirs.0, theirs.1, options.pool.clone()),
                compressor: Compressor::new(ours.0, ours.1, options),
                chunks: false,
            })),
        }
    }

    /// Inflates the next piece of a message that is marked as compressed.
    pub(crate) fn inflate(&mut self, piece: &[u8], sink: Sink<'_>) -> Result<(), ProtocolError> {
        match &mut self.negotiated {
            Some(negotiated) => negotiated.inflater.push(piece, sink),
            None => Err(ProtocolError::InvalidDeflate),
        }
    }

    /// Inflates one block of the next piece, and takes what that needed off it. Returns whether there
    /// may be more of it.
    pub(crate) fn inflate_step(
        &mut self,
        piece: &mut &[u8],
        sink: Sink<'_>,
    ) -> Result<bool, ProtocolError> {
        match &mut self.negotiated {
            Some(negotiated) => negotiated.inflater.step(piece, sink),
            None => Err(ProtocolError::InvalidDeflate),
        }
    }

    /// Time for another ping has passed: what was not used meanwhile keeps nothing but its window.
    pub(crate) fn rest(&mut self) {
        if let Some(negotiated) = &mut self.negotiated {
            negotiated.inflater.rest();
            if let Some(compressor) = &mut negotiated.compressor {
                compressor.rest();
            }
        }
    }

    /// The message marked as compressed has ended.
    pub(crate) fn finish(&mut self, sink: Sink<'_>) -> Result<(), ProtocolError> {
        match &mut self.negotiated {
            Some(negotiated) => negotiated.inflater.finish(sink),
            None => Err(ProtocolError::InvalidDeflate),
        }
    }

    #[inline]
    pub(crate) const fn is_negotiated(&self) -> bool {
        self.negotiated.is_some()
    }

    /// The compressor, if messages to the peer may be compressed.
    pub(crate) fn compressor(&mut self) -> Option<&mut Compressor> {
        self.negotiated.as_mut()?.compressor.as_mut()
    }

    /// A whole message compressed, if that is negotiated, wished and worth it.
    pub(crate) fn message(&mut self, payload: &[u8], compress: Compress) -> Option<Bytes> {
        let compressor = self.compressor()?;
        let is_wanted = match compress {
            Compress::Auto => compressor.is_worth(payload.len()),
            Compress::Always => true,
            Compress::Never => false,
        };
        if is_wanted { compressor.message(payload).map(Bytes::from) } else { None }
    }

    /// A part of a message. Whether it is compressed is decided by the first one.
    pub(crate) fn chunk(
        &mut self,
        payload: Bytes,
        first: bool,
        last: bool,
        compress: Compress,
    ) -> MaybeCompressed {
        if let Some(Negotiated { compressor: Some(compressor), chunks, .. }) =
            self.negotiated.as_deref_mut()
        {
            if first {
                *chunks = compress != Compress::Never;
            }
            if *chunks && let Some(compressed) = compressor.chunk(&payload, last) {
                return MaybeCompressed { compressed: first, payload: compressed.into() };
            }
        }
        MaybeCompressed { compressed: false, payload }
    }
}

#[cfg(not(feature = "deflate"))]
impl Compression {
    #[allow(clippy::unused_self)]
    pub(crate) fn rest(&mut self) {}

    pub(crate) fn inflate(&mut self, _piece: &[u8], _sink: Sink<'_>) -> Result<(), ProtocolError> {
        Err(ProtocolError::InvalidDeflate)
    }

    pub(crate) fn inflate_step(
        &mut self,
        _piece: &mut &[u8],
        _sink: Sink<'_>,
    ) -> Result<bool, ProtocolError> {
        Err(ProtocolError::InvalidDeflate)
    }

    pub(crate) fn finish(&mut self, _sink: Sink<'_>) -> Result<(), ProtocolError> {
        Err(ProtocolError::InvalidDeflate)
    }

    #[allow(clippy::unused_self)]
    pub(crate) const fn is_negotiated(&self) -> bool {
        false
    }

    pub(crate) fn message(&mut self, _payload: &[u8], _compress: Compress) -> Option<Bytes> {
        None
    }

    pub(crate) fn chunk(
        &mut self,
        payload: Bytes,
        _first: bool,
        _last: bool,
        _compress: Compress,
    ) -> MaybeCompressed {
        MaybeCompressed { compressed: false, payload }
    }
}
