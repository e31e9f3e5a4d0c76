//! The gate, written as plainly as possible: what closes it, what opens it, and in which order
//! things come out. It knows no bytes and no frames, only what they mean and how long they are.

use crate::{Config, Event, Message, PongPolicy};

/// What the peer sends: what remains of its frames once they are decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "tests build it")]
pub enum Sent {
    /// A message, at the end of its last frame.
    Message(Message),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// A Close.
    Close,
}

/// What the application takes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "tests match on it")]
pub enum Taken {
    /// A message.
    Message(Message),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// The end.
    Closed,
}

impl Taken {
    /// The event, as the model reports it. `None` for a chunk: the model takes messages whole.
    pub fn from_event(event: Event) -> Option<Self> {
        Some(match event {
            Event::Message(message) => Self::Message(message),
            Event::Ping(payload) => Self::Ping(payload.to_vec()),
            Event::Pong(payload) => Self::Pong(payload.to_vec()),
            Event::Closed(_) => Self::Closed,
            Event::Chunk(_) => return None,
        })
    }
}

/// What the model needs of a configuration.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs, reason = "tests build it")]
pub struct Rules {
    /// High and low mark on the number of messages.
    pub messages: (usize, usize),
    /// High and low mark on their bytes.
    pub bytes: (usize, usize),
    /// Whether pings and pongs are events.
    pub surface_control: bool,
    /// When pings are answered.
    pub pong_policy: PongPolicy,
    /// How many pongs are kept.
    pub max_pongs: usize,
}

impl From<&Config> for Rules {
    fn from(config: &Config) -> Self {
        let (messages, bytes) = (config.message_marks(), config.byte_marks());
        Self {
            messages: (messages.high(), messages.low()),
            bytes: (bytes.high(), bytes.low()),
            surface_control: config.surface_control,
            pong_policy: config.pong_policy,
            max_pongs: config.max_pongs,
        }
    }
}

/// The model. Everything is a list, and everything is counted again whenever it is asked for.
///
/// Its input is what the peer has sent, each as its last byte comes in; its output is what a
/// connection with the same settings must give out, and whether it may read. It takes messages
/// whole ([`Delivery::Whole`](crate::Delivery::Whole)) and knows neither time nor violations.
///
/// ```
/// use tidegate_core::testing::{Model, Rules, Sent, Taken};
/// use tidegate_core::{Config, Message, Watermarks};
///
/// let config = Config::builder().message_marks(Watermarks::new(2, 0)).build()?;
/// let mut model = Model::new(Rules::from(&config));
/// for text in ["a", "b", "c"] {
///     model.receive(Sent::Message(Message::text(text)));
/// }
/// assert_eq!((model.queued_messages(), model.wants_input()), (2, false), "the third waits");
/// assert_eq!(model.take(), Some(Taken::Message(Message::text("a"))));
/// assert!(!model.wants_input(), "not at the low mark yet");
/// assert_eq!(model.take(), Some(Taken::Message(Message::text("b"))));
/// assert_eq!((model.queued_messages(), model.wants_input()), (1, true));
/// # Ok::<(), tidegate_core::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Model {
    rules: Rules,
    /// Received and not decoded.
    pending: Vec<Sent>,
    queue: Vec<Queued>,
    is_open: bool,
    /// How often the gate closed.
    pub times_closed: u64,
    /// Pongs that wait to be sent, at most thirty-two.
    pub pongs: Vec<Vec<u8>>,
    is_close_decoded: bool,
    /// The application has begun to close: nothing can be answered any more.
    is_closing: bool,
    /// The Close took effect: everything before it was taken, or cannot be answered.
    is_closed: bool,
    is_closed_taken: bool,
    has_ended: bool,
}

#[derive(Clone, Debug)]
enum Queued {
    Event(Taken, usize),
    Answer(Vec<u8>),
}

impl Model {
    /// An open connection.
    pub const fn new(rules: Rules) -> Self {
        Self {
            rules,
            pending: Vec::new(),
            queue: Vec::new(),
            is_open: true,
            times_closed: 0,
            pongs: Vec::new(),
            is_close_decoded: false,
            is_closing: false,
            is_closed: false,
            is_closed_taken: false,
            has_ended: false,
        }
    }

    /// The last byte of this came in.
    pub fn receive(&mut self, sent: Sent) {
        self.pending.push(sent);
        self.decode();
        // Behind an event that is not taken it waits until that is answered.
        self.is_closed |= self.is_close_decoded && self.queued_messages() == 0;
    }

    /// The stream ended.
    pub fn end(&mut self) {
        self.has_ended = true;
    }

    /// The application closes.
    pub const fn close(&mut self) {
        self.is_closing = true;
        self.is_closed |= self.is_close_decoded;
    }

    /// The application takes an event.
    pub fn take(&mut self) -> Option<Taken> {
        let taken = match self.queue.first().cloned() {
            Some(Queued::Event(taken, _)) => {
                self.queue.remove(0);
                taken
            }
            Some(Queued::Answer(_)) | None => return self.take_closed(),
        };
        while let Some(Queued::Answer(payload)) = self.queue.first().cloned() {
            self.queue.remove(0);
            self.answer(payload);
        }
        let (_, low) = self.rules.messages;
        let (_, low_bytes) = self.rules.bytes;
        if !self.is_open && self.queued_messages() <= low && self.queued_bytes() <= low_bytes {
            self.is_open = true;
            self.decode();
        }
        Some(taken)
    }

    /// How many events wait.
    pub fn queued_messages(&self) -> usize {
        self.queue.iter().filter(|queued| matches!(queued, Queued::Event(..))).count()
    }

    /// How many bytes of payload they have.
    pub fn queued_bytes(&self) -> usize {
        let length = |queued: &Queued| match queued {
            Queued::Event(_, length) => *length,
            Queued::Answer(_) => 0,
        };
        self.queue.iter().map(length).sum()
    }

    /// Whether more input is wanted.
    pub const fn wants_input(&self) -> bool {
        self.is_open && !self.has_ended
    }

    fn take_closed(&mut self) -> Option<Taken> {
        self.is_closed |= self.is_close_decoded;
        let is_over = self.is_close_decoded || (self.has_ended && self.pending.is_empty());
        if !is_over || self.is_closed_taken {
            return None;
        }
        self.is_closed_taken = true;
        Some(Taken::Closed)
    }

    fn decode(&mut self) {
        while self.is_open && !self.is_close_decoded && !self.pending.is_empty() {
            let before = self.queued_messages();
            match self.pending.remove(0) {
                Sent::Message(message) => {
                    let length = message.len();
                    self.queue.push(Queued::Event(Taken::Message(message), length));
                }
                Sent::Ping(payload) => self.ping(payload),
                Sent::Pong(payload) if self.rules.surface_control => {
                    let length = payload.len();
                    self.queue.push(Queued::Event(Taken::Pong(payload), length));
                }
                Sent::Pong(_) => {}
                Sent::Close => {
                    self.is_close_decoded = true;
                    self.is_closed = self.is_closing;
                }
            }
            // It closes when a count reaches its mark, not by what does not count.
            if self.queued_messages() == before {
                continue;
            }
            let (high, _) = self.rules.messages;
            let (high_bytes, _) = self.rules.bytes;
            if self.queued_messages() >= high || self.queued_bytes() >= high_bytes {
                self.is_open = false;
                self.times_closed += 1;
            }
        }
    }

    fn ping(&mut self, payload: Vec<u8>) {
        match self.rules.pong_policy {
            PongPolicy::OnReceipt => self.answer(payload.clone()),
            PongPolicy::InOrder if self.queued_messages() == 0 => self.answer(payload.clone()),
            PongPolicy::InOrder => {
                if let Some(Queued::Answer(_)) = self.queue.last() {
                    self.queue.pop();
                }
                self.queue.push(Queued::Answer(payload.clone()));
            }
            PongPolicy::Manual => {}
        }
        if self.rules.surface_control || self.rules.pong_policy == PongPolicy::Manual {
            let length = payload.len();
            self.queue.push(Queued::Event(Taken::Ping(payload), length));
        }
    }

    fn answer(&mut self, payload: Vec<u8>) {
        // Nothing is answered once the Close took effect, nor when the stream ended without one.
        let is_cut = self.has_ended && self.pending.is_empty() && !self.is_close_decoded;
        if self.is_closed || is_cut {
            return;
        }
        if self.pongs.len() >= self.rules.max_pongs {
            self.pongs.remove(0);
        }
        self.pongs.push(payload);
    }
}
