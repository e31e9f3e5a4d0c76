//! Small frames: encoded one after the other into a buffer that they share.

use core::mem;

use crate::connection::send::queue::queued_frame::QueuedFrame;
use crate::connection::send::queue::{CHEAP_TO_COPY, Outbox};
use crate::frame::{SHORT_HEADER, append_short_header};

impl Outbox {
    /// Whether a payload of this length is copied after its header, and not kept as it was given.
    #[inline]
    pub(crate) fn is_short(&self, length: usize) -> bool {
        length < LARGE && length <= self.fragment_size()
    }

    /// Queues a short data frame; `first` is the first byte of its header.
    #[inline]
    pub(crate) fn push_short(&mut self, first: u8, payload: &[u8]) {
        if self.keys.is_some() {
            return self.push_short_masked(first, payload);
        }
        let needed = SHORT_HEADER + payload.len();
        if self.small.capacity() - self.small.len() < needed {
            self.make_room(needed);
        }
        let before = self.small.len();
        append_short_header(first, payload.len(), None, &mut self.small);
        self.small.extend_from_slice(payload);
        self.accepted(self.small.len() - before);
    }

    /// As [`push_short`](Self::push_short), for a client. A function of its own, not inlined: the
    /// masking code needs more registers, and a server would save and restore them for nothing.
    #[inline(never)]
    fn push_short_masked(&mut self, first: u8, payload: &[u8]) {
        let needed = SHORT_HEADER + payload.len();
        if self.small.capacity() - self.small.len() < needed {
            self.make_room(needed);
        }
        let Some(mut mask) = self.next_mask() else { return };
        let before = self.small.len();
        append_short_header(first, payload.len(), Some(mask), &mut self.small);
        if payload.len() < CHEAP_TO_COPY {
            mask.append_short(payload, &mut self.small);
        } else {
            mask.append_long(payload, &mut self.small);
        }
        self.accepted(self.small.len() - before);
    }

    /// Gives the buffer capacity for the next small frame, or begins another one.
    ///
    /// The first frame gets as much as went out together the last time, or what it needs. From the
    /// second on the buffer grows fourfold: where one frame follows another more will come, and
    /// to double it each time would move all of them again and again.
    #[inline(never)]
    pub(crate) fn make_room(&mut self, needed: usize) {
        if self.small.len() + needed > SEGMENT {
            self.end_small();
        }
        let room = match self.small.len() {
            0 => usize::from(self.expected),
            length => (GROWTH * length).clamp(LEAST_GROWTH, SEGMENT).min(SEGMENT - length),
        };
        if self.small.capacity() - self.small.len() < needed {
            self.small.reserve_exact(room.max(needed));
        }
    }

    /// Seals the buffer of small frames: it is queued, and the next small frame begins another one.
    pub(crate) fn end_small(&mut self) {
        if !self.small.is_empty() {
            let mut small = mem::take(&mut self.small);
            // The gauge counts bytes, so the memory that is held must not be much more. The last
            // KiB is not worth the cost of reallocating.
            if small.capacity() - small.len() > SPARED {
                small.shrink_to_fit();
            }
            self.expected = MOST_EXPECTED;
            self.queue.get_or_insert_default().push_back(QueuedFrame::Small(small));
        }
    }

    /// Commits all small frames.
    #[inline]
    pub(crate) fn commit_small(&mut self) {
        if self.committed.remaining() == 0 {
            let length = self.small.len().min(usize::from(MOST_EXPECTED));
            self.expected = u16::try_from(length).unwrap_or(MOST_EXPECTED);
            self.committed.swap_first(&mut self.small);
        } else {
            self.committed.push_owned(mem::take(&mut self.small));
        }
    }
}

/// From this size on a payload is not copied after its header.
const LARGE: usize = 8 * 1024;

/// Small frames share buffers of this size.
const SEGMENT: usize = 16 * 1024;

/// How much unused capacity a sealed buffer may keep.
const SPARED: usize = 1024;

/// How much their buffer grows by: so many times what it holds, but at least this much.
const GROWTH: usize = 3;
const LEAST_GROWTH: usize = 200;

/// How large their buffer is at most at the beginning.
const MOST_EXPECTED: u16 = 4 * 1024;
