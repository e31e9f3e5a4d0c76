//! Reads the head of a request or a response: the first line and the header fields.

use alloc::vec::Vec;
use core::fmt;

use crate::handshake::error::HandshakeError;
use crate::handshake::excerpt::Excerpt;
use crate::handshake::headers::Headers;
use crate::handshake::limits::Limits;
use crate::handshake::not_http::{HeadKind, may_be_tls};
use crate::handshake::start_line::StartLine;
use crate::handshake::syntax::is_value_byte;

/// A head that is arriving: the complete fields, and the line that is not complete yet.
///
/// It looks at every byte once, so its work is linear. It reports each fault at the byte that
/// causes it, so the result does not depend on how the bytes were split.
///
/// A request is read to the letter. For this reason httparse does not find the ends of lines: it
/// accepts a lone LF (RFC 9112 §2.2 allows that, and accepting it makes request smuggling
/// possible). A response is read only by the client that asked for it, so it may contain what some
/// servers send and browsers accept: lines that end with LF alone, empty lines before the first
/// (both RFC 9112 §2.2), and folded fields (§5.2).
pub(crate) struct Head<L> {
    max_bytes: usize,
    max_headers: usize,
    received: usize,
    stage: HeadStage<L>,
    line: Vec<u8>,
    after_cr: bool,
    headers: Headers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HeadStage<L> {
    /// Empty lines before the first line are skipped: one before a request ("a server [...] SHOULD
    /// ignore at least one empty line (CRLF) received prior to the request-line", RFC 9112 §2.2),
    /// any number before a response.
    BeforeStart,
    /// The first line must come next.
    Start,
    /// The first line is complete; header fields follow.
    Fields(L),
}

impl<L: StartLine> Head<L> {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            max_bytes: limits.max_head_bytes(),
            max_headers: limits.max_headers(),
            received: 0,
            stage: HeadStage::BeforeStart,
            line: Vec::new(),
            after_cr: false,
            headers: Headers::default(),
        }
    }

    /// Takes input up to the end of the head. `None`: all input is taken, and more is needed.
    ///
    /// After a complete head another one may be read. All of them together may have as many bytes
    /// as the limit allows.
    pub(crate) fn read(
        &mut self,
        input: &mut &[u8],
    ) -> Result<Option<(L, Headers)>, HandshakeError> {
        while let [byte, rest @ ..] = *input {
            *input = rest;
            // Checked for each byte, so that a long read gives the same error as many short ones.
            // `received` is never reset: interim responses share the limit.
            if self.received == self.max_bytes {
                return Err(too_large("max_head_bytes", self.max_bytes));
            }
            self.received += 1;
            match (self.after_cr, *byte) {
                (true, b'\n') => {
                    self.after_cr = false;
                    if let Some(head) = self.end_line()? {
                        return Ok(Some(head));
                    }
                }
                // "A recipient of such a bare CR MUST consider that element to be invalid or
                // replace each bare CR with SP" (RFC 9112 §2.2). So even the lenient client refuses
                // it.
                (true, _) => return Err(self.fault("CR without LF")),
                (false, b'\r') => self.after_cr = true,
                (false, b'\n') if L::KIND == HeadKind::Request => {
                    return Err(self.fault("LF without CR"));
                }
                (false, b'\n') => {
                    if let Some(head) = self.end_line()? {
                        return Ok(Some(head));
                    }
                }
                (false, byte) => self.push(byte)?,
            }
        }
        Ok(None)
    }

    /// The error for a head that the peer does not complete: `otherwise`, unless the peer does not
    /// speak HTTP.
    pub(crate) fn cut_short(&self, otherwise: HandshakeError) -> HandshakeError {
        // A request may begin with any word, so an incomplete one says nothing.
        if L::KIND == HeadKind::Request || self.is_http_so_far() {
            otherwise
        } else {
            L::KIND.other_protocol(&self.line)
        }
    }

    /// Takes a byte of a line.
    fn push(&mut self, byte: u8) -> Result<(), HandshakeError> {
        if let HeadStage::Fields(_) = self.stage {
            if !is_value_byte(byte) {
                return Err(HandshakeError::malformed("control character"));
            }
            self.line.push(byte);
            return Ok(());
        }
        // The first two bytes tell whether this is a TLS record. The first of them is a control
        // character, so the fault is reported when the second is there.
        let is_second_of_tls = matches!(*self.line, [first] if may_be_tls(first));
        let is_first_of_tls = self.line.is_empty() && may_be_tls(byte);
        self.line.push(byte);
        if is_second_of_tls || !(is_first_of_tls || is_value_byte(byte)) {
            return Err(self.fault("control character"));
        }
        // A response that does not begin with `HTTP/` is another protocol, and this many bytes of
        // it are enough for the error. Only the last word of a line shows whether it is a request.
        let is_enough = L::KIND == HeadKind::Response && self.line.len() == Excerpt::MAX;
        if is_enough && !self.is_http_so_far() {
            return Err(L::KIND.other_protocol(&self.line));
        }
        Ok(())
    }

    fn is_http_so_far(&self) -> bool {
        matches!(self.stage, HeadStage::Fields(_)) || L::KIND.looks_like_http(&self.line)
    }

    /// The error for a fault: this one, unless the peer does not speak HTTP at all.
    fn fault(&self, what: &'static str) -> HandshakeError {
        if self.is_http_so_far() {
            HandshakeError::malformed(what)
        } else {
            L::KIND.other_protocol(&self.line)
        }
    }

    fn end_line(&mut self) -> Result<Option<(L, Headers)>, HandshakeError> {
        match (&self.stage, self.line.is_empty()) {
            (HeadStage::Fields(_), true) => return Ok(self.complete()),
            (HeadStage::Fields(_), false) => self.end_field()?,
            (HeadStage::BeforeStart | HeadStage::Start, false) => {
                if !L::KIND.is_http(&self.line) {
                    return Err(L::KIND.other_protocol(&self.line));
                }
                // At once: a peer that speaks another protocol may never send the end of a head.
                self.stage = HeadStage::Fields(L::parse(&self.line)?);
                self.line.clear();
            }
            (HeadStage::BeforeStart, true) => {
                if L::KIND == HeadKind::Request {
                    self.stage = HeadStage::Start;
                }
            }
            (HeadStage::Start, true) => return Err(HandshakeError::malformed("empty first line")),
        }
        Ok(None)
    }

    /// Takes the complete head out, and prepares for another one.
    fn complete(&mut self) -> Option<(L, Headers)> {
        match core::mem::replace(&mut self.stage, HeadStage::BeforeStart) {
            HeadStage::Fields(start_line) => Some((start_line, core::mem::take(&mut self.headers))),
            HeadStage::BeforeStart | HeadStage::Start => None,
        }
    }

    /// Parses the field in `line`. httparse sees this one field, followed by the end of a head.
    fn end_field(&mut self) -> Result<(), HandshakeError> {
        // "A user agent that receives an obs-fold in a response message [...] MUST replace each
        // received obs-fold with one or more SP octets" (RFC 9112 §5.2). A server refuses it: no
        // name begins with a blank.
        if L::KIND == HeadKind::Response && matches!(*self.line, [b' ' | b'\t', ..]) {
            let is_continued = self.headers.continue_last(&self.line);
            self.line.clear();
            return is_continued.then_some(()).ok_or(HandshakeError::malformed("header line"));
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
            _ => Err(HandshakeError::malformed("header line")),
        }
    }
}

/// Without the bytes that have arrived: a head may contain credentials.
impl<L: fmt::Debug> fmt::Debug for Head<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("received", &self.received)
            .field("stage", &self.stage)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
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

    /// A first line that may be anything.
    #[derive(Debug)]
    struct AnyLine<const IS_REQUEST: bool>(String);

    impl<const IS_REQUEST: bool> StartLine for AnyLine<IS_REQUEST> {
        const KIND: HeadKind = if IS_REQUEST { HeadKind::Request } else { HeadKind::Response };

        fn parse(line: &[u8]) -> Result<Self, HandshakeError> {
            Ok(Self(String::from_utf8_lossy(line).into_owned()))
        }
    }

    fn read(head: &str, limits: &Limits) -> Result<String, HandshakeError> {
        read_as::<true>(head, limits)
    }

    fn read_response(head: &str, limits: &Limits) -> Result<String, HandshakeError> {
        read_as::<false>(head, limits)
    }

    fn read_as<const IS_REQUEST: bool>(
        head: &str,
        limits: &Limits,
    ) -> Result<String, HandshakeError> {
        let mut rest = head.as_bytes();
        let Some((line, headers)) = Head::<AnyLine<IS_REQUEST>>::new(limits).read(&mut rest)?
        else {
            return Ok(String::from("more"));
        };
        let mut seen = line.0;
        for (name, value) in headers.iter() {
            seen += &format!(" {name}={}", String::from_utf8_lossy(value));
        }
        Ok(format!("{seen}|{}", String::from_utf8_lossy(rest)))
    }

    #[test]
    fn a_head_is_a_line_and_fields_and_leaves_the_input_after_it() {
        let limits = Limits::default();
        assert_eq!(
            read("\r\nA /b\r\nX:  y \t\r\nZ:\r\n\r\nmore\r\n", &limits).unwrap(),
            "A /b X=y Z=|more\r\n"
        );
        assert_eq!(read("A /\r\n\r\n", &limits).unwrap(), "A /|");
        assert_eq!(read("A /\r\nX: y\r\n\r", &limits).unwrap(), "more");
    }

    /// RFC 9112 §2.2 and §5.2: a client accepts this, and a server does not.
    #[test]
    fn a_response_is_read_leniently() {
        let limits = Limits::default();
        for (head, seen) in [
            ("HTTP/a\nX: y\nZ:\n\nmore", "HTTP/a X=y Z=|more"),
            ("HTTP/a\r\nX: y\n\r\n\n", "HTTP/a X=y|\n"),
            ("\r\n\n\r\nHTTP/a\r\n\r\n", "HTTP/a|"),
            ("HTTP/a\r\nX: y \r\n  z\t\r\n\tw\r\n\r\n", "HTTP/a X=y z w|"),
            ("HTTP/a\nX:\n y\n\t \n z\nB: c\n\n", "HTTP/a X=y z B=c|"),
        ] {
            assert_eq!(read_response(head, &limits).as_deref(), Ok(seen), "{head:?}");
            assert!(read(head, &limits).is_err(), "{head:?}");
        }
        for (head, what) in [
            ("HTTP/a\r\n X: y\r\n", "header line"),
            ("HTTP/a\rb", "CR without LF"),
            ("HTTP/a\r\nX: y\r\n \0", "control character"),
            ("HTTP/\x01", "control character"),
        ] {
            assert_eq!(
                read_response(head, &limits),
                Err(HandshakeError::malformed(what)),
                "{head:?}"
            );
        }
        let limits = limits.to_builder().max_head_bytes(20).build().unwrap();
        for head in ["\n".repeat(21), format!("HTTP/a\nX: y\n{}", " \n".repeat(5))] {
            let error = too_large("max_head_bytes", 20);
            assert_eq!(read_response(&head, &limits), Err(error), "{head:?}");
        }
    }

    #[test]
    fn faults_are_reported_at_the_byte_that_causes_them() {
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
            assert_eq!(read(head, &limits), Err(HandshakeError::malformed(what)), "{head:?}");
            // One byte earlier nothing is wrong yet.
            let before = head.char_indices().next_back().map_or("", |(at, _)| &head[..at]);
            assert_eq!(read(before, &limits).as_deref(), Ok("more"), "{before:?}");
        }
    }

    #[test]
    fn limits_are_inclusive() {
        let limits = Limits::builder().max_head_bytes(12).build().unwrap();
        assert!(read("A /\r\nX: y\r\n\r\n", &limits).is_err(), "11 bytes");
        assert!(read("A /\r\nX:y\r\n\r\n", &limits).is_ok(), "10 bytes");
        assert_eq!(read("aaaaaaaaaaaa", &limits).as_deref(), Ok("more"));
        assert_eq!(read("aaaaaaaaaaaaa", &limits), Err(too_large("max_head_bytes", 12)));

        let limits = Limits::builder().max_headers(2).build().unwrap();
        assert!(read("A /\r\nX: y\r\nX: y\r\n\r\n", &limits).is_ok());
        assert_eq!(
            read("A /\r\nX: y\r\nX: y\r\nX: y\r\n", &limits),
            Err(too_large("max_headers", 2))
        );
    }
}
