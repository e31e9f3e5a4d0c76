//! The same loop where the system says when an operation is done, and not when it could be begun.

use std::io::{self, ErrorKind, IoSlice};
use std::net::Shutdown;

use bytes::{Buf, Bytes};

use crate::READ_SIZE;
use crate::connection::event::Closed;
use crate::connection::{Connection, Transport};
use crate::event_loop::budget::Budget;
use crate::event_loop::handler::{HandOver, Handler, hand_over, take_input};
use crate::event_loop::turn::{hand_over_last, wants_reading};
use crate::time::Timestamp;

/// The operations of a connection that are under way: at most one receive and one send. For
/// io_uring, IOCP, or a thread that reads and one that writes.
///
/// The caller hands in what is done by [`received`](Self::received) and [`sent`](Self::sent), and
/// then asks [`next`](Self::next) what to submit. It keeps the promises of the
/// [module](super): messages are handed over only when they can be answered, there is no receive
/// under way while the gate is closed, the work of a call is bounded, and the end is told once, with
/// its cause.
///
/// ```
/// use tidegate_core::event_loop::{Next, Operations};
/// use tidegate_core::{Config, Connection, Event, Timestamp};
///
/// let now = Timestamp::ZERO;
/// let mut connection = Connection::server(now, Config::default());
/// let mut operations = Operations::default();
/// let mut echo = |connection: &mut Connection, event: Event| {
///     if let Event::Message(message) = event {
///         let _ = connection.send(message); // there is room for an answer
///     }
/// };
///
/// let Next::Submit(submit) = operations.next(&mut connection, now, &mut echo) else { panic!() };
/// assert!(submit.receive.is_some() && submit.send.is_none());
///
/// // The receive is done:
/// let input = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
/// operations.received(&mut connection, now, Ok(input), &mut echo);
/// let Next::Submit(submit) = operations.next(&mut connection, now, &mut echo) else { panic!() };
/// assert_eq!(submit.send.as_deref(), Some(&b"\x81\x05Hello"[..]));
/// assert!(submit.receive.is_some(), "and another one, at the same time");
///
/// // The send is done:
/// operations.sent(&mut connection, Ok(7));
/// ```
///
/// # Time
///
/// When [`Submit::until`] has come and everything that is done was handed in, call
/// [`Connection::handle_timeout`], and then [`next`](Self::next): a pong that has arrived counts.
/// Where threads do the operations, it is the one that reads which does this, when it has looked and
/// found nothing.
#[derive(Debug, Default)]
pub struct Operations {
    is_receiving: bool,
    /// How much is being sent.
    sending: usize,
    /// Nothing more can be received.
    has_ended: bool,
    /// Nothing more can be sent.
    has_failed: bool,
    /// What the stream failed with first.
    fault: Option<io::Error>,
    shut_down: Option<Shutdown>,
    /// How much came after a send had failed.
    received_late: usize,
}

/// What to do next.
#[derive(Debug)]
#[allow(clippy::exhaustive_enums, reason = "a caller must handle every one")]
pub enum Next {
    /// Begin these operations, and call again when one is done, when the time has come, or after
    /// anything was done with the connection from outside.
    Submit(Submit),
    /// It is over, and nothing is under way: close the stream. The application has been told.
    Over {
        /// How it ended.
        how: Closed,
        /// What the stream failed with first, if it failed.
        error: Option<io::Error>,
    },
}

/// Operations to begin. None of them, if everything that could be begun is under way.
#[derive(Debug, Default)]
#[allow(clippy::exhaustive_structs, reason = "a caller must do each of them")]
pub struct Submit {
    /// Receive this much, or less, or more: it is a matter of speed alone.
    pub receive: Option<usize>,
    /// Send these bytes, or a part of them.
    pub send: Option<Bytes>,
    /// Shut the stream down. `Write` comes when everything is said. `Both` ends what is under way,
    /// which then is handed in as done: with what had arrived, or with an error.
    pub shut_down: Option<Shutdown>,
    /// When to call again if nothing is done before. A time that has passed means now, after the
    /// others had their turn.
    pub until: Option<Timestamp>,
}

impl Operations {
    /// The receive is done: with these bytes, with none at the end of the stream, or with an error.
    ///
    /// After [`WouldBlock`](ErrorKind::WouldBlock) and [`Interrupted`](ErrorKind::Interrupted) it is
    /// submitted anew: a caller that runs out of buffers, or whose read has a limit of time, says
    /// so by the first.
    pub fn received(
        &mut self,
        connection: &mut Connection,
        now: Timestamp,
        result: io::Result<&[u8]>,
        handler: &mut impl Handler,
    ) {
        self.is_receiving = false;
        match result {
            Ok([]) => self.end(connection, now),
            Ok(input) => {
                // After a failed send the peer's Close may still be in what arrives, and it says
                // why. Its bytes are counted, so that no peer can keep us reading forever.
                if self.has_failed {
                    hand_over_last(connection, handler);
                    self.received_late = self.received_late.saturating_add(input.len());
                }
                take_input(connection, handler, now, input, &mut Budget::new());
                if self.received_late > MOST_LATE {
                    self.end(connection, now);
                }
            }
            Err(error) if is_passing(&error) => {}
            Err(error) => {
                self.fail(error);
                self.end(connection, now);
            }
        }
    }

    /// The send is done: so many bytes were taken, or it failed.
    pub fn sent(&mut self, connection: &mut Connection, result: io::Result<usize>) {
        let sending = core::mem::take(&mut self.sending);
        match result {
            // A send that takes nothing would be submitted again and again.
            Ok(0) if sending > 0 => self.fail(ErrorKind::WriteZero.into()),
            // The count comes from the caller. More than was submitted would drop output that never
            // left.
            Ok(count) => connection.output().advance(count.min(sending)),
            Err(error) if is_passing(&error) => {}
            Err(error) => self.fail(error),
        }
    }

    /// Hands over events, and says what to begin and what to wait for. To be called after what is
    /// done was handed in, when [`Submit::until`] has come, after anything was done with the
    /// connection from outside, and once at the beginning. Any other call is harmless.
    pub fn next(
        &mut self,
        connection: &mut Connection,
        now: Timestamp,
        handler: &mut impl Handler,
    ) -> Next {
        let mut handed_over = HandOver::Done;
        if self.has_failed {
            // What is said goes nowhere, and what has arrived is still handed over.
            hand_over_last(connection, handler);
        } else {
            handed_over = hand_over(connection, handler, &mut Budget::new());
        }
        let transport = connection.transport();
        if transport == Transport::Close || (self.has_failed && self.has_ended) {
            return self.last(connection, now, handed_over);
        }
        let mut submit = Submit::default();
        if self.sending == 0 && !self.has_failed && connection.wants_output() {
            let bytes = copy_output(connection);
            self.sending = bytes.len();
            submit.send = Some(bytes);
        }
        if !self.is_receiving && !self.has_ended && (wants_reading(connection) || self.has_failed) {
            submit.receive = Some(connection.read_size());
            self.is_receiving = true;
        }
        if self.has_failed {
            submit.shut_down = self.shut_down(Shutdown::Both);
        } else if transport == Transport::ShutdownWrite {
            submit.shut_down = self.shut_down(Shutdown::Write);
        }
        // Nothing wakes the caller for events that are already decoded, so it must come again by
        // itself.
        submit.until = if handed_over == HandOver::BudgetUsedUp {
            Some(now)
        } else {
            connection.poll_timeout()
        };
        Next::Submit(submit)
    }

    /// Ends what is under way. It is over when nothing is, and the application has been told.
    fn last(&mut self, connection: &Connection, now: Timestamp, handed_over: HandOver) -> Next {
        let mut submit = Submit::default();
        if self.is_receiving || self.sending > 0 {
            submit.shut_down = self.shut_down(Shutdown::Both);
            return Next::Submit(submit);
        }
        match connection.closed() {
            Some(how) if handed_over == HandOver::Done && !connection.is_message_next() => {
                Next::Over { how: how.clone(), error: self.fault.take() }
            }
            // It waits for an application that takes no messages, or for the others' turn.
            _ => {
                submit.until = (handed_over == HandOver::BudgetUsedUp).then_some(now);
                Next::Submit(submit)
            }
        }
    }

    /// Each way to shut down is asked for once; after `Both` there is no other.
    fn shut_down(&mut self, how: Shutdown) -> Option<Shutdown> {
        if self.shut_down == Some(how) || self.shut_down == Some(Shutdown::Both) {
            return None;
        }
        self.shut_down = Some(how);
        self.shut_down
    }

    fn end(&mut self, connection: &mut Connection, now: Timestamp) {
        self.has_ended = true;
        connection.handle_eof(now);
    }

    fn fail(&mut self, error: io::Error) {
        self.has_failed = true;
        // The first error is the cause. Shutting the stream down makes others follow.
        self.fault.get_or_insert(error);
    }
}

/// Whether the operation is just to be begun again.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Up to a read's worth of output, in one piece. It counts as taken only when it was sent.
fn copy_output(connection: &mut Connection) -> Bytes {
    let mut slices = [IoSlice::new(&[]); SLICES];
    let output = connection.output();
    let count = output.chunks_vectored(&mut slices);
    let mut bytes = Vec::with_capacity(output.remaining().min(READ_SIZE));
    for slice in slices.iter().take(count) {
        let room = READ_SIZE - bytes.len();
        bytes.extend_from_slice(slice.get(..room).unwrap_or(slice));
    }
    bytes.into()
}

const SLICES: usize = 16;

/// What is taken after a send has failed: more than a receive buffer of the system holds. A peer
/// cannot go on sending forever.
const MOST_LATE: usize = 8 * 1024 * 1024;
