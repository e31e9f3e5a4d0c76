//! Collects the head of a message, a line at a time: linear, limited, the same in any pieces.

use alloc::vec::Vec;
use core::fmt;

use crate::handshake::Limits;
use crate::handshake::error::HandshakeError;
use crate::handshake::foreign::{Excerpt, Kind, may_be_tls};
use crate::handshake::headers::{Headers, is_value_byte};

/// The head as far as it has come: whole fields, and the line that is arriving.
///
/// Every byte is looked at once, and each fault is found at the byte that makes it one, so what
/// comes out does not depend on how the bytes were cut.
///
/// A request is read to the letter. That is also why lines are not left to httparse, which takes a
/// lone LF for the end of one (RFC 9112 §2.2 allows it, and allowing it is how requests are
/// smuggled). A response is read by the client that asked for it, and by nobody after it, so it may
/// have what servers are known to send and browsers take: lines that end with LF alone, empty lines
/// before the first (both RFC 9112 §2.2), and folded fields (§5.2).
pub(crate) struct Head {
    kind: Kind,
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
    /// Empty lines before the first are skipped: of a request one ("a server [...] SHOULD ignore at
    /// least one empty line (CRLF) received prior to the request-line", RFC 9112 §2.2), of a
    /// response any number.
    BeforeStart,
    Start,
    Fields,
}

/// What a head is made of.
pub(crate) enum Part {
    /// The first line, without its end.
    StartLine(Vec<u8>),
    /// All fields: the head is complete.
    End(Headers),
}

impl Head {
    pub(crate) fn request(limits: &Limits) -> Self {
        Self::new(limits, Kind::Request)
    }

    pub(crate) fn response(limits: &Limits) -> Self {
        Self::new(limits, Kind::Response)
    }

    fn new(limits: &Limits, kind: Kind) -> Self {
        Self {
            kind,
            max_bytes: limits.max_head_bytes,
            max_headers: limits.max_headers,
            received: 0,
            stage: Stage::BeforeStart,
            line: Vec::new(),
            after_cr: false,
            headers: Headers::default(),
        }
    }

    /// Takes input up to the end of the next part. `None`: all is taken, more is needed. Behind
    /// the end comes another head, on the same account of bytes.
    pub(crate) fn read(&mut self, input: &mut &[u8]) -> Result<Option<Part>, HandshakeError> {
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
                (true, _) => return Err(self.fault("CR without LF")),
                (false, b'\r') => self.after_cr = true,
                (false, b'\n') if self.kind == Kind::Request => {
                    return Err(self.fault("LF without CR"));
                }
                (false, b'\n') => {
                    if let Some(part) = self.end_line()? {
                        return Ok(Some(part));
                    }
                }
                (false, byte) => self.push(byte)?,
            }
        }
        Ok(None)
    }

    /// The error if the peer says no more than what has come: `otherwise`, unless that is no HTTP.
    pub(crate) fn cut_short(&self, otherwise: HandshakeError) -> HandshakeError {
        // A request may begin with any word.
        if self.kind == Kind::Request || self.is_http_so_far() {
            otherwise
        } else {
            self.kind.foreign(&self.line)
        }
    }

    /// Takes a byte of a line.
    fn push(&mut self, byte: u8) -> Result<(), HandshakeError> {
        if self.stage == Stage::Fields {
            if !is_value_byte(byte) {
                return Err(malformed("control character"));
            }
            self.line.push(byte);
            return Ok(());
        }
        // A record of TLS is told by two bytes.
        let is_second_of_tls = matches!(*self.line, [first] if may_be_tls(first));
        let is_first_of_tls = self.line.is_empty() && may_be_tls(byte);
        self.line.push(byte);
        if is_second_of_tls || !(is_first_of_tls || is_value_byte(byte)) {
            return Err(self.fault("control character"));
        }
        // Enough of another protocol to tell what it is. A request is known by its last word.
        let is_enough = self.kind == Kind::Response && self.line.len() == Excerpt::MAX;
        if is_enough && !self.is_http_so_far() {
            return Err(self.kind.foreign(&self.line));
        }
        Ok(())
    }

    fn is_http_so_far(&self) -> bool {
        self.stage == Stage::Fields || self.kind.looks_like_http(&self.line)
    }

    /// What is wrong, if the peer speaks HTTP at all.
    fn fault(&self, what: &'static str) -> HandshakeError {
        if self.is_http_so_far() { malformed(what) } else { self.kind.foreign(&self.line) }
    }

    fn end_line(&mut self) -> Result<Option<Part>, HandshakeError> {
        match (self.stage, self.line.is_empty()) {
            (Stage::BeforeStart, true) => {
                if self.kind == Kind::Request {
                    self.stage = Stage::Start;
                }
                Ok(None)
            }
            (Stage::Start, true) => Err(malformed("empty first line")),
            (Stage::BeforeStart | Stage::Start, false) => {
                if !self.kind.is_http(&self.line) {
                    return Err(self.kind.foreign(&self.line));
                }
                self.stage = Stage::Fields;
                Ok(Some(Part::StartLine(core::mem::take(&mut self.line))))
            }
            (Stage::Fields, true) => {
                self.stage = Stage::BeforeStart;
                Ok(Some(Part::End(core::mem::take(&mut self.headers))))
            }
            (Stage::Fields, false) => self.end_field().map(|()| None),
        }
    }

    /// Reads the field by itself: what httparse sees is one field and the end of a head.
    fn end_field(&mut self) -> Result<(), HandshakeError> {
        // "A user agent that receives an obs-fold in a response message [...] MUST replace each
        // received obs-fold with one or more SP octets" (RFC 9112 §5.2), and a server refuses it.
        // No name begins with a blank.
        if self.kind == Kind::Response && matches!(*self.line, [b' ' | b'\t', ..]) {
            let is_continued = self.headers.continue_last(&self.line);
            self.line.clear();
            return if is_continued { Ok(()) } else { Err(malformed("header line")) };
        }
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

/// Without what has come: a head may have credentials in it.
impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("received", &self.received)
            .field("stage", &self.stage)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

/// Whether this is the version of HTTP that can be upgraded.
pub(crate) fn check_version(version: &[u8]) -> Result<(), HandshakeError> {
    match version {
        b"HTTP/1.1" => Ok(()),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            Err(HandshakeError::HttpVersion)
        }
        _ => Err(malformed("HTTP version")),
    }
}

pub(crate) const fn malformed(what: &'static str) -> HandshakeError {
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
        read_as(Head::request(limits), head)
    }

    fn read_as(mut collector: Head, head: &str) -> Result<String, HandshakeError> {
        let mut rest = head.as_bytes();
        let mut seen = String::new();
        while let Some(part) = collector.read(&mut rest)? {
            match part {
                Part::StartLine(line) => seen += &String::from_utf8_lossy(&line),
                Part::End(headers) => {
                    for (name, value) in headers.iter() {
                        seen += &format!(" {name}={}", String::from_utf8_lossy(value));
                    }
                    return Ok(format!("{seen}|{}", String::from_utf8_lossy(rest)));
                }
            }
        }
        Ok(String::from("more"))
    }

    #[test]
    fn a_head_is_a_line_and_fields_and_leaves_what_follows() {
        let limits = Limits::default();
        assert_eq!(
            read("\r\nA /b\r\nX:  y \t\r\nZ:\r\n\r\nmore\r\n", &limits).unwrap(),
            "A /b X=y Z=|more\r\n"
        );
        assert_eq!(read("A /\r\n\r\n", &limits).unwrap(), "A /|");
        assert_eq!(read("A /\r\nX: y\r\n\r", &limits).unwrap(), "more");
    }

    /// RFC 9112 §2.2 and §5.2: what a client takes, and a server does not.
    #[test]
    fn a_response_may_be_written_carelessly() {
        let limits = Limits::default();
        for (head, seen) in [
            ("HTTP/a\nX: y\nZ:\n\nmore", "HTTP/a X=y Z=|more"),
            ("HTTP/a\r\nX: y\n\r\n\n", "HTTP/a X=y|\n"),
            ("\r\n\n\r\nHTTP/a\r\n\r\n", "HTTP/a|"),
            ("HTTP/a\r\nX: y \r\n  z\t\r\n\tw\r\n\r\n", "HTTP/a X=y z w|"),
            ("HTTP/a\nX:\n y\n\t \n z\nB: c\n\n", "HTTP/a X=y z B=c|"),
        ] {
            assert_eq!(read_as(Head::response(&limits), head).as_deref(), Ok(seen), "{head:?}");
            assert!(read(head, &limits).is_err(), "{head:?}");
        }
        for (head, what) in [
            ("HTTP/a\r\n X: y\r\n", "header line"),
            ("HTTP/a\rb", "CR without LF"),
            ("HTTP/a\r\nX: y\r\n \0", "control character"),
            ("HTTP/\x01", "control character"),
        ] {
            assert_eq!(read_as(Head::response(&limits), head), Err(malformed(what)), "{head:?}");
        }
        let limits = limits.with_max_head_bytes(20).unwrap();
        for head in ["\n".repeat(21), format!("HTTP/a\nX: y\n{}", " \n".repeat(5))] {
            let error = too_large("max_head_bytes", 20);
            assert_eq!(read_as(Head::response(&limits), &head), Err(error), "{head:?}");
        }
    }

    #[test]
    fn faults_are_found_where_they_are() {
        let limits = Limits::default();
        for (head, what) in [
            ("\r\n\r\n", "empty first line"),
            ("A /\n", "LF without CR"),
            ("\n", "LF without CR"),
            ("A /\rB", "CR without LF"),
            ("A /\r\r", "CR without LF"),
            ("A /\0", "control character"),
            ("A /\r\nX: \x7f", "control character"),
            ("A /\r\nX: y\n", "LF without CR"),
            ("A /\r\n X: y\r\n", "header line"),
            ("A /\r\nX: y\r\n z\r\n", "header line"),
            ("A /\r\nX: y\r\n\tz\r\n", "header line"),
            ("A /\r\nX : y\r\n", "header line"),
            ("A /\r\nX Y: z\r\n", "header line"),
            ("A /\r\nX\r\n", "header line"),
            ("A /\r\n: y\r\n", "header line"),
            ("A /\r\nX(Y): z\r\n", "header line"),
            ("A /\r\n\u{e9}: z\r\n", "header line"),
        ] {
            assert_eq!(read(head, &limits), Err(malformed(what)), "{head:?}");
            // One byte earlier nothing is wrong yet.
            let before = head.char_indices().next_back().map_or("", |(at, _)| &head[..at]);
            assert_eq!(read(before, &limits).as_deref(), Ok("more"), "{before:?}");
        }
    }

    #[test]
    fn limits_are_inclusive() {
        let limits = Limits::default().with_max_head_bytes(12).unwrap();
        assert!(read("A /\r\nX: y\r\n\r\n", &limits).is_err(), "11 bytes");
        assert!(read("A /\r\nX:y\r\n\r\n", &limits).is_ok(), "10 bytes");
        assert_eq!(read("aaaaaaaaaaaa", &limits).as_deref(), Ok("more"));
        assert_eq!(read("aaaaaaaaaaaaa", &limits), Err(too_large("max_head_bytes", 12)));

        let limits = Limits::default().with_max_headers(2).unwrap();
        assert!(read("A /\r\nX: y\r\nX: y\r\n\r\n", &limits).is_ok());
        assert_eq!(
            read("A /\r\nX: y\r\nX: y\r\nX: y\r\n", &limits),
            Err(too_large("max_headers", 2))
        );
    }
}
