//! A connection in parts that live in different tasks: senders, a receiver and a driver.
//!
//! The connection's own inbox and outbox are the queues between them: there is no channel, and
//! nothing grows that the marks of the configuration do not bound.

pub(crate) mod acceptance;
pub(crate) mod broadcast;
pub(crate) mod ending;
pub(crate) mod getters;
pub(crate) mod queued_call;
pub(crate) mod receiver;
pub(crate) mod sender;
pub(crate) mod sender_sink;
pub(crate) mod shared;
pub(crate) mod streams;
pub(crate) mod task;
pub(crate) mod wait_queue;
pub(crate) mod wakes;

use std::fmt;
use std::sync::Arc;

pub use self::broadcast::{Outcome, Slow, broadcast, broadcast_until};
pub use self::receiver::Receiver;
pub use self::sender::Sender;
use self::shared::{Alone, Shared};
pub use self::task::Driver;
use crate::io::ByteStream;
use crate::io::Clock;
use crate::websocket::WebSocket;
use crate::websocket::sink::Tasks;

impl<S: ByteStream, C: Clock> WebSocket<S, C> {
    /// Splits the connection: a [`Sender`] to clone, a [`Receiver`], and a [`Driver`], the future that
    /// does the work. Spawn it; without it nothing moves.
    ///
    /// While the application is elsewhere, the driver answers pings, keeps the connection alive,
    /// writes what was sent, and reads ahead up to the gate. Behind a closed gate it does not read.
    ///
    /// None of the parts leaves the peer hanging when it is dropped: see [`OnDrop`], and
    /// [`Driver`].
    pub fn split(self) -> (Sender, Receiver, Driver<S, C>) {
        let (shared, alone) = Shared::new(self);
        shared.lock().note(&alone.link);
        let shared = Arc::new(shared);
        (
            Sender::first(Arc::clone(&shared)),
            Receiver::new(Arc::clone(&shared)),
            Driver::new(alone, shared),
        )
    }

    /// Puts the parts of a connection together again. What was sent and is not written goes out
    /// with the calls that follow; what is read is received by them.
    ///
    /// # Errors
    ///
    /// [`ReuniteError`], which gives the parts back: they are not of one connection, the sender has
    /// clones, or a message waits in it as a sink.
    pub fn reunite(
        sender: Sender,
        receiver: Receiver,
        mut driver: Driver<S, C>,
    ) -> Result<Self, ReuniteError<S, C>> {
        let shared = Arc::clone(&driver.shared);
        let is_one = Arc::ptr_eq(&shared, &sender.shared) && Arc::ptr_eq(&shared, &receiver.shared);
        let taken = {
            let mut state = shared.lock();
            if is_one && state.senders == 1 && state.sends.is_empty() {
                // The state is taken out, not the lock: a sender that was dropped just now in
                // another thread may still be on its way out.
                driver.alone.take().map(|alone| (alone, state.take()))
            } else {
                None
            }
        };
        let Some((Alone { link, closer, home, seen }, mut state)) = taken else {
            return Err(ReuniteError(Box::new((sender, receiver, driver))));
        };
        drop((sender, receiver, driver));
        if let Some(frame) = state.close.take() {
            // It was checked; that the peer was faster is no mistake.
            let _ = state.connection.close(link.clock.now(), frame);
        }
        Ok(Self {
            link,
            connection: state.connection,
            subprotocol: state.subprotocol,
            end: state.end,
            end_wait: state.end_wait,
            intake: state.intake,
            tasks: Tasks::default(),
            pings: state.pings,
            closer,
            home,
            seen,
        })
    }
}

/// What becomes of the connection when the [`Receiver`] is dropped, or the last [`Sender`]. When
/// both are gone, and nothing was chosen that ends it sooner, it is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "it goes on, or it ends with or without a word")]
pub enum OnDrop {
    /// It goes on for the other side. Without a [`Receiver`], messages are read and dropped.
    Continue,
    /// A closing handshake with [`CloseCode::GOING_AWAY`](tidegate_core::CloseCode::GOING_AWAY), bounded by
    /// `close_timeout`. Without a [`Receiver`], messages that still arrive are dropped.
    Close,
    /// The stream is closed at once.
    Abort,
}

/// Parts that do not make one connection. They come back with it.
pub struct ReuniteError<S, C>(Box<(Sender, Receiver, Driver<S, C>)>);

impl<S, C> ReuniteError<S, C> {
    /// The parts.
    pub fn into_parts(self) -> (Sender, Receiver, Driver<S, C>) {
        *self.0
    }
}

impl<S, C> fmt::Debug for ReuniteError<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReuniteError").finish_non_exhaustive()
    }
}

impl<S, C> fmt::Display for ReuniteError<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("these are not all parts of one connection")
    }
}

impl<S, C> std::error::Error for ReuniteError<S, C> {}
