//! Inflates compressed messages (permessage-deflate) piece by piece, at most one block at a time.

use alloc::boxed::Box;
use core::fmt;

use zlib_rs::{InflateFlush, Status};

use crate::deflate::context::{History, InflateContext};
use crate::deflate::pool::DeflatePool;
use crate::error::ProtocolError;

/// Inflates the messages of one direction.
pub(crate) struct Inflater {
    window_bits: u8,
    takeover: bool,
    pool: Option<DeflatePool>,
    /// `Some` while a message is arriving. With context takeover, from the first message until
    /// [`rest`](Self::rest) frees it.
    context: Option<Box<InflateContext>>,
    /// The window, after `rest` has freed the context.
    resting: Option<History>,
    /// Whether anything was inflated since `rest` was last called.
    is_used: bool,
    /// Whether any payload of the current message has arrived.
    has_begun: bool,
}

impl Inflater {
    pub(crate) fn new(window_bits: u8, takeover: bool, pool: Option<DeflatePool>) -> Self {
        // zlib silently uses a window of 512 bytes where 256 are asked for. Peers that use it do so too.
        let window_bits = window_bits.max(9);
        let (context, resting) = (None, None);
        Self { window_bits, takeover, pool, context, resting, is_used: false, has_begun: false }
    }

    /// Frees the context and keeps only the window, if nothing was inflated since the last call.
    pub(crate) fn rest(&mut self) {
        if core::mem::take(&mut self.is_used) || self.has_begun {
            return;
        }
        if let Some(mut context) = self.context.take() {
            self.resting = Some(context.rest());
            if let Some(pool) = &self.pool {
                pool.return_inflater(context);
            }
        }
    }

    /// Inflates the next piece of a message and passes the result to `sink`, a block at a time, so that
    /// `sink` can stop a message that exceeds a limit by no more than a block.
    pub(crate) fn push(
        &mut self,
        mut input: &[u8],
        sink: &mut dyn FnMut(&[u8]) -> Result<(), ProtocolError>,
    ) -> Result<(), ProtocolError> {
        while self.step(&mut input, sink)? {}
        Ok(())
    }

    /// Inflates one block of the next piece of a message, and removes the bytes that it took from
    /// `input`. Returns whether there may be more output.
    pub(crate) fn step(
        &mut self,
        input: &mut &[u8],
        sink: &mut dyn FnMut(&[u8]) -> Result<(), ProtocolError>,
    ) -> Result<bool, ProtocolError> {
        if input.is_empty() && self.context.is_none() {
            return Ok(false);
        }
        // An empty fragment does not begin a message: `finish` still has to see a message of no
        // bytes.
        self.has_begun |= !input.is_empty();
        self.is_used = true;
        let context = self.context.get_or_insert_with(|| {
            let pooled = self.pool.as_ref().and_then(|pool| pool.inflater(self.window_bits));
            pooled.unwrap_or_else(|| Box::new(InflateContext::new(self.window_bits)))
        });
        if let Some(history) = self.resting.take() {
            context.resume(history).map_err(|()| ProtocolError::InvalidDeflate)?;
        }
        context.step(input, InflateFlush::NoFlush, sink)
    }

    /// Ends a message: "append 4 octets of 0x00 0x00 0xff 0xff to the tail" (RFC 7692 §7.2.2). After
    /// them the stream must be at the boundary of a block. A message that ended with a final block (BFINAL)
    /// is complete without them.
    pub(crate) fn finish(
        &mut self,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), ProtocolError>,
    ) -> Result<(), ProtocolError> {
        // Even an empty message has at least one byte (RFC 7692 §7.2.3.6). Without this check, a message
        // of no bytes would look complete, because the previous one ended at the boundary of a block.
        let has_begun = core::mem::take(&mut self.has_begun);
        let Some(context) = self.context.as_mut().filter(|_| has_begun) else {
            return Err(ProtocolError::TruncatedDeflate);
        };
        if !context.ended {
            // The fifth byte tells whether the tail ended a block: with `InflateFlush::Block` the
            // inflater stops there and leaves this byte. In the middle of a block it takes it.
            let mut tail = &[0x00, 0x00, 0xFF, 0xFF, 0x00][..];
            while context.step(&mut tail, InflateFlush::Block, sink)? {}
            if tail.len() != 1 {
                return Err(ProtocolError::TruncatedDeflate);
            }
        }
        if !self.takeover
            && let (Some(context), Some(pool)) = (self.context.take(), &self.pool)
        {
            pool.return_inflater(context);
        }
        Ok(())
    }
}

impl InflateContext {
    /// Inflates at most one block of output. Returns whether there may be more.
    fn step(
        &mut self,
        input: &mut &[u8],
        flush: InflateFlush,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), ProtocolError>,
    ) -> Result<bool, ProtocolError> {
        if self.ended {
            if input.is_empty() {
                return Ok(false);
            }
            self.restart().map_err(|()| ProtocolError::InvalidDeflate)?;
        }
        let mut block = [0; BLOCK];
        let (total_in, total_out) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(input, &mut block, flush);
        let taken = usize::try_from(self.inflate.total_in() - total_in).unwrap_or(usize::MAX);
        let given = usize::try_from(self.inflate.total_out() - total_out).unwrap_or(usize::MAX);
        *input = input.get(taken..).unwrap_or_default();
        // Output before an invalid byte is delivered before the error.
        let output = block.get(..given).unwrap_or_default();
        if !output.is_empty() {
            // The sink goes first: it refuses what exceeds the limit, and then no history is
            // needed.
            sink(output)?;
            self.history.push(output);
        }
        match status {
            Err(_) => Err(ProtocolError::InvalidDeflate),
            Ok(Status::StreamEnd) => {
                self.ended = true;
                Ok(flush != InflateFlush::Block && !input.is_empty())
            }
            Ok(Status::Ok | Status::BufError) => {
                let stopped = flush == InflateFlush::Block || input.is_empty();
                Ok(!((given < BLOCK && stopped) || (taken == 0 && given == 0)))
            }
        }
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater")
            .field("window_bits", &self.window_bits)
            .field("takeover", &self.takeover)
            .finish_non_exhaustive()
    }
}

/// How many bytes are inflated at a time.
const BLOCK: usize = 4096;
