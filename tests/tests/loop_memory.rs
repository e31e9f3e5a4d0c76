//! The core's event loop keeps a connection within `Config::memory_bound()`, whatever the peer sends
//! and the application does, while the peer reads nothing.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm)]

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use peak_alloc::PeakAlloc;
use tidegate_core::event_loop::{Duplex, Handler, Next, Operations, Turn, turn_with};
use tidegate_core::{Config, Connection, Event, READ_SIZE, Timestamp, Watermarks};
use tidegate_tests::frames::{Frame, opcode};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const NOW: Timestamp = Timestamp::ZERO;

/// A peer that repeats one input, and reads nothing.
struct Flood<'b> {
    unit: &'b [u8],
    at: usize,
    left: usize,
}

impl Read for Flood<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = buffer.len().min(self.left);
        let mut room = buffer.get_mut(..count).unwrap();
        while !room.is_empty() {
            let piece = self.unit.get(self.at..).unwrap();
            let piece = piece.get(..room.len()).unwrap_or(piece);
            let (place, rest) = room.split_at_mut(piece.len());
            place.copy_from_slice(piece);
            self.at = (self.at + piece.len()) % self.unit.len();
            room = rest;
        }
        self.left -= count;
        Ok(count)
    }
}

impl Write for Flood<'_> {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(ErrorKind::WouldBlock.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Duplex for Flood<'_> {
    fn shut_down_write(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What an application does with messages.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Application {
    IsNeverReady,
    Answers,
    Forgets,
}

impl Handler for Application {
    fn event(&mut self, connection: &mut Connection, event: Event) {
        if let (Self::Answers, Event::Message(message)) = (&self, event) {
            assert!(connection.send(message).is_ok() || connection.is_closing());
        }
    }

    fn is_ready(&self) -> bool {
        *self != Self::IsNeverReady
    }
}

fn by_readiness(connection: &mut Connection, flood: &mut Flood<'_>, mut application: Application) {
    let mut buffer = [0; READ_SIZE];
    while let Turn::Again = turn_with(connection, flood, &mut buffer, NOW, &mut application) {}
}

fn by_completions(
    connection: &mut Connection,
    flood: &mut Flood<'_>,
    mut application: Application,
) {
    let (mut operations, mut buffer) = (Operations::default(), [0; READ_SIZE]);
    while let Next::Submit(submit) = operations.next(connection, NOW, &mut application) {
        if let Some(size) = submit.receive {
            let size = size.min(READ_SIZE);
            let Ok(count) = flood.read(buffer.get_mut(..size).unwrap()) else { return };
            operations.received(connection, NOW, Ok(&buffer[..count]), &mut application);
        } else if submit.until == Some(NOW) {
            connection.handle_timeout(NOW);
        } else {
            return; // the loop waits for something that never comes
        }
    }
}

#[test]
fn the_event_loop_stays_within_the_memory_bound() {
    let small = Config::builder()
        .max_message_size(20_000)
        .byte_marks(Watermarks::new(50_000, 10_000))
        .send_marks(Watermarks::new(10_000, 1000));
    let configs = [Config::default(), small.build().unwrap()].map(Arc::new);
    for config in configs {
        let max = config.max_message_size();
        let frame = |op, length| Frame::new(op, vec![b'x'; length]).masked([1, 2, 3, 4]).encode();
        let begun = Frame::new(opcode::TEXT, vec![]).unfinished().masked([0; 4]).encode();
        let units = [
            frame(opcode::BINARY, 0),
            frame(opcode::TEXT, 100),
            frame(opcode::BINARY, max),
            frame(opcode::PING, 125),
            [frame(opcode::TEXT, 1), frame(opcode::PING, 125)].concat(),
            [begun, frame(opcode::CONTINUATION, max - 1)].concat(),
        ];
        for unit in units {
            for application in
                [Application::IsNeverReady, Application::Answers, Application::Forgets]
            {
                for run in [by_readiness, by_completions] {
                    let mut flood = Flood { unit: &unit, at: 0, left: 4 * max + 5 * READ_SIZE };
                    let before = MEMORY.current_usage();
                    MEMORY.reset_peak_usage();
                    let mut connection = Box::new(Connection::server(NOW, Arc::clone(&config)));
                    run(&mut connection, &mut flood, application);
                    let peak = MEMORY.peak_usage() - before;
                    // Not counted: the answer that crosses the send watermark, and the copy of the output
                    // in flight. Both belong to the application.
                    let own = if application == Application::Answers { max } else { 0 };
                    let bound = config.memory_bound() + own + READ_SIZE;
                    assert!(peak <= bound, "{application:?}: {peak} > {bound}");
                    assert_eq!(
                        flood.left == 0,
                        application == Application::Forgets || unit.first() == Some(&0x89),
                        "{application:?}: only who takes everything is sent everything: {}",
                        flood.left
                    );
                }
            }
        }
    }
}
