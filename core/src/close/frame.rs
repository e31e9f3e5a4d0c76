//! Close frames: a close code and a reason.

use bytestring::ByteString;

use crate::close::code::CloseCode;
use crate::error::{ControlError, ProtocolError};
use crate::opcode::MAX_CONTROL_PAYLOAD;

/// The content of a close frame: a code, and a reason for humans to read.
///
/// A close frame with an empty body is [`CloseFrame::EMPTY`]: [`CloseCode::NO_STATUS`] and no reason.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_structs, reason = "RFC 6455 gives a close frame these two parts")]
pub struct CloseFrame {
    /// The code, or [`CloseCode::NO_STATUS`] if the frame has none.
    pub code: CloseCode,
    /// The reason, at most 123 bytes, or an empty text if the frame has none.
    pub reason: ByteString,
}

impl CloseFrame {
    /// A close frame with an empty body.
    pub const EMPTY: Self =
        Self { code: CloseCode::NO_STATUS, reason: ByteString::from_static("") };

    /// A close frame with a code and a reason. They are checked when the frame is sent.
    pub fn new(code: CloseCode, reason: impl Into<ByteString>) -> Self {
        Self { code, reason: reason.into() }
    }

    /// Checks that the frame may be sent: either it is [`EMPTY`](Self::EMPTY), or the code is allowed
    /// and the reason fits.
    ///
    /// # Errors
    ///
    /// [`ControlError::InvalidCode`] and [`ControlError::ReasonTooLong`].
    pub fn check(&self) -> Result<(), ControlError> {
        // First, because the code that stands for an empty frame is not sendable.
        if *self == Self::EMPTY {
            Ok(())
        } else if !self.code.is_sendable() {
            Err(ControlError::InvalidCode { code: self.code })
        } else if self.reason.len() > MAX_REASON {
            Err(ControlError::ReasonTooLong { length: self.reason.len() })
        } else {
            Ok(())
        }
    }

    /// Reads the body of a close frame (RFC 6455 §5.5.1: empty, or a code and a reason in UTF-8).
    pub(crate) fn parse(payload: &[u8]) -> Result<Self, ProtocolError> {
        match payload.split_first_chunk::<2>() {
            None if payload.is_empty() => Ok(Self::EMPTY),
            None => Err(ProtocolError::TruncatedCloseCode),
            Some((code, reason)) => {
                let code = CloseCode::from(u16::from_be_bytes(*code));
                if !code.is_sendable() {
                    return Err(ProtocolError::InvalidCloseCode { code: code.as_u16() });
                }
                let reason =
                    core::str::from_utf8(reason).map_err(|_| ProtocolError::InvalidCloseReason)?;
                Ok(Self { code, reason: reason.into() })
            }
        }
    }
}

impl From<CloseCode> for CloseFrame {
    fn from(code: CloseCode) -> Self {
        Self { code, reason: ByteString::new() }
    }
}

/// What a control frame has left for the reason after the two bytes of the code.
const MAX_REASON: usize = MAX_CONTROL_PAYLOAD - 2;
