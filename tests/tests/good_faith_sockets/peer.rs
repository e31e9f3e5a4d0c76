//! A correct peer on a blocking socket, in its own thread.

use core::time::Duration;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use tidegate_tests::ends::Raw;

use crate::frames::{decode, encode};

/// What the peer received, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Message(Vec<u8>),
    Pong(Vec<u8>),
    Close(Vec<u8>),
    Fin,
    Reset,
}

type Log = Arc<Mutex<Vec<(Instant, Seen)>>>;

/// A client that reads in a thread, while the test writes.
pub(crate) struct Peer {
    stream: TcpStream,
    log: Log,
    reading: Option<JoinHandle<()>>,
}

impl Peer {
    /// Answers every ping after this time, and every Close.
    pub(crate) fn client(raw: &Raw, delay: Duration) -> Self {
        let stream = raw.tcp().try_clone().unwrap();
        let log = Log::default();
        let (mut reader, seen) = (stream.try_clone().unwrap(), Arc::clone(&log));
        let reading = thread::spawn(move || read(&mut reader, &seen, delay));
        Self { stream, log, reading: Some(reading) }
    }

    pub(crate) fn send(&mut self, first: u8, payload: &[u8]) {
        self.raw(&encode(first, payload, true));
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        self.send(0x88, &[&code.to_be_bytes()[..], reason.as_bytes()].concat());
    }

    pub(crate) fn log(&self) -> Vec<(Instant, Seen)> {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn has(&self, wanted: &Seen) -> bool {
        self.log().iter().any(|(_, seen)| seen == wanted)
    }

    pub(crate) fn messages(&self) -> usize {
        self.log().iter().filter(|(_, seen)| matches!(seen, Seen::Message(_))).count()
    }

    /// Waits until the peer has received the end of the stream.
    pub(crate) fn join(&mut self) {
        self.reading.take().unwrap().join().unwrap();
    }
}

fn read(stream: &mut TcpStream, log: &Log, delay: Duration) {
    let note = |seen| log.lock().unwrap().push((Instant::now(), seen));
    let mut input = Vec::new();
    let mut buffer = [0; 4096];
    let mut has_closed = false;
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return note(Seen::Fin),
            Ok(count) => input.extend(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return note(Seen::Reset),
            Err(error) => panic!("{error}"),
        }
        while let Some(frame) = decode(&mut input, false) {
            match frame.opcode {
                1 | 2 => note(Seen::Message(frame.payload)),
                8 => {
                    if !has_closed {
                        has_closed = true;
                        let _ = stream.write_all(&encode(0x88, &frame.payload, true));
                    }
                    note(Seen::Close(frame.payload));
                }
                9 => {
                    let (mut stream, pong) =
                        (stream.try_clone().unwrap(), encode(0x8A, &frame.payload, true));
                    if delay.is_zero() {
                        let _ = stream.write_all(&pong);
                    } else {
                        thread::spawn(move || {
                            thread::sleep(delay);
                            let _ = stream.write_all(&pong);
                        });
                    }
                }
                10 => note(Seen::Pong(frame.payload)),
                opcode => panic!("opcode {opcode}"),
            }
        }
    }
}
