//! A minimal client that sends exactly what the test says.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use crate::LONG;

pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// Sends a request with these additional lines.
    pub(crate) fn ask(&mut self, target: &str, lines: &[&str]) {
        let mut head = format!(
            "GET {target} HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        );
        for line in lines {
            head += line;
            head += "\r\n";
        }
        head += "\r\n";
        self.0.write_all(head.as_bytes()).unwrap();
    }

    /// The head of the response.
    pub(crate) fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.byte().expect("the head is complete"));
        }
        String::from_utf8(head).unwrap()
    }

    /// The status of the response to a request.
    pub(crate) fn status(&mut self) -> u16 {
        self.head()[9..12].parse().unwrap()
    }

    pub(crate) fn upgraded(mut self) -> Self {
        self.ask("/", &[]);
        assert_eq!(self.status(), 101);
        self
    }

    /// Whether nothing arrives for this long.
    pub(crate) fn is_silent(&mut self, time: Duration) -> bool {
        self.0.set_read_timeout(Some(time)).unwrap();
        let error = self.0.peek(&mut [0]).map_err(|error| error.kind());
        self.0.set_read_timeout(Some(LONG)).unwrap();
        matches!(error, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }

    /// Whether the stream ends here, properly or by a reset.
    pub(crate) fn is_at_end(&mut self) -> bool {
        self.byte().is_none()
    }

    /// Sends a frame with the masking key 0.
    pub(crate) fn send(&mut self, first: u8, payload: &[u8]) {
        let mut frame = vec![first, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0];
        frame.extend_from_slice(payload);
        self.0.write_all(&frame).unwrap();
    }

    /// Sends several frames in one piece.
    pub(crate) fn send_all(&mut self, frames: &[(u8, &[u8])]) {
        let mut bytes = Vec::new();
        for (first, payload) in frames {
            bytes.extend([*first, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0]);
            bytes.extend_from_slice(payload);
        }
        self.0.write_all(&bytes).unwrap();
    }

    /// The next frame: its first byte and its payload.
    pub(crate) fn frame(&mut self) -> (u8, Vec<u8>) {
        let mut header = [0; 2];
        self.0.read_exact(&mut header).unwrap();
        let length = match header[1] {
            126 => {
                let mut length = [0; 2];
                self.0.read_exact(&mut length).unwrap();
                usize::from(u16::from_be_bytes(length))
            }
            length => usize::from(length),
        };
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).unwrap();
        (header[0], payload)
    }

    /// Sends a message and receives it back.
    pub(crate) fn echo(&mut self) {
        self.send(0x81, b"hi");
        assert_eq!(self.frame(), (0x81, b"hi".to_vec()));
    }

    /// Receives everything up to a Close with 1001, answers it, and waits for the end of the stream.
    pub(crate) fn goes_away(mut self) {
        loop {
            if let (0x88, payload) = self.frame() {
                assert_eq!(payload[..2], 1001_u16.to_be_bytes());
                self.send(0x88, &payload[..2]);
                assert!(self.is_at_end());
                return;
            }
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        match self.0.read(&mut byte) {
            Ok(0) => None,
            Ok(_) => Some(byte[0]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
            Err(error) => panic!("{error}"),
        }
    }
}
