//! Input that is as expensive as a peer can make it, of any length: for the clock in
//! `benches/hostile.rs`, and for the counting of allocations in `tests/hostile.rs`.

use bytes::{Buf, Bytes};
use tidegate_core::deflate::{DeflateOptions, DeflateParams};
use tidegate_core::frame::{FrameHeader, Mask, OpCode, encode_header};
use tidegate_core::handshake::{Acceptance, Limits, ServerHandshake};
use tidegate_core::{
    Chunk, Config, ConfigBuilder, Connection, Event, MessageKind, READ_SIZE, Timestamp, Watermarks,
};

const NOW: Timestamp = Timestamp::ZERO;
const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// A way to be a burden.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attack {
    /// What the peer does.
    pub(crate) name: &'static str,
    /// So many bytes of it, about.
    pub(crate) input: fn(usize) -> Input,
}

/// What a server is given to eat.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one for each benchmark")]
pub(crate) enum Input {
    /// Frames after an opening handshake.
    Frames {
        /// The bytes.
        bytes: Vec<u8>,
        /// How many come in one read.
        read: usize,
        /// The server's settings.
        config: Config,
        /// Whether permessage-deflate was negotiated.
        deflate: bool,
        /// Whether the transport takes what goes out.
        drains: bool,
    },
    /// An opening handshake.
    Head {
        /// The bytes.
        bytes: Vec<u8>,
        /// How many come in one read.
        read: usize,
    },
}

impl Input {
    /// How many bytes there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Frames { bytes, .. } | Self::Head { bytes, .. } => bytes.len(),
        }
    }

    /// Gives all of it to a server, which takes every event. Tells how many events there were, or
    /// how many header fields.
    pub(crate) fn run(&self) -> usize {
        match self {
            Self::Frames { bytes, read, config, deflate, drains } => {
                let mut server = Connection::server(NOW, config.clone());
                if *deflate {
                    server = server.with_deflate(DeflateParams::default());
                }
                let mut events = 0;
                for piece in bytes.chunks(*read) {
                    server.handle_input(NOW, piece);
                    while let Some(event) = server.poll_event() {
                        assert!(!matches!(event, Event::Closed(_)), "{event:?}");
                        events += 1;
                    }
                    // A transport that takes nothing is asked all the same.
                    let output = server.output();
                    if *drains {
                        output.advance(output.remaining());
                    }
                }
                assert_eq!(server.closed(), None, "all of it is legal");
                events
            }
            Self::Head { bytes, read } => {
                let limits = Limits::builder().max_head_bytes(usize::MAX).max_headers(usize::MAX);
                let limits = limits.build().expect("valid");
                let mut server = ServerHandshake::new(NOW, limits);
                for piece in bytes.chunks(*read) {
                    server.handle_input(NOW, piece);
                }
                let Some(request) = server.request() else {
                    assert_eq!(server.failure(), None, "it is endless, not wrong");
                    return 0;
                };
                let chosen = request.select_subprotocol(&["superchat", "chat"]);
                assert_eq!(chosen, None);
                let count = request.headers().len() + request.extensions().len();
                server.accept(Acceptance::new()).expect("it is valid");
                count
            }
        }
    }
}

/// All of them.
pub(crate) const ATTACKS: [Attack; 19] = [
    Attack { name: "empty fragments of one message", input: |n| fragments(n, b"") },
    Attack { name: "one-byte fragments of one message", input: |n| fragments(n, b"x") },
    Attack { name: "text, one byte of a character in each fragment", input: split_text },
    Attack { name: "empty messages", input: |n| frames(n, &frame(OpCode::Text, true, b"")) },
    Attack { name: "one-byte messages", input: |n| frames(n, &frame(OpCode::Text, true, b"x")) },
    Attack { name: "one-byte messages, one at a time through the gate", input: gate },
    Attack { name: "a message in one-byte reads", input: |n| reads(long_text(n), 1) },
    Attack { name: "empty fragments in one-byte reads", input: |n| fragments(n, b"").read(1) },
    Attack { name: "empty pings, pongs taken", input: |n| frames(n, &ping(b"")) },
    Attack { name: "empty pings, output blocked", input: |n| frames(n, &ping(b"")).blocked() },
    Attack {
        name: "125-byte pings, output blocked",
        input: |n| frames(n, &ping(&[7; 125])).blocked(),
    },
    Attack {
        name: "pongs that nobody asked for",
        input: |n| frames(n, &frame(OpCode::Pong, true, b"12345678")),
    },
    Attack { name: "deflate: empty blocks", input: |n| deflated(n, usize::MAX) },
    Attack { name: "deflate: empty blocks in one-byte fragments", input: |n| deflated(n, 1) },
    Attack { name: "deflate: zeros, a thousandfold", input: bombs },
    Attack { name: "handshake: endless line, small reads", input: |n| head(n, b"x", true, 1) },
    Attack { name: "handshake: many fields", input: |n| head(n, b"a:\r\n", false, READ_SIZE) },
    Attack {
        name: "handshake: many subprotocols",
        input: |n| head(n, b"Sec-WebSocket-Protocol: a,b , c\r\n", false, 1400),
    },
    Attack {
        name: "handshake: many extensions",
        input: |n| head(n, b"Sec-WebSocket-Extensions: a;b=\"\\c\" ,d\r\n", false, 1400),
    },
];

fn config() -> ConfigBuilder {
    Config::builder()
        .max_message_size(1 << 30)
        .ping_interval(None)
        .deflate(DeflateOptions::default())
}

fn frame(opcode: OpCode, fin: bool, payload: &[u8]) -> Vec<u8> {
    compressed_frame(opcode, fin, false, payload)
}

fn compressed_frame(opcode: OpCode, fin: bool, rsv1: bool, payload: &[u8]) -> Vec<u8> {
    let mask = Some(Mask::new(KEY));
    let length = payload.len() as u64;
    let header = encode_header(FrameHeader { fin, rsv1, opcode, mask, length });
    let mut bytes = header.as_slice().to_vec();
    Mask::new(KEY).append(payload, &mut bytes);
    bytes
}

fn ping(payload: &[u8]) -> Vec<u8> {
    frame(OpCode::Ping, true, payload)
}

fn reads(bytes: Vec<u8>, read: usize) -> Input {
    let config = config().build().expect("valid");
    Input::Frames { bytes, read, config, deflate: false, drains: true }
}

impl Input {
    fn read(mut self, size: usize) -> Self {
        match &mut self {
            Self::Frames { read, .. } | Self::Head { read, .. } => *read = size,
        }
        self
    }

    fn blocked(mut self) -> Self {
        if let Self::Frames { drains, .. } = &mut self {
            *drains = false;
        }
        self
    }
}

fn frames(length: usize, unit: &[u8]) -> Input {
    reads(unit.repeat(length / unit.len()), READ_SIZE)
}

fn fragments(length: usize, payload: &[u8]) -> Input {
    let unit = frame(OpCode::Continuation, false, payload);
    let mut bytes = frame(OpCode::Text, false, b"");
    bytes.extend(unit.repeat(length / unit.len()));
    reads(bytes, READ_SIZE)
}

/// "€" and "🌊", a byte in each fragment.
fn split_text(length: usize) -> Input {
    let unit: Vec<u8> =
        "€🌊".bytes().flat_map(|byte| frame(OpCode::Continuation, false, &[byte])).collect();
    let mut bytes = frame(OpCode::Text, false, b"");
    bytes.extend(unit.repeat(length / unit.len()));
    reads(bytes, READ_SIZE)
}

fn long_text(length: usize) -> Vec<u8> {
    let text = "прилив 🌊 ".repeat(length / 18);
    frame(OpCode::Text, true, text.as_bytes())
}

/// Each event that is taken opens the gate, and the next message closes it again.
fn gate(length: usize) -> Input {
    let marks = Watermarks::new(1, 0);
    let unit = frame(OpCode::Text, true, b"x");
    Input::Frames {
        bytes: unit.repeat(length / unit.len()),
        read: READ_SIZE,
        config: config().message_marks(marks).build().expect("valid"),
        deflate: false,
        drains: true,
    }
}

/// A compressed message that inflates to nothing: stored blocks of no bytes, five bytes each, in
/// frames of this size.
fn deflated(length: usize, size: usize) -> Input {
    let wire = if size == 1 { length / 7 } else { length };
    let blocks = [0x00, 0x00, 0x00, 0xFF, 0xFF].repeat(wire / 5);
    let mut bytes = compressed_frame(OpCode::Binary, false, true, b"");
    for piece in blocks.chunks(size) {
        bytes.extend(frame(OpCode::Continuation, false, piece));
    }
    let config = config().build().expect("valid");
    Input::Frames { bytes, read: READ_SIZE, config, deflate: true, drains: true }
}

/// Messages of 1 MiB of zeros, each of about a kilobyte on the wire.
fn bombs(length: usize) -> Input {
    let options = DeflateOptions::builder().level(9).build().expect("valid");
    let config = config().deflate(options).build().expect("valid");
    let mut peer = Connection::client(NOW, config, [1; 32]).with_deflate(DeflateParams::default());
    let mut message = || {
        let payload = Bytes::from(vec![0; 1 << 20]);
        peer.send_chunk(Chunk { kind: MessageKind::Binary, payload, last: true }).expect("open");
        let mut wire = Vec::new();
        while peer.wants_output() {
            let output = peer.output();
            wire.extend_from_slice(output.chunk());
            output.advance(output.chunk().len());
        }
        wire
    };
    let mut bytes = Vec::new();
    while bytes.len() < length {
        bytes.extend(message());
    }
    let config = self::config().build().expect("valid");
    Input::Frames { bytes, read: READ_SIZE, config, deflate: true, drains: true }
}

/// A valid request with so much in it, or one that never ends.
fn head(length: usize, unit: &[u8], endless: bool, read: usize) -> Input {
    let mut bytes = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        .to_vec();
    if endless {
        bytes.extend(b"X: ");
    }
    bytes.extend(unit.repeat(length / unit.len()));
    if !endless {
        bytes.extend(b"\r\n");
    }
    Input::Head { bytes, read }
}
