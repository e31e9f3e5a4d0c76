//! Bytes that are committed to the transport, in their final order.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;

use bytes::{Buf, Bytes};

/// A queue of byte segments, read from the front in any steps.
#[derive(Debug)]
pub(crate) struct Wire {
    /// The first segment. When nothing is left of it, its buffer is kept to be filled again, if it
    /// is a small one.
    first: Vec<u8>,
    /// How much of it has gone.
    sent: usize,
    /// What is behind it: nothing, as long as frames are small and are taken as they come.
    #[allow(clippy::box_collection, reason = "seldom there, and small while it is not")]
    rest: Option<Box<VecDeque<Segment>>>,
    remaining: usize,
}

#[derive(Debug)]
enum Segment {
    Owned(Vec<u8>),
    Shared(Bytes),
}

impl Wire {
    pub(crate) const fn new() -> Self {
        Self { first: Vec::new(), sent: 0, rest: None, remaining: 0 }
    }

    /// An empty buffer, with room if there is one to use again.
    #[inline]
    pub(crate) fn take_spare(&mut self) -> Vec<u8> {
        if self.remaining == 0 { mem::take(&mut self.first) } else { Vec::new() }
    }

    #[inline]
    pub(crate) fn push_owned(&mut self, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let is_first = self.remaining == 0;
        self.remaining += bytes.len();
        if is_first {
            self.first = bytes;
        } else {
            self.rest.get_or_insert_default().push_back(Segment::Owned(bytes));
        }
    }

    pub(crate) fn push_shared(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.remaining += bytes.len();
            self.rest.get_or_insert_default().push_back(Segment::Shared(bytes));
        }
    }

    /// Appends a few bytes, to the last segment if it can take them without a large copy.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        let last = match &mut self.rest {
            None => Some(&mut self.first),
            Some(rest) => match rest.back_mut() {
                Some(Segment::Owned(last)) => Some(last),
                Some(Segment::Shared(_)) | None => None,
            },
        };
        match last {
            Some(last)
                if last.len() <= CHEAP_TO_GROW || last.capacity() - last.len() >= bytes.len() =>
            {
                last.extend_from_slice(bytes);
                self.remaining += bytes.len();
            }
            _ => self.push_owned(bytes.to_vec()),
        }
    }

    pub(crate) const fn remaining(&self) -> usize {
        self.remaining
    }

    pub(crate) fn chunk(&self) -> &[u8] {
        let first = self.first.get(self.sent..).unwrap_or_default();
        match self.rest.as_ref().and_then(|rest| rest.front()) {
            Some(segment) if first.is_empty() => segment.bytes(),
            _ => first,
        }
    }

    #[cfg(feature = "std")]
    pub(crate) fn chunks_vectored<'a>(&'a self, slices: &mut [std::io::IoSlice<'a>]) -> usize {
        let first = self.first.get(self.sent..).unwrap_or_default();
        let first = (!first.is_empty()).then_some(first);
        let rest = self.rest.iter().flat_map(|rest| rest.iter()).map(Segment::bytes);
        let mut count = 0;
        for (slice, bytes) in slices.iter_mut().zip(first.into_iter().chain(rest)) {
            *slice = std::io::IoSlice::new(bytes);
            count += 1;
        }
        count
    }

    /// Drops the first `count` bytes. More than there are is as many as there are.
    #[inline]
    pub(crate) fn advance(&mut self, count: usize) {
        let count = count.min(self.remaining);
        self.remaining -= count;
        let unsent = self.first.len() - self.sent;
        if count < unsent {
            self.sent += count;
            return;
        }
        self.sent = 0;
        self.first.clear();
        if self.first.capacity() > KEPT_BYTES {
            self.first = Vec::new();
        }
        if self.rest.is_some() {
            self.advance_rest(count - unsent);
        }
    }

    /// Nothing is left of the first segment.
    fn advance_rest(&mut self, mut left: usize) {
        let Some(rest) = &mut self.rest else { return };
        while let Some(segment) = rest.front_mut() {
            let unsent = segment.bytes().len();
            if left < unsent {
                match segment {
                    Segment::Owned(bytes) => {
                        self.first = mem::take(bytes);
                        self.sent = left;
                        rest.pop_front();
                        break;
                    }
                    Segment::Shared(bytes) => bytes.advance(left),
                }
                return;
            }
            left -= unsent;
            rest.pop_front();
        }
        if rest.is_empty() {
            // An idle connection holds no places for segments.
            self.rest = None;
        }
    }
}

impl Segment {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// An idle connection holds no buffer larger than this: enough for the frames of a chat.
const KEPT_BYTES: usize = 256;
/// A segment of this size may be moved for a few more bytes.
const CHEAP_TO_GROW: usize = 1024;
