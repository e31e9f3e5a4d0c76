//! A stream that does what a script says, errors included.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};

use tidegate_core::event_loop::Duplex;
use tidegate_core::testing::{Frame, opcode};
use tidegate_core::{CloseCode, CloseFrame, Config, Connection, READ_SIZE, Timestamp};

/// What the next reads, writes and shutdowns give; then they would block.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) reads: VecDeque<io::Result<Vec<u8>>>,
    /// So many bytes are taken, or an error.
    pub(crate) writes: VecDeque<io::Result<usize>>,
    pub(crate) shutdowns: VecDeque<io::Result<()>>,
    pub(crate) written: Vec<u8>,
    pub(crate) read_calls: usize,
    pub(crate) write_calls: usize,
    pub(crate) shutdown_calls: usize,
}

impl Script {
    /// Reads that give these.
    pub(crate) fn reads(reads: impl IntoIterator<Item = io::Result<Vec<u8>>>) -> Self {
        Self { reads: reads.into_iter().collect(), ..Self::default() }
    }

    /// Takes everything that is written.
    pub(crate) fn takes_all(mut self) -> Self {
        self.writes = (0..1000).map(|_| Ok(usize::MAX)).collect();
        self
    }
}

impl Read for Script {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_calls += 1;
        let bytes = self.reads.pop_front().unwrap_or_else(|| Err(ErrorKind::WouldBlock.into()))?;
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        if count < bytes.len() {
            self.reads.push_front(Ok(bytes[count..].to_vec()));
        }
        Ok(count)
    }
}

impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_calls += 1;
        let most = self.writes.pop_front().unwrap_or_else(|| Err(ErrorKind::WouldBlock.into()))?;
        let count = most.min(bytes.len());
        self.written.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Duplex for Script {
    fn shut_down_write(&mut self) -> io::Result<()> {
        self.shutdown_calls += 1;
        self.shutdowns.pop_front().unwrap_or(Ok(()))
    }
}

pub(crate) fn server(config: Config) -> Connection {
    Connection::server(Timestamp::ZERO, config)
}

pub(crate) fn buffer() -> Vec<u8> {
    vec![0; READ_SIZE]
}

pub(crate) fn text(text: &str) -> Vec<u8> {
    Frame::new(opcode::TEXT, text).masked([1, 2, 3, 4]).encode()
}

pub(crate) fn ping(payload: &str) -> Vec<u8> {
    Frame::new(opcode::PING, payload).masked([1, 2, 3, 4]).encode()
}

pub(crate) fn pong(payload: &[u8]) -> Vec<u8> {
    Frame::new(opcode::PONG, payload).masked([1, 2, 3, 4]).encode()
}

pub(crate) fn close(code: u16, reason: &str) -> Vec<u8> {
    Frame::close(Some(code), reason).masked([1, 2, 3, 4]).encode()
}

pub(crate) fn frame(code: u16, reason: &'static str) -> CloseFrame {
    CloseFrame::new(CloseCode::from(code), reason)
}
