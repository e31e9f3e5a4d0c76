//! Bytes out: frames in order, a gauge over them, a ring of pongs and a slot for the close frame.

pub(crate) mod progress;
mod schedule;
mod small_frames;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use chacha20::ChaCha12Rng;
use chacha20::rand_core::Rng;

use crate::close::CloseFrame;
use crate::config::Config;
use crate::connection::gauge::Gauge;
use crate::connection::send::buffer::{FEW_BYTES, Wire};
use crate::connection::send::fifo::Line;
use crate::connection::send::queue::progress::News;
use crate::error::ControlError;
use crate::frame::{MAX_CONTROL_PAYLOAD, MAX_HEADER, Mask, OpCode, first_byte};

/// Where frames wait. What the transport is shown is committed to the [`Wire`] and keeps its order;
/// everything else gives way to control frames.
#[derive(Debug)]
pub(crate) struct Outbox {
    wire: Wire,
    /// Data frames, whole, in order. There is none while only small frames wait.
    queue: Option<Box<Line<Waiting>>>,
    /// The small frames behind them, ready and back to back.
    small: Vec<u8>,
    /// There is none while no control frame waits or is on its way.
    control: Option<Box<Control>>,
    gauge: Gauge,
    config: Arc<Config>,
    is_full: bool,
    /// How many bytes of small frames went out together the last time: as many may come again.
    expected: u16,
    /// Generates masking keys; a server has none.
    keys: Option<Box<ChaCha12Rng>>,
    news: News,
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
    /// How much of the wire has to go out until the control frames on it are gone.
    on_wire: usize,
    /// What is told when they are.
    carries: News,
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
            expected: 0,
            keys,
            news: News::AT_REST,
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
            self.push_short(first_byte(fin, rsv1, opcode), &payload);
        } else {
            self.accepted(payload.len());
            self.push_waiting(Waiting::Large(Frame { fin, rsv1, opcode, payload }));
        }
    }

    /// Accepts a whole message in one data frame, of which the caller keeps the payload.
    #[inline]
    pub(crate) fn push_copy(&mut self, opcode: OpCode, payload: &[u8]) {
        if self.is_short(payload.len()) {
            self.push_short(first_byte(true, false, opcode), payload);
        } else {
            let payload = Bytes::copy_from_slice(payload);
            self.push_data(Frame { fin: true, rsv1: false, opcode, payload });
        }
    }

    /// Accepts a whole frame of a server that other connections send too: the bytes are shared, if
    /// that costs less than to copy them.
    pub(crate) fn push_encoded(&mut self, frame: &Bytes) {
        self.accepted(frame.len());
        if frame.len() < CHEAP_TO_COPY {
            if self.small.capacity() - self.small.len() < frame.len() {
                self.make_room(frame.len());
            }
            self.small.extend_from_slice(frame);
        } else {
            self.push_waiting(Waiting::Encoded(frame.clone()));
        }
    }

    #[inline]
    fn accepted(&mut self, length: usize) {
        self.gauge.add(length);
        if self.gauge.is_high(self.config.send_marks) {
            self.is_full = true;
        }
    }

    /// What does not go behind the small frames goes behind them in the queue.
    fn push_waiting(&mut self, frame: Waiting) {
        self.end_small();
        self.queue.get_or_insert_default().push_back(frame);
    }

    /// Keeps a pong. Beyond `max_pongs` the oldest gives way: the newest ping is the one that must be
    /// answered (RFC 6455 §5.5.3).
    pub(crate) fn push_pong(&mut self, payload: Bytes) {
        let most = self.config.max_pongs;
        let pongs = &mut self.control().pongs;
        if pongs.len() >= most {
            pongs.pop_front();
        }
        push_control(pongs, payload);
    }

    pub(crate) fn push_ping(&mut self, payload: Bytes) -> Result<(), ControlError> {
        let most = self.config.max_pings;
        let pings = &mut self.control().pings;
        if pings.len() >= most {
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
        self.news = News::AT_REST;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.wire.remaining() == 0
            && self.small.is_empty()
            && !self.has_waiting()
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

    /// Output was accepted. Where none waited before, a wait for the transport begins.
    #[inline]
    pub(crate) const fn begin_wait(&mut self) {
        if self.news.contains(News::AT_REST) {
            self.news = News(self.news.0 & !News::AT_REST.0 | News::STARTED.0);
        }
    }

    /// The application waits until the transport has taken output.
    pub(crate) const fn set_awaited(&mut self, is_awaited: bool) {
        self.news.0 &= !News::AWAITED.0;
        if is_awaited {
            self.news.insert(News::AWAITED);
        }
    }

    /// Whether the application can't go on, since the transport takes nothing.
    pub(crate) const fn keeps_application(&self) -> bool {
        self.is_full || self.news.contains(News::AWAITED)
    }

    /// Whether something has happened to the output that timers have to know.
    #[inline]
    pub(crate) const fn has_news(&self) -> bool {
        self.news.0 & !News::STANDING.0 != 0
    }

    /// Whether timers have to know it before the caller waits: a wait begins.
    #[inline]
    pub(crate) fn has_urgent_news(&self) -> bool {
        // Output that waits, and that begins to, or has moved: the limit is counted from then.
        let is_waiting = !self.news.contains(News::AT_REST);
        let wait = News(News::STARTED.0 | News::PROGRESSED.0);
        self.news.contains(News(News::PING_LEFT.0 | News::CLOSE_LEFT.0))
            || (is_waiting && self.news.contains(wait) && self.config.write_timeout.is_some())
    }

    /// What has happened to the output since this was last asked.
    pub(crate) const fn take_news(&mut self) -> News {
        let news = self.news;
        self.news = News(news.0 & News::STANDING.0);
        news
    }

    pub(crate) const fn wire(&self) -> &Wire {
        &self.wire
    }

    /// The transport has taken `count` bytes of the wire.
    #[inline]
    pub(crate) fn advance(&mut self, count: usize) {
        self.wire.advance(count);
        self.gauge.subtract(count);
        if count > 0 {
            self.news = News(self.news.0 & !News::AWAITED.0 | News::PROGRESSED.0);
        }
        if self.is_full && self.gauge.is_low(self.config.send_marks) {
            self.is_full = false;
        }
        if self.control.is_some() {
            self.advance_control(count);
        }
        if self.wire.remaining() > 0 {
            return;
        }
        if self.control.is_none() && self.small.is_empty() && !self.has_waiting() {
            self.rest();
        } else {
            self.refill();
        }
    }

    fn advance_control(&mut self, count: usize) {
        let Some(control) = &mut self.control else { return };
        control.on_wire = control.on_wire.saturating_sub(count);
        if control.on_wire > 0 {
            return;
        }
        self.news.insert(core::mem::take(&mut control.carries));
        if !control.is_waiting() {
            self.control = None;
        }
    }

    /// The transport has taken all it was shown, and more waits.
    #[inline(never)]
    fn refill(&mut self) {
        // The buffer of one window is the buffer of the next one, where it is masked into.
        if self.keys.is_none() || !self.has_waiting() {
            self.wire.drop_large_spare();
        }
        self.commit();
        if self.wire.remaining() == 0 {
            self.rest();
        }
    }

    /// Nothing waits: one small buffer is kept, or a place for a large payload.
    #[inline]
    fn rest(&mut self) {
        self.news.insert(News::AT_REST);
        self.wire.rest();
        if self.small.capacity() == 0 {
            self.wire.swap_first(&mut self.small);
        } else {
            self.wire.drop_spare();
        }
        let is_grown = |queue: &Line<_>| queue.is_grown();
        if self.queue.as_deref().is_some_and(is_grown) || self.small.capacity() > FEW_BYTES {
            self.queue = None;
        }
    }

    #[inline]
    fn has_waiting(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| !queue.is_empty())
    }

    /// Data frames with a longer payload go out in fragments of this size.
    fn fragment_size(&self) -> usize {
        self.config.fragment_size.unwrap_or(usize::MAX)
    }

    #[inline]
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

/// Below this size a copy costs less than a place of its own in a vectored write.
const CHEAP_TO_COPY: usize = 512;

/// The most that control frames hold: both rings, their places and the close frame, waiting and
/// committed.
pub(crate) fn control_bound(config: &Config) -> usize {
    const EACH: usize = MAX_CONTROL_PAYLOAD + MAX_HEADER + 64;
    let rings = config.max_pongs.saturating_add(config.max_pings).saturating_mul(EACH);
    rings.saturating_add(MAX_CONTROL_PAYLOAD).saturating_mul(2)
}
