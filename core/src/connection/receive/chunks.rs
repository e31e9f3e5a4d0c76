//! Hands messages over in chunks, as their payload arrives ([`Delivery::Chunks`](crate::Delivery)).

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::config::Config;
use crate::connection::event::Event;
use crate::connection::receive::assembler::append_bytes;
use crate::connection::receive::fragments::{Fragments, check_inflated};
use crate::connection::receive::queue::Inbox;
use crate::deflate::session::Compression;
use crate::error::ProtocolError;
use crate::frame::{FrameHeader, Payload};
use crate::message::{Chunk, MessageKind};
use crate::utf8::validate::Utf8;

/// The message that is being handed over in chunks. Keeps the first bytes of an incomplete character,
/// and compressed input while the gate is closed: at most one read of it.
#[derive(Debug, Default)]
pub(crate) struct Chunker {
    fragments: Fragments,
    utf8: Utf8,
    /// How many bytes the compressed message has inflated to so far.
    inflated: usize,
    compressed: Option<CompressedInput>,
}

/// Compressed payload, unmasked, that is not inflated yet. A few bytes can inflate to many, so it is
/// inflated a chunk at a time, while the gate is open.
#[derive(Debug)]
struct CompressedInput {
    input: Vec<u8>,
    taken: usize,
    /// Whether the message ends with it.
    ends: bool,
}

impl Chunker {
    /// Takes the header of a data frame.
    pub(crate) fn begin(
        &mut self,
        header: &FrameHeader,
        config: &Config,
    ) -> Result<(), ProtocolError> {
        if self.fragments.begin(header, config)? {
            self.utf8 = Utf8::default();
            self.inflated = 0;
        }
        Ok(())
    }

    /// Takes payload of that frame. Returns whether its message is complete.
    pub(crate) fn push(
        &mut self,
        payload: Payload<'_>,
        config: &Config,
        compression: &mut Compression,
        inbox: &mut Inbox,
    ) -> Result<bool, ProtocolError> {
        let ends = self.fragments.ends_with(&payload);
        let mut bytes = Vec::with_capacity(payload.bytes.len());
        append_bytes(payload, &mut bytes);
        if self.fragments.is_compressed() {
            self.compressed = Some(CompressedInput { input: bytes, taken: 0, ends });
            return self.resume(config, compression, inbox);
        }
        self.hand_over(bytes, ends, config, inbox)?;
        Ok(ends)
    }

    pub(crate) const fn has_compressed_input(&self) -> bool {
        self.compressed.is_some()
    }

    /// Goes on inflating kept input, a chunk at a time, until the gate closes. Returns whether the
    /// message is complete.
    pub(crate) fn resume(
        &mut self,
        config: &Config,
        compression: &mut Compression,
        inbox: &mut Inbox,
    ) -> Result<bool, ProtocolError> {
        let resumed = self.inflate_until_gate_closes(config, compression, inbox);
        if resumed.is_err() {
            // Nothing after a violation is handed over, so the rest must not delay the end.
            self.compressed = None;
        }
        resumed
    }

    fn inflate_until_gate_closes(
        &mut self,
        config: &Config,
        compression: &mut Compression,
        inbox: &mut Inbox,
    ) -> Result<bool, ProtocolError> {
        while inbox.is_open()
            && let Some(input) = &mut self.compressed
        {
            let mut chunk = Vec::new();
            let done = input.inflate(compression, &mut chunk);
            let ends = matches!(done, Ok(true)) && input.ends;
            if !matches!(done, Ok(false)) {
                self.compressed = None;
            }
            // What was inflated before an error is handed over before it.
            let (allowed, within_limit) = check_inflated(&chunk, self.inflated, config);
            let allowed = allowed.len();
            chunk.truncate(allowed);
            self.inflated += allowed;
            self.hand_over(chunk, ends && within_limit.is_ok(), config, inbox)?;
            within_limit?;
            done?;
            if ends {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Queues a chunk. Of invalid text, the part before the error is handed over first.
    fn hand_over(
        &mut self,
        bytes: Vec<u8>,
        last: bool,
        config: &Config,
        inbox: &mut Inbox,
    ) -> Result<(), ProtocolError> {
        let kind = self.fragments.kind();
        let (payload, valid) = if kind == MessageKind::Text && config.validate_utf8 {
            let mut text = String::with_capacity(bytes.len() + self.utf8.pending());
            let mut valid = self.utf8.append(&bytes, &mut text).map_err(ProtocolError::from);
            if last && valid.is_ok() {
                valid = self.utf8.finish();
            }
            (Bytes::from(text), valid)
        } else {
            (Bytes::from(bytes), Ok(()))
        };
        // Of a message with an error no chunk is the last one, so that nobody takes the part for
        // the whole.
        let last = last && valid.is_ok();
        // A flood of empty fragments causes no events. Only the last chunk may be empty, because
        // it tells the end of the message.
        if last || !payload.is_empty() {
            let length = payload.len();
            inbox.push(length, Event::Chunk(Chunk { kind, payload, last }), config);
        }
        if last {
            self.fragments.end();
        }
        valid
    }
}

impl CompressedInput {
    /// Inflates about one chunk. Returns whether all of the input is inflated.
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

/// A chunk of an inflated message is at most this many blocks of 4 KiB.
const STEPS: usize = 4;
