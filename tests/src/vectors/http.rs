//! Parses and computes HTTP/1.1 heads, as simply as possible and without the core.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// A start line and header fields.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) start: String,
    headers: Vec<(String, String)>,
}

impl Head {
    /// Parses a head, and returns the bytes after it.
    pub(super) fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), String> {
        let end = find(bytes, b"\r\n\r\n").ok_or_else(|| {
            format!("expected a whole head, there is \"{}\"", bytes.escape_ascii())
        })?;
        let (head, rest) = bytes.split_at(end);
        let head = core::str::from_utf8(head).map_err(|error| error.to_string())?;
        let mut lines = head.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let mut headers = Vec::new();
        for line in lines {
            let (name, value) =
                line.split_once(':').ok_or_else(|| format!("no header: {line:?}"))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok((Self { start, headers }, rest.get(4..).unwrap_or_default()))
    }

    /// The status of an answer.
    pub(super) fn status(&self) -> Result<usize, String> {
        let mut words = self.start.splitn(3, ' ');
        match (words.next(), words.next().map(str::parse)) {
            (Some("HTTP/1.1"), Some(Ok(status))) => Ok(status),
            _ => Err(format!("no status line: {:?}", self.start)),
        }
    }

    /// The value of a header, which occurs at most once.
    pub(super) fn get(&self, name: &str) -> Result<Option<&str>, String> {
        let name = name.to_ascii_lowercase();
        let mut values = self.headers.iter().filter(|(header, _)| *header == name);
        match (values.next(), values.next()) {
            (first, None) => Ok(first.map(|(_, value)| value.as_str())),
            _ => Err(format!("{name} occurs twice")),
        }
    }

    /// A header that must be there, with this value in any case.
    pub(super) fn expect(&self, name: &str, expected: &str) -> Result<(), String> {
        match self.get(name)? {
            Some(value) if value.eq_ignore_ascii_case(expected) => Ok(()),
            seen => Err(format!("{name}: expected {expected:?}, there is {seen:?}")),
        }
    }

    /// Whether there is a header of this name, or a parameter of an extension.
    pub(super) fn mentions(&self, name: &str) -> Result<bool, String> {
        let extensions = self.get("Sec-WebSocket-Extensions")?.unwrap_or_default();
        let mut parameters = extensions.split([';', ',']).map(|parameter| {
            parameter.split('=').next().unwrap_or_default().trim().to_ascii_lowercase()
        });
        let name = name.to_ascii_lowercase();
        Ok(parameters.any(|parameter| parameter == name) || self.get(&name)?.is_some())
    }
}

/// The `Sec-WebSocket-Accept` value for a key (RFC 6455 §4.2.2).
pub(super) fn accept(key: &str) -> String {
    let digest = Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
    STANDARD.encode(digest)
}

/// Whether a key is sixteen octets in base64.
pub(super) fn is_key(key: &str) -> bool {
    STANDARD.decode(key).is_ok_and(|octets| octets.len() == 16)
}

pub(super) fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        // RFC 6455 §1.3.
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(is_key("dGhlIHNhbXBsZSBub25jZQ=="));
        assert!(!is_key("dGhlIHNhbXBsZQ=="));
    }
}
