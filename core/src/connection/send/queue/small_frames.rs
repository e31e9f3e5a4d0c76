//! Small frames: copied behind one another into one buffer, which grows as they come.

use core::mem;

use crate::connection::send::queue::{CHEAP_TO_COPY, Outbox, Waiting};
use crate::frame::{SHORT_HEADER, append_short_header};

impl Outbox {
    /// Whether a payload is copied behind its header, and not kept as the caller gave it.
    #[inline]
    pub(crate) fn is_short(&self, length: usize) -> bool {
        length < LARGE && length <= self.fragment_size()
    }

    /// Accepts a data frame that is copied behind its header, of which this is the first byte.
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

    /// A function of its own: what it costs to call it is not for a server to pay.
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

    /// Prepares the buffer that the next small frame goes to: the one at hand has no room for it.
    ///
    /// A frame that stands alone gets what it needs, unless the last ones did not stand alone. Where
    /// one follows another there will be more: to grow by twice each time would move all of them
    /// again and again.
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

    /// The buffer of small frames does not grow any more.
    pub(crate) fn end_small(&mut self) {
        if !self.small.is_empty() {
            let mut small = mem::take(&mut self.small);
            // The gauge is to count what is really held, or nearly so: to give the last bytes back
            // costs more than they are.
            if small.capacity() - small.len() > SPARED {
                small.shrink_to_fit();
            }
            self.expected = MOST_EXPECTED;
            self.queue.get_or_insert_default().push_back(Waiting::Small(small));
        }
    }

    /// Puts the small frames on the wire, all that there are.
    #[inline]
    pub(crate) fn commit_small(&mut self) {
        if self.wire.remaining() == 0 {
            let length = self.small.len().min(usize::from(MOST_EXPECTED));
            self.expected = u16::try_from(length).unwrap_or(MOST_EXPECTED);
            self.wire.swap_first(&mut self.small);
        } else {
            self.wire.push_owned(mem::take(&mut self.small));
        }
    }
}

/// From this size on a payload is not copied behind its header.
const LARGE: usize = 8 * 1024;

/// Small frames share buffers of this size.
const SEGMENT: usize = 16 * 1024;

/// What such a buffer may keep to itself when it is closed.
const SPARED: usize = 1024;

/// How much their buffer grows by: so many times what it holds, within these limits.
const GROWTH: usize = 3;
const LEAST_GROWTH: usize = 200;

/// How large their buffer is at most from the beginning.
const MOST_EXPECTED: u16 = 4 * 1024;
