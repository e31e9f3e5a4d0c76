//! The application as the loop sees it, and when it is handed an event.

use crate::connection::Connection;
use crate::connection::event::Event;
use crate::event_loop::share::Share;
use crate::time::Timestamp;

/// What an application does with events. A closure `FnMut(&mut Connection, Event)` is one that is
/// always ready.
///
/// ```
/// use std::collections::VecDeque;
/// use tidegate_core::event_loop::Handler;
/// use tidegate_core::{Connection, Event, Message};
///
/// /// Messages go on to a slow place.
/// struct Relay {
///     waiting: VecDeque<Message>,
/// }
///
/// impl Handler for Relay {
///     fn event(&mut self, _: &mut Connection, event: Event) {
///         if let Event::Message(message) = event {
///             self.waiting.push_back(message);
///         }
///     }
///
///     fn is_ready(&self) -> bool {
///         self.waiting.len() < 8 // no more than this: the peer waits
///     }
/// }
/// # let relay = Relay { waiting: VecDeque::new() };
/// # assert!(relay.is_ready());
/// ```
pub trait Handler {
    /// Takes an event. The connection accepts one answer to a message, whatever its size, unless it
    /// is closing.
    ///
    /// An answer that is sent later, after this has returned, can find the outbox full, or the
    /// connection closing: the peer's Close takes effect when every message before it was taken.
    fn event(&mut self, connection: &mut Connection, event: Event);

    /// Whether it would take a message or a chunk now. Asked before each. While it is false,
    /// messages wait in the connection, the gate closes, and the peer is slowed down; the end of
    /// the connection waits behind them. Control frames and [`Event::Closed`] come all the same.
    ///
    /// When it becomes true again, call the loop's function: nothing else does. An application that
    /// will never be ready again says that it is, and discards what comes: otherwise
    /// [`Turn::Over`](crate::event_loop::Turn::Over) waits for it.
    fn is_ready(&self) -> bool {
        true
    }
}

impl<F: FnMut(&mut Connection, Event)> Handler for F {
    fn event(&mut self, connection: &mut Connection, event: Event) {
        self(connection, event);
    }
}

/// Why no more events are handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handed {
    /// There are none.
    All,
    /// The next one is a message that cannot be answered, or that the application does not take.
    Waits,
    /// The share is used up.
    Share,
}

/// Hands over the events that the connection has.
pub(crate) fn hand_over(
    connection: &mut Connection,
    handler: &mut impl Handler,
    share: &mut Share,
) -> Handed {
    loop {
        if !may_hand_over(connection, handler) {
            return Handed::Waits;
        }
        if share.is_used_up() {
            return Handed::Share;
        }
        match connection.poll_event() {
            Some(event) => {
                share.take_event(length(&event));
                handler.event(connection, event);
            }
            None => return Handed::All,
        }
    }
}

/// Takes input, and hands over what it brings. What cannot be handed over is queued, up to the
/// gate, and what is behind that is kept as bytes.
pub(crate) fn take_input(
    connection: &mut Connection,
    handler: &mut impl Handler,
    now: Timestamp,
    mut input: &[u8],
    share: &mut Share,
) {
    while takes_messages(connection, handler) && !share.is_used_up() {
        match connection.receive(now, &mut input) {
            Some(event) => {
                share.take_event(length(&event));
                handler.event(connection, event);
            }
            None => return,
        }
    }
    if !input.is_empty() {
        connection.handle_input(now, input);
    }
}

/// Whether the next event, if there is one, may be handed over.
pub(crate) fn may_hand_over(connection: &Connection, handler: &impl Handler) -> bool {
    !connection.is_message_next() || takes_messages(connection, handler)
}

/// Whether a message can be answered, or cannot be any more, and the application takes it.
fn takes_messages(connection: &Connection, handler: &impl Handler) -> bool {
    // Chunks are answered by chunks: a message that is begun is no reason to wait.
    (connection.can_send_chunk() || connection.is_closing()) && handler.is_ready()
}

fn length(event: &Event) -> usize {
    match event {
        Event::Message(message) => message.len(),
        Event::Chunk(chunk) => chunk.payload.len(),
        Event::Ping(payload) | Event::Pong(payload) => payload.len(),
        Event::Closed(_) => 0,
    }
}
