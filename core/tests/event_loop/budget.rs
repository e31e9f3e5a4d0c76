//! The work of one call is bounded, and `Again` says that there is more.

use std::io::{self, Read, Write};

use tidegate_core::event_loop::{Duplex, Turn, turn};
use tidegate_core::testing::{Frame, opcode};
use tidegate_core::{Config, Event, Message, Timestamp, Watermarks};

use crate::script::{buffer, server};

/// Gives the same bytes without end, and takes everything.
struct Endless {
    frame: Vec<u8>,
    at: usize,
    read: usize,
    written: usize,
    calls: usize,
    /// The most that a call moves.
    piece: usize,
}

impl Endless {
    fn new(frame: Vec<u8>, piece: usize) -> Self {
        Self { frame, at: 0, read: 0, written: 0, calls: 0, piece }
    }
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(self.piece);
        for place in &mut buffer[..count] {
            *place = self.frame[self.at % self.frame.len()];
            self.at += 1;
        }
        self.read += count;
        self.calls += 1;
        Ok(count)
    }
}

impl Write for Endless {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.piece);
        self.written += count;
        self.calls += 1;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Duplex for Endless {
    fn shut_down_write(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const NOW: Timestamp = Timestamp::ZERO;
const MIB: usize = 1024 * 1024;

#[test]
fn a_peer_that_always_has_more_gets_its_share() {
    for (length, piece) in [(0, usize::MAX), (1, 7), (1024, 1), (1024, usize::MAX), (MIB, 65_000)] {
        let frame = Frame::new(opcode::BINARY, vec![1; length]).masked([1, 2, 3, 4]).encode();
        let (mut connection, mut stream) = (server(Config::default()), Endless::new(frame, piece));
        let mut messages = 0;
        for turns in 1..=20 {
            let (read, written, calls) = (stream.read, stream.written, stream.calls);
            let before = calls + messages;
            let turn =
                turn(&mut connection, &mut stream, &mut buffer(), NOW, |connection, event| {
                    let Event::Message(message) = event else { panic!("{event:?}") };
                    messages += 1;
                    connection.send(message).unwrap();
                });
            assert!(matches!(turn, Turn::Again), "{turn:?}");
            assert!(stream.read - read <= 2 * MIB && stream.written - written <= 2 * MIB);
            assert!(stream.calls - calls <= 300, "{} calls", stream.calls - calls);
            assert!(messages <= turns * 17_000);
            assert!(stream.calls + messages > before, "each turn does something");
        }
        assert!(messages >= 2, "{length} {piece}: {messages}");
    }
}

#[test]
fn a_long_answer_is_written_over_many_turns() {
    let (mut connection, mut stream) =
        (server(Config::default()), Endless::new(vec![0], 64 * 1024));
    connection.send(Message::binary(vec![0; 20 * MIB])).unwrap();
    let mut turns = 0;
    while connection.wants_output() {
        let before = stream.written;
        let _ = turn(&mut connection, &mut stream, &mut buffer(), NOW, |_, _| {});
        assert!(stream.written - before <= 2 * MIB);
        turns += 1;
    }
    assert!((10..=40).contains(&turns), "{turns}");
}

/// What was received is not handed over all at once either.
#[test]
fn messages_that_wait_are_handed_over_in_shares() {
    let config = Config::builder().message_marks(Watermarks::UNLIMITED);
    let config = config.byte_marks(Watermarks::UNLIMITED).build().unwrap();
    let mut connection = server(config);
    connection.handle_input(NOW, &[0x82, 0x80, 0, 0, 0, 0].repeat(100_000));
    let (mut told, mut turns) = (0, 0);
    let mut stream = crate::script::Script::default();
    loop {
        let before = told;
        turns += 1;
        let turn = turn(&mut connection, &mut stream, &mut buffer(), NOW, |_, _| told += 1);
        assert!(told - before <= 17_000);
        match turn {
            Turn::Again => {}
            Turn::Wait(_) => break,
            Turn::Over { .. } => panic!("{turn:?}"),
        }
    }
    assert_eq!((told, turns), (100_000, 7));
}
