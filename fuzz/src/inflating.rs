//! Inflates messages a second time, by miniz_oxide: what the core gives must be what this gives.
//!
//! The core's library keeps 32 KiB whatever window was agreed on, and so forgives a peer that refers
//! further back than it may; behind a final block it has the agreed window only. So does this.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

/// The inflater of one direction. It goes on behind a final block, and keeps the window then, as
/// the core does.
pub struct Inflater {
    takeover: bool,
    /// The agreed window, in bytes.
    agreed: usize,
    /// Two streams whose windows had different bytes in them at the beginning: they give the same
    /// if nothing refers to what was never sent.
    streams: [Stream; 2],
}

struct Stream {
    library: Box<DecompressorOxide>,
    window: Vec<u8>,
    position: usize,
    unsent: u8,
    has_ended: bool,
}

impl Inflater {
    /// An inflater for a window of two to the power of `window_bits`.
    pub fn new(window_bits: u8, takeover: bool) -> Self {
        let stream = |unsent| Stream {
            library: Box::default(),
            window: vec![unsent; 1 << 15],
            position: 0,
            unsent,
            has_ended: false,
        };
        Self { takeover, agreed: 1 << window_bits, streams: [stream(0x00), stream(0xFF)] }
    }

    /// Inflates a message; an error says why that cannot be done, or that it is longer than `limit`.
    pub fn message(&mut self, compressed: &[u8], limit: usize) -> Result<Vec<u8>, String> {
        if compressed.is_empty() {
            return Err("not even an empty block".into());
        }
        let (takeover, agreed) = (self.takeover, self.agreed);
        let [first, second] = self.streams.each_mut().map(|stream| {
            if !takeover {
                stream.library.init();
                stream.window.fill(stream.unsent);
                (stream.position, stream.has_ended) = (0, false);
            }
            let mut inflated = Vec::new();
            stream.inflate(compressed, agreed, limit, &mut inflated)?;
            if !stream.has_ended {
                stream.inflate(&[0x00, 0x00, 0xFF, 0xFF], agreed, limit, &mut inflated)?;
                if !(stream.has_ended || stream.is_between_blocks()) {
                    return Err("ends in the middle of a block".into());
                }
            }
            Ok::<_, String>(inflated)
        });
        let (first, second) = (first?, second?);
        if first == second { Ok(first) } else { Err("refers to what was never sent".into()) }
    }
}

impl Stream {
    /// Whether an empty final block could follow, and is the end.
    fn is_between_blocks(&self) -> bool {
        let (mut library, mut window) = (self.library.clone(), self.window.clone());
        let (last, flags) = (&[0x01, 0x00, 0x00, 0xFF, 0xFF], TINFL_FLAG_HAS_MORE_INPUT);
        let (status, taken, given) =
            decompress(&mut library, last, &mut window, self.position, flags);
        status == TINFLStatus::Done && taken == last.len() && given == 0
    }

    fn inflate(
        &mut self,
        mut compressed: &[u8],
        agreed: usize,
        limit: usize,
        inflated: &mut Vec<u8>,
    ) -> Result<(), String> {
        loop {
            if self.has_ended {
                if compressed.is_empty() {
                    return Ok(());
                }
                self.library.init();
                self.has_ended = false;
                // The oldest bytes come first from here on.
                self.window.rotate_left(self.position);
                self.position = 0;
                let forgotten = self.window.len() - agreed;
                self.window[..forgotten].fill(self.unsent);
            }
            let flags = TINFL_FLAG_HAS_MORE_INPUT;
            let (status, taken, given) =
                decompress(&mut self.library, compressed, &mut self.window, self.position, flags);
            compressed = &compressed[taken..];
            let end = self.position + given;
            inflated.extend_from_slice(&self.window[self.position..end]);
            self.position = end % self.window.len();
            if inflated.len() > limit {
                return Err("too long".into());
            }
            match status {
                TINFLStatus::NeedsMoreInput if compressed.is_empty() => return Ok(()),
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::Done => self.has_ended = true,
                status => return Err(format!("{status:?}, {} bytes left", compressed.len())),
            }
        }
    }
}
