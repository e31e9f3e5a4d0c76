//! Two connections, a pipe for each direction, and a clock that only goes when it must.

use bytes::Buf;
use core::fmt::Debug;

use crate::{Closed, Config, Connection, Event, Message, SendError, Timestamp, Transport};

use crate::testing::pipe::{Conditions, Pipe};

/// What an application does with its connection in a pair.
pub trait Application: Debug {
    /// Does whatever it has to do now: takes events or leaves them, sends, closes. Asked at
    /// every step. An event that it takes goes through [`End::take`].
    fn act(&mut self, now: Timestamp, end: &mut End);

    /// When to ask it again if nothing happens.
    fn next_action(&self) -> Option<Timestamp> {
        None
    }
}

/// One end of a pair.
#[derive(Debug)]
pub struct End {
    /// The connection.
    pub connection: Connection,
    /// How it ended, once that was taken.
    pub closed: Option<Closed>,
    /// Whether its transport is closed.
    pub is_transport_closed: bool,
    has_shut_down: bool,
    has_seen_end: bool,
    has_acted: bool,
}

/// Two ends, joined.
///
/// ```
/// use tidegate_core::testing::{Application, End, Pair, Rest, Conditions};
/// use tidegate_core::{CloseCode, CloseFrame, Config, Event, Message, Timestamp};
///
/// #[derive(Debug)]
/// struct Echo;
/// #[derive(Debug)]
/// struct Hello(bool);
///
/// impl Application for Echo {
///     fn act(&mut self, _: Timestamp, end: &mut End) {
///         if let Some(Event::Message(message)) = end.take() {
///             end.send(message).expect("room for a lone message");
///         }
///     }
/// }
/// impl Application for Hello {
///     fn act(&mut self, now: Timestamp, end: &mut End) {
///         if !core::mem::replace(&mut self.0, true) {
///             end.send(Message::text("hello")).expect("room for a lone message");
///         }
///         if end.take() == Some(Event::Message(Message::text("hello"))) {
///             end.connection.close(now, CloseFrame::from(CloseCode::NORMAL)).expect("it is open");
///         }
///     }
/// }
///
/// let mut pair = Pair::new(Config::default(), Config::default(), Conditions::POOR, 1);
/// assert_eq!(pair.run(&mut Hello(false), &mut Echo, 10_000), Rest::Over);
/// assert!(pair.client.closed.is_some_and(|closed| closed.is_clean()));
/// ```
#[derive(Debug)]
pub struct Pair {
    /// The client's end.
    pub client: End,
    /// The server's end.
    pub server: End,
    /// What the client sends.
    pub upstream: Pipe,
    /// What the server sends.
    pub downstream: Pipe,
    /// The time.
    pub now: Timestamp,
    steps: usize,
}

/// A pair came to rest, or did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "tests match on it")]
pub enum Rest {
    /// Both transports are closed and both ends told how it ended.
    Over,
    /// Nothing moves, and no deadline would change that.
    Idle,
    /// The bound of steps was reached: something goes round in circles, or needs far too long.
    Exhausted,
}

impl End {
    fn new(connection: Connection) -> Self {
        Self {
            connection,
            closed: None,
            is_transport_closed: false,
            has_shut_down: false,
            has_seen_end: false,
            has_acted: false,
        }
    }

    /// Takes the next event. The end is kept in [`closed`](Self::closed), and is no event here.
    ///
    /// # Panics
    ///
    /// If anything comes after the end, or the end twice.
    pub fn take(&mut self) -> Option<Event> {
        let event = self.connection.poll_event()?;
        assert!(self.closed.is_none(), "nothing comes behind the end, and that comes once");
        self.has_acted = true;
        if let Event::Closed(closed) = event {
            self.closed = Some(closed);
            return None;
        }
        Some(event)
    }

    /// Sends a message. A message that is not accepted comes back.
    ///
    /// # Errors
    ///
    /// Those of [`Connection::send`].
    pub fn send(&mut self, message: Message) -> Result<(), SendError> {
        self.connection.send(message)?;
        self.has_acted = true;
        Ok(())
    }

    /// Moves bytes as an adapter would; whether anything happened.
    fn transfer(&mut self, now: Timestamp, out: &mut Pipe, incoming: &mut Pipe) -> bool {
        if self.is_transport_closed {
            return false;
        }
        let mut moved = self.write(now, out);
        moved |= self.read(now, incoming);
        if self.connection.poll_timeout().is_some_and(|deadline| deadline <= now) {
            self.connection.handle_timeout(now);
            moved = true;
        }
        match self.connection.transport() {
            Transport::KeepOpen => {}
            Transport::ShutdownWrite if self.has_shut_down => {}
            Transport::ShutdownWrite => {
                out.shut_down(now);
                self.has_shut_down = true;
                moved = true;
            }
            Transport::Close => {
                out.shut_down(now);
                incoming.abandon(now);
                self.is_transport_closed = true;
                moved = true;
            }
        }
        moved
    }

    fn write(&mut self, now: Timestamp, out: &mut Pipe) -> bool {
        let wanted = self.connection.wants_output();
        let output = self.connection.output();
        assert_eq!(wanted, output.has_remaining(), "the flag says what the output has");
        let count = out.write(now, output.chunk());
        output.advance(count);
        count > 0
    }

    fn read(&mut self, now: Timestamp, incoming: &mut Pipe) -> bool {
        // An adapter that has shut down reads on only to see the end of the stream.
        let discards = self.has_shut_down;
        if self.has_seen_end || !(self.connection.wants_input() || discards) {
            return false;
        }
        match incoming.read(now, self.connection.read_size()) {
            None => false,
            Some(piece) if piece.is_empty() => {
                self.has_seen_end = true;
                self.connection.handle_eof(now);
                true
            }
            Some(piece) => {
                self.connection.handle_input(now, &piece);
                true
            }
        }
    }

    fn next_deadline(&self, incoming: &Pipe) -> Option<Timestamp> {
        if self.is_transport_closed {
            return None;
        }
        let reads = !self.has_seen_end && (self.connection.wants_input() || self.has_shut_down);
        let arrival = incoming.next_arrival().filter(|_| reads);
        [self.connection.poll_timeout(), arrival].into_iter().flatten().min()
    }
}

impl Pair {
    /// A client and a server with these settings, in this conditions.
    pub fn new(client: Config, server: Config, conditions: Conditions, seed: u64) -> Self {
        let now = Timestamp::ZERO;
        Self {
            client: End::new(Connection::client(now, client, [seed.to_le_bytes()[0]; 32])),
            server: End::new(Connection::server(now, server)),
            upstream: Pipe::new(conditions, seed),
            downstream: Pipe::new(conditions, seed ^ 0x5555),
            now,
            steps: 0,
        }
    }

    /// Lets both applications act and bytes move until all is over, or nothing moves any more, or
    /// `bound` steps are done.
    pub fn run(
        &mut self,
        client: &mut dyn Application,
        server: &mut dyn Application,
        bound: usize,
    ) -> Rest {
        for _ in 0..bound {
            self.steps += 1;
            client.act(self.now, &mut self.client);
            server.act(self.now, &mut self.server);
            let (up, down) = (&mut self.upstream, &mut self.downstream);
            let mut moved = self.client.transfer(self.now, up, down);
            moved |= self.server.transfer(self.now, down, up);
            moved |= core::mem::take(&mut self.client.has_acted);
            moved |= core::mem::take(&mut self.server.has_acted);
            if self.is_over() {
                return Rest::Over;
            }
            if moved {
                continue;
            }
            let deadlines = [
                self.client.next_deadline(&self.downstream),
                self.server.next_deadline(&self.upstream),
                client.next_action().filter(|_| self.client.closed.is_none()),
                server.next_action().filter(|_| self.server.closed.is_none()),
            ];
            match deadlines.into_iter().flatten().filter(|time| *time > self.now).min() {
                Some(time) => self.now = time,
                None => return Rest::Idle,
            }
        }
        Rest::Exhausted
    }

    /// How many steps were done in all.
    pub const fn steps(&self) -> usize {
        self.steps
    }

    fn is_over(&self) -> bool {
        let is_over = |end: &End| end.is_transport_closed && end.closed.is_some();
        is_over(&self.client) && is_over(&self.server)
    }
}
