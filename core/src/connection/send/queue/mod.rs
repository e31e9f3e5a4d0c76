//! The outbox: everything that was accepted for sending and that the transport has not taken, and the
//! view of it that is written to the transport.

pub(super) mod changes;
pub(super) mod control_queue;
pub(super) mod queued_frame;
mod schedule;
mod small_frames;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use bytes::{Buf, Bytes};
use chacha20::ChaCha12Rng;
use chacha20::rand_core::Rng;

use crate::close::CloseFrame;
use crate::config::Config;
use crate::connection::gauge::Gauge;
use crate::connection::send::buffer::{FEW_BYTES, OutputBuffer};
use crate::connection::send::fifo::Fifo;
use crate::connection::send::queue::changes::OutputChanges;
use crate::connection::send::queue::control_queue::ControlQueue;
use crate::connection::send::queue::queued_frame::{DataFrame, QueuedFrame};
use crate::error::ControlError;
use crate::frame::{Mask, OpCode, first_byte};

/// Frames that go out. What the transport was shown is committed: it is in the [`OutputBuffer`] and
/// keeps its order. Everything else stays queued here, so that control frames can overtake it.
///
/// The pointers are boxed and optional, since most connections are idle most of the time, and then
/// need none of it.
#[derive(Debug)]
pub(crate) struct Outbox {
    committed: OutputBuffer,
    /// Data frames in order. `None` while only small frames are queued.
    queue: Option<Box<Fifo<QueuedFrame>>>,
    /// The small frames after them, encoded one after the other.
    small: Vec<u8>,
    /// `None` while no control frame is queued or on its way.
    control: Option<Box<ControlQueue>>,
    gauge: Gauge,
    config: Arc<Config>,
    is_full: bool,
    /// How many bytes of small frames went out together the last time, since as many may come
    /// again. At most 4 KiB, so that a `u16` is enough and fits beside the flags.
    expected: u16,
    /// Generates masking keys; a server has none.
    keys: Option<Box<ChaCha12Rng>>,
    changes: OutputChanges,
}

impl Outbox {
    pub(crate) fn new(config: Arc<Config>, keys: Option<Box<ChaCha12Rng>>) -> Self {
        Self {
            committed: OutputBuffer::new(),
            queue: None,
            small: Vec::new(),
            control: None,
            gauge: Gauge::default(),
            config,
            is_full: false,
            expected: 0,
            keys,
            changes: OutputChanges::AT_REST,
        }
    }

    /// Queues bytes before everything else: what is left of the opening handshake.
    pub(crate) fn push_raw(&mut self, bytes: Vec<u8>) {
        self.gauge.add(bytes.len());
        self.committed.push_owned(bytes);
    }

    /// Queues a data frame of any length.
    #[inline]
    pub(crate) fn push_data(&mut self, frame: DataFrame) {
        let DataFrame { fin, rsv1, opcode, payload } = frame;
        if self.is_short(payload.len()) {
            self.push_short(first_byte(fin, rsv1, opcode), &payload);
        } else {
            self.accepted(payload.len());
            self.push_queued(QueuedFrame::Large(DataFrame { fin, rsv1, opcode, payload }));
        }
    }

    /// Queues a whole message as one data frame; the payload is borrowed, and copied.
    #[inline]
    pub(crate) fn push_copy(&mut self, opcode: OpCode, payload: &[u8]) {
        if self.is_short(payload.len()) {
            self.push_short(first_byte(true, false, opcode), payload);
        } else {
            let payload = Bytes::copy_from_slice(payload);
            self.push_data(DataFrame { fin: true, rsv1: false, opcode, payload });
        }
    }

    /// Queues a whole frame of a server that other connections send too. Its bytes are shared,
    /// unless it is so short that a copy is cheaper.
    pub(crate) fn push_encoded(&mut self, frame: &Bytes) {
        self.accepted(frame.len());
        if frame.len() < CHEAP_TO_COPY {
            if self.small.capacity() - self.small.len() < frame.len() {
                self.make_room(frame.len());
            }
            self.small.extend_from_slice(frame);
        } else {
            self.push_queued(QueuedFrame::Encoded(frame.clone()));
        }
    }

    /// Counts bytes that were queued.
    #[inline]
    fn accepted(&mut self, length: usize) {
        self.gauge.add(length);
        if self.gauge.is_high(self.config.send_marks) {
            self.is_full = true;
        }
    }

    /// Seals the small-frame buffer, then queues `frame` after it.
    fn push_queued(&mut self, frame: QueuedFrame) {
        self.end_small();
        self.queue.get_or_insert_default().push_back(frame);
    }

    /// See [`ControlQueue::push_pong`].
    pub(crate) fn push_pong(&mut self, payload: Bytes) {
        let most = self.config.max_pongs;
        self.control().push_pong(payload, most);
    }

    pub(crate) fn push_ping(&mut self, payload: Bytes) -> Result<(), ControlError> {
        let most = self.config.max_pings;
        self.control().push_ping(payload, most)
    }

    /// Queues the Close, which goes out after the data that was accepted before it.
    pub(crate) fn push_close(&mut self, frame: CloseFrame) {
        self.control().close = Some(Box::new(frame));
    }

    fn control(&mut self) -> &mut ControlQueue {
        self.control.get_or_insert_default()
    }

    /// Drops everything: the transport is gone, and nothing goes out any more.
    pub(crate) fn clear(&mut self) {
        self.queue = None;
        self.small = Vec::new();
        self.control = None;
        self.committed = OutputBuffer::new();
        // Not a new gauge, since the peak is a part of the statistics.
        self.gauge.subtract(self.gauge.level());
        self.is_full = false;
        self.changes = OutputChanges::AT_REST;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.committed.remaining() == 0
            && self.small.is_empty()
            && !self.has_queued()
            && self.control.as_ref().is_none_or(|control| !control.has_queued())
    }

    /// Whether control frames are queued, or on their way.
    #[inline]
    pub(crate) const fn has_control(&self) -> bool {
        self.control.is_some()
    }

    /// Whether the level reached the high mark and has not been back at the low mark since.
    pub(crate) const fn is_full(&self) -> bool {
        self.is_full
    }

    pub(crate) const fn level(&self) -> usize {
        self.gauge.level()
    }

    pub(crate) const fn peak(&self) -> usize {
        self.gauge.peak()
    }

    /// Called when output was queued. If there was none before, a wait for the transport begins.
    #[inline]
    pub(crate) const fn begin_wait(&mut self) {
        if self.changes.contains(OutputChanges::AT_REST) {
            self.changes.remove(OutputChanges::AT_REST);
            self.changes.insert(OutputChanges::STARTED);
        }
    }

    /// Notes whether the application waits until the transport has taken output.
    pub(crate) const fn set_awaited(&mut self, is_awaited: bool) {
        self.changes.remove(OutputChanges::AWAITED);
        if is_awaited {
            self.changes.insert(OutputChanges::AWAITED);
        }
    }

    /// Whether the application can't go on because the transport takes nothing.
    pub(crate) const fn keeps_application(&self) -> bool {
        self.is_full || self.changes.contains(OutputChanges::AWAITED)
    }

    /// Whether something has happened to the output that concerns timers.
    #[inline]
    pub(crate) const fn has_changes(&self) -> bool {
        self.changes.is_any()
    }

    /// Whether timers must take the changes before the caller waits, since a deadline may begin.
    #[inline]
    pub(crate) fn has_urgent_changes(&self) -> bool {
        // `write_timeout` counts from the time at which output was queued or last moved.
        let is_waiting = !self.changes.contains(OutputChanges::AT_REST);
        let wait = OutputChanges::STARTED.with(OutputChanges::PROGRESSED);
        self.changes.contains(OutputChanges::PING_LEFT.with(OutputChanges::CLOSE_LEFT))
            || (is_waiting && self.changes.contains(wait) && self.config.write_timeout.is_some())
    }

    /// Takes what has happened to the output since the last call.
    pub(crate) const fn take_changes(&mut self) -> OutputChanges {
        self.changes.take()
    }

    pub(crate) const fn committed(&self) -> &OutputBuffer {
        &self.committed
    }

    /// The transport has taken `count` of the committed bytes.
    #[inline]
    pub(crate) fn advance(&mut self, count: usize) {
        self.committed.advance(count);
        self.gauge.subtract(count);
        // A write of nothing is no progress: it must not extend `write_timeout`.
        if count > 0 {
            self.changes.remove(OutputChanges::AWAITED);
            self.changes.insert(OutputChanges::PROGRESSED);
        }
        if self.is_full && self.gauge.is_low(self.config.send_marks) {
            self.is_full = false;
        }
        if self.control.is_some() {
            self.advance_control(count);
        }
        if self.committed.remaining() > 0 {
            return;
        }
        if self.control.is_none() && self.small.is_empty() && !self.has_queued() {
            self.shrink();
        } else {
            self.refill();
        }
    }

    fn advance_control(&mut self, count: usize) {
        let Some(control) = &mut self.control else { return };
        self.changes.insert(control.advance(count));
        if control.committed == 0 && !control.has_queued() {
            self.control = None;
        }
    }

    /// Commits more: the transport has taken all that it was shown, and something is queued.
    #[inline(never)]
    fn refill(&mut self) {
        // A client with large payloads keeps the buffer: the next window is masked into it.
        if self.keys.is_none() || !self.has_queued() {
            self.committed.drop_large_spare();
        }
        self.commit();
        if self.committed.remaining() == 0 {
            self.shrink();
        }
    }

    /// Frees memory when nothing is queued: at most one small buffer is kept, or the queue for a
    /// large payload.
    #[inline]
    fn shrink(&mut self) {
        self.changes.insert(OutputChanges::AT_REST);
        self.committed.shrink();
        if self.small.capacity() == 0 {
            self.committed.swap_first(&mut self.small);
        } else {
            self.committed.drop_spare();
        }
        let is_grown = |queue: &Fifo<_>| queue.is_grown();
        if self.queue.as_deref().is_some_and(is_grown) || self.small.capacity() > FEW_BYTES {
            self.queue = None;
        }
    }

    #[inline]
    fn has_queued(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| !queue.is_empty())
    }

    /// Data frames with a longer payload go out in fragments of this size.
    fn fragment_size(&self) -> usize {
        self.config.fragment_size.unwrap_or(usize::MAX)
    }

    #[inline]
    fn next_mask(&mut self) -> Option<Mask> {
        // A new unpredictable key for each frame (RFC 6455 §5.3, §10.3): a script in a browser must not
        // be able to choose the bytes that a proxy sees.
        self.keys.as_mut().map(|keys| Mask::new(keys.next_u32().to_ne_bytes()))
    }
}

/// Below this size a copy is cheaper than one more slice in a vectored write.
const CHEAP_TO_COPY: usize = 512;

/// The bytes to write, as a [`Buf`]: show them to the transport, then
/// [`advance`](Buf::advance) by as many as it took. A partial write is normal.
///
/// ```
/// # use std::io::Write;
/// use bytes::Buf;
/// use tidegate_core::{Config, Connection, Timestamp};
///
/// # fn write_some(connection: &mut Connection, socket: &mut impl Write) -> std::io::Result<()> {
/// while connection.wants_output() {
///     let output = connection.output();
///     let written = socket.write(output.chunk())?; // or chunks_vectored and write_vectored
///     output.advance(written);
/// }
/// # Ok(())
/// # }
/// # let mut connection = Connection::server(Timestamp::ZERO, Config::default());
/// # connection.send("hello").unwrap();
/// # let mut socket = Vec::new();
/// # write_some(&mut connection, &mut socket).unwrap();
/// # assert_eq!(socket, b"\x81\x05hello");
/// ```
///
/// Bytes that were shown keep their place. Frames are committed a window of about 64 KiB at a time,
/// and what comes later, pongs included, goes after it.
pub struct Output {
    pub(crate) outbox: Outbox,
    bytes: u64,
}

impl Output {
    pub(crate) const fn new(outbox: Outbox) -> Self {
        Self { outbox, bytes: 0 }
    }

    /// How many bytes the transport has taken so far.
    pub(crate) const fn total(&self) -> u64 {
        self.bytes
    }
}

impl Buf for Output {
    fn remaining(&self) -> usize {
        self.outbox.committed().remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.outbox.committed().chunk()
    }

    /// Advances by all bytes if `count` is more.
    fn advance(&mut self, count: usize) {
        let count = count.min(self.remaining());
        self.bytes += count as u64;
        self.outbox.advance(count);
    }

    #[cfg(feature = "std")]
    fn chunks_vectored<'a>(&'a self, slices: &mut [std::io::IoSlice<'a>]) -> usize {
        self.outbox.committed().chunks_vectored(slices)
    }
}

/// Shows how much there is, and no bytes: they may be secret.
impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("remaining", &self.remaining())
            .field("queued", &self.outbox.level())
            .finish_non_exhaustive()
    }
}
