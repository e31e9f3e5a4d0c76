//! Decodes frames from input that arrives in any pieces, without copying the payload.

use crate::error::ProtocolError;
use crate::frame::{FrameHeader, HeaderRules, MAX_HEADER, Mask, OpCode, parse_header};

/// Decodes frames from a stream of bytes that may be split anywhere, even in a header. Keeps no more
/// than one incomplete header between two calls.
///
/// Each frame is returned as one [`Part::Header`] and then one or more [`Part::Payload`]s. Only the
/// last payload of a frame has `last` set. A frame without payload has one empty payload.
///
/// ```
/// use tidegate_core::frame::{Decoder, HeaderRules, Part};
/// use tidegate_core::Role;
///
/// let mut decoder = Decoder::new(HeaderRules { sender: Role::Server, allow_rsv1: false });
/// let mut text = Vec::new();
/// for mut input in [&b"\x81"[..], b"\x05He", b"llo"] {
///     while let Some(part) = decoder.decode(&mut input)? {
///         if let Part::Payload(payload) = part {
///             text.extend_from_slice(payload.bytes); // a server's frames are not masked
///         }
///     }
/// }
/// assert_eq!(text, b"Hello");
/// # Ok::<(), tidegate_core::ProtocolError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Decoder {
    rules: HeaderRules,
    state: DecoderState,
}

/// What [`Decoder::decode`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a frame has a header and a payload")]
pub enum Part<'i> {
    /// The header of the next frame.
    Header(FrameHeader),
    /// All or some of the payload of that frame.
    Payload(Payload<'i>),
}

/// A piece of payload, borrowed from the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "plain data that callers take apart")]
pub struct Payload<'i> {
    /// The bytes, still masked if there is a mask.
    pub bytes: &'i [u8],
    /// The mask, rotated so that it begins at the first of these bytes.
    pub mask: Option<Mask>,
    /// Whether the frame ends with these bytes.
    pub last: bool,
}

#[derive(Clone, Copy, Debug)]
enum DecoderState {
    Header {
        bytes: [u8; MAX_HEADER],
        length: u8,
    },
    /// `remaining` is a `u64` as bytes: an aligned one would need padding after the five bytes of the
    /// mask, in every connection.
    Payload {
        mask: Option<Mask>,
        remaining: [u8; 8],
    },
}

impl Decoder {
    /// Creates a decoder that expects the beginning of a frame.
    pub const fn new(rules: HeaderRules) -> Self {
        Self { rules, state: DecoderState::EMPTY }
    }

    /// Takes the next header or piece of payload off the front of `input`. Returns `None` when more
    /// input is needed; `input` is empty then.
    ///
    /// The empty payload of a frame is returned without further input.
    ///
    /// # Errors
    ///
    /// The errors of [`parse_header`]. The stream cannot be decoded any further after one.
    #[inline]
    pub fn decode<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Part<'i>>, ProtocolError> {
        match &mut self.state {
            DecoderState::Payload { mask, remaining } => {
                let left = u64::from_ne_bytes(*remaining);
                // With nothing left the empty payload must be returned even without input: it
                // carries `last`, and no further byte of this frame will come.
                if input.is_empty() && left > 0 {
                    return Ok(None);
                }
                // On a 32-bit target a length may exceed `usize`. The input bounds the piece
                // anyway.
                let available = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                let (bytes, rest) = input.split_at(available);
                *input = rest;
                let left = left - available as u64;
                *remaining = left.to_ne_bytes();
                let payload = Payload { bytes, mask: *mask, last: left == 0 };
                if payload.last {
                    self.state = DecoderState::EMPTY;
                } else if let Some(mask) = mask {
                    mask.advance(available);
                }
                Ok(Some(Part::Payload(payload)))
            }
            // Usual case: the whole header is in the input and is parsed there, without a copy.
            DecoderState::Header { length: 0, .. } => match parse_header(input, self.rules)? {
                Some((header, length)) => {
                    *input = input.get(length..).unwrap_or_default();
                    Ok(Some(self.begin(header)))
                }
                None => {
                    self.keep(input);
                    Ok(None)
                }
            },
            DecoderState::Header { .. } => self.resume_header(input),
        }
    }

    /// Whether `input`, which comes next, contains a whole Close frame. Only looks; the decoder does
    /// not move.
    pub(crate) fn finds_close(&self, mut input: &[u8]) -> bool {
        if !self.is_between_frames() {
            return false;
        }
        while let Ok(Some((header, length))) = parse_header(input, self.rules) {
            let Ok(payload) = usize::try_from(header.length) else { return false };
            // The peer chooses the length, so the sum may overflow. Saturated, it is outside the
            // input.
            let Some(rest) = input.get(length.saturating_add(payload)..) else { return false };
            if header.opcode == OpCode::Close {
                return true;
            }
            input = rest;
        }
        false
    }

    /// Whether the last frame is complete and nothing of the next one has arrived.
    pub const fn is_between_frames(&self) -> bool {
        matches!(self.state, DecoderState::Header { length: 0, .. })
    }

    /// How many bytes of the current frame's payload are still missing; 0 between frames and inside a
    /// header.
    pub const fn remaining(&self) -> u64 {
        match self.state {
            DecoderState::Payload { remaining, .. } => u64::from_ne_bytes(remaining),
            DecoderState::Header { .. } => 0,
        }
    }

    /// Goes on with a header that came in pieces. Byte by byte, so that no byte of the payload is taken:
    /// the length of a header is known only when most of it has been parsed. This is rare and short.
    #[cold]
    fn resume_header<'i>(
        &mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Part<'i>>, ProtocolError> {
        while let Some((byte, rest)) = input.split_first() {
            self.keep(&mut core::slice::from_ref(byte));
            *input = rest;
            if let DecoderState::Header { bytes, length } = &self.state {
                let header = bytes.get(..usize::from(*length)).unwrap_or_default();
                if let Some((header, _)) = parse_header(header, self.rules)? {
                    return Ok(Some(self.begin(header)));
                }
            }
        }
        Ok(None)
    }

    /// Keeps an incomplete header. It always fits: with [`MAX_HEADER`] bytes it would be complete.
    fn keep(&mut self, input: &mut &[u8]) {
        if let DecoderState::Header { bytes, length } = &mut self.state {
            for (slot, byte) in bytes.iter_mut().skip(usize::from(*length)).zip(*input) {
                *slot = *byte;
                *length += 1;
            }
            *input = &[];
        }
    }

    #[inline]
    fn begin(&mut self, header: FrameHeader) -> Part<'static> {
        self.state =
            DecoderState::Payload { mask: header.mask, remaining: header.length.to_ne_bytes() };
        Part::Header(header)
    }
}

impl DecoderState {
    const EMPTY: Self = Self::Header { bytes: [0; MAX_HEADER], length: 0 };
}
