//! Where tidegate and tungstenite 0.30 differ, and why: the one place that says so. What is not
//! here is a finding.
//!
//! | what comes in | tidegate | tungstenite |
//! |---|---|---|
//! | a length that is not in its shortest form | fails: RFC 6455 §5.2 | goes on |
//! | a control frame with such a length | fails at its second byte, as too long | goes on |
//! | a fault that the header shows | fails at the header | fails when the payload is there too, so perhaps never |
//! | text that is not UTF-8 | fails at the byte | fails at the end of the frame: control frames may come before |
//! | a violation of the protocol | sends a Close with the code | sends nothing |
//! | a Close with a code that must not be sent | fails, 1002 | hands over a Close with 1002 |
//! | a Close with 1014 | is a Close: registered with IANA | is one that must not be sent |
//! | a Close, and then more | ignores what follows | a client fails |

use tidegate_core::{Failure, ProtocolError};

/// What both make of a message or a control frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// A message.
    Text(String),
    /// A message.
    Binary(Vec<u8>),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// The peer's Close.
    Close(Option<(u16, String)>),
}

/// What one of them made of a stream of bytes that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What came out, in order.
    pub observed: Vec<Observed>,
    /// The payloads of the pongs that it sent.
    pub pongs: Vec<Vec<u8>>,
    /// The code of the Close that it sent.
    pub sent_close: Option<u16>,
}

/// Says whether what tungstenite made of the bytes is what tidegate did, or is explained.
///
/// # Errors
///
/// What is neither.
pub fn compare(
    ours: &Outcome,
    failure: Option<Failure>,
    theirs: &Outcome,
    has_failed: bool,
) -> Result<(), String> {
    let more = theirs.observed.strip_prefix(ours.observed.as_slice());
    let Some(more) = more else { return Err("other events".into()) };
    let error = match failure {
        None => return compare_clean(ours, theirs, more),
        Some(Failure::EndOfStream) => {
            return match (more, has_failed) {
                ([], true) if ours.pongs == theirs.pongs && theirs.sent_close.is_none() => Ok(()),
                _ => Err("the stream ended, and it is something else".into()),
            };
        }
        Some(Failure::Protocol(error)) => error,
        Some(other) => return Err(format!("{other:?}, without a clock")),
    };
    if ours.sent_close != Some(error.close_code().into()) {
        return Err("not the Close of this violation".into());
    }
    if !theirs.pongs.starts_with(&ours.pongs) {
        return Err("other pongs".into());
    }
    let protocol_error = |observed: &Observed| matches!(observed, Observed::Close(Some((1002, reason))) if reason == "Protocol violation");
    let is_explained = match error {
        // It goes on, and what follows is its own affair.
        ProtocolError::NonMinimalLength { .. } => true,
        // That may be a short one in a longer form, of which the next byte would tell.
        ProtocolError::OversizedControl { .. } => match more {
            [] => has_failed,
            [Observed::Ping(_) | Observed::Pong(_) | Observed::Close(_), ..] => true,
            _ => false,
        },
        ProtocolError::InvalidCloseCode { .. } => match more {
            [] => has_failed,
            [close] => protocol_error(close),
            _ => false,
        },
        ProtocolError::InvalidUtf8 { .. } | ProtocolError::TruncatedUtf8 => {
            let is_message =
                |observed: &Observed| matches!(observed, Observed::Text(_) | Observed::Binary(_));
            !more.iter().any(is_message)
        }
        _ => more.is_empty() && has_failed,
    };
    if is_explained { Ok(()) } else { Err(format!("{error:?}, but {more:?}")) }
}

fn compare_clean(ours: &Outcome, theirs: &Outcome, more: &[Observed]) -> Result<(), String> {
    if ours.pongs != theirs.pongs {
        return Err("other pongs".into());
    }
    let sent_close = ours.sent_close.map(|code| if code == 1014 { 1002 } else { code });
    match (more, theirs.sent_close) {
        ([], code) if code == sent_close => Ok(()),
        _ => Err("another end".into()),
    }
}

/// As tungstenite sees a Close: 1014 is not known to it.
pub fn close_as_theirs(code: u16, reason: &str) -> Observed {
    Observed::Close(match code {
        1005 => None,
        1014 => Some((1002, "Protocol violation".into())),
        code => Some((code, reason.into())),
    })
}
