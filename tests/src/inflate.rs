//! Inflates messages with another library and checks how far back they refer, to test the core's
//! compressor.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

/// The peer's inflater of one direction.
#[derive(Debug)]
pub struct Inflater {
    takeover: bool,
    /// Two streams whose windows start with different bytes. Their results are equal only if nothing
    /// refers to data that was never sent.
    streams: [Stream; 2],
}

/// The ring buffer that the library writes to, exactly as large as the window, so that the library
/// refuses a longer distance.
struct Stream {
    library: Box<DecompressorOxide>,
    window: Vec<u8>,
    position: usize,
    unsent: u8,
}

impl Inflater {
    /// An inflater for a window of two to the power of `window_bits`.
    pub fn new(window_bits: u8, takeover: bool) -> Self {
        let stream = |unsent| Stream {
            library: Box::default(),
            window: vec![unsent; 1 << window_bits],
            position: 0,
            unsent,
        };
        Self { takeover, streams: [stream(0x00), stream(0xFF)] }
    }

    /// Inflates a message, all of its fragments, as RFC 7692 §7.2.2 says.
    ///
    /// # Errors
    ///
    /// If the data is not DEFLATE, ends in the middle of a block, or refers further back than the
    /// window or, without takeover, than the message.
    pub fn message(&mut self, compressed: &[u8]) -> Result<Vec<u8>, String> {
        let takeover = self.takeover;
        let compressed = [compressed, &[0x00, 0x00, 0xFF, 0xFF]].concat();
        let [first, second] = self.streams.each_mut().map(|stream| {
            if !takeover {
                stream.clear();
            }
            stream.inflate(&compressed)
        });
        let (first, second) = (first?, second?);
        if first != second {
            return Err("the message refers to what was never sent".into());
        }
        Ok(first)
    }
}

impl Stream {
    fn clear(&mut self) {
        self.library.init();
        self.window.fill(self.unsent);
        self.position = 0;
    }

    fn inflate(&mut self, mut compressed: &[u8]) -> Result<Vec<u8>, String> {
        let mut inflated = Vec::new();
        loop {
            let flags = TINFL_FLAG_HAS_MORE_INPUT;
            let (status, taken, given) =
                decompress(&mut self.library, compressed, &mut self.window, self.position, flags);
            compressed = compressed.get(taken..).unwrap_or_default();
            let end = self.position + given;
            inflated.extend_from_slice(self.window.get(self.position..end).unwrap_or_default());
            self.position = end % self.window.len();
            match status {
                TINFLStatus::NeedsMoreInput if compressed.is_empty() => return Ok(inflated),
                TINFLStatus::HasMoreOutput => {}
                status => return Err(format!("{status:?} with {} bytes left", compressed.len())),
            }
        }
    }
}

impl core::fmt::Debug for Stream {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Stream").field("position", &self.position).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7692 §7.2.3.1 and §7.2.3.2.
    const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    const HELLO_AGAIN: &[u8] = b"\xf2\x00\x11\x00\x00";

    #[test]
    fn the_examples_of_the_rfc() {
        let mut inflater = Inflater::new(15, true);
        assert_eq!(inflater.message(HELLO), Ok(b"Hello".into()));
        assert_eq!(inflater.message(HELLO_AGAIN), Ok(b"Hello".into()));
        // A block with BFINAL, and a stored one.
        let stored = b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00";
        assert_eq!(inflater.message(stored), Ok(b"Hello".into()));
    }

    #[test]
    fn a_reference_beyond_the_window_is_refused() {
        assert!(Inflater::new(15, true).message(HELLO_AGAIN).is_err(), "before the beginning");
        let mut inflater = Inflater::new(15, false);
        assert_eq!(inflater.message(HELLO), Ok(b"Hello".into()));
        assert!(inflater.message(HELLO_AGAIN).is_err(), "into the message before");

        // 600 bytes stored, then three bytes from 513 back: the code 18 with 8 extra bits.
        let mut far = vec![0x00, 0x58, 0x02, 0xA7, 0xFD];
        far.extend((0..600u16).map(|number| number.to_le_bytes()[0]));
        // 0 (not final), 10 (fixed), 257 = 0000001, 18 = 10010, eight zeros, 256 = 0000000, and an
        // empty stored block, from the lowest bit on.
        far.extend(pack("0 10 0000001 10010 00000000 0000000 000"));
        assert!(Inflater::new(9, true).message(&far).is_err());
        let inflated = Inflater::new(10, true).message(&far).unwrap_or_default();
        assert_eq!(inflated.get(600..), Some(&[87, 88, 89][..]));
    }

    fn pack(bits: &str) -> Vec<u8> {
        let bits: Vec<u8> = bits.bytes().filter(|bit| *bit != b' ').map(|bit| bit - b'0').collect();
        bits.chunks(8).map(|byte| byte.iter().rev().fold(0, |sum, bit| sum << 1 | bit)).collect()
    }

    #[test]
    fn a_truncated_message_is_refused() {
        let mut inflater = Inflater::new(15, true);
        assert!(inflater.message(b"\x00\x05\x00\xfa\xff\x48\x65").is_err());
    }
}
