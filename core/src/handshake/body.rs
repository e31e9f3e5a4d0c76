//! Reads the beginning of the body of a response that refuses the upgrade (RFC 9112 §6 and §7).

use alloc::vec::Vec;

use crate::handshake::headers::Headers;

/// A body that is arriving, of which only the beginning is kept.
///
/// The framing matters although little is kept: it tells where the body ends. Otherwise a client
/// would wait for the timeout if the server keeps the connection open. Trailers are not read.
#[derive(Debug)]
pub(crate) struct Body {
    framing: Framing,
    /// How many more bytes of content are kept.
    content_left: usize,
    /// How many more bytes of the framing of chunks are read: sizes, extensions and line ends. A
    /// chunk extension may be endless (RFC 9112 §7.1.1: a recipient ought to limit them).
    framing_left: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// This many bytes of the body are missing.
    Length(u64),
    /// The line with the size of a chunk is arriving.
    ChunkSize { size: u64, stage: SizeStage },
    /// This many bytes of a chunk are missing.
    Chunk(u64),
    /// The line end after a chunk is arriving.
    ChunkEnd,
    /// The body ends with the stream.
    UntilEnd,
    /// The body is complete, or its framing is invalid.
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SizeStage {
    /// The first digit must come next.
    Begin,
    Digits,
    /// Everything up to the end of the line is ignored.
    Extension,
}

impl Body {
    /// The body that this head announces (RFC 9112 §6.3). `limit` bytes of it are kept.
    pub(crate) fn of(status: u16, headers: &Headers, limit: usize, framing_limit: usize) -> Self {
        // The order is that of RFC 9112 §6.3: the status first, then Transfer-Encoding, which
        // overrides Content-Length.
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
        Self { framing, content_left: limit, framing_left: framing_limit }
    }

    /// A body that is not read.
    pub(crate) const fn none() -> Self {
        Self { framing: Framing::Done, content_left: 0, framing_left: 0 }
    }

    /// Whether more of it matters.
    pub(crate) fn wants_input(&self) -> bool {
        self.content_left > 0 && !matches!(self.framing, Framing::Done | Framing::Length(0))
    }

    /// Takes input, and appends the content to `kept`.
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

    /// Ends the body: no more of it will arrive.
    pub(crate) fn end(&mut self) {
        self.framing = Framing::Done;
    }

    /// Takes a byte of the framing, unless the limit is reached.
    fn framing_byte(&mut self, input: &mut &[u8]) -> Option<u8> {
        self.framing_left = self.framing_left.checked_sub(1)?;
        let (byte, rest) = input.split_first()?;
        *input = rest;
        Some(*byte)
    }

    /// Keeps as much of the next `left` bytes as has arrived and the limit allows. Returns how many of
    /// them are still missing.
    fn keep(&mut self, left: u64, input: &mut &[u8], kept: &mut Vec<u8>) -> u64 {
        let count =
            usize::try_from(left).unwrap_or(usize::MAX).min(self.content_left).min(input.len());
        let (content, rest) = input.split_at(count);
        kept.extend_from_slice(content);
        *input = rest;
        self.content_left -= count;
        left - count as u64
    }
}

fn chunk_size(size: u64, stage: SizeStage, byte: u8) -> Framing {
    let digit = char::from(byte).to_digit(16).map(u64::from);
    match (stage, byte, digit) {
        (SizeStage::Begin | SizeStage::Digits, _, Some(digit)) => {
            // The peer may send any number of digits. An overflow would turn a huge size into a
            // small one.
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
    // `parse` alone would accept a plus sign, which the grammar of Content-Length does not.
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    core::str::from_utf8(value).ok().filter(|_| is_number)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    /// Returns what is kept, and whether more input is wanted: the same for the whole input and byte
    /// by byte.
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
    fn the_body_is_read_as_the_head_announces_it() {
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

    /// Every kind of endless framing stops at the limit. The content before it is kept.
    #[test]
    fn the_bytes_of_chunk_framing_are_limited() {
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
        // This limit is exactly enough.
        let input = "3\r\nabc\r\n2\r\nde";
        let all = (b"abcde".to_vec(), true);
        assert_eq!(read_framed(404, chunked, (99, 8), input), all);
        assert_ne!(read_framed(404, chunked, (99, 7), input), all);
    }
}
