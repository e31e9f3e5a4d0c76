//! Decodes the output in a simple way, and compares it with what should be written.

use tidegate_core::testing::{Frame, opcode};
use tidegate_core::{CloseCode, CloseFrame, Role};

use crate::reference::{Ping, Reference, Words};

/// Written bytes that are not a whole frame yet.
#[derive(Debug, Default)]
pub(crate) struct Written {
    bytes: Vec<u8>,
    /// How much of the first part was written.
    part: Vec<u8>,
    is_within_message: bool,
}

impl Written {
    /// The transport has taken these bytes.
    pub(crate) fn take(
        &mut self,
        bytes: &[u8],
        reference: &mut Reference,
        role: Role,
        fragment_size: Option<usize>,
    ) {
        if bytes.is_empty() {
            return;
        }
        self.bytes.extend_from_slice(bytes);
        let mut taken = 0;
        while let Some((frame, length)) = Frame::parse(&self.bytes[taken..]).unwrap() {
            taken += length;
            assert_eq!(frame.key.is_some(), role.masks(), "a client masks, a server does not");
            assert_eq!(frame.reserved, 0);
            self.frame(frame, reference, fragment_size);
        }
        self.bytes.drain(..taken);
        reference.unwritten.is_within_frame = !self.bytes.is_empty();
        reference.progress();
    }

    /// How many payload bytes of the first part are written.
    pub(crate) fn ahead(&self) -> usize {
        self.part.len()
    }

    /// How many bytes of an unfinished frame are written.
    pub(crate) fn within(&self) -> usize {
        self.bytes.len()
    }

    fn frame(&mut self, frame: Frame, reference: &mut Reference, fragment_size: Option<usize>) {
        if frame.opcode == opcode::PING {
            let ping = reference.unwritten.pings.remove(0);
            let known = reference.pings[ping].payload.get_or_insert_with(|| frame.payload.clone());
            assert_eq!(*known, frame.payload, "pings in order");
            let is_it = |ping: &&Ping| ping.payload.as_ref() == Some(&frame.payload);
            assert_eq!(reference.pings.iter().filter(is_it).count(), 1, "no two are equal");
            reference.ping_left(ping);
            return;
        }
        let unwritten = &mut reference.unwritten;
        match frame.opcode {
            opcode::PONG => {
                // If there are more than thirty-two, the oldest are discarded, and never the newest.
                let found = unwritten.pongs.iter().position(|pong| *pong == frame.payload);
                let index = found.expect("a pong that somebody asked for");
                assert!(index == 0 || unwritten.pongs.len() > 32, "{index} pongs were dropped");
                unwritten.pongs.drain(..=index);
            }
            opcode::CLOSE => {
                assert!(unwritten.data.is_empty(), "the Close comes after the data");
                match unwritten.close.take() {
                    Some(Words::Exactly(close)) => {
                        assert_eq!(frame.payload, close_of(&close).payload);
                    }
                    Some(Words::Code(code)) => {
                        assert_eq!(frame.payload.first_chunk(), Some(&code.to_be_bytes()));
                    }
                    None => panic!("a Close that nobody asked for"),
                }
                reference.close_left();
            }
            _ => {
                assert!(fragment_size.is_none_or(|size| frame.payload.len() <= size));
                let is_continued = frame.opcode == opcode::CONTINUATION;
                assert_eq!(is_continued, self.is_within_message, "fragments in order");
                self.is_within_message = !frame.fin;
                self.part.extend(frame.payload);
                let first = unwritten.data.first().expect("data that somebody sent");
                assert!(first.payload.starts_with(&self.part), "what was sent");
                let is_whole = first.payload.len() == self.part.len();
                assert_eq!(frame.fin, is_whole && first.is_last);
                if is_whole {
                    unwritten.data.remove(0);
                    self.part.clear();
                }
            }
        }
    }
}

/// The unmasked frame on the wire.
pub(crate) fn close_of(close: &CloseFrame) -> Frame {
    let code = Some(close.code.as_u16()).filter(|_| close.code != CloseCode::NO_STATUS);
    Frame::close(code, &close.reason)
}
