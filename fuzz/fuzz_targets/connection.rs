//! Any calls in any order: nothing panics, no loop spins, and the invariants hold after each call.
//! Memory stays within its bound if the caller respects `wants_input`. A peer reads exactly what was
//! sent.
#![no_main]

use core::time::Duration;

use arbitrary::Arbitrary;
use bytes::Buf;
use libfuzzer_sys::fuzz_target;
use peak_alloc::PeakAlloc;
use tidegate_core::{
    Chunk, CloseCode, CloseFrame, Compress, Connection, Delivery, Event, EventRef, Failure,
    Message, MessageKind, Outgoing, Prepared, Timestamp, Transport,
};
use tidegate_fuzz::calls::{Call, inputs};
use tidegate_fuzz::settings::Settings;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

#[derive(Arbitrary, Debug)]
struct Case {
    settings: Settings,
    /// Whether input is handed over only while `wants_input` says so.
    respects: bool,
    /// Whether one call takes input and returns an event, as `receive` does.
    receives: bool,
    calls: Vec<Call>,
}

fuzz_target!(|case: Case| {
    let pool = case.settings.pool();
    // The peer uses the same pool, so contexts pass from one connection to the other.
    let mut peer = case.settings.peer_with(pool.clone());
    let inputs = inputs(&case.calls, &case.settings, &mut peer);
    let bound = case.settings.config().memory_bound();
    // The pool belongs to the application; the connection's bound has one context of each kind.
    let pooled_bytes = if pool.is_some() { case.settings.pooled() * POOLED } else { 0 };
    let before = MEMORY.current_usage();
    let mut run = Run::new(&case, case.settings.connection_with(pool));
    for (call, input) in case.calls.into_iter().zip(inputs) {
        run.act(call, &input);
        run.check();
        if run.respects {
            let held = MEMORY.current_usage().saturating_sub(before);
            let most = bound + run.owed + run.own + pooled_bytes;
            assert!(held <= most, "{held} bytes are held, the bound is {bound} and {}", run.owed);
        }
    }
    run.finish(peer);
});

/// Bytes of an inflater and a compressor in the pool.
const POOLED: usize = (80 + 376) * 1024;

struct Run {
    now: Timestamp,
    connection: Connection,
    respects: bool,
    receives: bool,
    /// Bytes above the watermarks that the application itself made the connection hold.
    owed: usize,
    /// Bytes that this target itself holds.
    own: usize,
    is_closed: bool,
    prepared: Option<Prepared>,
    /// The messages that were accepted.
    sent: Vec<(MessageKind, Vec<u8>)>,
    unfinished: Option<Vec<u8>>,
    /// The output that was taken.
    wire: Vec<u8>,
}

impl Run {
    fn new(case: &Case, connection: Connection) -> Self {
        Self {
            now: Timestamp::ZERO,
            connection,
            respects: case.respects,
            receives: case.receives,
            owed: 0,
            own: 0,
            is_closed: false,
            prepared: None,
            sent: Vec::new(),
            unfinished: None,
            wire: Vec::new(),
        }
    }

    /// Does work of the target itself, and adds the memory that it allocates to `own`.
    fn uncounted(&mut self, work: impl FnOnce(&mut Self)) {
        let before = MEMORY.current_usage();
        work(self);
        self.own = (self.own + MEMORY.current_usage()).saturating_sub(before);
    }

    fn act(&mut self, call: Call, input: &[u8]) {
        let (now, connection) = (self.now, &mut self.connection);
        match call {
            Call::Input(_) | Call::Frame { .. } | Call::Compressed { .. } => {
                if self.receives {
                    self.receive(input);
                } else if !self.respects || connection.wants_input() {
                    connection.handle_input(now, input);
                }
            }
            Call::End => connection.handle_eof(now),
            Call::Wait(millis) => {
                self.now = now + Duration::from_millis(millis.into());
                connection.handle_timeout(self.now);
            }
            Call::Deadline => {
                if let Some(deadline) = connection.poll_timeout() {
                    self.now = now.max(deadline);
                    connection.handle_timeout(self.now);
                    let next = connection.poll_timeout();
                    assert!(next.is_none_or(|next| next > self.now), "a deadline goes away");
                }
            }
            Call::Take(count) => {
                for _ in 0..count {
                    let Some(event) = connection.poll_event() else { break };
                    assert!(!self.is_closed, "the end is the last event");
                    self.is_closed = matches!(event, Event::Closed(_));
                }
            }
            Call::Write(most) => self.write(most.into()),
            Call::Send(text, compress, bytes) => {
                let choices = [Compress::Auto, Compress::Always, Compress::Never];
                let compress = choices[usize::from(compress) % 3];
                let message = if text {
                    Message::text(String::from_utf8_lossy(&bytes).into_owned())
                } else {
                    Message::binary(bytes)
                };
                self.send(message, compress);
            }
            Call::Long(length) => {
                self.send(Message::binary(vec![0x5A; length.into()]), Compress::Never);
            }
            Call::Chunk(text, payload, last) => {
                let kind = if text { MessageKind::Text } else { MessageKind::Binary };
                let (length, could) = (payload.len(), connection.can_send_chunk());
                let chunk = Chunk { kind, payload: payload.clone().into(), last };
                let sent = connection.send_chunk(chunk);
                assert!(could || sent.is_err());
                self.owe(sent.is_ok(), length);
                if sent.is_ok() {
                    self.uncounted(|run| {
                        let begun = run.unfinished.get_or_insert_default();
                        begun.extend(payload);
                        if last {
                            run.sent.extend(run.unfinished.take().map(|whole| (kind, whole)));
                        }
                    });
                }
            }
            Call::Prepared(preparing) => {
                self.uncounted(|run| run.prepared = Some(preparing.make()));
                self.send_prepared();
            }
            Call::Again => self.send_prepared(),
            Call::Ping(payload) => drop(connection.ping(now, payload)),
            Call::Pong(payload) => drop(connection.pong(payload)),
            Call::Close(frame) => {
                let frame =
                    frame.map(|(code, reason)| CloseFrame::new(CloseCode::from(code), reason));
                let was_closing = connection.is_closing();
                let closed = connection.close(now, frame);
                assert!(!was_closing || closed.is_err(), "one Close");
            }
            Call::Abort => connection.abort(),
        }
    }

    /// Receives all input, with `receive` and `receive_ref` in turn.
    fn receive(&mut self, mut input: &[u8]) {
        let most = input.len() + self.connection.queued_messages() + 100_000;
        let mut buffer = Vec::new();
        self.uncounted(|_| buffer = input.to_vec());
        for turn in 0..most {
            let before = input.len();
            let is_closed = if turn % 2 == 0 {
                let event = self.connection.receive(self.now, &mut input);
                event.map(|event| matches!(event, Event::Closed(_)))
            } else {
                let start = buffer.len() - input.len();
                let mut lending = &mut buffer[start..];
                let event = self.connection.receive_ref(self.now, &mut lending);
                let is_closed =
                    event.map(|event| matches!(event, EventRef::Owned(Event::Closed(_))));
                let left = lending.len();
                input = &input[before - left..];
                is_closed
            };
            let Some(is_closed) = is_closed else {
                assert!(input.is_empty(), "without an event all of it is taken");
                self.uncounted(|_| drop(buffer));
                return;
            };
            assert!(!self.is_closed, "the end is the last event");
            self.is_closed = is_closed;
            assert!(input.len() <= before);
            self.check();
        }
        panic!("more events than there can be");
    }

    fn send(&mut self, message: Message, compress: Compress) {
        let (length, could) = (message.len(), self.connection.can_send());
        if could {
            self.uncounted(|run| run.sent.push((message.kind(), message.as_bytes().to_vec())));
        }
        assert_eq!(self.connection.send(Outgoing::from(message).compress(compress)).is_ok(), could);
        self.owe(could, length);
    }

    fn send_prepared(&mut self) {
        let Some(prepared) = self.prepared.take() else { return };
        let (message, could) = (prepared.message(), self.connection.can_send());
        if could {
            self.uncounted(|run| run.sent.push((message.kind(), message.as_bytes().to_vec())));
        }
        // Its compressed form is kept in it, and so belongs to the application.
        assert_eq!(self.connection.send(&prepared).is_ok(), could);
        self.owe(could, 2 * message.len());
        self.prepared = Some(prepared);
    }

    fn write(&mut self, most: usize) {
        let mut left = most;
        while left > 0 && self.connection.wants_output() {
            let count = self.connection.output().chunk().len().min(left);
            self.uncounted(|run| run.wire.extend(&run.connection.output().chunk()[..count]));
            self.connection.output().advance(count);
            left -= count;
        }
    }

    /// The message that crosses the send mark may exceed the bound by its length.
    fn owe(&mut self, sent: bool, length: usize) {
        if sent {
            self.owed = self.owed.max(2 * length + 1024);
        }
    }

    /// Checks the invariants that hold after every call.
    fn check(&self) {
        let connection = &self.connection;
        let config = connection.config();
        let high = config.message_marks().high();
        assert!(connection.queued_messages() <= high, "the gate holds");
        let longest = match config.delivery() {
            Delivery::Whole => config.max_message_size(),
            _ => 64 * 1024,
        };
        let most = config.byte_marks().high().saturating_add(longest.max(125));
        assert!(connection.queued_bytes() < most, "bytes are bounded");
        assert!(!connection.wants_input() || connection.is_gate_open());
        assert!(!connection.can_send() || !connection.is_closing());
        match connection.transport() {
            // Or the closing handshake is done, and the application has not taken all messages.
            Transport::Close => {
                assert!(connection.closed().is_some() || !connection.is_gate_open(), "it says why")
            }
            Transport::ShutdownWrite => assert!(!connection.wants_output(), "all is written"),
            Transport::KeepOpen => {}
        }
        let stats = connection.stats();
        assert!(stats.peak_messages >= connection.queued_messages());
        assert!(stats.peak_bytes >= connection.queued_bytes());
    }

    /// Ends the stream: the connection reports its end once, and keeps nothing.
    fn finish(mut self, peer: Connection) {
        let is_open = self.connection.closed().is_none();
        if is_open {
            self.write(usize::MAX);
        }
        self.connection.handle_eof(self.now);
        while let Some(event) = self.connection.poll_event() {
            assert!(!self.is_closed, "the end is the last event");
            self.is_closed = matches!(event, Event::Closed(_));
            self.check();
        }
        assert!(self.is_closed, "the end is told");
        assert_eq!((self.connection.queued_messages(), self.connection.queued_bytes()), (0, 0));
        self.write(usize::MAX);
        assert_eq!(self.connection.transport(), Transport::Close);
        self.read_back(peer, is_open);
    }

    /// A peer that reads the output receives the messages that were sent.
    fn read_back(&self, mut peer: Connection, is_all: bool) {
        let mut read = Vec::new();
        for piece in self.wire.chunks(16 * 1024) {
            peer.handle_input(self.now, piece);
            while let Some(event) = peer.poll_event() {
                match event {
                    Event::Message(message) => read.push(message),
                    Event::Closed(closed) => {
                        let failure = closed.failure();
                        let is_fault = matches!(failure, Some(Failure::Protocol(_)));
                        assert!(!is_fault, "the peer finds fault with it: {failure:?}");
                    }
                    _ => {}
                }
            }
        }
        let read: Vec<_> =
            read.iter().map(|message| (message.kind(), message.as_bytes())).collect();
        let sent: Vec<_> = self.sent.iter().map(|(kind, bytes)| (*kind, &bytes[..])).collect();
        assert!(sent.starts_with(&read), "messages in order, as they were");
        assert!(!is_all || sent.len() == read.len(), "all that was accepted");
    }
}
