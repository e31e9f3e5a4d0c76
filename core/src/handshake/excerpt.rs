//! The beginning of what a peer sent, for an error that shows it.

use core::fmt;

/// The beginning of what a peer sent: at most 24 bytes. `Display` and `Debug` escape everything that
/// is not visible ASCII, so an excerpt can be shown and logged.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Excerpt {
    bytes: [u8; Self::MAX],
    length: usize,
}

impl Excerpt {
    /// How many bytes an excerpt keeps at most.
    pub const MAX: usize = 24;

    /// Keeps the beginning of these bytes.
    pub fn new(text: &[u8]) -> Self {
        let mut bytes = [0; Self::MAX];
        let length = text.len().min(Self::MAX);
        for (kept, byte) in bytes.iter_mut().zip(text) {
            *kept = *byte;
        }
        Self { bytes, length }
    }

    /// The bytes as they came.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.as_bytes().escape_ascii())
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn an_excerpt_is_short_and_visible() {
        let seen = Excerpt::new(b"a\"\x01\xe9\n0123456789012345678901234567890");
        assert_eq!(seen.as_bytes(), b"a\"\x01\xe9\n0123456789012345678");
        assert_eq!(format!("{seen}"), r#""a\"\x01\xe9\n0123456789012345678""#);
        assert_eq!(format!("{seen:?}"), format!("{seen}"));
        assert_eq!(format!("{}", Excerpt::new(b"")), "\"\"");
    }
}
