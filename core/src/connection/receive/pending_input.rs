//! What is behind a closed gate or behind events: input that was handed over and not decoded, or
//! what ends the connection.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::close::CloseFrame;
use crate::error::ProtocolError;

/// A queue of bytes, or what came in place of more of them: behind an end nothing counts. Holds no
/// memory while it is empty.
#[derive(Debug, Default)]
pub(crate) struct Stash(Option<Box<Kept>>);

#[derive(Debug)]
enum Kept {
    Input { bytes: Vec<u8>, decoded: usize },
    End(Held),
}

/// What ends the connection, once its turn has come.
#[derive(Debug)]
pub(crate) enum Held {
    Close {
        frame: CloseFrame,
        /// How many bytes have come after it.
        trailing: u32,
    },
    Violation(ProtocolError),
}

impl Stash {
    pub(crate) fn push(&mut self, input: &[u8]) {
        let kept = self.0.get_or_insert_with(|| {
            let bytes = Vec::with_capacity(input.len());
            Box::new(Kept::Input { bytes, decoded: 0 })
        });
        if let Kept::Input { bytes, decoded } = &mut **kept {
            // What was decoded is dropped when it is most of the buffer: each byte moves a bounded
            // number of times.
            if *decoded > bytes.len() / 2 {
                bytes.drain(..*decoded);
                *decoded = 0;
            }
            bytes.extend_from_slice(input);
        }
    }

    /// The input.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self.0.as_deref() {
            Some(Kept::Input { bytes, decoded }) => bytes.get(*decoded..).unwrap_or_default(),
            Some(Kept::End(_)) | None => &[],
        }
    }

    pub(crate) fn has_input(&self) -> bool {
        matches!(self.0.as_deref(), Some(Kept::Input { .. }))
    }

    /// Takes the input, and leaves what ends the connection.
    pub(crate) fn take_input(&mut self) -> Self {
        Self(self.0.take_if(|kept| matches!(**kept, Kept::Input { .. })))
    }

    /// All input but the last `left` bytes was decoded; there are some.
    pub(crate) fn keep_last(&mut self, left: usize) {
        if let Some(Kept::Input { bytes, decoded }) = self.0.as_deref_mut() {
            *decoded = bytes.len().saturating_sub(left);
        }
    }

    /// Keeps what ends the connection, in place of what is behind it.
    pub(crate) fn hold(&mut self, held: Held) {
        self.0 = Some(Box::new(Kept::End(held)));
    }

    /// What ends the connection.
    #[inline]
    pub(crate) fn held(&self) -> Option<&Held> {
        match self.0.as_deref() {
            Some(Kept::End(held)) => Some(held),
            Some(Kept::Input { .. }) | None => None,
        }
    }

    /// The same, to be changed.
    pub(crate) fn held_mut(&mut self) -> Option<&mut Held> {
        match self.0.as_deref_mut() {
            Some(Kept::End(held)) => Some(held),
            Some(Kept::Input { .. }) | None => None,
        }
    }

    /// Takes what ends the connection.
    pub(crate) fn release(&mut self) -> Option<Held> {
        match *self.0.take_if(|kept| matches!(**kept, Kept::End(_)))? {
            Kept::End(held) => Some(held),
            Kept::Input { .. } => None,
        }
    }

    /// Whether there is neither.
    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}
