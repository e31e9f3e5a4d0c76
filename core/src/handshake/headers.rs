//! Header fields: in order, names in any case, values as the bytes they are (RFC 9110 §5).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::handshake::error::HeaderError;

/// The header fields of a request or of a response, in their order. Names are compared without
/// regard to case; a value is bytes without the blanks around it.
///
/// `Debug` shows the names alone: values may be credentials.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers {
    /// All names, back to back, and all values: two allocations, however many fields there are.
    names: String,
    values: Vec<u8>,
    ends: Vec<End>,
}

/// Where a field ends in `names` and in `values`; it begins where the one before it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct End {
    name: usize,
    value: usize,
}

impl Headers {
    /// The value of the first field of this name, if it is visible text: ASCII, blanks and tabs
    /// included.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.get_all(name).next()?;
        core::str::from_utf8(value).ok().filter(|value| value.is_ascii())
    }

    /// The values of all fields of this name, in their order.
    pub fn get_all<'h>(&'h self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All fields, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let mut start = End::default();
        self.ends.iter().map(move |end| {
            let name = self.names.get(start.name..end.name).unwrap_or_default();
            let value = self.values.get(start.value..end.value).unwrap_or_default();
            start = *end;
            (name, value)
        })
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds a field that is known to be valid.
    pub(crate) fn push(&mut self, name: &str, value: &[u8]) {
        self.names.push_str(name);
        self.values.extend_from_slice(trim(value));
        self.ends.push(End { name: self.names.len(), value: self.values.len() });
    }

    /// Adds the line of a folded field to the value of the last one, after a blank. Gives whether there is
    /// a field to continue.
    pub(crate) fn continue_last(&mut self, line: &[u8]) -> bool {
        let start = self.ends.iter().rev().nth(1).map_or(0, |end| end.value);
        let Some(last) = self.ends.last_mut() else { return false };
        let line = trim(line);
        if !line.is_empty() {
            if self.values.len() > start {
                self.values.push(b' ');
            }
            self.values.extend_from_slice(line);
            last.value = self.values.len();
        }
        true
    }

    /// The value of the only field of this name.
    pub(crate) fn only<'h>(&'h self, name: &str) -> Option<&'h [u8]> {
        let mut values = self.get_all(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// Whether there is a field of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get_all(name).next().is_some()
    }

    /// The elements of a list in comma-separated form, over all fields of this name: "a recipient
    /// MUST parse and ignore a reasonable number of empty list elements" (RFC 9110 §5.6.1.2).
    pub(crate) fn list<'h>(&'h self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.get_all(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .map(trim)
            .filter(|element| !element.is_empty())
    }

    /// Whether this list has this element, in any case.
    pub(crate) fn list_has(&self, name: &str, token: &str) -> bool {
        self.list(name).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

/// A field that the application adds: neither its name nor its value can end the line, and it is
/// none that the handshake writes or decides by.
pub(crate) fn check_added(name: &str, value: &str, reserved: &[&str]) -> Result<(), HeaderError> {
    if !is_token(name.as_bytes()) {
        return Err(HeaderError::Name);
    }
    if !value.bytes().all(is_value_byte) {
        return Err(HeaderError::Value);
    }
    let is_ours = name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX));
    if is_ours || reserved.iter().any(|other| other.eq_ignore_ascii_case(name)) {
        return Err(HeaderError::Reserved);
    }
    Ok(())
}

/// Writes a field. Both are known to be valid.
pub(crate) fn write_field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Whether this may name a subprotocol: visible ASCII without the comma, which ends a name in a
/// list. RFC 6455 §4.1 wants a token, but names such as `ogmios.v1:compact` are in production.
pub(crate) fn is_subprotocol(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_graphic() && *byte != b',')
}

/// Whether this is a token (RFC 9110 §5.6.2): what names of headers, methods and extensions are.
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().copied().all(is_token_byte)
}

pub(crate) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// Whether a value may have this byte (RFC 9110 §5.5): no control character but the tab, so no end
/// of a line either.
pub(crate) const fn is_value_byte(byte: u8) -> bool {
    byte == b'\t' || !byte.is_ascii_control()
}

/// Without the optional blanks around it (RFC 9110 §5.6.3: spaces and tabs).
pub(crate) fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// Whether this is a host, and a port if there is a colon (RFC 3986 §3.2). User information, which
/// does not belong into a request (RFC 9110 §4.2.4), is none.
pub(crate) fn is_authority(text: &[u8]) -> bool {
    let (host, port) = match text {
        [b'[', rest @ ..] => {
            let Some(end) = rest.iter().position(|byte| *byte == b']') else { return false };
            let (literal, port) = rest.split_at(end);
            if !literal.iter().all(|byte| *byte == b':' || is_host_byte(*byte)) {
                return false;
            }
            (literal, port.get(1..).unwrap_or_default())
        }
        _ => {
            let end = text.iter().position(|byte| *byte == b':').unwrap_or(text.len());
            let (name, port) = text.split_at(end);
            if !name.iter().copied().all(is_host_byte) {
                return false;
            }
            (name, port)
        }
    };
    let port_is_valid = match port {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    !host.is_empty() && port_is_valid
}

const fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'%'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
        )
}

/// What may be shown of a target: a query often has a token in it.
pub(crate) fn path_of(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}

/// Whether a request target may have this byte: visible ASCII. A fragment never goes over the wire
/// (RFC 9112 §3.2, RFC 6455 §3).
pub(crate) const fn is_target_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'#'
}

/// Names that begin so belong to the handshake, those that no RFC has used yet too.
const PREFIX: &str = "Sec-WebSocket-";

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn headers(fields: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::default();
        for (name, value) in fields {
            headers.push(name, value.as_bytes());
        }
        headers
    }

    #[test]
    fn fields_keep_their_order_and_are_found_in_any_case() {
        let headers =
            headers(&[("A", "1"), ("b", " two\t"), ("a", "3"), ("C", ""), ("d", "\u{e9}")]);
        assert_eq!(headers.len(), 5);
        assert_eq!(headers.get("B"), Some("two"));
        assert_eq!(headers.get("c"), Some(""));
        assert_eq!(headers.get("D"), None, "not visible text");
        assert_eq!(headers.get("e"), None);
        assert_eq!(headers.get_all("a").collect::<Vec<_>>(), vec![b"1", b"3"]);
        assert_eq!(headers.only("b"), Some(&b"two"[..]));
        assert_eq!(headers.only("a"), None);
        let names: Vec<_> = headers.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["A", "b", "a", "C", "d"]);
    }

    #[test]
    fn lists_go_over_several_fields_and_skip_empty_elements() {
        let headers = headers(&[("L", ", a ,,b\t"), ("x", "no"), ("l", "c,")]);
        assert_eq!(headers.list("l").collect::<Vec<_>>(), vec![b"a", b"b", b"c"]);
        assert!(headers.list_has("l", "B"));
        assert!(!headers.list_has("l", "no"));
    }

    #[test]
    fn an_added_field_cannot_end_its_line() {
        assert_eq!(check_added("X-A", "b\tc \u{e9}", &[]), Ok(()));
        for name in ["", "X A", "X:", "X\r\nY", "X\n", "\u{e9}", "X\0"] {
            assert_eq!(check_added(name, "v", &[]), Err(HeaderError::Name), "{name:?}");
        }
        for value in ["a\r\nb: c", "a\n", "\r", "a\0", "\u{7f}", "\u{1b}[0m"] {
            assert_eq!(check_added("X", value, &[]), Err(HeaderError::Value), "{value:?}");
        }
        for name in ["sec-websocket-accept", "Sec-WebSocket-", "SEC-WEBSOCKET-NEW", "uPGRADE"] {
            let checked = check_added(name, "v", &["Upgrade"]);
            assert_eq!(checked, Err(HeaderError::Reserved), "{name}");
        }
        assert_eq!(check_added("Sec-WebSocke", "v", &["Upgrade"]), Ok(()));
    }

    #[test]
    fn an_authority_is_a_host_and_perhaps_a_port() {
        for good in
            ["a", "a.test:80", "a.test:", "127.0.0.1:9001", "[::1]", "[::1]:80", "a_b", "a%41"]
        {
            assert!(is_authority(good.as_bytes()), "{good}");
        }
        for bad in [
            "", ":80", "a b", "a/b", "u@a", "a:b", "a:1:2", "[::1", "[]", "[::1]x", "a?", "a#",
            "\u{e9}",
        ] {
            assert!(!is_authority(bad.as_bytes()), "{bad}");
        }
    }
}
