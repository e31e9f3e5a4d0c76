//! Compresses messages (permessage-deflate), whole or chunk by chunk.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Status};

use crate::deflate::context::{DeflateContext, DeflateSettings, History};
use crate::deflate::options::DeflateOptions;
use crate::deflate::pool::DeflatePool;

/// Compresses the messages of one direction.
pub(crate) struct Compressor {
    settings: DeflateSettings,
    takeover: bool,
    pool: Option<DeflatePool>,
    min_size: usize,
    /// `Some` while a message is being sent. With context takeover, from the first message until
    /// [`rest`](Self::rest) frees it.
    context: Option<Box<DeflateContext>>,
    /// With context takeover, the bytes in the peer's window.
    history: History,
    /// Whether anything was compressed since `rest` was last called.
    is_used: bool,
}

impl Compressor {
    /// Returns `None` for a window of 256 bytes, which zlib cannot compress with. All messages are sent
    /// uncompressed then, which is always allowed (RFC 7692 §6).
    pub(crate) fn new(window_bits: u8, takeover: bool, options: &DeflateOptions) -> Option<Self> {
        let settings =
            DeflateSettings { level: options.level, mem_level: options.mem_level, window_bits };
        let pool = options.pool.clone();
        let min_size = options.min_size;
        (window_bits >= 9).then_some(Self {
            settings,
            takeover,
            pool,
            min_size,
            context: None,
            history: History::new(1 << window_bits),
            is_used: false,
        })
    }

    /// Frees the compressor and keeps only the window, if nothing was compressed since the last call. The
    /// window takes a tenth of the memory, and the tables are built again when they are needed. This may
    /// happen between two chunks of a message, because a chunk ends at the boundary of a block.
    pub(crate) fn rest(&mut self) {
        if !core::mem::take(&mut self.is_used) {
            self.release();
            self.history.shrink();
        }
    }

    /// Whether a message of this length is worth compressing.
    pub(crate) const fn is_worth(&self, length: usize) -> bool {
        length >= self.min_size
    }

    pub(crate) const fn window_bits(&self) -> u8 {
        self.settings.window_bits
    }

    /// Empties the window. Needed after the peer has inflated a message that another compressor made:
    /// later messages must not refer to earlier ones then.
    pub(crate) fn forget(&mut self) {
        if let Some(context) = &mut self.context {
            context.deflate.reset();
        }
        self.history.clear();
    }

    /// Compresses a whole message. Returns `None` if it should be sent uncompressed because it did not
    /// get shorter. With context takeover it is sent compressed anyway, because later messages refer to
    /// it.
    pub(crate) fn message(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        let compressed = self.chunk(payload, true)?;
        (self.takeover || compressed.len() < payload.len()).then_some(compressed)
    }

    /// Compresses a chunk of a message, and flushes, so that the peer can inflate all of it at once.
    /// Returns `None` if the compressor failed; a message that was begun cannot be continued then.
    pub(crate) fn chunk(&mut self, payload: &[u8], last: bool) -> Option<Vec<u8>> {
        let settings = self.settings;
        let pool = self.pool.as_ref();
        let history = &mut self.history;
        let context = self.context.get_or_insert_with(|| {
            let pooled = pool.and_then(|pool| pool.compressor(settings));
            let mut context = pooled.unwrap_or_else(|| Box::new(DeflateContext::new(settings)));
            context.resume(history);
            context
        });
        let mut compressed = context.run(payload)?;
        if self.takeover {
            history.push(payload);
        }
        self.is_used = true;
        if last {
            // "Remove 4 octets (that are 0x00 0x00 0xff 0xff) from the tail end" (RFC 7692 §7.2.1).
            // Only the last chunk: the empty block at the end of the others separates them in the
            // stream.
            if let Some(stripped) = compressed.strip_suffix(&TAIL) {
                compressed.truncate(stripped.len());
            }
            if compressed.is_empty() {
                // Nothing to flush: the header of an empty stored block.
                compressed.push(0x00);
            }
            if !self.takeover {
                self.release();
            }
        }
        // It may wait for long, and what waits is counted by its length.
        compressed.shrink_to_fit();
        Some(compressed)
    }

    /// Gives the compressor away. Without takeover the next message refers to nothing before it.
    fn release(&mut self) {
        if let (Some(context), Some(pool)) = (self.context.take(), &self.pool) {
            pool.return_compressor(context);
        }
    }
}

impl DeflateContext {
    fn new(settings: DeflateSettings) -> Self {
        let config = DeflateConfig {
            level: i32::from(settings.level),
            window_bits: -i32::from(settings.window_bits),
            mem_level: i32::from(settings.mem_level),
            ..DeflateConfig::default()
        };
        Self { deflate: Deflate::new_with_config(config), settings }
    }

    /// Goes on where another one stopped at the end of a message.
    fn resume(&mut self, history: &mut History) {
        match history.contiguous() {
            [] => {}
            // Failing it would refer to nothing that was before, which is allowed.
            window => drop(self.deflate.set_dictionary(window)),
        }
    }

    /// Compresses all of `input` and flushes to a byte boundary.
    fn run(&mut self, mut input: &[u8]) -> Option<Vec<u8>> {
        let mut compressed = Vec::with_capacity((input.len() / 4).clamp(16, BLOCK));
        let mut block = [0; BLOCK];
        loop {
            let (total_in, total_out) = (self.deflate.total_in(), self.deflate.total_out());
            let status = self.deflate.compress(input, &mut block, DeflateFlush::SyncFlush);
            let taken = usize::try_from(self.deflate.total_in() - total_in).ok()?;
            let given = usize::try_from(self.deflate.total_out() - total_out).ok()?;
            compressed.extend_from_slice(block.get(..given)?);
            input = input.get(taken..)?;
            match status {
                // A full block: the compressor may hold more output, even if all input is taken.
                Ok(Status::Ok | Status::BufError) if given == BLOCK => {}
                Ok(Status::Ok | Status::BufError) if input.is_empty() => return Some(compressed),
                Ok(Status::Ok) if taken > 0 => {}
                Ok(_) | Err(_) => return None,
            }
        }
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor")
            .field("settings", &self.settings)
            .field("takeover", &self.takeover)
            .finish_non_exhaustive()
    }
}

/// The last bytes of a sync flush, which are not sent (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

const BLOCK: usize = 4096;
