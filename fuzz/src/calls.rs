//! The calls of the target `connection`, and the input that arrives with them.

use arbitrary::Arbitrary;
use tidegate_core::deflate::DeflateOptions;
use tidegate_core::testing::{Frame, Random};
use tidegate_core::{Compress, Connection, Message, Outgoing, Prepared};

use crate::settings::Settings;

/// One step of the caller: a call, or input from the network.
#[derive(Arbitrary, Debug)]
pub enum Call {
    Input(Vec<u8>),
    /// A valid frame, since random bytes soon are a protocol error.
    Frame {
        opcode: u8,
        fin: bool,
        rsv1: bool,
        length: u16,
        byte: u8,
    },
    /// A message that a `Connection` on the other end compresses.
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
    Prepared(Preparing),
    /// Sends the last prepared message again, which keeps its compressed form.
    Again,
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
    Abort,
}

/// A prepared message, which may have compression options of its own.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Preparing {
    text: bool,
    length: u16,
    byte: u8,
    level: u8,
    mem_level: u8,
    min_size: u8,
}

impl Preparing {
    /// Builds the prepared message.
    pub fn make(self) -> Prepared {
        let length = usize::from(self.length) % 3000;
        let message = if self.text {
            Message::text(String::from_utf8(vec![self.byte & 0x7F; length]).expect("ASCII"))
        } else {
            Message::binary(Random::new(self.byte.into()).bytes(length))
        };
        if self.level == 0 {
            return Prepared::new(message);
        }
        let options = DeflateOptions::builder()
            .level(self.level % 9 + 1)
            .mem_level(self.mem_level % 9 + 1)
            .min_size(self.min_size.into())
            .build()
            .expect("both are in range");
        Prepared::with_options(message, options)
    }
}

/// The bytes that arrive with each call, built before memory is measured.
pub fn inputs(calls: &[Call], settings: &Settings, peer: &mut Connection) -> Vec<Vec<u8>> {
    let masks = !settings.has(Settings::CLIENT);
    let inputs = calls.iter().map(|call| match call {
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
            let _ = peer.send(Outgoing::from(message).compress(Compress::Always));
            let mut wire = Vec::new();
            crate::drain(peer, usize::MAX, &mut wire);
            wire
        }
        _ => Vec::new(),
    });
    inputs.collect()
}
