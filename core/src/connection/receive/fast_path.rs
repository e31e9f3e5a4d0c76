//! Fast path of receiving: an uncompressed message in one frame, whole in the input.
//! Almost every message is like this.
//!
//! It only recognises a valid frame, in a few comparisons. Whatever else is in the input is left there
//! for the general path, which also says what is wrong with an invalid frame.

use alloc::vec::Vec;

use bytes::Bytes;
use bytestring::ByteString;

use crate::config::Config;
use crate::frame::Mask;
use crate::message::Message;
use crate::role::Role;
use crate::utf8::unmask;
use crate::utf8::validate::from_utf8;

/// What a frame must be on this connection for the fast path to take it.
///
/// It is derived from the configuration, and kept beside the decoder so that a message does not cost
/// a look at the configuration. In five bytes without alignment, which fit into padding: an idle
/// connection pays nothing for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FastPath {
    flags: u8,
    /// The longest payload, a `u32` as bytes: an aligned one would cost three bytes of padding. Longer
    /// messages take the general path.
    max_length: [u8; 4],
}

/// A message that is whole in the input.
pub(crate) struct WholeMessage<'i> {
    pub(crate) is_text: bool,
    /// Whether the text must be valid UTF-8.
    pub(crate) is_validated: bool,
    pub(crate) mask: Option<Mask>,
    /// Still masked if there is a mask.
    pub(crate) payload: &'i [u8],
    /// The input after the message.
    pub(crate) rest: &'i [u8],
}

impl FastPath {
    pub(crate) fn new(sender: Role, config: &Config) -> Self {
        let limit = config.max_frame_size.unwrap_or(usize::MAX).min(config.max_message_size);
        Self {
            flags: if sender.masks() { MASKED } else { 0 }
                | if config.validate_utf8 { VALIDATE_UTF8 } else { 0 },
            max_length: u32::try_from(limit).unwrap_or(u32::MAX).to_ne_bytes(),
        }
    }

    /// Takes a message off the front of `input`, with a payload of its own. `None`, and `input` is as
    /// it was, if [`find`](Self::find) finds none or its text is not UTF-8.
    #[inline(always)]
    pub(crate) fn take_message(&self, input: &mut &[u8]) -> Option<Message> {
        let WholeMessage { is_text, is_validated, mask, payload, rest } = self.find(input)?;
        let message = match mask {
            Some(mask) if is_validated => Message::Text(unmask::unmask(mask, payload)?),
            Some(mask) => unvalidated(is_text, mask.to_vec(payload)),
            None if is_validated => Message::Text(ByteString::from(from_utf8(payload).ok()?)),
            None => unvalidated(is_text, payload.to_vec()),
        };
        *input = rest;
        Some(message)
    }

    /// Finds the message at the front of `input`, if the fast path applies.
    ///
    /// The stream must be between two messages, and messages must be delivered whole.
    #[inline(always)]
    pub(crate) fn find<'i>(&self, input: &'i [u8]) -> Option<WholeMessage<'i>> {
        let (&[first, second], rest) = input.split_first_chunk::<2>()?;
        // If the mask bit is not what the sender's role requires (RFC 6455 §5.1), it is set after
        // this, and no arm below matches: one comparison checks the mask and the form of the length.
        let is_masked = self.flags & MASKED != 0;
        let (length, rest) = match second ^ (self.flags & MASKED) {
            short @ 0..=125 => (u32::from(short), rest),
            126 => {
                let (length, rest) = rest.split_first_chunk::<2>()?;
                // "The minimal number of bytes MUST be used" (RFC 6455 §5.2).
                let length = u32::from(u16::from_be_bytes(*length));
                (Some(length).filter(|length| *length > 125)?, rest)
            }
            127 => {
                let (length, rest) = rest.split_first_chunk::<8>()?;
                let length = u32::try_from(u64::from_be_bytes(*length)).ok()?;
                (Some(length).filter(|length| *length > u32::from(u16::MAX))?, rest)
            }
            _ => return None,
        };
        // 0x81 and 0x82: FIN, no reserved bits, text or binary.
        if !matches!(first, 0x81 | 0x82) || length > u32::from_ne_bytes(self.max_length) {
            return None;
        }
        let (mask, rest) = if is_masked {
            let (key, rest) = rest.split_first_chunk::<4>()?;
            (Some(Mask::new(*key)), rest)
        } else {
            (None, rest)
        };
        let (payload, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        let is_text = first == 0x81;
        let is_validated = is_text && self.flags & VALIDATE_UTF8 != 0;
        Some(WholeMessage { is_text, is_validated, mask, payload, rest })
    }
}

#[inline(always)]
fn unvalidated(is_text: bool, payload: Vec<u8>) -> Message {
    let payload = Bytes::from(payload);
    if is_text { Message::UncheckedText(payload) } else { Message::Binary(payload) }
}

/// The mask bit in the second byte of a header, and the flag that it must be set.
const MASKED: u8 = 0x80;

const VALIDATE_UTF8: u8 = 0x01;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::receive::assembler::Assembler;
    use crate::deflate::session::Compression;
    use crate::frame::{Decoder, FrameHeader, HeaderRules, OpCode, Part, encode_header};
    use alloc::string::String;
    use alloc::vec;
    use proptest::prelude::*;

    /// The message that the general path makes of a single frame.
    fn general_path(sender: Role, config: &Config, mut input: &[u8]) -> Option<Message> {
        let mut decoder = Decoder::new(HeaderRules { sender, allow_rsv1: false });
        let (mut assembler, mut compression) = (Assembler::default(), Compression::default());
        loop {
            match decoder.decode(&mut input).ok()?? {
                Part::Header(header) if header.opcode.is_control() => return None,
                Part::Header(header) => assembler.begin(&header, config).ok()?,
                Part::Payload(payload) => {
                    let message = assembler.push(payload, config, &mut compression).ok()?;
                    if message.is_some() || payload.last {
                        return message;
                    }
                }
            }
        }
    }

    /// Binary payload, text, and text with an invalid byte.
    fn payload() -> impl Strategy<Value = Vec<u8>> {
        let length = prop_oneof![0..70usize, 120..130usize, 1000..1100usize, 65_500..65_600usize];
        let piece = prop_oneof![
            3 => "[ -~]{1,40}".prop_map(String::into_bytes),
            1 => "[ -~]{1,40}é[ -~]{0,9}€🌊".prop_map(String::into_bytes),
            1 => proptest::collection::vec(any::<u8>(), 1..40),
        ];
        (length, piece, proptest::option::of((any::<u8>(), any::<proptest::sample::Index>())))
            .prop_map(|(length, piece, fault)| {
                let mut payload: Vec<u8> = piece.into_iter().cycle().take(length).collect();
                if let Some((fault, at)) = fault
                    && !payload.is_empty()
                {
                    let at = at.index(payload.len());
                    payload[at] = fault;
                }
                payload
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn a_message_is_the_one_of_the_general_path_or_none(
            payload in payload(),
            opcode in prop_oneof![4 => Just(OpCode::Text), 4 => Just(OpCode::Binary), 1 => Just(OpCode::Ping)],
            (fin, masked, validate_utf8) in (proptest::bool::weighted(0.9), proptest::bool::weighted(0.8), proptest::bool::weighted(0.8)),
            key: [u8; 4],
            limits in (proptest::option::of(100..1100usize), prop_oneof![Just(1 << 20), 100..1100usize]),
            (cut, behind) in (proptest::option::of(any::<proptest::sample::Index>()), 0..80usize),
        ) {
            let config = Config {
                max_frame_size: limits.0,
                max_message_size: limits.1,
                validate_utf8,
                ..Config::default()
            };
            let mask = masked.then(|| Mask::new(key));
            let header = FrameHeader { fin, rsv1: false, opcode, mask, length: payload.len() as u64 };
            let mut frame = encode_header(header).as_slice().to_vec();
            match mask {
                Some(mut mask) => mask.append(&payload, &mut frame),
                None => frame.extend_from_slice(&payload),
            }
            let length = frame.len();
            frame.extend(core::iter::repeat_n(0x5A, behind));
            if let Some(cut) = cut {
                frame.truncate(cut.index(frame.len()));
            }
            for sender in [Role::Client, Role::Server] {
                let mut input = &frame[..];
                let taken = FastPath::new(sender, &config).take_message(&mut input);
                let expected = general_path(sender, &config, &frame);
                prop_assert_eq!(&taken, &expected);
                let left = if taken.is_some() { frame.len() - length } else { frame.len() };
                prop_assert_eq!(input.len(), left, "all of the frame is taken, or nothing");
            }
        }
    }

    /// A length in a longer form than needed is invalid (RFC 6455 §5.2), and an incomplete frame is for
    /// the general path, wherever it is cut.
    #[test]
    fn a_length_in_a_longer_form_or_an_incomplete_frame_is_not_taken() {
        let path = FastPath::new(Role::Server, &Config::default());
        for length in [0, 1, 125, 126, 127] {
            let [high, low] = u16::to_be_bytes(length);
            let frame = [&[0x82, 126, high, low], &[7; 127][..usize::from(length)]].concat();
            let expected = (length > 125).then(|| Message::binary(frame[4..].to_vec()));
            assert_eq!(path.take_message(&mut &frame[..]), expected);
            for cut in 0..frame.len() {
                assert_eq!(path.take_message(&mut &frame[..cut]), None);
            }
        }
        for length in [0, 125, 126, 0xFFFF, 0x1_0000, 1 << 32, 1 << 63] {
            let mut frame = [&[0x82, 127][..], &u64::to_be_bytes(length)].concat();
            frame.extend([7; 0x1_0000]);
            let expected = (length == 0x1_0000).then(|| Message::binary(vec![7; 0x1_0000]));
            assert_eq!(path.take_message(&mut &frame[..]), expected);
            assert_eq!(path.take_message(&mut &frame[..9]), None);
        }
    }
}
