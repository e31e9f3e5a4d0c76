//! What both targets of the driver begin with, and what the core alone makes of the same bytes.

use arbitrary::Arbitrary;
use tidegate_core::{Config, Connection, Event, Message, PongPolicy, Role, Timestamp, Watermarks};

use crate::session::{self, Item};

/// A connection and what comes in on it.
#[derive(Arbitrary, Clone, Debug)]
pub struct Setup {
    is_client: bool,
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
        let mut input = session::encode(&self.items, self.peer_closes, self.role()).0;
        input.extend_from_slice(&self.raw);
        input
    }

    /// An open connection, with small marks.
    pub fn connection(&self) -> Connection {
        let high = usize::from(self.high % 20).max(1);
        let in_order = self.high & 0x80 != 0;
        let mut builder = Config::builder()
            .message_marks(Watermarks::new(high, high / 2).expect("valid"))
            .max_message_size(10_000)
            .pong_policy(if in_order { PongPolicy::InOrder } else { PongPolicy::OnReceipt });
        if self.high & 0x40 == 0 {
            // Without a clock a lost wake-up cannot be made good by the next deadline.
            builder = builder.ping_interval(None).pong_timeout(None);
            builder = builder.close_timeout(None).write_timeout(None);
        }
        if self.output > 0 {
            let output = usize::from(self.output);
            builder = builder.send_marks(Watermarks::new(output, output / 4).expect("valid"));
        }
        let config = builder.build().expect("valid");
        match self.role() {
            Role::Client => Connection::client(Timestamp::ZERO, config, [9; 32]),
            Role::Server => Connection::server(Timestamp::ZERO, config),
        }
    }

    /// The messages that a core alone takes from the input.
    pub fn expected(&self) -> Vec<Message> {
        let mut connection = self.connection();
        connection.handle_input(Timestamp::ZERO, &self.input());
        connection.handle_eof(Timestamp::ZERO);
        let events = core::iter::from_fn(|| connection.poll_event());
        let messages = events.filter_map(|event| match event {
            Event::Message(message) => Some(message),
            _ => None,
        });
        messages.collect()
    }
}
