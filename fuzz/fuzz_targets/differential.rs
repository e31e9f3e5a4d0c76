//! The same bytes to tidegate and to tungstenite: the same events, the same end, or a difference
//! that `src/differences.rs` explains.
#![no_main]

use std::io::{self, Read, Write};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tidegate_core::testing::{Frame, opcode};
use tidegate_core::{Config, Connection, Event, Failure, Message, Timestamp, Watermarks};
use tidegate_fuzz::differences::{Observed, Outcome, close_as_theirs, compare};
use tidegate_fuzz::{cut, drain};
use tungstenite::protocol::{Role as TheirRole, WebSocketConfig};

#[derive(Arbitrary, Debug)]
struct Case<'b> {
    is_client: bool,
    seed: u8,
    bytes: &'b [u8],
}

fuzz_target!(|case: Case<'_>| {
    let (ours, failure) = tidegate(&case);
    let (theirs, has_failed) = tungstenite(&case);
    if let Err(what) = compare(&ours, failure, &theirs, has_failed) {
        panic!("{what}\nours: {ours:?}, {failure:?}\ntheirs: {theirs:?}, failed: {has_failed}");
    }
});

fn tidegate(case: &Case<'_>) -> (Outcome, Option<Failure>) {
    let config = Config::builder()
        .message_marks(Watermarks::UNLIMITED)
        .byte_marks(Watermarks::UNLIMITED)
        .max_message_size(LIMIT)
        .surface_control(true)
        .build();
    let (config, now) = (config.expect("valid"), Timestamp::ZERO);
    let mut connection = if case.is_client {
        Connection::client(now, config, [3; 32])
    } else {
        Connection::server(now, config)
    };
    let (mut observed, mut output, mut failure) = (Vec::new(), Vec::new(), None);
    // No more than sixteen pings in a piece: of more that wait, the oldest give way.
    for piece in cut(case.bytes, case.seed.into(), 30).into_iter().map(Some).chain([None]) {
        match piece {
            Some(piece) => connection.handle_input(now, piece),
            None => connection.handle_eof(now),
        }
        while let Some(event) = connection.poll_event() {
            observed.push(match event {
                Event::Message(Message::Text(text)) => Observed::Text(text.to_string()),
                Event::Message(Message::Binary(bytes)) => Observed::Binary(bytes.to_vec()),
                Event::Ping(payload) => Observed::Ping(payload.to_vec()),
                Event::Pong(payload) => Observed::Pong(payload.to_vec()),
                Event::Closed(closed) => {
                    failure = closed.failure();
                    let Some(frame) = closed.received() else { continue };
                    close_as_theirs(frame.code.into(), &frame.reason)
                }
                other => panic!("{other:?}"),
            });
        }
        drain(&mut connection, usize::MAX, &mut output);
    }
    (outcome(observed, &output), failure)
}

fn tungstenite(case: &Case<'_>) -> (Outcome, bool) {
    let role = if case.is_client { TheirRole::Client } else { TheirRole::Server };
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .max_message_size(Some(LIMIT))
        // A control frame counts too, and so does a length that was never meant to be read.
        .max_frame_size(Some(1 << 20));
    let stream = Stream { input: case.bytes, output: Vec::new() };
    let mut socket = tungstenite::WebSocket::from_raw_socket(stream, role, Some(config));
    let mut observed = Vec::new();
    let has_failed = loop {
        observed.push(match socket.read() {
            Ok(tungstenite::Message::Text(text)) => Observed::Text(text.to_string()),
            Ok(tungstenite::Message::Binary(bytes)) => Observed::Binary(bytes.to_vec()),
            Ok(tungstenite::Message::Ping(payload)) => Observed::Ping(payload.to_vec()),
            Ok(tungstenite::Message::Pong(payload)) => Observed::Pong(payload.to_vec()),
            Ok(tungstenite::Message::Close(frame)) => {
                observed.push(Observed::Close(
                    frame.map(|frame| (frame.code.into(), frame.reason.to_string())),
                ));
                // What follows a Close is not compared.
                let _ = socket.flush();
                break false;
            }
            Ok(other) => panic!("{other:?}"),
            Err(_) => break true,
        });
    };
    let output = socket.get_ref().output.clone();
    (outcome(observed, &output), has_failed)
}

fn outcome(observed: Vec<Observed>, output: &[u8]) -> Outcome {
    let (mut pongs, mut sent_close) = (Vec::new(), None);
    for frame in Frame::parse_all(output).expect("whole frames go out") {
        match frame.opcode {
            opcode::PONG => pongs.push(frame.payload),
            opcode::CLOSE => {
                let code = frame.payload.first_chunk::<2>().map(|code| u16::from_be_bytes(*code));
                sent_close = Some(code.unwrap_or(1005));
            }
            other => panic!("a frame with opcode {other}"),
        }
    }
    Outcome { observed, pongs, sent_close }
}

/// The peer in memory.
struct Stream<'b> {
    input: &'b [u8],
    output: Vec<u8>,
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.input.read(buffer)
    }
}

impl Write for Stream<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The longest message.
const LIMIT: usize = 4096;
