//! Bytes that are committed to the transport, in their final order.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use bytes::{Buf, Bytes};

use crate::connection::send::fifo::Line;
use crate::frame::EncodedHeader;
use crate::frame::Mask;

/// A queue of byte segments, read from the front in any steps.
#[derive(Debug)]
pub(crate) struct Wire {
    /// The first segment. When nothing is left of it, its buffer may be filled again.
    first: Vec<u8>,
    /// How much of it has gone.
    sent: usize,
    /// What is behind it: nothing, as long as frames are small and are taken as they come.
    rest: Option<Box<Line<Segment>>>,
    remaining: usize,
}

#[derive(Debug)]
enum Segment {
    Owned(Vec<u8>),
    Shared(Bytes),
    /// Between two payloads that are not copied.
    Header(EncodedHeader),
}

impl Wire {
    pub(crate) const fn new() -> Self {
        Self { first: Vec::new(), sent: 0, rest: None, remaining: 0 }
    }

    /// Puts these bytes on an empty wire, and gives an empty buffer back: with room, if there is one
    /// to use again.
    #[inline]
    pub(crate) const fn swap_first(&mut self, bytes: &mut Vec<u8>) {
        debug_assert!(self.remaining == 0, "nothing is overtaken");
        mem::swap(&mut self.first, bytes);
        self.remaining = self.first.len();
    }

    /// Takes an empty buffer for what comes first, if there is none.
    #[inline]
    pub(crate) const fn lend(&mut self, spare: &mut Vec<u8>) {
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
            self.rest.get_or_insert_default().push_back(Segment::Shared(bytes));
        }
    }

    /// Leaves as many bytes out at the beginning of an empty wire that a payload behind a header of
    /// this length begins as most payloads do: where the source and the target of a copy stand
    /// alike to cache lines, neither its loads nor its stores cross them.
    pub(crate) fn align(&mut self, header: usize) {
        if self.remaining == 0 {
            let before = header.wrapping_neg() % 16;
            self.first.reserve(before + header);
            self.first.resize(before, 0);
            self.sent = before;
        }
    }

    /// Appends a header, to the last segment if it can take it without a large copy.
    pub(crate) fn push_header(&mut self, header: EncodedHeader) {
        let bytes = header.as_slice();
        self.remaining += bytes.len();
        match self.last_buffer() {
            Some(last) if has_room(last, bytes.len()) => last.extend_from_slice(bytes),
            _ => self.rest.get_or_insert_default().push_back(Segment::Header(header)),
        }
    }

    /// Appends a few bytes, to the last segment if it can take them without a large copy.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        match self.last_buffer() {
            Some(last) if has_room(last, bytes.len()) => {
                last.extend_from_slice(bytes);
                self.remaining += bytes.len();
            }
            _ => self.push_owned(bytes.to_vec()),
        }
    }

    /// Appends payload, masked on its way, to the last segment if it has room; otherwise to one with
    /// room for as much as `room` says.
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

    /// The last segment, if it is one that can be appended to.
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
        if self.rest.is_some() {
            self.advance_rest(count - unsent);
        }
    }

    /// Nothing is left of the first segment.
    fn advance_rest(&mut self, mut left: usize) {
        let Some(rest) = &mut self.rest else { return };
        while let Some(segment) = rest.front_mut() {
            let unsent = segment.bytes().len();
            if left >= unsent {
                left -= unsent;
                rest.pop_front();
                continue;
            }
            match segment {
                Segment::Shared(bytes) => bytes.advance(left),
                // What is behind the front is there to be sent from.
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

    /// The buffer of which nothing is left is not kept.
    pub(crate) fn drop_spare(&mut self) {
        if self.first.is_empty() {
            self.first = Vec::new();
        }
    }

    /// A large buffer of which nothing is left is not kept.
    #[inline]
    pub(crate) fn drop_large_spare(&mut self) {
        if self.first.is_empty() && self.first.capacity() > KEPT_BYTES {
            self.first = Vec::new();
        }
    }

    /// Nothing is left, and nothing more is to come for now: what is kept is little.
    #[inline]
    pub(crate) fn rest(&mut self) {
        self.drop_large_spare();
        let is_grown = |rest: &Line<_>| rest.is_grown();
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

/// Whether a few bytes can go behind those that are there.
#[allow(clippy::ptr_arg, reason = "its capacity is looked at")]
fn has_room(buffer: &Vec<u8>, needed: usize) -> bool {
    buffer.len() <= CHEAP_TO_GROW || buffer.capacity() - buffer.len() >= needed
}

/// An idle connection holds no buffer larger than this: enough for the frames of a chat.
const KEPT_BYTES: usize = 256;
/// Beside a buffer of this size it may hold places for segments, and they are less than that again.
pub(crate) const FEW_BYTES: usize = 64;
/// A segment of this size may be moved for a few more bytes.
const CHEAP_TO_GROW: usize = 1024;
