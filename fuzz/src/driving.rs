//! What both targets of the driver begin with, and what the core alone makes of the same bytes.

use arbitrary::Arbitrary;
use tidegate_core::deflate::{DeflateOptions, DeflateParams};
use tidegate_core::testing::{Frame, opcode};
use tidegate_core::{
    Config, Connection, Delivery, Event, Failure, Message, MessageKind, PongPolicy, Role,
    Timestamp, Watermarks,
};

use crate::session::{self, Item};

/// A connection and what comes in on it.
#[derive(Arbitrary, Clone, Debug)]
pub struct Setup {
    is_client: bool,
    /// Messages in chunks.
    chunks: bool,
    /// Whether compression was agreed on, and how: windows of 9 to 15 bits.
    deflate: Option<(bool, bool, u8)>,
    high: u8,
    output: u16,
    peer_closes: bool,
    raw: Vec<u8>,
    items: Vec<Item>,
}

impl Setup {
    /// The role of this end.
    pub fn role(&self) -> Role {
        if self.is_client { Role::Client } else { Role::Server }
    }

    /// A valid session, and anything behind it.
    pub fn input(&self) -> Vec<u8> {
        let mut peer = self.deflate.map(|_| self.peer());
        let close = self.peer_closes;
        let mut input = session::encode_with(&self.items, close, self.role(), peer.as_mut()).0;
        input.extend_from_slice(&self.raw);
        input
    }

    /// An open connection, with small marks.
    pub fn connection(&self) -> Connection {
        let high = usize::from(self.high % 20).max(1);
        let in_order = self.high & 0x80 != 0;
        let mut builder = Config::builder()
            .message_marks(Watermarks::new(high, high / 2))
            .max_message_size(10_000)
            .delivery(if self.chunks { Delivery::Chunks } else { Delivery::Whole })
            .deflate(self.deflate.map(|_| from_size(8)))
            .pong_policy(if in_order { PongPolicy::InOrder } else { PongPolicy::OnReceipt });
        if self.high & 0x40 == 0 {
            // Without a clock a lost wake-up cannot be made good by the next deadline.
            builder = builder.ping_interval(None).pong_timeout(None);
            builder = builder.close_timeout(None).write_timeout(None);
        }
        if self.output > 0 {
            let output = usize::from(self.output);
            builder = builder.send_marks(Watermarks::new(output, output / 4));
        }
        self.connection_of(self.role(), builder.build().expect("valid"))
    }

    fn peer(&self) -> Connection {
        let config = Config::builder().send_marks(Watermarks::UNLIMITED).deflate(from_size(0));
        self.connection_of(self.role().peer(), config.build().expect("valid"))
    }

    fn connection_of(&self, role: Role, config: Config) -> Connection {
        let connection = match role {
            Role::Client => Connection::client(Timestamp::ZERO, config, [9; 32]),
            Role::Server => Connection::server(Timestamp::ZERO, config),
        };
        match self.deflate {
            Some((server_alone, client_alone, windows)) => connection.with_deflate(DeflateParams {
                server_no_context_takeover: server_alone,
                client_no_context_takeover: client_alone,
                server_max_window_bits: 15 - (windows & 0x0F) % 7,
                client_max_window_bits: 15 - (windows >> 4) % 7,
            }),
            None => connection,
        }
    }

    /// The messages that a core alone takes from the input.
    pub fn expected(&self) -> Expected {
        let mut connection = self.connection();
        connection.handle_input(Timestamp::ZERO, &self.input());
        connection.handle_eof(Timestamp::ZERO);
        let mut messages = Vec::new();
        let mut begun: Option<(MessageKind, Vec<u8>)> = None;
        while let Some(event) = connection.poll_event() {
            match event {
                Event::Message(message) => {
                    messages.push((message.kind(), message.as_bytes().to_vec()));
                }
                Event::Chunk(chunk) => {
                    let (_, bytes) = begun.get_or_insert((chunk.kind, Vec::new()));
                    bytes.extend_from_slice(&chunk.payload);
                    messages.extend(begun.take_if(|_| chunk.last));
                }
                _ => {}
            }
        }
        Expected { messages, places: vec![Place::Before(0)], is_in_chunks: self.chunks }
    }

    /// What was written are whole frames in a legal order, and what the peer makes of them: how many
    /// messages, and whether the Close is there and nothing but whole frames.
    pub fn read_back(&self, written: &[u8]) -> (usize, bool) {
        let (mut rest, mut is_closed) = (written, false);
        while let Some((frame, taken)) = Frame::parse(rest).expect("legal frames") {
            let may_follow = frame.opcode == opcode::PONG;
            assert!(!is_closed || may_follow, "only pongs follow our Close");
            assert_eq!(frame.key.is_some(), self.role().masks());
            is_closed |= frame.opcode == opcode::CLOSE;
            rest = &rest[taken..];
        }
        let (mut peer, mut messages) = (self.peer(), 0);
        for piece in written.chunks(16 * 1024) {
            peer.handle_input(Timestamp::ZERO, piece);
            while let Some(event) = peer.poll_event() {
                match event {
                    Event::Message(message) => {
                        let bytes = message.as_bytes();
                        assert!(bytes.windows(2).all(|pair| pair[0] == pair[1]), "as it was sent");
                        messages += 1;
                    }
                    Event::Closed(closed) => {
                        let failure = closed.failure();
                        let is_fault = matches!(failure, Some(Failure::Protocol(_)));
                        assert!(!is_fault, "the peer finds fault with it: {failure:?}");
                    }
                    _ => {}
                }
            }
        }
        (messages, is_closed && rest.is_empty())
    }
}

/// What is to be received, and where in it the application may be: which call skips the rest of a
/// message that was begun cannot be seen when that call is cancelled.
#[derive(Debug)]
pub struct Expected {
    /// Complete ones.
    messages: Vec<(MessageKind, Vec<u8>)>,
    places: Vec<Place>,
    is_in_chunks: bool,
}

/// Between messages, or so far in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Before(usize),
    Within { message: usize, taken: usize, by_reader: bool },
}

impl Expected {
    /// A whole message was received; the rest of one that was begun is skipped.
    pub fn message(&mut self, message: &Message) {
        let messages = &self.messages;
        let is = |index: usize| {
            let found = messages.get(index).is_some_and(|(kind, bytes)| {
                (*kind, &bytes[..]) == (message.kind(), message.as_bytes())
            });
            found.then_some(Place::Before(index + 1))
        };
        self.places = self.places.iter().filter_map(|place| is(place.next())).collect();
        assert!(!self.places.is_empty(), "the messages of the core, in order: {message:?}");
    }

    /// A chunk was received as an event.
    pub fn chunk(&mut self, kind: MessageKind, payload: &[u8], last: bool) {
        let mut places = Vec::new();
        for place in &self.places {
            places.extend(self.advance(place.next(), 0, Some(kind), payload, last, false));
            if let Place::Within { message, taken, by_reader: false } = *place {
                places.extend(self.advance(message, taken, Some(kind), payload, last, false));
            }
        }
        self.move_to(places, payload);
    }

    /// A reader has begun a message.
    pub fn begin(&mut self, kind: MessageKind) {
        let next = self.places.iter().map(|place| place.next());
        let places = next.filter_map(|next| self.advance(next, 0, Some(kind), b"", false, true));
        let places = places.collect();
        self.move_to(places, b"");
    }

    /// It gives some of it, or its end.
    pub fn read(&mut self, payload: Option<&[u8]>) {
        let (piece, last) = (payload.unwrap_or_default(), payload.is_none());
        let places = self.places.iter().filter_map(|place| match *place {
            Place::Within { message, taken, by_reader: true } => {
                self.advance(message, taken, None, piece, last, true)
            }
            _ => None,
        });
        let places = places.collect();
        self.move_to(places, piece);
    }

    fn advance(
        &self,
        message: usize,
        taken: usize,
        kind: Option<MessageKind>,
        piece: &[u8],
        last: bool,
        by_reader: bool,
    ) -> Option<Place> {
        // How much is told of a message that never ends depends on the pieces.
        if message == self.messages.len() && self.is_in_chunks && !last {
            return Some(Place::Within { message, taken: 0, by_reader });
        }
        let (is, bytes) = self.messages.get(message)?;
        let rest = bytes.get(taken..)?;
        if kind.is_some_and(|kind| kind != *is) || !rest.starts_with(piece) {
            return None;
        }
        if last {
            return (rest.len() == piece.len()).then_some(Place::Before(message + 1));
        }
        Some(Place::Within { message, taken: taken + piece.len(), by_reader })
    }

    fn move_to(&mut self, mut places: Vec<Place>, piece: &[u8]) {
        places.dedup();
        assert!(!places.is_empty(), "the chunks of the core, in order: {piece:?}");
        self.places = places;
    }
}

impl Place {
    /// Which message is next if the rest of this one is skipped.
    fn next(self) -> usize {
        match self {
            Self::Before(message) => message,
            Self::Within { message, .. } => message + 1,
        }
    }
}

/// Compresses messages of this size and more.
fn from_size(min_size: usize) -> DeflateOptions {
    DeflateOptions::builder().min_size(min_size).build().expect("valid")
}
