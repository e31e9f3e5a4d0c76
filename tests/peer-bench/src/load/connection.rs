//! One connection of the load generator.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::{Measured, Opening, Script};
use crate::frames::frame_length;

pub struct Connection {
    stream: mio::net::TcpStream,
    /// The next frame of the script.
    next: usize,
    /// Bytes of the script that may be written, and that were written, since the start.
    queued: u64,
    written: u64,
    /// When the messages in flight were queued.
    under_way: VecDeque<Instant>,
    /// The remaining length of the arriving answer, and its first bytes while the length is unknown.
    left: usize,
    head: Vec<u8>,
}

impl Connection {
    pub fn new(stream: mio::net::TcpStream) -> Self {
        Self {
            stream,
            next: 0,
            queued: 0,
            written: 0,
            under_way: VecDeque::new(),
            left: 0,
            head: Vec::new(),
        }
    }

    /// Allows this many messages to be written.
    pub fn queue(&mut self, script: &Script, messages: usize, now: Instant) {
        for _ in 0..messages {
            let begin = self.next.checked_sub(1).map_or(0, |before| script.ends[before]);
            self.queued += (script.ends[self.next] - begin) as u64;
            self.next = (self.next + 1) % script.ends.len();
            self.under_way.push_back(now);
        }
    }

    pub fn write(&mut self, script: &Script) -> io::Result<()> {
        while self.written < self.queued {
            let at = (self.written % script.bytes.len() as u64) as usize;
            let most = (self.queued - self.written).min((script.bytes.len() - at) as u64) as usize;
            match self.stream.write(&script.bytes[at..at + most]) {
                Ok(length) => self.written += length as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what has arrived. Returns the number of answers.
    pub fn read(&mut self, buffer: &mut [u8], measured: &mut Measured) -> io::Result<usize> {
        let mut answers = 0;
        loop {
            let length = match self.stream.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            measured.bytes += length as u64;
            answers += self.count(&buffer[..length]);
            if length < buffer.len() {
                break;
            }
        }
        measured.messages += answers as u64;
        let now = Instant::now();
        for _ in 0..answers {
            if let Some(queued) = self.under_way.pop_front() {
                measured.latency.add(now - queued);
            }
        }
        Ok(answers)
    }

    fn count(&mut self, mut bytes: &[u8]) -> usize {
        let mut answers = 0;
        while !bytes.is_empty() {
            if self.left == 0 {
                let known = if self.head.is_empty() {
                    frame_length(bytes)
                } else {
                    // A partial header: byte by byte until the length is known.
                    self.head.push(bytes[0]);
                    bytes = &bytes[1..];
                    frame_length(&self.head).map(|length| length - self.head.len())
                };
                match known {
                    Some(length) => {
                        self.left = length;
                        self.head.clear();
                    }
                    None if self.head.is_empty() => {
                        self.head.extend_from_slice(bytes);
                        return answers;
                    }
                    None => continue,
                }
            }
            let part = self.left.min(bytes.len());
            self.left -= part;
            bytes = &bytes[part..];
            if self.left == 0 {
                answers += 1;
            }
        }
        answers
    }
}

/// Connects, and does the opening handshake.
pub fn open(address: SocketAddr, opening: Opening) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    // Closed by a reset, since tens of thousands of ports would otherwise stay in TIME_WAIT.
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    let extensions = match opening {
        Opening::None => {
            stream.set_nonblocking(true)?;
            return Ok(stream);
        }
        Opening::Plain => "",
        Opening::Deflate => "Sec-WebSocket-Extensions: permessage-deflate\r\n",
        Opening::DeflateNoTakeover => {
            "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
             client_no_context_takeover\r\n"
        }
    };
    stream.write_all(
        format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             {extensions}\r\n"
        )
        .as_bytes(),
    )?;
    // No server sends first, so the input ends with the head.
    let mut head = Vec::new();
    let mut part = [0; 512];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut part)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            length => head.extend_from_slice(&part[..length]),
        }
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let is_agreed = extensions.is_empty() || head.contains("permessage-deflate");
    if !head.starts_with("http/1.1 101") || !is_agreed {
        return Err(io::Error::other(head));
    }
    stream.set_nonblocking(true)?;
    Ok(stream)
}
