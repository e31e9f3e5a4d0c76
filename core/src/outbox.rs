//! Bytes out: frames in order, a gauge over them, a ring of pongs and a slot for the close frame.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use chacha20::ChaCha12Rng;
use chacha20::rand_core::Rng;

use crate::close::CloseFrame;
use crate::config::Config;
use crate::error::ControlError;
use crate::frame::{
    FrameHeader, MAX_CONTROL_PAYLOAD, MAX_HEADER, Mask, OpCode, append_header, encode_header,
};
use crate::gauge::Gauge;
use crate::wire::Wire;

/// Where frames wait. What the transport is shown is committed to the [`Wire`] and keeps its order;
/// everything else gives way to control frames.
#[derive(Debug)]
pub(crate) struct Outbox {
    wire: Wire,
    /// Data frames, whole, in order. There is none while only small frames wait.
    #[allow(clippy::box_collection, reason = "seldom there, and small while it is not")]
    queue: Option<Box<VecDeque<Waiting>>>,
    /// The small frames behind them, ready and back to back.
    small: Vec<u8>,
    /// There is none while no control frame waits or is on its way.
    control: Option<Box<Control>>,
    gauge: Gauge,
    config: Arc<Config>,
    is_full: bool,
    /// Generates masking keys; a server has none.
    keys: Option<Box<ChaCha12Rng>>,
    has_progressed: bool,
}

#[derive(Debug)]
enum Waiting {
    /// Small frames with something behind them.
    Small(Vec<u8>),
    /// A large payload, kept as the caller gave it; its header is made when it goes out.
    Large(Frame),
    /// A whole frame that other connections send too.
    Encoded(Bytes),
    /// In front of all: what is left of a masked frame of which a part is on the wire. Nothing may
    /// come in between.
    Unfinished { payload: Bytes, mask: Mask },
}

/// A data frame.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) fin: bool,
    pub(crate) rsv1: bool,
    pub(crate) opcode: OpCode,
    pub(crate) payload: Bytes,
}

/// Control frames that wait, and those that are on the wire.
#[derive(Debug, Default)]
struct Control {
    pongs: VecDeque<Bytes>,
    pings: VecDeque<Bytes>,
    close: Option<Box<CloseFrame>>,
    /// How much of the wire has to go out until the pings and pongs on it are gone.
    on_wire: usize,
}

impl Control {
    fn is_waiting(&self) -> bool {
        !self.pongs.is_empty() || !self.pings.is_empty() || self.close.is_some()
    }
}

impl Outbox {
    pub(crate) fn new(config: Arc<Config>, keys: Option<Box<ChaCha12Rng>>) -> Self {
        Self {
            wire: Wire::new(),
            queue: None,
            small: Vec::new(),
            control: None,
            gauge: Gauge::default(),
            config,
            is_full: false,
            keys,
            has_progressed: false,
        }
    }

    /// Bytes that go out before everything else: what is left of the opening handshake.
    pub(crate) fn push_raw(&mut self, bytes: Vec<u8>) {
        self.gauge.add(bytes.len());
        self.wire.push_owned(bytes);
    }

    /// Accepts a data frame, whatever its length.
    #[inline]
    pub(crate) fn push_data(&mut self, frame: Frame) {
        let Frame { fin, rsv1, opcode, payload } = frame;
        if self.is_short(payload.len()) {
            self.push_short(fin, rsv1, opcode, &payload);
        } else {
            self.accepted(payload.len());
            self.push_waiting(Waiting::Large(Frame { fin, rsv1, opcode, payload }));
        }
    }

    /// Accepts a whole message in one data frame, of which the caller keeps the payload.
    #[inline]
    pub(crate) fn push_copy(&mut self, opcode: OpCode, payload: &[u8]) {
        if self.is_short(payload.len()) {
            self.push_short(true, false, opcode, payload);
        } else {
            let payload = Bytes::copy_from_slice(payload);
            self.push_data(Frame { fin: true, rsv1: false, opcode, payload });
        }
    }

    /// Whether a payload is copied behind its header, and not kept as the caller gave it.
    #[inline]
    fn is_short(&self, length: usize) -> bool {
        length < LARGE && length <= self.fragment_size()
    }

    #[inline]
    fn push_short(&mut self, fin: bool, rsv1: bool, opcode: OpCode, payload: &[u8]) {
        let mask = self.next_mask();
        let header = FrameHeader { fin, rsv1, opcode, mask, length: payload.len() as u64 };
        self.make_room(MAX_HEADER + payload.len());
        let before = self.small.len();
        append_frame(header, payload, &mut self.small);
        self.accepted(self.small.len() - before);
    }

    /// Accepts a whole frame of a server that other connections send too: the bytes are shared, if
    /// that costs less than to copy them.
    pub(crate) fn push_encoded(&mut self, frame: &Bytes) {
        self.accepted(frame.len());
        if frame.len() < CHEAP_TO_COPY {
            self.make_room(frame.len());
            self.small.extend_from_slice(frame);
        } else {
            self.push_waiting(Waiting::Encoded(frame.clone()));
        }
    }

    #[inline]
    fn accepted(&mut self, length: usize) {
        self.gauge.add(length);
        self.is_full |= self.gauge.is_high(self.config.send_marks);
    }

    /// What does not go behind the small frames goes behind them in the queue.
    fn push_waiting(&mut self, frame: Waiting) {
        self.end_small();
        self.queue.get_or_insert_default().push_back(frame);
    }

    /// Prepares the buffer that the next small frame goes to, which needs this many bytes.
    #[inline]
    fn make_room(&mut self, needed: usize) {
        if self.small.capacity() == 0 {
            self.small = self.wire.take_spare();
        }
        let length = self.small.len();
        if self.small.capacity() - length < needed || length >= SEGMENT {
            self.make_more_room(needed);
        }
    }

    /// A frame that stands alone gets what it needs. Where one follows another there will be more:
    /// to grow by twice each time would move all of them again and again.
    fn make_more_room(&mut self, needed: usize) {
        if self.small.len() >= SEGMENT {
            self.end_small();
        }
        let room = match self.small.len() {
            0 => 0,
            length => (GROWTH * length).clamp(LEAST_GROWTH, SEGMENT),
        };
        self.small.reserve_exact(room.max(needed));
    }

    /// The buffer of small frames does not grow any more.
    fn end_small(&mut self) {
        if !self.small.is_empty() {
            let mut small = core::mem::take(&mut self.small);
            // The gauge is to count what is really held.
            small.shrink_to_fit();
            self.queue.get_or_insert_default().push_back(Waiting::Small(small));
        }
    }

    /// Keeps a pong. Beyond thirty-two the oldest gives way: the newest ping is the one that must be
    /// answered (RFC 6455 §5.5.3).
    pub(crate) fn push_pong(&mut self, payload: Bytes) {
        let pongs = &mut self.control().pongs;
        if pongs.len() == PONG_RING {
            pongs.pop_front();
        }
        push_control(pongs, payload);
    }

    pub(crate) fn push_ping(&mut self, payload: Bytes) -> Result<(), ControlError> {
        let pings = &mut self.control().pings;
        if pings.len() == CONTROL_RING {
            return Err(ControlError::Full);
        }
        push_control(pings, payload);
        Ok(())
    }

    /// The Close goes out behind the data that was accepted before it.
    pub(crate) fn push_close(&mut self, frame: CloseFrame) {
        self.control().close = Some(Box::new(frame));
    }

    fn control(&mut self) -> &mut Control {
        self.control.get_or_insert_default()
    }

    /// The transport is gone: nothing goes out any more.
    pub(crate) fn clear(&mut self) {
        self.queue = None;
        self.small = Vec::new();
        self.control = None;
        self.wire = Wire::new();
        self.gauge.subtract(self.gauge.level());
        self.is_full = false;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.wire.remaining() == 0
            && self.small.is_empty()
            && self.queue.is_none()
            && self.control.as_ref().is_none_or(|control| !control.is_waiting())
    }

    /// Whether control frames wait, or are on the wire.
    #[inline]
    pub(crate) const fn has_control(&self) -> bool {
        self.control.is_some()
    }

    /// Whether the level reached the high mark and has not been back at the low one.
    pub(crate) const fn is_full(&self) -> bool {
        self.is_full
    }

    pub(crate) const fn level(&self) -> usize {
        self.gauge.level()
    }

    pub(crate) const fn peak(&self) -> usize {
        self.gauge.peak()
    }

    /// Whether the transport has taken anything since this was last asked.
    pub(crate) fn take_progress(&mut self) -> bool {
        core::mem::take(&mut self.has_progressed)
    }

    pub(crate) const fn wire(&self) -> &Wire {
        &self.wire
    }

    /// The transport has taken `count` bytes of the wire.
    pub(crate) fn advance(&mut self, count: usize) {
        self.wire.advance(count);
        if let Some(control) = &mut self.control {
            control.on_wire = control.on_wire.saturating_sub(count);
            if control.on_wire == 0 && !control.is_waiting() {
                self.control = None;
            }
        }
        self.gauge.subtract(count);
        self.has_progressed |= count > 0;
        if self.gauge.is_low(self.config.send_marks) {
            self.is_full = false;
        }
        if self.wire.remaining() == 0 {
            self.commit();
        }
    }

    /// Puts frames on the wire until it holds a window full: control frames first, then data, and
    /// the Close behind all of it.
    #[inline]
    pub(crate) fn commit(&mut self) {
        if self.control.is_some() || self.queue.is_some() {
            self.commit_all();
        } else if !self.small.is_empty() && self.wire.remaining() < WINDOW {
            self.wire.push_owned(core::mem::take(&mut self.small));
        }
    }

    fn commit_all(&mut self) {
        self.continue_masked();
        if self.is_unfinished() || self.wire.remaining() >= WINDOW {
            return;
        }
        self.commit_control();
        while self.wire.remaining() < WINDOW && !self.is_unfinished() {
            match self.queue.as_mut().and_then(|queue| queue.pop_front()) {
                Some(Waiting::Small(frames)) => self.wire.push_owned(frames),
                Some(Waiting::Encoded(frame)) => self.wire.push_shared(frame),
                Some(Waiting::Large(frame)) => self.commit_large(frame),
                // It is not in front here, and nowhere else.
                Some(Waiting::Unfinished { .. }) => {}
                None => {
                    self.wire.push_owned(core::mem::take(&mut self.small));
                    break;
                }
            }
        }
        if self.queue.as_ref().is_some_and(|queue| queue.is_empty()) {
            self.queue = None;
        }
        if self.queue.is_none() && self.small.is_empty() {
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
        self.wire.append(header.as_slice());
        if !is_rest {
            // "RSV1 only on the first fragment" (RFC 7692 §6.1).
            let rest = Frame { rsv1: false, opcode: OpCode::Continuation, ..frame };
            self.queue.get_or_insert_default().push_front(Waiting::Large(rest));
        }
        if let Some(mask) = mask {
            let queue = self.queue.get_or_insert_default();
            queue.push_front(Waiting::Unfinished { payload, mask });
            self.continue_masked();
        } else if payload.len() < CHEAP_TO_COPY {
            // Short fragments go together: a segment of its own costs more than one of them.
            self.wire.append(&payload);
        } else {
            self.wire.push_shared(payload);
        }
    }

    /// A large payload is masked as it goes out, a window at a time, not copied as a whole.
    fn continue_masked(&mut self) {
        let Some(queue) = &mut self.queue else { return };
        let Some(Waiting::Unfinished { payload, mask }) = queue.front_mut() else { return };
        while self.wire.remaining() < WINDOW && !payload.is_empty() {
            let piece = payload.split_to(payload.len().min(WINDOW));
            let mut masked = Vec::with_capacity(piece.len());
            mask.append(&piece, &mut masked);
            if masked.len() < CHEAP_TO_COPY {
                self.wire.append(&masked);
            } else {
                self.wire.push_owned(masked);
            }
        }
        if payload.is_empty() {
            queue.pop_front();
            if queue.is_empty() {
                self.queue = None;
            }
        }
    }

    /// Whether a part of a masked frame is on the wire, and not the rest.
    fn is_unfinished(&self) -> bool {
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
        for payload in pings {
            self.commit_frame(OpCode::Ping, &payload);
        }
        let on_wire = self.wire.remaining();
        self.control().on_wire = on_wire;
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
    }

    fn commit_frame(&mut self, opcode: OpCode, payload: &[u8]) {
        let mask = self.next_mask();
        let header =
            FrameHeader { fin: true, rsv1: false, opcode, mask, length: payload.len() as u64 };
        let mut frame = Vec::with_capacity(MAX_HEADER + payload.len());
        append_frame(header, payload, &mut frame);
        self.gauge.add(frame.len());
        self.wire.append(&frame);
    }

    /// Data frames with a longer payload go out in fragments of this size.
    fn fragment_size(&self) -> usize {
        self.config.fragment_size.unwrap_or(usize::MAX)
    }

    fn next_mask(&mut self) -> Option<Mask> {
        self.keys.as_mut().map(|keys| Mask::new(keys.next_u32().to_ne_bytes()))
    }
}

/// Mostly there is one and no second: a ring begins with a single place.
fn push_control(ring: &mut VecDeque<Bytes>, payload: Bytes) {
    if ring.capacity() == 0 {
        ring.reserve_exact(1);
    }
    ring.push_back(payload);
}

#[inline]
fn append_frame(header: FrameHeader, payload: &[u8], out: &mut Vec<u8>) {
    append_header(header, out);
    match header.mask {
        Some(mut mask) => mask.append(payload, out),
        None => out.extend_from_slice(payload),
    }
}

/// From this size on a payload is not copied behind its header.
const LARGE: usize = 8 * 1024;

/// Below this size a copy costs less than a place of its own in a vectored write.
const CHEAP_TO_COPY: usize = 512;

/// Small frames share buffers of about this size.
const SEGMENT: usize = 16 * 1024;

/// How much their buffer grows by: so many times what it holds, within these limits.
const GROWTH: usize = 3;
const LEAST_GROWTH: usize = 200;

/// How much is committed to the transport at a time: what a large vectored write takes. A pong
/// waits for this much data at most, and for the end of the frame that is on the wire.
const WINDOW: usize = 64 * 1024;

/// How many pongs wait: each of a normal burst is answered. Autobahn sends ten pings at once; twenty
/// of Node's `ws` arrive in one read behind TLS or a proxy, and it waits for each.
const PONG_RING: usize = 32;

/// How many pings of our own wait.
const CONTROL_RING: usize = 16;

/// The most that control frames hold: both rings, their places and the close frame, waiting and
/// committed.
pub(crate) const CONTROL_BOUND: usize = 2
    * ((PONG_RING + CONTROL_RING) * (MAX_CONTROL_PAYLOAD + MAX_HEADER + 64) + MAX_CONTROL_PAYLOAD);
