//! Frames to chunks, handed over as they arrive.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::config::Config;
use crate::connection::event::Event;
use crate::connection::receive::assembler::{append_bytes, invalid_utf8};
use crate::connection::receive::fragments::Sequence;
use crate::connection::receive::queue::Inbox;
use crate::deflate::session::Compression;
use crate::error::ProtocolError;
use crate::frame::{FrameHeader, Payload};
use crate::message::{Chunk, MessageKind};
use crate::utf8::validate::Utf8;

/// The message that is handed over in chunks. Holds the beginning of a character at most, and
/// compressed input while the gate is closed: one read of it.
#[derive(Debug, Default)]
pub(crate) struct Chunker {
    sequence: Sequence,
    utf8: Utf8,
    /// How much of a compressed message is inflated.
    inflated: usize,
    waiting: Option<Waiting>,
}

/// Compressed payload, unmasked.
#[derive(Debug)]
struct Waiting {
    input: Vec<u8>,
    taken: usize,
    /// Whether the message ends with it.
    ends: bool,
}

impl Chunker {
    /// A data frame begins.
    pub(crate) fn begin(
        &mut self,
        header: &FrameHeader,
        config: &Config,
    ) -> Result<(), ProtocolError> {
        if self.sequence.begin(header, config)? {
            self.utf8 = Utf8::default();
            self.inflated = 0;
        }
        Ok(())
    }

    /// Payload of that frame. Tells whether its message is complete.
    pub(crate) fn push(
        &mut self,
        payload: Payload<'_>,
        config: &Config,
        compression: &mut Compression,
        inbox: &mut Inbox,
    ) -> Result<bool, ProtocolError> {
        let ends = self.sequence.ends_with(&payload);
        let mut bytes = Vec::with_capacity(payload.bytes.len());
        append_bytes(payload, &mut bytes);
        if self.sequence.is_compressed() {
            self.waiting = Some(Waiting { input: bytes, taken: 0, ends });
            return self.resume(config, compression, inbox);
        }
        self.hand_over(bytes, ends, config, inbox)?;
        Ok(ends)
    }

    pub(crate) const fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Inflates what waits, a chunk at a time, until the gate closes. Tells whether the message is
    /// complete.
    pub(crate) fn resume(
        &mut self,
        config: &Config,
        compression: &mut Compression,
        inbox: &mut Inbox,
    ) -> Result<bool, ProtocolError> {
        let resumed = self.inflate_waiting(config, compression, inbox);
        if resumed.is_err() {
            // Nothing behind a fault is ever handed over: it must not keep the end waiting.
            self.waiting = None;
        }
        resumed
    }

    fn inflate_waiting(
        &mut self,
        config: &Config,
        compression: &mut Compression,
        inbox: &mut Inbox,
    ) -> Result<bool, ProtocolError> {
        while inbox.is_open()
            && let Some(waiting) = &mut self.waiting
        {
            let mut chunk = Vec::new();
            let done = waiting.inflate(compression, &mut chunk);
            let ends = matches!(done, Ok(true)) && waiting.ends;
            if !matches!(done, Ok(false)) {
                self.waiting = None;
            }
            // What was inflated before a fault counts before it; of what is too much nothing does.
            let allowed = config.max_message_size - self.inflated;
            let excess = chunk.len() > allowed;
            chunk.truncate(allowed);
            self.inflated += chunk.len();
            self.hand_over(chunk, ends && !excess, config, inbox)?;
            if excess {
                let limit = config.max_message_size;
                let length = (limit as u64).saturating_add(1);
                return Err(ProtocolError::MessageTooLarge { length, limit });
            }
            done?;
            if ends {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Hands a chunk over: the valid part of text, if there is a fault in it.
    fn hand_over(
        &mut self,
        bytes: Vec<u8>,
        last: bool,
        config: &Config,
        inbox: &mut Inbox,
    ) -> Result<(), ProtocolError> {
        let kind = self.sequence.kind();
        let (payload, valid) = if kind == MessageKind::Text && config.validate_utf8 {
            let mut text = String::with_capacity(bytes.len() + self.utf8.pending());
            let valid = match self.utf8.append(&bytes, &mut text) {
                Ok(()) if last && !self.utf8.is_complete() => Err(ProtocolError::TruncatedUtf8),
                valid => valid.map_err(invalid_utf8),
            };
            (Bytes::from(text), valid)
        } else {
            (Bytes::from(bytes), Ok(()))
        };
        let last = last && valid.is_ok();
        if last || !payload.is_empty() {
            let length = payload.len();
            inbox.push(length, Event::Chunk(Chunk { kind, payload, last }), config);
        }
        if last {
            self.sequence.end();
        }
        valid
    }
}

impl Waiting {
    /// Inflates about a chunk. Tells whether all of it is inflated.
    fn inflate(
        &mut self,
        compression: &mut Compression,
        chunk: &mut Vec<u8>,
    ) -> Result<bool, ProtocolError> {
        let mut sink = |inflated: &[u8]| {
            chunk.extend_from_slice(inflated);
            Ok(())
        };
        for _ in 0..STEPS {
            let mut input = self.input.get(self.taken..).unwrap_or_default();
            let more = compression.inflate_step(&mut input, &mut sink);
            self.taken = self.input.len() - input.len();
            if !more? {
                if self.ends {
                    compression.finish(&mut sink)?;
                }
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Steps of at most 4 KiB each in one chunk of an inflated message.
const STEPS: usize = 4;
