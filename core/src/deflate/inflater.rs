//! Messages inflated piece by piece, in bounded steps.

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
    /// There is one while a message is arriving, and with takeover from the first message on until
    /// it rests.
    context: Option<Box<InflateContext>>,
    /// The window, while it rests.
    resting: Option<History>,
    /// Whether anything came since this was last asked.
    is_used: bool,
    /// Something of the message that is arriving has come.
    has_begun: bool,
}

impl Inflater {
    pub(crate) fn new(window_bits: u8, takeover: bool, pool: Option<DeflatePool>) -> Self {
        // A compressor that was told 256 bytes often uses 512, as zlib makes it do in silence.
        let window_bits = window_bits.max(9);
        let (context, resting) = (None, None);
        Self { window_bits, takeover, pool, context, resting, is_used: false, has_begun: false }
    }

    /// Keeps nothing but the window, if no message came since this was last called.
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

    /// Inflates the next piece of a message and gives the result to `sink`, a block at a time, so
    /// that a limit is noticed before more than a block is too much.
    pub(crate) fn push(
        &mut self,
        mut input: &[u8],
        sink: &mut dyn FnMut(&[u8]) -> Result<(), ProtocolError>,
    ) -> Result<(), ProtocolError> {
        while self.step(&mut input, sink)? {}
        Ok(())
    }

    /// Inflates one block of the next piece of a message, and takes what that needed off `input`.
    /// Tells whether there may be more of it.
    pub(crate) fn step(
        &mut self,
        input: &mut &[u8],
        sink: &mut dyn FnMut(&[u8]) -> Result<(), ProtocolError>,
    ) -> Result<bool, ProtocolError> {
        if input.is_empty() && self.context.is_none() {
            return Ok(false);
        }
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

    /// The message has ended: "append 4 octets of 0x00 0x00 0xff 0xff to the tail" (RFC 7692
    /// §7.2.2). It must end at the boundary of a block then; one that ends exactly with a final
    /// block is complete as it is.
    pub(crate) fn finish(
        &mut self,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), ProtocolError>,
    ) -> Result<(), ProtocolError> {
        // An empty message has a byte at least (RFC 7692 §7.2.3.6). Without any, the end of the
        // message before could be taken for the end of this one.
        let has_begun = core::mem::take(&mut self.has_begun);
        let Some(context) = self.context.as_mut().filter(|_| has_begun) else {
            return Err(ProtocolError::TruncatedDeflate);
        };
        if !context.ended {
            // Told to stop at the end of a block, the inflater leaves the byte behind the tail
            // alone if the tail ended one, and takes it if it is in the middle of something.
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
    /// Inflates one block. Tells whether there may be more.
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
        // What was inflated before a fault counts before it.
        let output = block.get(..given).unwrap_or_default();
        if !output.is_empty() {
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

/// How much is inflated at a time.
const BLOCK: usize = 4096;
