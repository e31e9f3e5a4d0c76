//! Checks a server's response to the opening handshake.

use tidegate_core::deflate::DeflateParams;

use super::deflate;
use super::expect;
use super::http::Head;
use super::steps::Open;

/// Checks a response that accepts.
pub(super) fn check(head: &Head, open: &Open, agreed: Option<DeflateParams>) -> Result<(), String> {
    expect::equal("status", &101, &head.status()?)?;
    head.expect("Upgrade", "websocket")?;
    head.expect("Connection", "Upgrade")?;
    // Base64 is case-sensitive.
    expect::equal("accept", &open.accept.as_deref(), &head.get("Sec-WebSocket-Accept")?)?;
    let subprotocol = head.get("Sec-WebSocket-Protocol")?;
    expect::equal("subprotocol", &open.subprotocol.as_deref(), &subprotocol)?;
    let extensions = head.get("Sec-WebSocket-Extensions")?;
    let answered = extensions.map(deflate::read_answer).transpose()?;
    expect::equal("what the answer agrees on", &agreed, &answered)?;
    // An extension that was declined has no parameters.
    let is_declined = open.deflate.is_some() && agreed.is_none();
    for name in open.header_has.iter().filter(|_| !is_declined) {
        if !head.mentions(name)? {
            return Err(format!("expected {name} in the answer: {head:?}"));
        }
    }
    for name in &open.header_lacks {
        if head.mentions(name)? {
            return Err(format!("expected no {name} in the answer: {head:?}"));
        }
    }
    Ok(())
}
