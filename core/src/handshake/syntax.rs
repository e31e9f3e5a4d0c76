//! The grammar of HTTP heads: tokens, header fields, hosts and request targets.

use alloc::vec::Vec;

use crate::handshake::error::HeaderError;

/// Checks a header field that the application adds. Neither its name nor its value may end the
/// line, which would add another field (header injection), and the handshake must not depend on it.
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

/// Writes a header field. Its name and its value are valid.
pub(crate) fn write_field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Whether this may name a subprotocol: visible ASCII without the comma, which ends a name in a
/// list. RFC 6455 §4.1 requires a token, but names such as `ogmios.v1:compact` are in production.
pub(crate) fn is_subprotocol(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_graphic() && *byte != b',')
}

/// Whether this is a token (RFC 9110 §5.6.2), as names of headers, methods and extensions are.
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

/// Whether the value of a header may contain this byte (RFC 9110 §5.5): no control character except
/// the tab, so no end of a line either.
pub(crate) const fn is_value_byte(byte: u8) -> bool {
    byte == b'\t' || !byte.is_ascii_control()
}

/// Removes the optional blanks around a value (RFC 9110 §5.6.3: spaces and tabs).
pub(crate) fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// Whether this is a host, and a port if there is a colon (RFC 3986 §3.2). User information makes
/// it invalid, since it does not belong into a request (RFC 9110 §4.2.4).
pub(crate) fn is_authority(text: &[u8]) -> bool {
    let (host, port) = match text {
        [b'[', rest @ ..] => {
            // An IPv6 literal contains colons, so the port begins only after the bracket.
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

/// The part of a request target that may be shown: the query often contains a token.
pub(crate) fn path_of(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}

/// Whether a request target may contain this byte: visible ASCII without `#`, since a fragment is
/// never sent (RFC 9112 §3.2, RFC 6455 §3).
pub(crate) const fn is_target_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'#'
}

/// Names with this prefix belong to the handshake, also those that no RFC uses yet.
const PREFIX: &str = "Sec-WebSocket-";

#[cfg(test)]
mod tests {
    use super::*;

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
