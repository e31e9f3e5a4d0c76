//! The request of RFC 6455 with changes, and a server that has received it.

use bytes::Buf;
use tidegate_core::Timestamp;
use tidegate_core::handshake::{Limits, ServerHandshake};

pub(crate) const T0: Timestamp = Timestamp::ZERO;

/// The request of RFC 6455 §1.3 with `more` lines after its own.
pub(crate) fn request(more: &str) -> String {
    format!(
        "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\n{more}\r\n"
    )
}

/// The same request with one line replaced, or removed if `by` is empty.
pub(crate) fn replaced(line: &str, by: &str) -> String {
    let by = if by.is_empty() { String::new() } else { format!("{by}\r\n") };
    let head = request("");
    let line = format!("{line}\r\n");
    assert!(head.contains(&line), "{line}");
    head.replace(&line, &by)
}

pub(crate) fn server(input: impl AsRef<[u8]>) -> ServerHandshake {
    let mut server = ServerHandshake::new(T0, Limits::default());
    server.handle_input(T0, input.as_ref());
    server
}

pub(crate) fn written(output: &mut impl Buf) -> String {
    let bytes = output.copy_to_bytes(output.remaining());
    String::from_utf8(bytes.into()).unwrap()
}
