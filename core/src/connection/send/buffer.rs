//! The bytes that `Output` shows the transport, in their final order.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use bytes::{Buf, Bytes};

use crate::connection::send::fifo::Fifo;
use crate::frame::EncodedHeader;
use crate::frame::Mask;

/// A queue of byte segments, read from the front in any steps.
#[derive(Debug)]
pub(crate) struct OutputBuffer {
    /// The first segment. It is kept when it is empty, so that its buffer is filled again.
    first: Vec<u8>,
    /// How many bytes of it the transport has taken.
    sent: usize,
    /// The segments after it. `None` while frames are small and the transport takes them as they
    /// come, so that such a connection is smaller by the size of a `Fifo`.
    rest: Option<Box<Fifo<Segment>>>,
    /// The bytes in all segments that are not sent. Counted, since it is asked in most calls.
    remaining: usize,
}

#[derive(Debug)]
enum Segment {
    Owned(Vec<u8>),
    Shared(Bytes),
    /// A header between two payloads that are not copied, stored inline: it needs no allocation.
    Header(EncodedHeader),
}

impl OutputBuffer {
    pub(crate) const fn new() -> Self {
        Self { first: Vec::new(), sent: 0, rest: None, remaining: 0 }
    }

    /// Puts these bytes into an empty `OutputBuffer`, and leaves an empty vector in their place, with
    /// capacity if there was one to reuse.
    #[inline]
    pub(crate) const fn swap_first(&mut self, bytes: &mut Vec<u8>) {
        debug_assert!(self.remaining == 0, "these bytes must not overtake others");
        mem::swap(&mut self.first, bytes);
        self.remaining = self.first.len();
    }

    /// Takes over the capacity of an empty vector if the first segment has none.
    #[inline]
    pub(crate) const fn take_spare(&mut self, spare: &mut Vec<u8>) {
        if self.remaining == 0 && self.first.capacity() == 0 {
            mem::swap(&mut self.first, spare);
        }
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
            // Also when the buffer is empty: `first` keeps its own memory for the frames to come.
            self.rest.get_or_insert_default().push_back(Segment::Shared(bytes));
        }
    }

    /// Pads an empty buffer so that the payload after a header of this length is 16-byte aligned.
    ///
    /// Allocators align the caller's payload in the same way. Where source and target of the masking
    /// copy are aligned alike, neither its loads nor its stores cross cache lines, which is faster.
    /// The padding counts as sent.
    pub(crate) fn align(&mut self, header: usize) {
        if self.remaining == 0 {
            let before = header.wrapping_neg() % 16;
            self.first.reserve(before + header);
            self.first.resize(before, 0);
            self.sent = before;
        }
    }

    /// Appends a header: to the last segment if that does not move many bytes, or as one of its own.
    pub(crate) fn push_header(&mut self, header: EncodedHeader) {
        let bytes = header.as_slice();
        self.remaining += bytes.len();
        match self.last_buffer() {
            Some(last) if has_room(last, bytes.len()) => last.extend_from_slice(bytes),
            _ => self.rest.get_or_insert_default().push_back(Segment::Header(header)),
        }
    }

    /// Appends a few bytes: to the last segment if that does not move many bytes, or as one of their
    /// own.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        match self.last_buffer() {
            Some(last) if has_room(last, bytes.len()) => {
                last.extend_from_slice(bytes);
                self.remaining += bytes.len();
            }
            _ => self.push_owned(bytes.to_vec()),
        }
    }

    /// Appends payload and masks it while copying: to the last segment if it has capacity, otherwise
    /// to one with capacity for as many bytes as `room` says.
    pub(crate) fn append_masked(
        &mut self,
        payload: &[u8],
        mask: &mut Mask,
        room: impl FnOnce() -> usize,
    ) {
        if payload.is_empty() {
            return;
        }
        self.remaining += payload.len();
        match self.last_buffer() {
            Some(last) if last.capacity() - last.len() >= payload.len() => {
                mask.append_long(payload, last);
            }
            Some(last) if last.len() <= CHEAP_TO_GROW => {
                last.reserve_exact(room().max(payload.len()));
                mask.append_long(payload, last);
            }
            _ => {
                let mut buffer = Vec::with_capacity(room().max(payload.len()));
                mask.append_long(payload, &mut buffer);
                self.rest.get_or_insert_default().push_back(Segment::Owned(buffer));
            }
        }
    }

    /// The last segment, if it can be appended to.
    fn last_buffer(&mut self) -> Option<&mut Vec<u8>> {
        match self.rest.as_mut().and_then(|rest| rest.back_mut()) {
            None => Some(&mut self.first),
            Some(Segment::Owned(last)) => Some(last),
            Some(Segment::Shared(_) | Segment::Header(_)) => None,
        }
    }

    #[inline]
    pub(crate) const fn remaining(&self) -> usize {
        self.remaining
    }

    #[inline]
    pub(crate) fn chunk(&self) -> &[u8] {
        let first = self.first.get(self.sent..).unwrap_or_default();
        match self.rest.as_ref().and_then(|rest| rest.front()) {
            Some(segment) if first.is_empty() => segment.bytes(),
            _ => first,
        }
    }

    #[cfg(feature = "std")]
    #[inline]
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

    /// Drops the first `count` bytes, or all if there are fewer.
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
        if self.rest.is_some() {
            self.advance_rest(count - unsent);
        }
    }

    /// Drops the first `left` bytes of the other segments; the first one is all sent.
    fn advance_rest(&mut self, mut left: usize) {
        let Some(rest) = &mut self.rest else { return };
        while let Some(segment) = rest.front_mut() {
            let unsent = segment.bytes().len();
            if left >= unsent {
                left -= unsent;
                rest.pop_front();
                continue;
            }
            // Only `first` has a position within it, so a partly sent segment becomes the first one. A
            // shared payload has a position of its own.
            match segment {
                Segment::Shared(bytes) => bytes.advance(left),
                // A segment of which nothing is sent can stay where it is.
                _ if left == 0 => {}
                Segment::Owned(bytes) => {
                    self.first = mem::take(bytes);
                    self.sent = left;
                    rest.pop_front();
                }
                Segment::Header(header) => {
                    self.first.extend_from_slice(header.as_slice());
                    self.sent = left;
                    rest.pop_front();
                }
            }
            return;
        }
    }

    /// Frees the buffer of the first segment if it is empty.
    pub(crate) fn drop_spare(&mut self) {
        if self.first.is_empty() {
            self.first = Vec::new();
        }
    }

    /// Frees the buffer of the first segment if it is empty and large.
    #[inline]
    pub(crate) fn drop_large_spare(&mut self) {
        if self.first.is_empty() && self.first.capacity() > KEPT_BYTES {
            self.first = Vec::new();
        }
    }

    /// Frees memory when all output is sent, so that an idle connection keeps little.
    #[inline]
    pub(crate) fn shrink(&mut self) {
        self.drop_large_spare();
        let is_grown = |rest: &Fifo<_>| rest.is_grown();
        if self.rest.as_deref().is_some_and(is_grown) || self.first.capacity() > FEW_BYTES {
            self.rest = None;
        }
    }
}

impl Segment {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Shared(bytes) => bytes,
            Self::Header(header) => header.as_slice(),
        }
    }
}

/// Whether a few bytes can be appended without moving many.
#[allow(clippy::ptr_arg, reason = "a slice has no capacity")]
fn has_room(buffer: &Vec<u8>, needed: usize) -> bool {
    buffer.len() <= CHEAP_TO_GROW || buffer.capacity() - buffer.len() >= needed
}

/// An idle connection keeps no buffer larger than this, which is enough for the frames of a chat.
const KEPT_BYTES: usize = 256;
/// An idle connection with a buffer of at most this size also keeps the (empty) queue of segments,
/// which is smaller than the buffer.
pub(crate) const FEW_BYTES: usize = 64;
/// A segment of at most this size may be moved to append a few bytes.
const CHEAP_TO_GROW: usize = 1024;
