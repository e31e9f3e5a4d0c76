//! The application: a handler that takes events, and the rules for when it gets one.

use crate::connection::Connection;
use crate::connection::event::Event;
use crate::event_loop::budget::Budget;
use crate::time::Timestamp;

/// Takes the events of a connection. A closure `FnMut(&mut Connection, Event)` is a handler that is
/// always ready.
///
/// ```
/// use std::collections::VecDeque;
/// use tidegate_core::event_loop::Handler;
/// use tidegate_core::{Connection, Event, Message};
///
/// /// Passes messages on to a slow consumer.
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
///         self.waiting.len() < 8 // otherwise the peer has to wait
///     }
/// }
/// # let relay = Relay { waiting: VecDeque::new() };
/// # assert!(relay.is_ready());
/// ```
pub trait Handler {
    /// Takes an event. If it is a message, `connection` accepts one answer of any size, unless it is
    /// closing.
    ///
    /// An answer that is sent after this method has returned may be refused: other output may have
    /// filled the send queue, or the peer's Close, which came after the message, may have taken
    /// effect.
    fn event(&mut self, connection: &mut Connection, event: Event);

    /// Whether the handler would take a message or a chunk now. The loop asks before each one.
    ///
    /// While this is false, messages stay in the connection, the gate closes and the peer is slowed
    /// down. The end of the connection waits until they are taken. Control frames are handed over
    /// all the same.
    ///
    /// When it becomes true again, call the loop's function; nothing else wakes it. A handler that
    /// will never take messages again should return true and discard them, because
    /// [`Turn::Over`](crate::event_loop::Turn::Over) comes only after the last message was taken.
    fn is_ready(&self) -> bool {
        true
    }
}

impl<F: FnMut(&mut Connection, Event)> Handler for F {
    fn event(&mut self, connection: &mut Connection, event: Event) {
        self(connection, event);
    }
}

/// How [`hand_over`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandOver {
    /// No event is left.
    Done,
    /// A message is next, and it could not be answered now, or the application does not take it.
    Blocked,
    /// The budget of this call is used up.
    BudgetUsedUp,
}

/// Hands queued events to the application.
pub(crate) fn hand_over(
    connection: &mut Connection,
    handler: &mut impl Handler,
    budget: &mut Budget,
) -> HandOver {
    loop {
        // Before the budget: `Blocked` waits for the stream or the application, `BudgetUsedUp`
        // would call again at once, for nothing.
        if !may_hand_over(connection, handler) {
            return HandOver::Blocked;
        }
        if budget.is_used_up() {
            return HandOver::BudgetUsedUp;
        }
        match connection.poll_event() {
            Some(event) => {
                budget.charge_event(length(&event));
                handler.event(connection, event);
            }
            None => return HandOver::Done,
        }
    }
}

/// Decodes input and hands its events to the application. The connection queues what cannot be
/// handed over now: as events until the gate closes, and as undecoded bytes after that.
pub(crate) fn take_input(
    connection: &mut Connection,
    handler: &mut impl Handler,
    now: Timestamp,
    mut input: &[u8],
    budget: &mut Budget,
) {
    while takes_messages(connection, handler) && !budget.is_used_up() {
        match connection.receive(now, &mut input) {
            Some(event) => {
                budget.charge_event(length(&event));
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

/// Whether the application takes a message now, and its answer would be accepted. In a closing
/// connection no answer is accepted any more, so there is nothing to wait for.
fn takes_messages(connection: &Connection, handler: &impl Handler) -> bool {
    // Not `can_send`: an application that answers in chunks may have begun a message.
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
