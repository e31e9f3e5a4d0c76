//! Parses `Sec-WebSocket-Extensions` (RFC 6455 §9.1), whatever the extensions are.

use alloc::string::String;
use alloc::vec::Vec;

use bytestring::ByteString;

use crate::extension::Extension;
use crate::handshake::error::HandshakeError;
use crate::handshake::headers::Headers;
use crate::handshake::syntax::{is_token, is_token_byte};

/// The extensions in all `Sec-WebSocket-Extensions` fields, in their order.
///
/// Several fields are one list (RFC 6455 §9.1). Each field is parsed by itself, since no extension
/// and no quoted string continues in the next one. Empty elements are skipped (RFC 9110 §5.6.1.2).
/// The grammar requires at least one element that is not empty; the caller checks that.
pub(crate) fn parse(headers: &Headers) -> Result<Vec<Extension>, HandshakeError> {
    let mut text = String::new();
    let mut ends = Vec::new();
    for value in headers.get_all(NAME) {
        parse_list(Cursor { rest: value }, &mut text, &mut ends)
            .ok_or(HandshakeError::Extensions)?;
    }
    let text = ByteString::from(text);
    let mut extensions = Vec::with_capacity(ends.len());
    let mut start = 0;
    for end in ends {
        let extension = text.get(start..end).unwrap_or_default();
        extensions.push(Extension::new(text.slice_ref(extension)));
        start = end;
    }
    Ok(extensions)
}

/// Appends each extension to `text` and its end to `ends`.
fn parse_list(mut value: Cursor<'_>, text: &mut String, ends: &mut Vec<usize>) -> Option<()> {
    loop {
        value.skip_blanks();
        if !value.rest.is_empty() && !value.rest.starts_with(b",") {
            value.extension(text)?;
            ends.push(text.len());
        }
        if value.rest.is_empty() {
            return Some(());
        }
        if !value.skip(b',') {
            return None;
        }
    }
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    /// `token *( ";" token [ "=" ( token | quoted-string ) ] )`, with optional blanks between all of
    /// these.
    fn extension(&mut self, text: &mut String) -> Option<()> {
        self.token(text)?;
        while self.skip(b';') {
            text.push(';');
            self.token(text)?;
            if self.skip(b'=') {
                text.push('=');
                if self.skip(b'"') {
                    self.quoted(text)?;
                } else {
                    self.token(text)?;
                }
            }
        }
        Some(())
    }

    fn token(&mut self, text: &mut String) -> Option<()> {
        self.skip_blanks();
        let length = self.rest.iter().take_while(|byte| is_token_byte(**byte)).count();
        let (token, rest) = self.rest.split_at_checked(length).filter(|_| length > 0)?;
        text.push_str(core::str::from_utf8(token).ok()?);
        self.rest = rest;
        self.skip_blanks();
        Some(())
    }

    /// The rest of a quoted string, after the first quote: "the value after quoted-string unescaping
    /// MUST conform to the 'token' ABNF" (RFC 6455 §9.1).
    fn quoted(&mut self, text: &mut String) -> Option<()> {
        let start = text.len();
        loop {
            let (byte, rest) = match *self.rest {
                [b'"', ref rest @ ..] => {
                    self.rest = rest;
                    self.skip_blanks();
                    // An empty string passes the loop, and only this check refuses it.
                    return is_token(text.get(start..)?.as_bytes()).then_some(());
                }
                // A lone backslash at the end takes the second form and is refused, since it is no
                // token byte.
                [b'\\', byte, ref rest @ ..] | [byte, ref rest @ ..] => (byte, rest),
                [] => return None,
            };
            if !is_token_byte(byte) {
                return None;
            }
            text.push(char::from(byte));
            self.rest = rest;
        }
    }

    /// Skips blanks, and this byte if it is next. Returns whether it was.
    fn skip(&mut self, byte: u8) -> bool {
        self.skip_blanks();
        match self.rest.split_first() {
            Some((first, rest)) if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn skip_blanks(&mut self) {
        while let [b' ' | b'\t', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }
}

pub(crate) const NAME: &str = "Sec-WebSocket-Extensions";

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(fields: &[&str]) -> Option<String> {
        let mut headers = Headers::default();
        for value in fields {
            headers.push("sec-websocket-extensions", value.as_bytes());
        }
        let extensions = parse(&headers).ok()?;
        let mut seen = String::new();
        for extension in &extensions {
            seen += extension.name();
            for (name, value) in extension.parameters() {
                seen += "; ";
                seen += name;
                if let Some(value) = value {
                    seen += " = ";
                    seen += value;
                }
            }
            seen += " / ";
        }
        Some(seen)
    }

    #[test]
    fn valid_headers() {
        for (fields, expected) in [
            (&[][..], ""),
            (&["foo"], "foo / "),
            (&["foo, bar; baz=2"], "foo / bar; baz = 2 / "),
            (&["foo", "bar"], "foo / bar / "),
            (&["a;b;b=1;b=\"2\""], "a; b; b = 1; b = 2 / "),
            (&["\ta ;\tb = 1 , c\t"], "a; b = 1 / c / "),
            (&["a; b = \"1\" ;c"], "a; b = 1; c / "),
            (&["a;b=\"\\1\\0\""], "a; b = 10 / "),
            (&[",, a,,b ,"], "a / b / "),
            (&["", "a"], "a / "),
            (&[""], ""),
            (&[","], ""),
            (&[" , ,", ""], ""),
            (&["a, a"], "a / a / "),
            (&["deflate-stream"], "deflate-stream / "),
        ] {
            assert_eq!(parsed(fields).as_deref(), Some(expected), "{fields:?}");
        }
    }

    #[test]
    fn invalid_headers() {
        for value in [
            ";",
            "a;",
            "a;;b",
            "a; ;b",
            ";a",
            "a b",
            "a;b c",
            "a;b=",
            "a;b= ,c",
            "a;b=\"",
            "a;b=\"1",
            "a;b=\"\"",
            "a;b=\"1 2\"",
            "a;b=\"1,2\"",
            "a;b=\"1\\",
            "a;b=\"\\\"",
            "a;b=\"1\"2",
            "a;b=1\"2\"",
            "a=b",
            "a;=b",
            "a;b==c",
            "a;b=c=d",
            "a/b",
            "\"a\"",
            "a;\"b\"",
            "\u{e9}",
            "a;b=\u{e9}",
            "a;b=\"\u{e9}\"",
            "a,b;",
        ] {
            assert_eq!(parsed(&[value]), None, "{value:?}");
        }
        assert_eq!(
            parsed(&["a;b=\"1", "2\""]),
            None,
            "a string does not continue in the next field"
        );
        assert_eq!(parsed(&["a;", "b"]), None);
    }
}
