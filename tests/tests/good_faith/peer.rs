//! A correct peer, small and independent: reads at its own rate, answers every ping and every Close,
//! and records what it received and when.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::rc::Rc;

use tidegate_core::{Role, Timestamp};
use tidegate_driver::{ByteStream, Clock};

use crate::frames::{Frame, decode, encode, inflate, stored};
use crate::link::End;
use crate::world::{Party, Time, World};

/// What a peer recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Message(Vec<u8>),
    Ping,
    Pong(Vec<u8>),
    /// Code and reason; `None` if the Close was empty.
    Close(Option<(u16, String)>),
    /// The end of the stream.
    Fin,
    /// A reset, while reading or while writing.
    Reset,
}

/// How fast a peer reads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reading {
    Freely,
    /// This many bytes at a time, and then a pause of this length.
    Slowly(usize, Duration),
    Stopped,
}

/// A handle on the peer, for its script and for the test.
#[derive(Clone)]
pub(crate) struct Peer(Rc<RefCell<State>>);

struct State {
    role: Role,
    stream: Option<End>,
    clock: Time,
    deflate: bool,
    reading: Reading,
    busy_until: Timestamp,
    answers: bool,
    /// Queued frames; the first may be partly written.
    out: VecDeque<Vec<u8>>,
    written: usize,
    input: Vec<u8>,
    message: Option<(bool, Vec<u8>)>,
    log: Vec<(Timestamp, Seen)>,
    has_sent_close: bool,
    shuts_down: bool,
    keeps_open: bool,
    pump: Option<Waker>,
    script: Option<Waker>,
}

impl Peer {
    pub(crate) fn new(world: &World, role: Role, deflate: bool) -> Self {
        Self(Rc::new(RefCell::new(State {
            role,
            stream: Some(End { world: world.clone(), party: Party::Peer }),
            clock: world.clock(),
            deflate,
            reading: Reading::Freely,
            busy_until: Timestamp::ZERO,
            answers: true,
            out: VecDeque::new(),
            written: 0,
            input: Vec::new(),
            message: None,
            log: Vec::new(),
            has_sent_close: false,
            shuts_down: false,
            keeps_open: false,
            pump: None,
            script: None,
        })))
    }

    /// The peer's main task.
    pub(crate) async fn run(self) {
        poll_fn(|cx| {
            let state = &mut *self.0.borrow_mut();
            state.pump = Some(cx.waker().clone());
            state.turn(cx)
        })
        .await;
    }

    pub(crate) fn message(&self, payload: &[u8]) {
        self.change(|state| {
            if state.deflate && !payload.is_empty() {
                state.queue(0xC2, &stored(payload));
            } else {
                state.queue(0x82, payload);
            }
        });
    }

    pub(crate) fn ping(&self, payload: &[u8]) {
        self.change(|state| state.queue(0x89, payload));
    }

    pub(crate) fn pong(&self, payload: &[u8]) {
        self.change(|state| state.queue(0x8A, payload));
    }

    pub(crate) fn close(&self, code: u16, reason: &str) {
        self.close_with(&[&code.to_be_bytes()[..], reason.as_bytes()].concat());
    }

    pub(crate) fn close_empty(&self) {
        self.close_with(&[]);
    }

    fn close_with(&self, payload: &[u8]) {
        self.change(|state| state.close(payload));
    }

    /// Sends bytes that no correct peer would send, or that only look like it.
    pub(crate) fn raw(&self, bytes: &[u8]) {
        self.change(|state| state.out.push_back(bytes.to_vec()));
    }

    pub(crate) fn read(&self, reading: Reading) {
        self.change(|state| state.reading = reading);
    }

    /// From now on answers neither pings nor a Close.
    pub(crate) fn fall_silent(&self) {
        self.change(|state| state.answers = false);
    }

    /// Ends its stream after the queued frames.
    pub(crate) fn fin(&self) {
        self.change(|state| state.shuts_down = true);
    }

    /// Leaves ending TCP to us, even after both Closes.
    pub(crate) fn keep_open(&self) {
        self.change(|state| state.keeps_open = true);
    }

    /// Resets the connection.
    pub(crate) fn reset(&self) {
        self.change(|state| {
            if let Some(stream) = state.stream.take() {
                stream.reset();
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let waker = {
            let state = &mut *self.0.borrow_mut();
            change(state);
            state.pump.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn log(&self) -> Vec<(Timestamp, Seen)> {
        self.0.borrow().log.clone()
    }

    /// When it first recorded this.
    pub(crate) fn time_of(&self, wanted: impl Fn(&Seen) -> bool) -> Option<Timestamp> {
        let state = self.0.borrow();
        state.log.iter().find(|(_, seen)| wanted(seen)).map(|(time, _)| *time)
    }

    pub(crate) fn messages(&self) -> Vec<Vec<u8>> {
        let log = self.log();
        let messages = log.into_iter().filter_map(|(_, seen)| match seen {
            Seen::Message(payload) => Some(payload),
            _ => None,
        });
        messages.collect()
    }

    pub(crate) fn count(&self) -> usize {
        let state = self.0.borrow();
        state.log.iter().filter(|(_, seen)| matches!(seen, Seen::Message(_))).count()
    }

    /// The Close that it received, if any.
    pub(crate) fn closed_with(&self) -> Option<Option<(u16, String)>> {
        self.log().into_iter().find_map(|(_, seen)| match seen {
            Seen::Close(close) => Some(close),
            _ => None,
        })
    }

    /// Whether the stream ended properly.
    pub(crate) fn has_ended(&self) -> bool {
        self.time_of(|seen| *seen == Seen::Fin).is_some()
            && self.time_of(|seen| *seen == Seen::Reset).is_none()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.borrow().stream.is_none()
    }

    /// Whether everything that it sent is in its kernel's buffer.
    pub(crate) fn is_idle(&self) -> bool {
        self.0.borrow().out.is_empty()
    }

    /// Waits in the peer's script until this is so.
    pub(crate) async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        poll_fn(|cx| {
            if is_so(self) {
                return Poll::Ready(());
            }
            self.0.borrow_mut().script = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl State {
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let has_read = self.read(cx);
            let has_written = self.write(cx);
            if self.stream.is_none() {
                self.note_script();
                return Poll::Ready(());
            }
            if !has_read && !has_written {
                self.note_script();
                return Poll::Pending;
            }
        }
    }

    fn read(&mut self, cx: &mut Context<'_>) -> bool {
        let room = match self.reading {
            Reading::Freely => 16 * 1024,
            Reading::Stopped => return false,
            Reading::Slowly(bytes, _) => {
                if self.clock.poll_deadline(cx, self.busy_until).is_pending() {
                    return false;
                }
                bytes
            }
        };
        let Some(stream) = &mut self.stream else { return false };
        let mut buffer = vec![0; room];
        match stream.poll_read(cx, &mut buffer) {
            Poll::Pending => return false,
            Poll::Ready(Ok(0)) => {
                assert!(self.input.is_empty(), "cut off in the middle of a frame");
                self.note(Seen::Fin);
                self.stream = None;
            }
            Poll::Ready(Err(_)) => {
                self.note(Seen::Reset);
                self.stream = None;
            }
            Poll::Ready(Ok(count)) => {
                self.input.extend(&buffer[..count]);
                if let Reading::Slowly(_, pause) = self.reading {
                    self.busy_until = self.clock.now() + pause;
                }
                while let Some(frame) = decode(&mut self.input, self.role == Role::Server) {
                    self.take(frame);
                }
            }
        }
        true
    }

    fn take(&mut self, frame: Frame) {
        let has_come = self.has(|seen| matches!(seen, Seen::Close(_)));
        // After sending a Close, and until the peer's arrives, a ping may still be answered (RFC 6455
        // section 5.5.2).
        assert!(!has_come || frame.opcode > 8, "{frame:?} after a Close");
        match frame.opcode {
            0x0..=0x2 => self.take_data(frame),
            0x8 => {
                let close = frame.payload.split_first_chunk().map(|(code, reason)| {
                    (u16::from_be_bytes(*code), String::from_utf8(reason.to_vec()).unwrap())
                });
                assert!(close.is_some() || frame.payload.is_empty(), "a code has two bytes");
                self.note(Seen::Close(close));
                if self.answers {
                    let code = frame.payload.get(..2).unwrap_or_default().to_vec();
                    self.close(&code);
                }
            }
            0x9 => {
                self.note(Seen::Ping);
                if self.answers {
                    self.answer_ping(&frame.payload);
                }
            }
            0xA => self.note(Seen::Pong(frame.payload)),
            opcode => panic!("there is no opcode {opcode}"),
        }
    }

    fn take_data(&mut self, frame: Frame) {
        let (compressed, mut payload) = match (self.message.take(), frame.opcode) {
            (None, 0x1 | 0x2) => (frame.rsv == 0x40, Vec::new()),
            (Some(message), 0x0) if frame.rsv == 0 => message,
            (message, _) => panic!("{frame:?} after {message:?}"),
        };
        assert!(frame.rsv == 0 || frame.rsv == 0x40 && self.deflate, "{frame:?}");
        payload.extend(frame.payload);
        if !frame.fin {
            self.message = Some((compressed, payload));
            return;
        }
        let payload = if compressed { inflate(&payload) } else { payload };
        self.note(Seen::Message(payload));
    }

    /// A pong goes before the queued messages, after the frame that is being written.
    fn answer_ping(&mut self, payload: &[u8]) {
        if !self.has_sent_close {
            let pong = encode(0x8A, payload, self.role == Role::Client);
            let place = usize::from(self.written > 0).min(self.out.len());
            self.out.insert(place, pong);
        }
    }

    fn queue(&mut self, first: u8, payload: &[u8]) {
        if !self.has_sent_close {
            self.out.push_back(encode(first, payload, self.role == Role::Client));
        }
    }

    fn close(&mut self, payload: &[u8]) {
        self.queue(0x88, payload);
        self.has_sent_close = true;
    }

    /// Writes what can be written. After both Closes a server ends its stream, and a client waits for
    /// that (RFC 6455 section 7.1.1).
    fn write(&mut self, cx: &mut Context<'_>) -> bool {
        let mut has_written = false;
        while let (Some(frame), Some(stream)) = (self.out.front(), &mut self.stream) {
            match stream.poll_write(cx, &[IoSlice::new(&frame[self.written..])]) {
                Poll::Pending => return has_written,
                Poll::Ready(Ok(count)) => {
                    self.written += count;
                    if self.written == frame.len() {
                        self.out.pop_front();
                        self.written = 0;
                    }
                }
                Poll::Ready(Err(_)) => {
                    // Earlier bytes can still be read.
                    self.out.clear();
                    self.written = 0;
                }
            }
            has_written = true;
        }
        let is_done = self.has_sent_close && self.has(|seen| matches!(seen, Seen::Close(_)));
        if (is_done && self.role == Role::Server && !self.keeps_open || self.shuts_down)
            && let Some(stream) = &mut self.stream
        {
            let _ = stream.poll_shutdown(cx);
        }
        has_written
    }

    fn has(&self, wanted: impl Fn(&Seen) -> bool) -> bool {
        self.log.iter().any(|(_, seen)| wanted(seen))
    }

    fn note(&mut self, seen: Seen) {
        self.log.push((self.clock.now(), seen));
    }

    fn note_script(&mut self) {
        if let Some(script) = self.script.take() {
            script.wake();
        }
    }
}
