//! The header fields of a request or a response (RFC 9110 §5).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::handshake::syntax::trim;

/// The header fields of a request or a response, in the order in which they were sent. Names are
/// compared without regard to case. A value is bytes, without the blanks around it.
///
/// `Debug` shows only the names: values may be credentials.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers {
    /// All names one after another, and in `values` all values: two allocations, however many fields
    /// there are.
    names: String,
    values: Vec<u8>,
    ends: Vec<FieldEnd>,
}

/// Where a field ends in `names` and in `values`; it begins where the one before it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct FieldEnd {
    name: usize,
    value: usize,
}

impl Headers {
    /// The value of the first field with this name, if it is ASCII text: visible characters, blanks
    /// and tabs.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.get_all(name).next()?;
        core::str::from_utf8(value).ok().filter(|value| value.is_ascii())
    }

    /// The values of all fields with this name, in their order.
    pub fn get_all<'h>(&'h self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All fields, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let mut start = FieldEnd::default();
        self.ends.iter().map(move |end| {
            let name = self.names.get(start.name..end.name).unwrap_or_default();
            let value = self.values.get(start.value..end.value).unwrap_or_default();
            start = *end;
            (name, value)
        })
    }

    /// The number of fields.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds a valid field.
    pub(crate) fn push(&mut self, name: &str, value: &[u8]) {
        self.names.push_str(name);
        self.values.extend_from_slice(trim(value));
        self.ends.push(FieldEnd { name: self.names.len(), value: self.values.len() });
    }

    /// Adds a continuation line of a folded field to the value of the last field, after a blank.
    /// Returns false if there is no field to continue.
    pub(crate) fn continue_last(&mut self, line: &[u8]) -> bool {
        // Where the value of the last field begins: at the end of the field before it.
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

    /// The value of the field with this name, if there is exactly one.
    pub(crate) fn only<'h>(&'h self, name: &str) -> Option<&'h [u8]> {
        let mut values = self.get_all(name);
        // Two fields are none: proxies and servers disagree on which of them counts.
        values.next().filter(|_| values.next().is_none())
    }

    /// Whether there is a field with this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get_all(name).next().is_some()
    }

    /// The elements of the comma-separated lists in all fields with this name, without the empty
    /// ones: "a recipient MUST parse and ignore a reasonable number of empty list elements" (RFC 9110
    /// §5.6.1.2).
    pub(crate) fn list<'h>(&'h self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.get_all(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .map(trim)
            .filter(|element| !element.is_empty())
    }

    /// Whether the list with this name contains this token, in any case.
    pub(crate) fn list_has(&self, name: &str, token: &str) -> bool {
        self.list(name).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

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
}
