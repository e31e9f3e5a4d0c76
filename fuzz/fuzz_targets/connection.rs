//! Any calls in any order: nothing panics, nothing spins, and what must hold after each call holds;
//! memory too, as long as the caller reads as `wants_input` says.
#![no_main]

use core::time::Duration;

use arbitrary::Arbitrary;
use bytes::Buf;
use libfuzzer_sys::fuzz_target;
use peak_alloc::PeakAlloc;
use tidegate_core::testing::Frame;
use tidegate_core::testing::Random;
use tidegate_core::{
    Chunk, CloseCode, CloseFrame, Compress, Connection, Delivery, Event, Message, MessageKind,
    Prepared, Timestamp, Transport,
};
use tidegate_fuzz::settings::Settings;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

#[derive(Arbitrary, Debug)]
struct Case {
    settings: Settings,
    respects: bool,
    calls: Vec<Call>,
}

#[derive(Arbitrary, Debug)]
enum Call {
    Input(Vec<u8>),
    /// A frame, so that not all input is an error soon.
    Frame {
        opcode: u8,
        fin: bool,
        rsv1: bool,
        length: u16,
        byte: u8,
    },
    /// A message that our own compressor made.
    Compressed {
        length: u16,
        byte: u8,
        text: bool,
    },
    End,
    Wait(u16),
    Deadline,
    Take(u8),
    Write(u16),
    Send(bool, u8, Vec<u8>),
    Long(u16),
    Chunk(bool, Vec<u8>, bool),
    Prepared(u16),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
    Abort,
}

fuzz_target!(|case: Case| {
    let inputs = inputs(&case);
    let bound = case.settings.config().memory_bound();
    let before = MEMORY.current_usage();
    let mut run = Run::new(&case);
    for (call, input) in case.calls.into_iter().zip(inputs) {
        run.act(call, &input);
        run.check();
        if run.respects {
            let held = MEMORY.current_usage().saturating_sub(before);
            let most = bound + run.owed;
            assert!(held <= most, "{held} bytes are held, the bound is {bound} and {}", run.owed);
        }
    }
    run.finish();
});

/// What comes from the network in each call, made before memory is counted.
fn inputs(case: &Case) -> Vec<Vec<u8>> {
    let mut peer = case.settings.peer();
    let masks = !case.settings.has(Settings::CLIENT);
    let inputs = case.calls.iter().map(|call| match call {
        Call::Input(bytes) => bytes.clone(),
        Call::Frame { opcode, fin, rsv1, length, byte } => {
            let most = if opcode & 0x08 != 0 { 125 } else { 5000 };
            let payload = vec![*byte; usize::from(*length) % (most + 1)];
            let mut frame = Frame::new(opcode & 0x0F, payload);
            frame.fin = *fin;
            frame.reserved = u8::from(*rsv1) << 2;
            if masks { frame.masked([*byte, 2, 3, 4]).encode() } else { frame.encode() }
        }
        Call::Compressed { length, byte, text } => {
            let mut random = Random::new((*byte).into());
            let payload = match byte % 3 {
                0 => vec![*byte & 0x7F; usize::from(*length)],
                _ => random.bytes(usize::from(*length) % 700),
            };
            let message = if *text && byte % 3 == 0 {
                Message::text(String::from_utf8(payload).expect("ASCII"))
            } else {
                Message::binary(payload)
            };
            let _ = peer.send_with(message, Compress::Always);
            let mut wire = Vec::new();
            tidegate_fuzz::drain(&mut peer, usize::MAX, &mut wire);
            wire
        }
        _ => Vec::new(),
    });
    inputs.collect()
}

struct Run {
    now: Timestamp,
    connection: Connection,
    respects: bool,
    /// What the application itself made the connection hold above its marks.
    owed: usize,
    is_closed: bool,
}

impl Run {
    fn new(case: &Case) -> Self {
        Self {
            now: Timestamp::ZERO,
            connection: case.settings.connection(),
            respects: case.respects,
            owed: 0,
            is_closed: false,
        }
    }

    fn act(&mut self, call: Call, input: &[u8]) {
        let (now, connection) = (self.now, &mut self.connection);
        match call {
            Call::Input(_) | Call::Frame { .. } | Call::Compressed { .. } => {
                if !self.respects || connection.wants_input() {
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
            Call::Write(most) => {
                let output = connection.output();
                let count = usize::from(most).min(output.remaining());
                output.advance(count);
            }
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
                let sent = connection.send_chunk(Chunk { kind, payload: payload.into(), last });
                assert!(could || sent.is_err());
                self.owe(sent.is_ok(), length);
            }
            Call::Prepared(length) => {
                let length = usize::from(length) % 3000;
                let prepared = Prepared::new(vec![0x33; length]);
                let could = connection.can_send();
                assert_eq!(connection.send_prepared(&prepared).is_ok(), could);
                self.owe(could, length);
            }
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

    fn send(&mut self, message: Message, compress: Compress) {
        let (length, could) = (message.len(), self.connection.can_send());
        assert_eq!(self.connection.send_with(message, compress).is_ok(), could);
        self.owe(could, length);
    }

    /// The message with which the application crosses the send mark is on its own account.
    fn owe(&mut self, sent: bool, length: usize) {
        if sent {
            self.owed = self.owed.max(2 * length + 1024);
        }
    }

    /// What holds after every call.
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
            Transport::Close => assert!(connection.closed().is_some(), "it says why"),
            Transport::ShutdownWrite => assert!(!connection.wants_output(), "all is written"),
            Transport::KeepOpen => {}
        }
        let stats = connection.stats();
        assert!(stats.peak_messages >= connection.queued_messages());
        assert!(stats.peak_bytes >= connection.queued_bytes());
    }

    /// Taken to its end, it ends: once, and with nothing left.
    fn finish(mut self) {
        self.connection.handle_eof(self.now);
        while let Some(event) = self.connection.poll_event() {
            assert!(!self.is_closed, "the end is the last event");
            self.is_closed = matches!(event, Event::Closed(_));
            self.check();
        }
        assert!(self.is_closed, "the end is told");
        assert_eq!((self.connection.queued_messages(), self.connection.queued_bytes()), (0, 0));
        let mut output = Vec::new();
        tidegate_fuzz::drain(&mut self.connection, usize::MAX, &mut output);
        assert_eq!(self.connection.transport(), Transport::Close);
    }
}
