//! Valid sessions, and what can go wrong with them: messages in fragments, control frames between
//! them, and changes to the bytes.

use arbitrary::Arbitrary;
use tidegate_core::{Compress, Connection, Message, Outgoing, Role};

use tidegate_core::testing::Sent;
use tidegate_core::testing::{Frame, opcode};

/// Something that the peer sends.
#[derive(Arbitrary, Clone, Debug)]
pub enum Item {
    /// A message in fragments of these lengths and the rest, with pings between them.
    Message {
        /// Text, or binary.
        text: bool,
        /// How long; the longer ones are rarer.
        length: u16,
        /// Where it is cut.
        cuts: [u8; 3],
        /// Whether there is a ping behind each fragment.
        pings: bool,
        /// Whether it is compressed, if that was agreed on.
        compressed: bool,
    },
    /// A ping of this length.
    Ping(u8),
    /// A pong of this length.
    Pong(u8),
}

/// A change to the bytes.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Mutation {
    /// A bit turns.
    Flip(u16, u8),
    /// A byte comes in between.
    Insert(u16, u8),
    /// So many bytes are missing.
    Drop(u16, u8),
    /// So many bytes come twice.
    Duplicate(u16, u8),
    /// So many bytes change places with those behind them.
    Swap(u16, u8),
    /// All from there on is missing.
    Truncate(u16),
    /// The length of a frame is another: its short form, and what stands behind it.
    Length(u8, u8, u64),
}

/// What the peer sends: its bytes; what they mean, each with the position at which it is complete;
/// and where each frame begins.
pub type Encoded = (Vec<u8>, Vec<(usize, Sent)>, Vec<usize>);

/// The bytes of a peer of this role's connection, and their meaning; a Close behind them or not.
pub fn encode(items: &[Item], close: bool, role: Role) -> Encoded {
    encode_with(items, close, role, None)
}

/// The same, with a peer that compresses.
pub fn encode_with(
    items: &[Item],
    close: bool,
    role: Role,
    mut compressor: Option<&mut Connection>,
) -> Encoded {
    let mut writer = Writer { masks: role == Role::Server, ..Writer::default() };
    for (number, item) in items.iter().take(200).enumerate() {
        let mark = b'a' + (number % 26) as u8;
        match item {
            Item::Message { text, length, cuts, pings, compressed } => {
                let length = if *length % 8 == 0 { *length / 8 } else { *length % 200 };
                let payload = vec![mark; length.into()];
                let kind = if *text { opcode::TEXT } else { opcode::BINARY };
                let message = if *text {
                    Message::text(String::from_utf8(payload.clone()).expect("ASCII"))
                } else {
                    Message::binary(payload.clone())
                };
                let squeezed = compressor
                    .as_deref_mut()
                    .filter(|_| *compressed)
                    .and_then(|peer| squeeze(peer, message.clone()));
                let reserved = if squeezed.is_some() { 4 } else { 0 };
                let wire = squeezed.unwrap_or(payload);
                writer.message(kind, reserved, &wire, cuts, pings.then_some(mark));
                writer.sent.push((writer.bytes.len(), Sent::Message(message)));
            }
            Item::Ping(length) => writer.control(opcode::PING, vec![mark; (length % 126).into()]),
            Item::Pong(length) => writer.control(opcode::PONG, vec![mark; (length % 126).into()]),
        }
    }
    if close {
        writer.push(Frame::close(Some(1000), "bye"));
        writer.sent.push((writer.bytes.len(), Sent::Close));
    }
    (writer.bytes, writer.sent, writer.begins)
}

#[derive(Default)]
struct Writer {
    masks: bool,
    bytes: Vec<u8>,
    sent: Vec<(usize, Sent)>,
    begins: Vec<usize>,
}

impl Writer {
    fn push(&mut self, frame: Frame) {
        self.begins.push(self.bytes.len());
        let frame = if self.masks { frame.masked([1, 2, 3, 4]) } else { frame };
        self.bytes.extend(frame.encode());
    }

    fn control(&mut self, kind: u8, payload: Vec<u8>) {
        self.push(Frame::new(kind, payload.clone()));
        let sent = if kind == opcode::PING { Sent::Ping(payload) } else { Sent::Pong(payload) };
        self.sent.push((self.bytes.len(), sent));
    }

    fn message(&mut self, kind: u8, reserved: u8, wire: &[u8], cuts: &[u8], ping: Option<u8>) {
        let (mut kind, mut reserved, mut rest) = (kind, reserved, wire);
        for cut in cuts.iter().filter(|cut| **cut > 0) {
            let (piece, later) = rest.split_at(usize::from(*cut).min(rest.len()));
            let mut frame = Frame::new(kind, piece).unfinished();
            frame.reserved = reserved;
            self.push(frame);
            (kind, reserved, rest) = (opcode::CONTINUATION, 0, later);
            if let Some(mark) = ping {
                self.control(opcode::PING, vec![mark, b'-']);
            }
        }
        let mut frame = Frame::new(kind, rest);
        frame.reserved = reserved;
        self.push(frame);
    }
}

/// A payload, compressed by the other end.
fn squeeze(peer: &mut Connection, message: Message) -> Option<Vec<u8>> {
    peer.send(Outgoing::from(message).compress(Compress::Always)).ok()?;
    let mut sent = Vec::new();
    crate::drain(peer, usize::MAX, &mut sent);
    let frame = Frame::parse_all(&sent).ok()?.pop()?;
    (frame.reserved == 4).then_some(frame.payload)
}

/// Changes the bytes. Returns where the first change is.
pub fn mutate(bytes: &mut Vec<u8>, begins: &[usize], mutations: &[Mutation]) -> usize {
    let mut first = bytes.len();
    for mutation in mutations {
        let length = bytes.len();
        let place = |position: u16| usize::from(position) % (length + 1);
        let span = |position: u16, count: u8| {
            let start = place(position);
            start..length.min(start + 1 + usize::from(count))
        };
        let start = match *mutation {
            Mutation::Flip(position, bit) => {
                if let Some(byte) = bytes.get_mut(place(position)) {
                    *byte ^= 1 << (bit % 8);
                }
                place(position)
            }
            Mutation::Insert(position, byte) => {
                bytes.insert(place(position), byte);
                place(position)
            }
            Mutation::Drop(position, count) => {
                bytes.drain(span(position, count));
                place(position)
            }
            Mutation::Duplicate(position, count) => {
                let copied = bytes[span(position, count)].to_vec();
                let end = span(position, count).end;
                bytes.splice(end..end, copied);
                place(position)
            }
            Mutation::Swap(position, count) => {
                let span = span(position, count);
                let end = length.min(span.end + span.len());
                bytes[span.start..end].rotate_left(span.len().min(end - span.start));
                place(position)
            }
            Mutation::Truncate(position) => {
                bytes.truncate(place(position));
                place(position)
            }
            Mutation::Length(frame, short, long) => {
                let begin = begins.get(usize::from(frame)).copied().unwrap_or_default();
                if let Some(byte) = bytes.get_mut(begin + 1) {
                    *byte = *byte & 0x80 | short & 0x7F;
                    let extra = match short & 0x7F {
                        126 => long.to_be_bytes()[6..].to_vec(),
                        127 => long.to_be_bytes().to_vec(),
                        _ => Vec::new(),
                    };
                    bytes.splice(begin + 2..begin + 2, extra);
                }
                begin
            }
        };
        first = first.min(start);
    }
    first
}
