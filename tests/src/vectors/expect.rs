//! Compares what a vector expects with what happened.

use core::fmt::Debug;

use tidegate_core::{Event, Message};

use super::steps::{Body, EventPattern, FramePattern};
use crate::frames::{Frame, opcode};
use crate::inflate::Inflater;

pub(super) fn equal<T: PartialEq + Debug>(
    what: &str,
    expected: &T,
    seen: &T,
) -> Result<(), String> {
    if expected == seen {
        Ok(())
    } else {
        Err(format!("{what}: expected {expected:?}, there is {seen:?}"))
    }
}

pub(super) fn bytes(expected: &[u8], seen: &[u8]) -> Result<(), String> {
    if expected == seen {
        return Ok(());
    }
    Err(format!("expected {}, there is {}", shown(expected), shown(seen)))
}

pub(super) fn event(pattern: &EventPattern, event: &Event, validates: bool) -> Result<(), String> {
    let (kind, expected, seen) = match (pattern, event) {
        (EventPattern::Text(data), Event::Message(Message::Text(text))) if validates => {
            ("text", data, &text.as_bytes()[..])
        }
        (EventPattern::Text(data), Event::Message(Message::UncheckedText(text))) if !validates => {
            ("text", data, &text[..])
        }
        (EventPattern::Binary(data), Event::Message(Message::Binary(binary))) => {
            ("binary", data, &binary[..])
        }
        (EventPattern::Ping(data), Event::Ping(ping)) => ("ping", data, &ping[..]),
        (EventPattern::Pong(data), Event::Pong(pong)) => ("pong", data, &pong[..]),
        (EventPattern::Close { code, reason }, Event::Closed(closed)) if closed.is_clean() => {
            let seen = (closed.code().as_u16(), closed.reason());
            return equal("close", &(*code, reason.as_str()), &seen);
        }
        _ => return Err(format!("expected {pattern:?}, there is {event:?}")),
    };
    bytes(&expected.bytes(), seen).map_err(|fault| format!("{kind}: {fault}"))
}

pub(super) fn frames(
    expected: &[FramePattern],
    seen: &[Frame],
    any_order: bool,
) -> Result<(), String> {
    let fault = || format!("expected the frames {expected:?}, there are {seen:?}");
    if expected.len() != seen.len() {
        return Err(fault());
    }
    if !any_order {
        let matches = expected.iter().zip(seen).all(|(pattern, frame)| pattern.matches(frame));
        return if matches { Ok(()) } else { Err(fault()) };
    }
    let mut left: Vec<_> = seen.iter().collect();
    for pattern in expected {
        match left.iter().position(|frame| pattern.matches(frame)) {
            Some(position) => drop(left.remove(position)),
            None => return Err(fault()),
        }
    }
    Ok(())
}

impl FramePattern {
    fn matches(&self, frame: &Frame) -> bool {
        let reserved = if self.rsv1 { 4 } else { 0 };
        let body = match &self.body {
            Body::Payload(data) => frame.payload == data.bytes(),
            Body::EmptyClose => frame.payload.is_empty(),
            Body::Close { code, reason } => match frame.payload.split_first_chunk::<2>() {
                None => false,
                Some((seen, rest)) => {
                    u16::from_be_bytes(*seen) == *code
                        && reason.as_ref().is_none_or(|reason| reason.as_bytes() == rest)
                }
            },
        };
        body && (frame.opcode, frame.fin, frame.reserved) == (self.opcode, self.fin, reserved)
    }
}

pub(super) fn distinct_masks(frames: &[Frame]) -> Result<(), String> {
    let mut keys: Vec<_> = frames.iter().map(|frame| frame.key).collect();
    keys.sort_unstable();
    match keys.windows(2).find(|pair| pair.first() == pair.last()) {
        Some(twice) => Err(format!("a masking key occurs twice: {twice:?}")),
        None => Ok(()),
    }
}

/// Checks the output after a failure: one Close with one of these codes, or nothing for `None`.
pub(super) fn close(codes: &[Option<u16>], frames: &[Frame]) -> Result<(), String> {
    let seen = match frames {
        [] => None,
        [frame] if frame.opcode == opcode::CLOSE && frame.fin && frame.reserved == 0 => {
            frame.payload.split_first_chunk::<2>().map(|(code, _)| u16::from_be_bytes(*code))
        }
        _ => return Err(format!("expected one Close or none, there are {frames:?}")),
    };
    if codes.contains(&seen) && (seen.is_some() || frames.is_empty()) {
        return Ok(());
    }
    Err(format!("expected a Close with one of {codes:?}, there are {frames:?}"))
}

pub(super) fn last_pong(frames: &[Frame], last: &[u8]) -> Result<(), String> {
    match frames.last() {
        Some(pong) => bytes(last, &pong.payload).map_err(|fault| format!("last pong: {fault}")),
        None => Err("expected a pong, there is no output".into()),
    }
}

/// Checks for exactly one data message, whole or in fragments; compressed only if there is an
/// inflater.
pub(super) fn message(
    opcode: u8,
    data: &[u8],
    frames: &[Frame],
    inflater: Option<&mut Inflater>,
) -> Result<(), String> {
    let mut payload = Vec::new();
    let mut compressed = false;
    for (index, frame) in frames.iter().enumerate() {
        let expected = if index == 0 { opcode } else { opcode::CONTINUATION };
        let is_last = index + 1 == frames.len();
        // "MUST NOT set the RSV1 bit of frames other than the first fragment" (RFC 7692 §6.1).
        compressed |= index == 0 && frame.reserved == 4;
        let reserved = if compressed && index == 0 { 4 } else { 0 };
        if (frame.opcode, frame.fin, frame.reserved) != (expected, is_last, reserved) {
            return Err(format!("expected one message, there are {frames:?}"));
        }
        payload.extend_from_slice(&frame.payload);
    }
    if frames.is_empty() {
        return Err("expected a message, there is no output".into());
    }
    if compressed {
        let inflater = inflater.ok_or("a message is compressed, and that was not agreed")?;
        payload = inflater.message(&payload).map_err(|fault| format!("compressed: {fault}"))?;
    }
    bytes(data, &payload).map_err(|fault| format!("message: {fault}"))
}

pub(super) fn ping(frames: Vec<Frame>) -> Result<Vec<u8>, String> {
    match <[Frame; 1]>::try_from(frames) {
        Ok([frame]) if frame.opcode == opcode::PING && frame.fin && frame.reserved == 0 => {
            Ok(frame.payload)
        }
        Ok(frames) => Err(format!("expected one ping, there is {frames:?}")),
        Err(frames) => Err(format!("expected one ping, there are {frames:?}")),
    }
}

/// The received pings, to check that pongs echo them in order.
#[derive(Debug, Default)]
pub(super) struct PingLog {
    input: Vec<u8>,
    pings: Vec<Vec<u8>>,
    answered: usize,
}

impl PingLog {
    /// Takes input, as far as it is frames.
    pub(super) fn receive(&mut self, input: &[u8]) {
        self.input.extend_from_slice(input);
        let mut taken = 0;
        while let Some(rest) = self.input.get(taken..)
            && let Ok(Some((frame, length))) = Frame::parse(rest)
        {
            taken += length;
            if frame.opcode == opcode::PING {
                self.pings.push(frame.payload);
            }
        }
        self.input.drain(..taken);
    }

    /// Checks that each of these is a pong for a ping later than the one answered before.
    pub(super) fn check_pongs(&mut self, frames: &[Frame]) -> Result<(), String> {
        for frame in frames {
            if frame.opcode != opcode::PONG || !frame.fin || frame.reserved != 0 {
                return Err(format!("expected only pongs, there is {frame:?}"));
            }
            let mut later = self.pings.iter().skip(self.answered);
            match later.position(|ping| *ping == frame.payload) {
                Some(position) => self.answered += position + 1,
                None => return Err(format!("a pong answers no ping: {frame:?}")),
            }
        }
        Ok(())
    }
}

fn shown(bytes: &[u8]) -> String {
    const SHOWN: usize = 64;
    let start = bytes.get(..SHOWN).unwrap_or(bytes).escape_ascii();
    let more = if bytes.len() > SHOWN { "…" } else { "" };
    format!("{} bytes \"{start}{more}\"", bytes.len())
}
