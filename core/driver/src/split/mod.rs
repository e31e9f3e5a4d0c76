//! A connection split into parts for different tasks: senders, a receiver, and a driver that does the
//! work.
//!
//! The connection's own inbox and outbox are the queues between the parts. There is no channel, so
//! the watermarks of the configuration limit everything that grows.

mod acceptance;
mod answers;
mod broadcast;
mod driver;
mod driver_task;
mod driver_work;
mod getters;
mod message_streams;
mod on_drop;
mod queued_call;
mod receiver;
mod send_item;
mod sender;
mod sender_sink;
mod shared;
mod sink_wait;
mod state;
mod wait_for;
mod wait_queue;
mod wakes;

pub use self::broadcast::{Outcome, Slow, broadcast, broadcast_until};
pub use self::driver::Driver;
pub use self::on_drop::OnDrop;
pub use self::receiver::Receiver;
pub use self::sender::Sender;

use std::fmt;
use std::sync::Arc;

use self::driver::DriverParts;
use self::shared::SharedConnection;
use self::state::SplitState;
use crate::io::{ByteStream, Clock};
use crate::websocket::{HalfWakers, WebSocket};

impl<S: ByteStream, C: Clock> WebSocket<S, C> {
    /// Splits the connection into a [`Sender`], which can be cloned, a [`Receiver`], and a [`Driver`].
    /// The driver is the future that does the work: spawn it, because nothing happens without it.
    ///
    /// Whatever the other tasks do, the driver answers pings, keeps the connection alive, writes what
    /// was sent, and reads messages ahead until the gate closes.
    ///
    /// A part that is dropped does not leave the peer waiting forever: see [`OnDrop`] and
    /// [`Driver`].
    pub fn split(mut self) -> (Sender, Receiver, Driver<S, C>) {
        // What remains of `self` is dropped: it has neither a stream nor a guard any more.
        let parts = DriverParts {
            endpoint: self.endpoint.take_out(),
            closer: self.closer.clone(),
            return_guard: self.return_guard.take(),
            log: self.log.take_out(),
        };
        let mut state = SplitState::from_socket(&mut self);
        state.note_stream(&parts.endpoint);
        let shared = Arc::new(SharedConnection::new(state));
        (
            Sender::first(Arc::clone(&shared)),
            Receiver::new(Arc::clone(&shared)),
            Driver::new(parts, shared),
        )
    }

    /// Puts the parts of a split connection together again. Later calls write the output that
    /// waits, and receive the messages that were read.
    ///
    /// # Errors
    ///
    /// [`ReuniteError`], which gives the parts back: they belong to different connections, the sender
    /// has clones, or a message that was given to it as a `Sink` still waits for room.
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
                // The state is moved out of the lock. The lock stays: another thread that drops a
                // clone of the sender may still be about to use it.
                driver.parts.take().map(|parts| (parts, state.take()))
            } else {
                None
            }
        };
        let Some((DriverParts { endpoint, closer, return_guard, log }, mut state)) = taken else {
            return Err(ReuniteError(Box::new((sender, receiver, driver))));
        };
        drop((sender, receiver, driver));
        if let Some(frame) = state.close.take() {
            // The frame was checked. It is no error if the peer has closed meanwhile.
            let _ = state.connection.close(endpoint.clock.now(), frame);
        }
        Ok(Self {
            endpoint,
            connection: state.connection,
            subprotocol: state.subprotocol,
            end: state.end,
            queued_end_timeout: state.queued_end_timeout,
            assembly: state.assembly,
            half_wakers: HalfWakers::default(),
            pings: state.pings,
            closer,
            return_guard,
            log,
        })
    }
}

/// The error of [`WebSocket::reunite`]: the parts cannot be put together. It gives them back.
pub struct ReuniteError<S, C>(Box<(Sender, Receiver, Driver<S, C>)>);

impl<S, C> ReuniteError<S, C> {
    /// Returns the parts.
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
