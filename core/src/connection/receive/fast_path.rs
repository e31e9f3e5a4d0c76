//! The path of most messages: in one frame, and whole in the input.

use alloc::vec::Vec;

use bytes::Bytes;
use bytestring::ByteString;

use crate::config::Config;
use crate::frame::Mask;
use crate::message::Message;
use crate::role::Role;
use crate::utf8::unmask as text;
use crate::utf8::validate::from_utf8;

/// What such a message must be on this connection. In three bytes: an idle connection has it too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    rules: u8,
    limit: [u8; 2],
}

impl Path {
    pub(crate) fn new(sender: Role, config: &Config) -> Self {
        let limit = config.max_frame_size.unwrap_or(usize::MAX).min(config.max_message_size);
        Self {
            rules: if sender.masks() { MASKED } else { 0 }
                | if config.validate_utf8 { VALIDATE_UTF8 } else { 0 },
            limit: u16::try_from(limit).unwrap_or(u16::MAX).to_ne_bytes(),
        }
    }

    /// Takes a message off the front of `input`, if one is there as [`find`](Self::find) wants it
    /// and nothing is wrong with it. Otherwise nothing is taken, and the general path says what
    /// there is.
    #[inline(always)]
    pub(crate) fn take_message(&self, input: &mut &[u8]) -> Option<Message> {
        let Found { is_text, is_validated, mask, payload, behind } = self.find(input)?;
        let message = match mask {
            Some(mask) if is_validated => Message::Text(text::unmask(mask, payload)?),
            Some(mask) => unchecked(is_text, mask.to_vec(payload)),
            None if is_validated => Message::Text(ByteString::from(from_utf8(payload).ok()?)),
            None => unchecked(is_text, payload.to_vec()),
        };
        *input = behind;
        Some(message)
    }

    /// The message at the front of `input`, if one is there whole in one frame, its length stands
    /// in at most two bytes, and it may be as long.
    ///
    /// The stream must stand between two messages.
    #[inline(always)]
    pub(crate) fn find<'i>(&self, input: &'i [u8]) -> Option<Found<'i>> {
        let (&[first, second], rest) = input.split_first_chunk::<2>()?;
        // The difference has the top bit if the mask is not as it should be.
        let is_masked = self.rules & MASKED != 0;
        let (length, rest) = match second ^ (self.rules & MASKED) {
            short @ 0..=125 => (u16::from(short), rest),
            126 => {
                let (length, rest) = rest.split_first_chunk::<2>()?;
                // "The minimal number of bytes MUST be used" (RFC 6455 §5.2).
                (Some(u16::from_be_bytes(*length)).filter(|length| *length > 125)?, rest)
            }
            _ => return None,
        };
        if !matches!(first, 0x81 | 0x82) || length > u16::from_ne_bytes(self.limit) {
            return None;
        }
        let (mask, rest) = if is_masked {
            let (key, rest) = rest.split_first_chunk::<4>()?;
            (Some(Mask::new(*key)), rest)
        } else {
            (None, rest)
        };
        let (payload, behind) = rest.split_at_checked(usize::from(length))?;
        let is_text = first == 0x81;
        let is_validated = is_text && self.rules & VALIDATE_UTF8 != 0;
        Some(Found { is_text, is_validated, mask, payload, behind })
    }
}

/// A message as it stands in the input.
pub(crate) struct Found<'i> {
    pub(crate) is_text: bool,
    /// Whether it has to be UTF-8.
    pub(crate) is_validated: bool,
    pub(crate) mask: Option<Mask>,
    /// Still masked if there is a mask.
    pub(crate) payload: &'i [u8],
    /// The input behind it.
    pub(crate) behind: &'i [u8],
}

#[inline(always)]
fn unchecked(is_text: bool, payload: Vec<u8>) -> Message {
    let payload = Bytes::from(payload);
    if is_text { Message::UncheckedText(payload) } else { Message::Binary(payload) }
}

/// The bit of a mask in the second byte of a header.
const MASKED: u8 = 0x80;

const VALIDATE_UTF8: u8 = 0x01;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::receive::assembler;
    use crate::frame::{Decoder, FrameHeader, HeaderRules, OpCode, encode_header};
    use alloc::string::String;
    use proptest::prelude::*;

    /// By the way that every frame can take.
    fn naive(sender: Role, config: &Config, mut input: &[u8]) -> Option<Message> {
        let mut decoder = Decoder::new(HeaderRules { sender, allow_rsv1: false });
        let is_whole = |header: &FrameHeader| {
            header.fin && matches!(header.opcode, OpCode::Text | OpCode::Binary)
        };
        let (header, input) = decoder.decode_whole(&mut input, is_whole).ok()??;
        assembler::whole(&header, input, config).ok()
    }

    /// Bytes, text, and text with a byte that is none.
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
        fn it_gives_what_the_general_path_gives_or_nothing(
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
                let taken = Path::new(sender, &config).take_message(&mut input);
                let expected = naive(sender, &config, &frame);
                if payload.len() > usize::from(u16::MAX) {
                    prop_assert_eq!(&taken, &None);
                } else {
                    prop_assert_eq!(&taken, &expected);
                }
                let left = if taken.is_some() { frame.len() - length } else { frame.len() };
                prop_assert_eq!(input.len(), left, "all of the frame or nothing");
            }
        }
    }

    /// The shortest form of a length is the only one (RFC 6455 §5.2); what comes in pieces is for
    /// the general path, wherever it is cut.
    #[test]
    fn a_length_stands_in_its_shortest_form() {
        let path = Path::new(Role::Server, &Config::default());
        for length in [0, 1, 125, 126, 127] {
            let [high, low] = u16::to_be_bytes(length);
            let frame = [&[0x82, 126, high, low], &[7; 127][..usize::from(length)]].concat();
            let expected = (length > 125).then(|| Message::binary(frame[4..].to_vec()));
            assert_eq!(path.take_message(&mut &frame[..]), expected);
            for cut in 0..frame.len() {
                assert_eq!(path.take_message(&mut &frame[..cut]), None);
            }
        }
    }
}
