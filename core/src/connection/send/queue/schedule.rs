//! From where frames wait onto the wire: what goes first, and how much at a time.

use alloc::vec::Vec;

use bytes::{Buf, Bytes};

use crate::connection::send::queue::progress::News;
use crate::connection::send::queue::{CHEAP_TO_COPY, Frame, Outbox, Waiting};
use crate::frame::{
    FrameHeader, MAX_HEADER, Mask, OpCode, SHORT_HEADER, append_short_header, encode_header,
    first_byte,
};

impl Outbox {
    /// Puts frames on the wire until it holds a window full: control frames first, then data, and
    /// the Close behind all of it.
    #[inline]
    pub(crate) fn commit(&mut self) {
        if self.control.is_some() || self.has_waiting() {
            self.commit_all();
        } else if !self.small.is_empty() && self.wire.remaining() < WINDOW {
            self.commit_small();
        }
    }

    #[inline(never)]
    fn commit_all(&mut self) {
        if self.wire.remaining() >= WINDOW {
            return;
        }
        self.continue_masked();
        if self.is_unfinished() {
            return;
        }
        if self.small.is_empty() {
            // No frame is in it: it has room for a header.
            self.wire.lend(&mut self.small);
        }
        self.commit_control();
        while self.wire.remaining() < WINDOW && !self.is_unfinished() {
            match self.queue.as_mut().and_then(|queue| queue.pop_front()) {
                Some(Waiting::Large(frame)) => self.commit_large(frame),
                Some(Waiting::Small(frames)) => self.wire.push_owned(frames),
                Some(Waiting::Encoded(frame)) => self.wire.push_shared(frame),
                // It is not in front here, and nowhere else.
                Some(Waiting::Unfinished { .. }) => {}
                None => {
                    self.commit_small();
                    break;
                }
            }
        }
        if !self.has_waiting() && self.small.is_empty() {
            self.commit_close();
        }
    }

    /// Puts a frame on the wire, or its first fragment; the rest stays in front of the queue, so
    /// that control frames can go in between.
    fn commit_large(&mut self, mut frame: Frame) {
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
        // Of many small fragments the headers are what crosses the mark.
        self.accepted(header.as_slice().len());
        if mask.is_some() {
            self.wire.align(header.as_slice().len());
        }
        self.wire.push_header(header);
        if !is_rest {
            // "RSV1 only on the first fragment" (RFC 7692 §6.1).
            let rest = Frame { rsv1: false, opcode: OpCode::Continuation, ..frame };
            self.queue.get_or_insert_default().push_front(Waiting::Large(rest));
        }
        if let Some(mask) = mask {
            self.commit_masked(payload, mask);
        } else if payload.len() < CHEAP_TO_COPY {
            // Short fragments go together: a segment of its own costs more than one of them.
            self.wire.append(&payload);
        } else {
            self.wire.push_shared(payload);
        }
    }

    /// A large payload is masked as it goes out, a window at a time, not copied as a whole.
    fn continue_masked(&mut self) {
        if self.is_unfinished()
            && let Some(Waiting::Unfinished { payload, mask }) =
                self.queue.as_mut().and_then(|queue| queue.pop_front())
        {
            self.commit_masked(payload, mask);
        }
    }

    fn commit_masked(&mut self, mut payload: Bytes, mut mask: Mask) {
        let left = WINDOW.saturating_sub(self.wire.remaining());
        let length = in_window(payload.len(), left);
        // What goes into this window behind it goes into the same buffer.
        let room = || {
            let waiting = self.queue.iter().flat_map(|queue| queue.iter());
            let ahead = waiting.map_while(|waiting| match waiting {
                Waiting::Large(frame) => Some(MAX_HEADER + frame.payload.len()),
                Waiting::Small(_) | Waiting::Encoded(_) | Waiting::Unfinished { .. } => None,
            });
            in_window(ahead.take(FRAMES_AHEAD).sum::<usize>() + length, left)
        };
        self.wire.append_masked(payload.get(..length).unwrap_or_default(), &mut mask, room);
        payload.advance(length);
        if !payload.is_empty() {
            let queue = self.queue.get_or_insert_default();
            queue.push_front(Waiting::Unfinished { payload, mask });
        }
    }

    /// Whether a part of a masked frame is on the wire, and not the rest.
    pub(crate) fn is_unfinished(&self) -> bool {
        let front = self.queue.as_ref().and_then(|queue| queue.front());
        matches!(front, Some(Waiting::Unfinished { .. }))
    }

    /// The next pings and pongs leave their rings when the last ones are gone: a transport that is
    /// asked again and again and takes nothing must not let a flood of pings through to the wire.
    fn commit_control(&mut self) {
        let Some(control) = &mut self.control else { return };
        if control.on_wire > 0 || (control.pongs.is_empty() && control.pings.is_empty()) {
            return;
        }
        let pongs = core::mem::take(&mut control.pongs);
        let pings = core::mem::take(&mut control.pings);
        for payload in pongs {
            self.commit_frame(OpCode::Pong, &payload);
        }
        let carries = if pings.is_empty() { News::default() } else { News::PING_LEFT };
        for payload in pings {
            self.commit_frame(OpCode::Ping, &payload);
        }
        self.carry(carries);
    }

    /// What was committed just now is told when the transport has taken it.
    fn carry(&mut self, news: News) {
        let on_wire = self.wire.remaining();
        let control = self.control();
        control.on_wire = on_wire;
        control.carries.insert(news);
    }

    /// The Close goes when nothing else is left to go.
    fn commit_close(&mut self) {
        let Some(control) = &mut self.control else { return };
        if !control.pongs.is_empty() || !control.pings.is_empty() {
            return;
        }
        let Some(frame) = control.close.take() else { return };
        let mut body = Vec::new();
        if frame.code.is_sendable() {
            body.extend_from_slice(&frame.code.as_u16().to_be_bytes());
            body.extend_from_slice(frame.reason.as_bytes());
        }
        self.commit_frame(OpCode::Close, &body);
        self.carry(News::CLOSE_LEFT);
    }

    fn commit_frame(&mut self, opcode: OpCode, payload: &[u8]) {
        let mask = self.next_mask();
        let mut frame = Vec::with_capacity(SHORT_HEADER + payload.len());
        append_short_header(first_byte(true, false, opcode), payload.len(), mask, &mut frame);
        match mask {
            Some(mut mask) => mask.append(payload, &mut frame),
            None => frame.extend_from_slice(payload),
        }
        self.gauge.add(frame.len());
        self.wire.append(&frame);
    }
}

/// How much is committed to the transport at a time: what a large vectored write takes. A pong
/// waits for this much data at most, and for the end of the frame that is on the wire.
const WINDOW: usize = 64 * 1024;

/// The end of a masked frame goes with the rest of it if it is no longer: a write of its own would
/// cost more.
const WINDOW_REST: usize = 16 * 1024;

/// Masked frames are long enough that a window has no more of them.
const FRAMES_AHEAD: usize = 8;

/// How much of this many bytes goes into a window that has so much left: in whole cache lines, since
/// what goes into the next one is read from there.
fn in_window(length: usize, left: usize) -> usize {
    if length <= left + WINDOW_REST { length } else { left.next_multiple_of(64) }
}
