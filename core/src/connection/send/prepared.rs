//! A message for many connections: encoded once, and compressed once for each window size.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

#[cfg(feature = "deflate")]
use crate::deflate::DeflateOptions;
use crate::deflate::session::Compression;
use crate::frame::{FrameHeader, OpCode, encode_header};
use crate::message::Message;

/// A message that is encoded and compressed once and sent to any number of connections. Cheap to
/// clone.
///
/// ```
/// use tidegate_core::{Config, Connection, Prepared, Timestamp};
///
/// let mut members: Vec<_> =
///     (0..1000).map(|_| Connection::server(Timestamp::ZERO, Config::default())).collect();
/// let news = Prepared::new("tide is high");
/// for member in &mut members {
///     // An error means that this one is slow, or closed: skip it, wait for it, or drop it.
///     member.send(&news)?;
/// }
/// # Ok::<(), tidegate_core::SendError>(())
/// ```
///
/// A server's connections share its bytes. A client's mask them, each with a key of its own.
#[derive(Clone)]
pub struct Prepared(Arc<PreparedInner>);

struct PreparedInner {
    message: Message,
    plain: EncodedFrame,
    #[cfg(feature = "deflate")]
    compressed: CompressedFrames,
}

/// A frame as a server sends it.
#[derive(Clone, Debug)]
pub(crate) struct EncodedFrame {
    pub(crate) frame: Bytes,
    pub(crate) payload: Bytes,
    pub(crate) rsv1: bool,
}

/// One frame for each window size of 9 to 15 bits, made when a connection asks for it. `None` for a
/// message that is too short, or that compression does not make shorter.
#[cfg(feature = "deflate")]
struct CompressedFrames {
    options: DeflateOptions,
    windows: [std::sync::OnceLock<Option<EncodedFrame>>; 7],
}

impl Prepared {
    /// Prepares a message; for connections that compress, with the default options.
    pub fn new(message: impl Into<Message>) -> Self {
        let message = message.into();
        Self(Arc::new(PreparedInner {
            plain: EncodedFrame::new(&message, message.clone().into_bytes(), false),
            #[cfg(feature = "deflate")]
            compressed: CompressedFrames {
                options: DeflateOptions::default(),
                windows: Default::default(),
            },
            message,
        }))
    }

    /// Prepares a message; for connections that compress, with this level and least size.
    #[cfg(feature = "deflate")]
    pub fn with_options(message: impl Into<Message>, options: DeflateOptions) -> Self {
        let message = message.into();
        let plain = EncodedFrame::new(&message, message.clone().into_bytes(), false);
        let compressed = CompressedFrames { options, windows: Default::default() };
        Self(Arc::new(PreparedInner { message, plain, compressed }))
    }

    /// The message.
    pub fn message(&self) -> &Message {
        &self.0.message
    }

    /// The frame for a connection with this compression.
    ///
    /// With context takeover the peer's window then holds what our compressor has not seen, so the
    /// compressor begins anew after a compressed frame.
    #[cfg(feature = "deflate")]
    pub(crate) fn encoded_for(&self, compression: &mut Compression) -> &EncodedFrame {
        let Some(compressor) = compression.compressor() else { return &self.0.plain };
        match self.compressed(compressor.window_bits()) {
            Some(encoded) => {
                compressor.forget();
                encoded
            }
            None => &self.0.plain,
        }
    }

    /// The frame, which is the same for every connection.
    #[cfg(not(feature = "deflate"))]
    pub(crate) fn encoded_for(&self, _: &mut Compression) -> &EncodedFrame {
        &self.0.plain
    }

    /// Compressed for a window of this many bits, 9 to 15, if that makes it shorter. Compressed when
    /// the first connection asks for it.
    #[cfg(feature = "deflate")]
    fn compressed(&self, window_bits: u8) -> Option<&EncodedFrame> {
        let PreparedInner { message, compressed: CompressedFrames { options, windows }, .. } =
            &*self.0;
        let window = windows.get(usize::from(window_bits.checked_sub(9)?))?;
        let encode = || {
            let mut compressor = crate::deflate::Compressor::new(window_bits, false, options)?;
            let is_worth = compressor.is_worth(message.len());
            let payload = is_worth.then(|| compressor.message(message.as_bytes())).flatten()?;
            Some(EncodedFrame::new(message, payload.into(), true))
        };
        window.get_or_init(encode).as_ref()
    }
}

impl EncodedFrame {
    fn new(message: &Message, payload: Bytes, rsv1: bool) -> Self {
        let opcode = OpCode::from(message.kind());
        let length = payload.len() as u64;
        let header = FrameHeader { fin: true, rsv1, opcode, mask: None, length };
        let header = encode_header(header);
        let header = header.as_slice();
        let mut frame = Vec::with_capacity(header.len() + payload.len());
        frame.extend_from_slice(header);
        frame.extend_from_slice(&payload);
        let frame = Bytes::from(frame);
        Self { payload: frame.slice(header.len()..), frame, rsv1 }
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Prepared").field(&self.0.message).finish()
    }
}
