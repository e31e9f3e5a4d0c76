//! The beginning of a refusal's body (RFC 9112 §6 and §7).

use alloc::vec::Vec;

use crate::handshake::headers::Headers;

/// What is still to be read of a body, of which only the beginning is kept.
///
/// The framing matters although little is kept: a server that answers and keeps the connection
/// would otherwise make the client wait for the timeout. Trailers are not read.
#[derive(Debug)]
pub(crate) struct Body {
    framing: Framing,
    /// How much more is kept.
    room: usize,
    /// How many more bytes of the framing of chunks are read: sizes, extensions and line ends. A
    /// chunk extension may be endless (RFC 9112 §7.1.1: a recipient ought to limit them).
    framing_room: usize,
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
    /// The body that this head announces (RFC 9112 §6.3), as far as `limit` bytes of it.
    pub(crate) fn of(status: u16, headers: &Headers, limit: usize, framing_limit: usize) -> Self {
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
        Self { framing, room: limit, framing_room: framing_limit }
    }

    /// What is not read.
    pub(crate) const fn none() -> Self {
        Self { framing: Framing::Done, room: 0, framing_room: 0 }
    }

    /// Whether more of it matters.
    pub(crate) fn wants_input(&self) -> bool {
        self.room > 0 && !matches!(self.framing, Framing::Done | Framing::Length(0))
    }

    /// Takes input, and appends what is content to `kept`.
    pub(crate) fn read(&mut self, mut input: &[u8], kept: &mut Vec<u8>) {
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
                    self.framing = match self.framing_byte(&mut input) {
                        Some(byte) => chunk_size(size, stage, byte),
                        None => Framing::Done,
                    };
                }
                Framing::ChunkEnd => {
                    self.framing = match self.framing_byte(&mut input) {
                        Some(b'\r') => Framing::ChunkEnd,
                        Some(b'\n') => Framing::ChunkSize { size: 0, stage: SizeStage::Begin },
                        _ => Framing::Done,
                    };
                }
                Framing::Done => return,
            }
        }
    }

    /// Nothing more comes.
    pub(crate) fn end(&mut self) {
        self.framing = Framing::Done;
    }

    /// Takes a byte of the framing, if there may be one more.
    fn framing_byte(&mut self, input: &mut &[u8]) -> Option<u8> {
        self.framing_room = self.framing_room.checked_sub(1)?;
        let (byte, rest) = input.split_first()?;
        *input = rest;
        Some(*byte)
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
    use alloc::format;

    /// What is kept, and whether more is wanted; the same whole and byte by byte.
    fn read(status: u16, fields: &[(&str, &str)], limit: usize, input: &str) -> (Vec<u8>, bool) {
        read_framed(status, fields, (limit, 100), input)
    }

    fn read_framed(
        status: u16,
        fields: &[(&str, &str)],
        (limit, framing_limit): (usize, usize),
        input: &str,
    ) -> (Vec<u8>, bool) {
        let mut headers = Headers::default();
        for (name, value) in fields {
            headers.push(name, value.as_bytes());
        }
        let mut whole = (Body::of(status, &headers, limit, framing_limit), Vec::new());
        whole.0.read(input.as_bytes(), &mut whole.1);
        let mut split = (Body::of(status, &headers, limit, framing_limit), Vec::new());
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

    /// Each kind of framing without an end stops at the limit, with what has come before.
    #[test]
    fn the_framing_of_chunks_is_limited() {
        let chunked = &[("transfer-encoding", "chunked")][..];
        let long = "x".repeat(50);
        for (input, content) in [
            (format!("1;{long}"), ""),
            (format!("3;a=b\r\nabc\r\n1 ;{long}"), "abc"),
            ("0".repeat(50), ""),
            (format!("1{}", " ".repeat(50)), ""),
            (format!("1\r\na{}", "\r".repeat(50)), "a"),
            ("1\r\na\r\n".repeat(50), "aaaa"),
        ] {
            let (kept, wants_more) = read_framed(404, chunked, (99, 20), &input);
            assert_eq!((&*kept, wants_more), (content.as_bytes(), false), "{input:?}");
        }
        // Exactly so much is enough.
        let input = "3\r\nabc\r\n2\r\nde";
        let all = (b"abcde".to_vec(), true);
        assert_eq!(read_framed(404, chunked, (99, 8), input), all);
        assert_ne!(read_framed(404, chunked, (99, 7), input), all);
    }
}
