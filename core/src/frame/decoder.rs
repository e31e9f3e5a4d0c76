//! A resumable decoder: takes input in any pieces, hands out headers and payload in place.

use crate::error::ProtocolError;
use crate::frame::{FrameHeader, HeaderRules, MAX_HEADER, Mask, OpCode, parse_header};

/// Decodes frames from a stream that is cut anywhere. Keeps at most one incomplete header.
///
/// Each frame is one [`Part::Header`], then its payload in one or more [`Part::Payload`]s, of
/// which exactly the last one has `last` set (a frame without payload has an empty one).
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
    state: State,
}

/// One step of decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a frame has a header and a payload")]
pub enum Part<'i> {
    /// A frame begins.
    Header(FrameHeader),
    /// The payload of that frame goes on.
    Payload(Payload<'i>),
}

/// Payload as it stands in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "plain data that callers take apart")]
pub struct Payload<'i> {
    /// The bytes, still masked if there is a mask.
    pub bytes: &'i [u8],
    /// The mask, turned to where these bytes begin.
    pub mask: Option<Mask>,
    /// Whether the frame ends here.
    pub last: bool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Header {
        bytes: [u8; MAX_HEADER],
        length: u8,
    },
    /// The number stands as bytes, so that it need not be aligned: an idle connection has this too.
    Payload {
        mask: Option<Mask>,
        remaining: [u8; 8],
    },
}

impl Decoder {
    /// A decoder at the beginning of a frame.
    pub const fn new(rules: HeaderRules) -> Self {
        Self { rules, state: State::EMPTY }
    }

    /// Takes the next part off the front of `input`, or `None` when all of it is taken.
    ///
    /// # Errors
    ///
    /// What [`parse_header`] reports. The stream can't be decoded any further then.
    #[inline]
    pub fn decode<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Part<'i>>, ProtocolError> {
        match &mut self.state {
            State::Payload { mask, remaining } => {
                let left = u64::from_ne_bytes(*remaining);
                if input.is_empty() && left > 0 {
                    return Ok(None);
                }
                let available = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                let (bytes, rest) = input.split_at(available);
                *input = rest;
                let left = left - available as u64;
                *remaining = left.to_ne_bytes();
                let payload = Payload { bytes, mask: *mask, last: left == 0 };
                if payload.last {
                    self.state = State::EMPTY;
                } else if let Some(mask) = mask {
                    mask.advance(available);
                }
                Ok(Some(Part::Payload(payload)))
            }
            State::Header { length: 0, .. } => match parse_header(input, self.rules)? {
                Some((header, length)) => {
                    *input = input.get(length..).unwrap_or_default();
                    Ok(Some(self.begin(header)))
                }
                None => {
                    self.keep(input);
                    Ok(None)
                }
            },
            State::Header { .. } => self.resume_header(input),
        }
    }

    /// Whether a Close stands whole in input that comes next: nothing after it counts.
    pub(crate) fn finds_close(&self, mut input: &[u8]) -> bool {
        if !self.is_between_frames() {
            return false;
        }
        while let Ok(Some((header, length))) = parse_header(input, self.rules) {
            let Ok(payload) = usize::try_from(header.length) else { return false };
            let Some(rest) = input.get(length.saturating_add(payload)..) else { return false };
            if header.opcode == OpCode::Close {
                return true;
            }
            input = rest;
        }
        false
    }

    /// Whether the stream stands between two frames.
    pub const fn is_between_frames(&self) -> bool {
        matches!(self.state, State::Header { length: 0, .. })
    }

    /// How much of the payload of the frame in progress is still to come; 0 between frames and
    /// within a header.
    pub const fn remaining(&self) -> u64 {
        match self.state {
            State::Payload { remaining, .. } => u64::from_ne_bytes(remaining),
            State::Header { .. } => 0,
        }
    }

    /// A header that came in pieces: byte by byte, which is rare and short.
    #[cold]
    fn resume_header<'i>(
        &mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Part<'i>>, ProtocolError> {
        while let Some((byte, rest)) = input.split_first() {
            self.keep(&mut core::slice::from_ref(byte));
            *input = rest;
            if let State::Header { bytes, length } = &self.state {
                let header = bytes.get(..usize::from(*length)).unwrap_or_default();
                if let Some((header, _)) = parse_header(header, self.rules)? {
                    return Ok(Some(self.begin(header)));
                }
            }
        }
        Ok(None)
    }

    /// Keeps an incomplete header; it always fits, or it would have been complete.
    fn keep(&mut self, input: &mut &[u8]) {
        if let State::Header { bytes, length } = &mut self.state {
            for (slot, byte) in bytes.iter_mut().skip(usize::from(*length)).zip(*input) {
                *slot = *byte;
                *length += 1;
            }
            *input = &[];
        }
    }

    #[inline]
    fn begin(&mut self, header: FrameHeader) -> Part<'static> {
        self.state = State::Payload { mask: header.mask, remaining: header.length.to_ne_bytes() };
        Part::Header(header)
    }
}

impl State {
    const EMPTY: Self = Self::Header { bytes: [0; MAX_HEADER], length: 0 };
}
