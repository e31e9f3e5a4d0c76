//! Decides which frame is committed to the transport next, and how much at a time.

use alloc::vec::Vec;

use bytes::{Buf, Bytes};

use crate::connection::send::queue::changes::OutputChanges;
use crate::connection::send::queue::queued_frame::{DataFrame, QueuedFrame};
use crate::connection::send::queue::{CHEAP_TO_COPY, Outbox};
use crate::frame::{
    FrameHeader, MAX_HEADER, Mask, OpCode, SHORT_HEADER, append_short_header, encode_header,
    first_byte,
};

impl Outbox {
    /// Commits frames until the transport is shown a window full: control frames first, then data,
    /// then the Close.
    #[inline]
    pub(crate) fn commit(&mut self) {
        if self.control.is_some() || self.has_queued() {
            self.commit_all();
        } else if !self.small.is_empty() && self.committed.remaining() < WINDOW {
            self.commit_small();
        }
    }

    #[inline(never)]
    fn commit_all(&mut self) {
        if self.committed.remaining() >= WINDOW {
            return;
        }
        self.continue_masked();
        if self.is_partly_committed() {
            // Control frames may go between the fragments of a message, but nothing may go between
            // the bytes of one frame.
            return;
        }
        if self.small.is_empty() {
            // Reuses the buffer of the small frames for a header, since it is empty.
            self.committed.take_spare(&mut self.small);
        }
        // Before data, so that a pong waits for no more than what is committed already.
        self.commit_control();
        while self.committed.remaining() < WINDOW && !self.is_partly_committed() {
            match self.queue.as_mut().and_then(|queue| queue.pop_front()) {
                Some(QueuedFrame::Large(frame)) => self.commit_large(frame),
                Some(QueuedFrame::Small(frames)) => self.committed.push_owned(frames),
                Some(QueuedFrame::Encoded(frame)) => self.committed.push_shared(frame),
                // Handled above: it is only ever at the front.
                Some(QueuedFrame::PartlyCommitted { .. }) => {}
                None => {
                    self.commit_small();
                    break;
                }
            }
        }
        if !self.has_queued() && self.small.is_empty() {
            self.commit_close();
        }
    }

    /// Commits a frame, or its first fragment. The rest goes back to the front of the queue, so that
    /// control frames can go in between.
    fn commit_large(&mut self, mut frame: DataFrame) {
        let payload = frame.payload.split_to(frame.payload.len().min(self.fragment_size()));
        let is_rest = frame.payload.is_empty();
        let mask = self.next_mask();
        let header = encode_header(FrameHeader {
            fin: frame.fin && is_rest,
            rsv1: frame.rsv1,
            opcode: frame.opcode,
            mask,
            length: payload.len() as u64,
        });
        // Counted now, and checked against the high mark: with small fragments the headers add up.
        self.accepted(header.as_slice().len());
        if mask.is_some() {
            self.committed.align(header.as_slice().len());
        }
        self.committed.push_header(header);
        if !is_rest {
            // "RSV1 only on the first fragment" (RFC 7692 §6.1).
            let rest = DataFrame { rsv1: false, opcode: OpCode::Continuation, ..frame };
            self.queue.get_or_insert_default().push_front(QueuedFrame::Large(rest));
        }
        if let Some(mask) = mask {
            self.commit_masked(payload, mask);
        } else if payload.len() < CHEAP_TO_COPY {
            // Short fragments share a segment: one of its own costs more than the copy.
            self.committed.append(&payload);
        } else {
            self.committed.push_shared(payload);
        }
    }

    /// Masks and commits the next window of a large payload, which is never copied as a whole.
    fn continue_masked(&mut self) {
        if self.is_partly_committed()
            && let Some(QueuedFrame::PartlyCommitted { payload, mask }) =
                self.queue.as_mut().and_then(|queue| queue.pop_front())
        {
            self.commit_masked(payload, mask);
        }
    }

    fn commit_masked(&mut self, mut payload: Bytes, mut mask: Mask) {
        let left = WINDOW.saturating_sub(self.committed.remaining());
        let length = in_window(payload.len(), left);
        // The capacity that the frames after it need, so that all of this window shares a buffer.
        let room = || {
            let queued = self.queue.iter().flat_map(|queue| queue.iter());
            let ahead = queued.map_while(|frame| match frame {
                QueuedFrame::Large(frame) => Some(MAX_HEADER + frame.payload.len()),
                QueuedFrame::Small(_)
                | QueuedFrame::Encoded(_)
                | QueuedFrame::PartlyCommitted { .. } => None,
            });
            in_window(ahead.take(FRAMES_AHEAD).sum::<usize>() + length, left)
        };
        self.committed.append_masked(payload.get(..length).unwrap_or_default(), &mut mask, room);
        payload.advance(length);
        if !payload.is_empty() {
            let queue = self.queue.get_or_insert_default();
            queue.push_front(QueuedFrame::PartlyCommitted { payload, mask });
        }
    }

    /// Whether a masked frame is partly committed, so that nothing else may be.
    pub(crate) fn is_partly_committed(&self) -> bool {
        let front = self.queue.as_ref().and_then(|queue| queue.front());
        matches!(front, Some(QueuedFrame::PartlyCommitted { .. }))
    }

    /// Commits pings and pongs, but only after the transport has taken the last ones. Otherwise a
    /// transport that is polled again and again and takes nothing would let a flood of pings fill
    /// the output, past the limit on queued pongs.
    fn commit_control(&mut self) {
        let Some(control) = &mut self.control else { return };
        if control.committed > 0 || (control.pongs.is_empty() && control.pings.is_empty()) {
            return;
        }
        let pongs = core::mem::take(&mut control.pongs);
        let pings = core::mem::take(&mut control.pings);
        for payload in pongs {
            self.commit_frame(OpCode::Pong, &payload);
        }
        let changes =
            if pings.is_empty() { OutputChanges::default() } else { OutputChanges::PING_LEFT };
        for payload in pings {
            self.commit_frame(OpCode::Ping, &payload);
        }
        self.report_when_taken(changes);
    }

    /// Lets `changes` be reported when the transport has taken everything committed until now.
    fn report_when_taken(&mut self, changes: OutputChanges) {
        let committed = self.committed.remaining();
        let control = self.control();
        control.committed = committed;
        control.reports.insert(changes);
    }

    /// Commits the Close, which waits until nothing else is queued.
    fn commit_close(&mut self) {
        let Some(control) = &mut self.control else { return };
        // Pings and pongs go first: nothing may be sent after the Close (RFC 6455 §5.5.1).
        if !control.pongs.is_empty() || !control.pings.is_empty() {
            return;
        }
        let Some(frame) = control.close.take() else { return };
        // An empty Close has the code 1005, which stands for "no code" and is never sent (§7.4.1).
        let mut body = Vec::new();
        if frame.code.is_sendable() {
            body.extend_from_slice(&frame.code.as_u16().to_be_bytes());
            body.extend_from_slice(frame.reason.as_bytes());
        }
        self.commit_frame(OpCode::Close, &body);
        self.report_when_taken(OutputChanges::CLOSE_LEFT);
    }

    fn commit_frame(&mut self, opcode: OpCode, payload: &[u8]) {
        let mask = self.next_mask();
        let mut frame = Vec::with_capacity(SHORT_HEADER + payload.len());
        append_short_header(first_byte(true, false, opcode), payload.len(), mask, &mut frame);
        match mask {
            Some(mut mask) => mask.append(payload, &mut frame),
            None => frame.extend_from_slice(payload),
        }
        // Counted, because `advance` subtracts everything that is written. But control frames do not
        // make the outbox full: their number has limits of its own.
        self.gauge.add(frame.len());
        self.committed.append(&frame);
    }
}

/// How much is committed at a time: what a large vectored write takes. A pong waits for this much
/// data at most, and for the end of a frame that is partly committed.
const WINDOW: usize = 64 * 1024;

/// A window grows by this much if that completes a masked frame, which saves a write.
const WINDOW_REST: usize = 16 * 1024;

/// How many frames ahead to sum up: masked large frames are so long that a window has no more.
const FRAMES_AHEAD: usize = 8;

/// How many of `length` bytes to commit to a window with `left` bytes of room. Whole cache lines, so
/// that the next window begins to read the payload at an aligned address.
fn in_window(length: usize, left: usize) -> usize {
    if length <= left + WINDOW_REST { length } else { left.next_multiple_of(64) }
}
