//! Bytes that are committed to the transport, in their final order.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::{Buf, Bytes};

/// A queue of byte segments, read from the front in any steps.
#[derive(Debug)]
pub(crate) struct Wire {
    segments: VecDeque<Segment>,
    remaining: usize,
    /// A small buffer that was sent, to be filled again.
    spare: Vec<u8>,
}

#[derive(Debug)]
enum Segment {
    Owned { bytes: Vec<u8>, sent: usize },
    Shared(Bytes),
}

impl Wire {
    pub(crate) const fn new() -> Self {
        Self { segments: VecDeque::new(), remaining: 0, spare: Vec::new() }
    }

    /// An empty buffer, with room if there is one to use again.
    pub(crate) fn take_spare(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.spare)
    }

    pub(crate) fn push_owned(&mut self, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.remaining += bytes.len();
            self.segments.push_back(Segment::Owned { bytes, sent: 0 });
        }
    }

    pub(crate) fn push_shared(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.remaining += bytes.len();
            self.segments.push_back(Segment::Shared(bytes));
        }
    }

    /// Appends a few bytes, to the last segment if it can take them without a large copy.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        if let Some(Segment::Owned { bytes: last, .. }) = self.segments.back_mut()
            && (last.len() <= CHEAP_TO_GROW || last.capacity() - last.len() >= bytes.len())
        {
            last.extend_from_slice(bytes);
            self.remaining += bytes.len();
        } else {
            let mut buffer = self.take_spare();
            buffer.extend_from_slice(bytes);
            self.push_owned(buffer);
        }
    }

    pub(crate) const fn remaining(&self) -> usize {
        self.remaining
    }

    pub(crate) fn chunk(&self) -> &[u8] {
        self.segments.front().map_or(&[], Segment::unsent)
    }

    #[cfg(feature = "std")]
    pub(crate) fn chunks_vectored<'a>(&'a self, slices: &mut [std::io::IoSlice<'a>]) -> usize {
        let mut count = 0;
        for (slice, segment) in slices.iter_mut().zip(&self.segments) {
            *slice = std::io::IoSlice::new(segment.unsent());
            count += 1;
        }
        count
    }

    /// Drops the first `count` bytes. More than there are is as many as there are.
    pub(crate) fn advance(&mut self, count: usize) {
        let mut left = count.min(self.remaining);
        self.remaining -= left;
        while let Some(segment) = self.segments.front_mut() {
            let unsent = segment.unsent().len();
            if left < unsent {
                match segment {
                    Segment::Owned { sent, .. } => *sent += left,
                    Segment::Shared(bytes) => bytes.advance(left),
                }
                return;
            }
            left -= unsent;
            if let Some(Segment::Owned { bytes, .. }) = self.segments.pop_front() {
                self.keep_spare(bytes);
            }
        }
        // An idle connection holds no places for segments.
        self.segments = VecDeque::new();
    }

    fn keep_spare(&mut self, mut bytes: Vec<u8>) {
        if bytes.capacity() <= KEPT_BYTES && bytes.capacity() > self.spare.capacity() {
            bytes.clear();
            self.spare = bytes;
        }
    }
}

impl Segment {
    fn unsent(&self) -> &[u8] {
        match self {
            Self::Owned { bytes, sent } => bytes.get(*sent..).unwrap_or_default(),
            Self::Shared(bytes) => bytes,
        }
    }
}

/// An idle connection holds no buffer larger than this: enough for the frames of a chat.
const KEPT_BYTES: usize = 256;
/// A segment of this size may be moved for a few more bytes.
const CHEAP_TO_GROW: usize = 1024;
