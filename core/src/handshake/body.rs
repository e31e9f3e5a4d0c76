//! The beginning of a refusal's body (RFC 9112 §6 and §7).

use alloc::vec::Vec;

use super::headers::Headers;

/// What is still to be read of a body, of which only the beginning is kept.
///
/// The framing matters although little is kept: a server that answers and keeps the connection
/// would otherwise make the client wait for the timeout.
#[derive(Debug)]
pub(super) struct Body {
    framing: Framing,
    /// How much more is kept.
    room: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// So many bytes are left.
    Length(u64),
    /// The line of a chunk's size is arriving.
    ChunkSize { size: u64, stage: SizeStage },
    /// So many bytes of a chunk are left.
    Chunk(u64),
    /// The end of the line behind a chunk.
    ChunkEnd,
    /// Up to the end of the stream.
    UntilEnd,
    /// All has come, or what comes cannot be understood.
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SizeStage {
    /// No digit has come.
    Begin,
    Digits,
    /// Everything up to the end of the line is passed over.
    Extension,
}

impl Body {
    /// The body that this head announces (RFC 9112 §6.3).
    pub(super) fn of(status: u16, headers: &Headers, limit: usize) -> Self {
        let framing = if matches!(status, 204 | 304) {
            Framing::Done
        } else if headers.list("Transfer-Encoding").last().is_some_and(is_chunked) {
            Framing::ChunkSize { size: 0, stage: SizeStage::Begin }
        } else if headers.has("Transfer-Encoding") {
            Framing::UntilEnd
        } else {
            headers
                .only("Content-Length")
                .and_then(length)
                .map_or(Framing::UntilEnd, Framing::Length)
        };
        Self { framing, room: limit }
    }

    /// Whether more of it matters.
    pub(super) fn wants_input(&self) -> bool {
        self.room > 0 && !matches!(self.framing, Framing::Done | Framing::Length(0))
    }

    /// Takes input, and appends what is content to `kept`.
    pub(super) fn read(&mut self, mut input: &[u8], kept: &mut Vec<u8>) {
        while self.wants_input() && !input.is_empty() {
            match self.framing {
                Framing::Length(left) => {
                    self.framing = Framing::Length(self.keep(left, &mut input, kept));
                }
                Framing::UntilEnd => {
                    self.keep(u64::MAX, &mut input, kept);
                }
                Framing::Chunk(left) => {
                    self.framing = match self.keep(left, &mut input, kept) {
                        0 => Framing::ChunkEnd,
                        left => Framing::Chunk(left),
                    };
                }
                Framing::ChunkSize { size, stage } => {
                    if let Some((byte, rest)) = input.split_first() {
                        self.framing = chunk_size(size, stage, *byte);
                        input = rest;
                    }
                }
                Framing::ChunkEnd => {
                    if let Some((byte, rest)) = input.split_first() {
                        self.framing = match byte {
                            b'\r' => Framing::ChunkEnd,
                            b'\n' => Framing::ChunkSize { size: 0, stage: SizeStage::Begin },
                            _ => Framing::Done,
                        };
                        input = rest;
                    }
                }
                Framing::Done => return,
            }
        }
    }

    /// Nothing more comes.
    pub(super) fn end(&mut self) {
        self.framing = Framing::Done;
    }

    /// Keeps what there is of `left` bytes, as far as there is room. Gives what is left of them.
    fn keep(&mut self, left: u64, input: &mut &[u8], kept: &mut Vec<u8>) -> u64 {
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(self.room).min(input.len());
        let (now, rest) = input.split_at(count);
        kept.extend_from_slice(now);
        *input = rest;
        self.room -= count;
        left - count as u64
    }
}

fn chunk_size(size: u64, stage: SizeStage, byte: u8) -> Framing {
    let digit = char::from(byte).to_digit(16).map(u64::from);
    match (stage, byte, digit) {
        (SizeStage::Begin | SizeStage::Digits, _, Some(digit)) => {
            match size.checked_mul(16).and_then(|size| size.checked_add(digit)) {
                Some(size) => Framing::ChunkSize { size, stage: SizeStage::Digits },
                None => Framing::Done,
            }
        }
        (SizeStage::Begin, _, _) => Framing::Done,
        (_, b'\n', _) if size == 0 => Framing::Done,
        (_, b'\n', _) => Framing::Chunk(size),
        (_, b'\r' | b' ' | b'\t' | b';', _) | (SizeStage::Extension, _, _) => {
            Framing::ChunkSize { size, stage: SizeStage::Extension }
        }
        (SizeStage::Digits, _, _) => Framing::Done,
    }
}

fn is_chunked(coding: &[u8]) -> bool {
    coding.eq_ignore_ascii_case(b"chunked")
}

fn length(value: &[u8]) -> Option<u64> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    core::str::from_utf8(value).ok().filter(|_| is_number)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is kept, and whether more is wanted; the same whole and byte by byte.
    fn read(status: u16, fields: &[(&str, &str)], limit: usize, input: &str) -> (Vec<u8>, bool) {
        let mut headers = Headers::default();
        for (name, value) in fields {
            headers.push(name, value.as_bytes());
        }
        let mut whole = (Body::of(status, &headers, limit), Vec::new());
        whole.0.read(input.as_bytes(), &mut whole.1);
        let mut split = (Body::of(status, &headers, limit), Vec::new());
        for byte in input.bytes() {
            split.0.read(&[byte], &mut split.1);
        }
        assert_eq!(whole.1, split.1);
        assert_eq!(whole.0.wants_input(), split.0.wants_input());
        (whole.1, whole.0.wants_input())
    }

    #[test]
    fn what_the_head_announces_and_not_more() {
        let kept = |text: &str, wants: bool| (text.as_bytes().to_vec(), wants);
        assert_eq!(read(404, &[("content-length", "3")], 9, "abcd"), kept("abc", false));
        assert_eq!(read(404, &[("content-length", "3")], 9, "ab"), kept("ab", true));
        assert_eq!(read(404, &[("content-length", "3")], 2, "abcd"), kept("ab", false));
        assert_eq!(read(404, &[("content-length", "0")], 9, "abcd"), kept("", false));
        assert_eq!(read(404, &[("content-length", "+3")], 9, "abcd"), kept("abcd", true));
        assert_eq!(read(404, &[], 9, "abcd"), kept("abcd", true));
        assert_eq!(read(404, &[], 3, "abcd"), kept("abc", false));
        assert_eq!(read(404, &[], 0, "abcd"), kept("", false));
        assert_eq!(read(204, &[], 9, "abcd"), kept("", false));
        assert_eq!(read(304, &[("content-length", "3")], 9, "abcd"), kept("", false));
        assert_eq!(read(404, &[("transfer-encoding", "gzip")], 9, "abcd"), kept("abcd", true));

        let chunked = &[("transfer-encoding", "gzip, Chunked"), ("content-length", "1")][..];
        assert_eq!(
            read(404, chunked, 99, "3\r\nabc\r\n0A;x=y\r\n0123456789\r\n0\r\n\r\n"),
            kept("abc0123456789", false)
        );
        assert_eq!(read(404, chunked, 99, "3\r\nab"), kept("ab", true));
        assert_eq!(read(404, chunked, 1, "3\r\nab"), kept("a", false));
        for bad in ["x", "\r\n", "3x\r\nabc", "11112222333344445\r\n"] {
            assert_eq!(read(404, chunked, 99, bad), kept("", false), "{bad:?}");
        }
        assert_eq!(read(404, chunked, 99, "1\r\nab"), kept("a", false));
    }
}
