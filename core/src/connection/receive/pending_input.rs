//! Input that was passed in and is not decoded yet, or the end of the connection that waits for
//! the application to take earlier events.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::close::CloseFrame;
use crate::error::ProtocolError;

/// Input that waits for the gate to open, or the end of the connection, which waits until the
/// application has taken all earlier events. Never both: nothing after a Close or a violation is
/// decoded. One pointer while it is empty.
#[derive(Debug, Default)]
pub(crate) struct PendingInput(Option<Box<Pending>>);

#[derive(Debug)]
enum Pending {
    /// `decoded` bytes of the front are decoded already.
    Input {
        bytes: Vec<u8>,
        decoded: usize,
    },
    End(PendingEnd),
}

/// What ends the connection when the application has taken all earlier events.
#[derive(Debug)]
pub(crate) enum PendingEnd {
    Close {
        frame: CloseFrame,
        /// How many bytes have come after it.
        trailing: u32,
    },
    Violation(ProtocolError),
}

impl PendingInput {
    pub(crate) fn push(&mut self, input: &[u8]) {
        let kept = self.0.get_or_insert_with(|| {
            let bytes = Vec::with_capacity(input.len());
            Box::new(Pending::Input { bytes, decoded: 0 })
        });
        // Input after an end is dropped: nothing after a Close or a violation is decoded.
        if let Pending::Input { bytes, decoded } = &mut **kept {
            // Decoded bytes are dropped once they are more than half of the buffer, so that each byte
            // is moved a bounded number of times.
            if *decoded > bytes.len() / 2 {
                bytes.drain(..*decoded);
                *decoded = 0;
            }
            bytes.extend_from_slice(input);
        }
    }

    /// The input that is not decoded.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self.0.as_deref() {
            Some(Pending::Input { bytes, decoded }) => bytes.get(*decoded..).unwrap_or_default(),
            Some(Pending::End(_)) | None => &[],
        }
    }

    pub(crate) fn has_input(&self) -> bool {
        matches!(self.0.as_deref(), Some(Pending::Input { .. }))
    }

    /// Takes the input out, but not what ends the connection.
    pub(crate) fn take_input(&mut self) -> Self {
        Self(self.0.take_if(|kept| matches!(**kept, Pending::Input { .. })))
    }

    /// Marks all but the last `left` bytes as decoded. `left` is not 0.
    pub(crate) fn keep_last(&mut self, left: usize) {
        if let Some(Pending::Input { bytes, decoded }) = self.0.as_deref_mut() {
            *decoded = bytes.len().saturating_sub(left);
        }
    }

    /// Keeps what ends the connection, in place of the input after it.
    pub(crate) fn hold_end(&mut self, held: PendingEnd) {
        self.0 = Some(Box::new(Pending::End(held)));
    }

    /// What ends the connection.
    #[inline]
    pub(crate) fn end(&self) -> Option<&PendingEnd> {
        match self.0.as_deref() {
            Some(Pending::End(held)) => Some(held),
            Some(Pending::Input { .. }) | None => None,
        }
    }

    /// What ends the connection, to be changed.
    pub(crate) fn end_mut(&mut self) -> Option<&mut PendingEnd> {
        match self.0.as_deref_mut() {
            Some(Pending::End(held)) => Some(held),
            Some(Pending::Input { .. }) | None => None,
        }
    }

    /// Takes what ends the connection.
    pub(crate) fn take_end(&mut self) -> Option<PendingEnd> {
        match *self.0.take_if(|kept| matches!(**kept, Pending::End(_)))? {
            Pending::End(held) => Some(held),
            Pending::Input { .. } => None,
        }
    }

    /// Whether there is neither input nor an end.
    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}
