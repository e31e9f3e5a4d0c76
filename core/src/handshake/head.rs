//! Collects the head of a message, a line at a time: linear, limited, the same in any pieces.

use alloc::vec::Vec;

use super::Limits;
use super::error::HandshakeError;
use super::headers::{Headers, is_value_byte};

/// The head as far as it has come: whole fields, and the line that is arriving.
///
/// Every byte is looked at once, and each fault is found at the byte that makes it one, so what
/// comes out does not depend on how the bytes were cut. That is also why lines are not left to
/// httparse, which takes a lone LF for the end of one (RFC 9112 §2.2 allows it, and allowing it is
/// how requests are smuggled).
#[derive(Debug)]
pub(super) struct Head {
    max_bytes: usize,
    max_headers: usize,
    received: usize,
    stage: Stage,
    line: Vec<u8>,
    after_cr: bool,
    headers: Headers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// One empty line before the first is skipped: "a server [...] SHOULD ignore at least one
    /// empty line (CRLF) received prior to the request-line" (RFC 9112 §2.2).
    BeforeStart,
    Start,
    Fields,
}

/// What a head is made of.
#[derive(Debug)]
pub(super) enum Part {
    /// The first line, without its end.
    StartLine(Vec<u8>),
    /// All fields: the head is complete.
    End(Headers),
}

impl Head {
    pub(super) fn request(limits: &Limits) -> Self {
        Self::new(limits, Stage::BeforeStart)
    }

    pub(super) fn response(limits: &Limits) -> Self {
        Self::new(limits, Stage::Start)
    }

    fn new(limits: &Limits, stage: Stage) -> Self {
        Self {
            max_bytes: limits.max_head_bytes,
            max_headers: limits.max_headers,
            received: 0,
            stage,
            line: Vec::new(),
            after_cr: false,
            headers: Headers::default(),
        }
    }

    /// Takes input up to the end of the next part. `None`: all is taken, more is needed. Behind
    /// the end comes another head, on the same account of bytes.
    pub(super) fn read(&mut self, input: &mut &[u8]) -> Result<Option<Part>, HandshakeError> {
        while let [byte, rest @ ..] = *input {
            *input = rest;
            if self.received == self.max_bytes {
                return Err(too_large("max_head_bytes", self.max_bytes));
            }
            self.received += 1;
            match (self.after_cr, *byte) {
                (true, b'\n') => {
                    self.after_cr = false;
                    if let Some(part) = self.end_line()? {
                        return Ok(Some(part));
                    }
                }
                (true, _) => return Err(malformed("CR without LF")),
                (false, b'\r') => self.after_cr = true,
                (false, b'\n') => return Err(malformed("LF without CR")),
                (false, byte) if is_value_byte(byte) => self.line.push(byte),
                (false, _) => return Err(malformed("control character")),
            }
        }
        Ok(None)
    }

    fn end_line(&mut self) -> Result<Option<Part>, HandshakeError> {
        match (self.stage, self.line.is_empty()) {
            (Stage::BeforeStart, true) => {
                self.stage = Stage::Start;
                Ok(None)
            }
            (Stage::Start, true) => Err(malformed("empty first line")),
            (Stage::BeforeStart | Stage::Start, false) => {
                self.stage = Stage::Fields;
                Ok(Some(Part::StartLine(core::mem::take(&mut self.line))))
            }
            (Stage::Fields, true) => {
                self.stage = Stage::Start;
                Ok(Some(Part::End(core::mem::take(&mut self.headers))))
            }
            (Stage::Fields, false) => self.end_field().map(|()| None),
        }
    }

    /// Reads the field by itself: what httparse sees is one field and the end of a head. A line
    /// that continues the one before (RFC 9112 §5.2) begins with a blank, which no name does.
    fn end_field(&mut self) -> Result<(), HandshakeError> {
        if self.headers.len() == self.max_headers {
            return Err(too_large("max_headers", self.max_headers));
        }
        self.line.extend_from_slice(b"\r\n\r\n");
        match httparse::parse_headers(&self.line, &mut [httparse::EMPTY_HEADER]) {
            Ok(httparse::Status::Complete((_, [field]))) => {
                self.headers.push(field.name, field.value);
                self.line.clear();
                Ok(())
            }
            _ => Err(malformed("header line")),
        }
    }
}

/// Whether this is the version of HTTP that can be upgraded.
pub(super) fn check_version(version: &[u8]) -> Result<(), HandshakeError> {
    match version {
        b"HTTP/1.1" => Ok(()),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            Err(HandshakeError::HttpVersion)
        }
        _ => Err(malformed("HTTP version")),
    }
}

pub(super) const fn malformed(what: &'static str) -> HandshakeError {
    HandshakeError::Malformed { what }
}

const fn too_large(setting: &'static str, limit: usize) -> HandshakeError {
    HandshakeError::TooLarge { setting, limit }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test says so by failing")]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;

    fn read(head: &str, limits: &Limits) -> Result<String, HandshakeError> {
        let mut collector = Head::request(limits);
        let mut rest = head.as_bytes();
        let mut seen = String::new();
        while let Some(part) = collector.read(&mut rest)? {
            match part {
                Part::StartLine(line) => seen += &String::from_utf8_lossy(&line),
                Part::End(headers) => {
                    return Ok(format!("{seen} {headers:?} {}", String::from_utf8_lossy(rest)));
                }
            }
        }
        Ok(String::from("more"))
    }

    #[test]
    fn a_head_is_a_line_and_fields_and_leaves_what_follows() {
        let limits = Limits::default();
        assert_eq!(
            read("\r\nA b\r\nX:  y \t\r\nZ:\r\n\r\nmore\r\n", &limits).unwrap(),
            "A b {\"X\": \"y\", \"Z\": \"\"} more\r\n"
        );
        assert_eq!(read("A\r\n\r\n", &limits).unwrap(), "A {} ");
        assert_eq!(read("A\r\nX: y\r\n\r", &limits).unwrap(), "more");
    }

    #[test]
    fn faults_are_found_where_they_are() {
        let limits = Limits::default();
        for (head, what) in [
            ("\r\n\r\n", "empty first line"),
            ("A\n", "LF without CR"),
            ("\n", "LF without CR"),
            ("A\rB", "CR without LF"),
            ("A\r\r", "CR without LF"),
            ("\x16", "control character"),
            ("A\0", "control character"),
            ("A\r\nX: \x7f", "control character"),
            ("A\r\nX: y\n", "LF without CR"),
            ("A\r\n X: y\r\n", "header line"),
            ("A\r\nX: y\r\n z\r\n", "header line"),
            ("A\r\nX: y\r\n\tz\r\n", "header line"),
            ("A\r\nX : y\r\n", "header line"),
            ("A\r\nX Y: z\r\n", "header line"),
            ("A\r\nX\r\n", "header line"),
            ("A\r\n: y\r\n", "header line"),
            ("A\r\nX(Y): z\r\n", "header line"),
            ("A\r\n\u{e9}: z\r\n", "header line"),
        ] {
            assert_eq!(read(head, &limits), Err(malformed(what)), "{head:?}");
            // One byte earlier nothing is wrong yet.
            let before = head.char_indices().next_back().map_or("", |(at, _)| &head[..at]);
            assert_eq!(read(before, &limits).as_deref(), Ok("more"), "{before:?}");
        }
    }

    #[test]
    fn limits_are_inclusive() {
        let limits = Limits::default().with_max_head_bytes(10).unwrap();
        assert!(read("A\r\nX: y\r\n\r\n", &limits).is_err(), "11 bytes");
        assert!(read("A\r\nX:y\r\n\r\n", &limits).is_ok(), "10 bytes");
        assert_eq!(read("aaaaaaaaaa", &limits).as_deref(), Ok("more"));
        assert_eq!(read("aaaaaaaaaaa", &limits), Err(too_large("max_head_bytes", 10)));

        let limits = Limits::default().with_max_headers(2).unwrap();
        assert!(read("A\r\nX: y\r\nX: y\r\n\r\n", &limits).is_ok());
        assert_eq!(
            read("A\r\nX: y\r\nX: y\r\nX: y\r\n", &limits),
            Err(too_large("max_headers", 2))
        );
    }
}
