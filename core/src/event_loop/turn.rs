//! Drives a connection over a non-blocking stream: one call does all that can be done now.

use std::io::{self, ErrorKind, IoSlice};

use bytes::Buf;

use crate::connection::event::{Closed, Event};
use crate::connection::{Connection, Transport};
use crate::event_loop::budget::Budget;
use crate::event_loop::duplex::Duplex;
use crate::event_loop::handler::{HandOver, Handler, hand_over, may_hand_over, take_input};
use crate::event_loop::stream_io::{Read, Written, flush, read_once};
use crate::time::Timestamp;

/// What to do after a call of the loop.
#[derive(Debug)]
#[allow(clippy::exhaustive_enums, reason = "a caller must handle every one")]
pub enum Turn<H = Closed> {
    /// Everything that can be done now is done. Call again when one of these happens, and after you
    /// have called a method of the connection, for example to send.
    Wait(Wait),
    /// There is more to do and the share of this call is used up. Let other connections have their
    /// turn and call again, without waiting for the stream: it may never become ready a second time.
    Again,
    /// The connection is over, and the application has taken [`Event::Closed`]. Drop the stream.
    Over {
        /// How it ended.
        how: H,
        /// The error of the stream, if it failed. A peer that closes properly and then resets the TCP
        /// connection causes both: a clean `how`, and the error here.
        error: Option<io::Error>,
    },
}

/// What a connection waits for. Empty if it only waits for the application: to take messages
/// ([`Handler::is_ready`]), or to answer a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "a caller must wait for each of them")]
pub struct Wait {
    /// Wait until the stream is readable. While this is false, do not poll the stream for reading;
    /// this is what slows the peer down.
    pub readable: bool,
    /// Wait until the stream is writable.
    pub writable: bool,
    /// Wait until this time at most. A time that has passed means now.
    pub until: Option<Timestamp>,
}

/// Does everything that a connection can do on its stream without waiting: hands over events, writes,
/// reads, fires timers, and carries out the closing handshake to the end of the stream.
///
/// Call it once at the beginning, when something happens that it asked to wait for, and after you
/// have called a method of the connection. Extra calls are harmless.
///
/// - `stream` must be non-blocking.
/// - `buffer` must not be empty. The best length is [`READ_SIZE`](crate::READ_SIZE); a longer one, up
///   to [`MAX_READ_SIZE`](crate::MAX_READ_SIZE), makes long messages faster.
/// - `now` must come from one monotonic clock.
/// - `application` takes the events. It may answer each message by one [`send`](Connection::send),
///   which is always accepted while the connection is open.
///
/// The [module](super) lists the guarantees and has an example.
pub fn turn<S: Duplex + ?Sized>(
    connection: &mut Connection,
    stream: &mut S,
    buffer: &mut [u8],
    now: Timestamp,
    mut application: impl FnMut(&mut Connection, Event),
) -> Turn {
    turn_with(connection, stream, buffer, now, &mut application)
}

/// Like [`turn`], for an application that cannot always take messages.
pub fn turn_with<S: Duplex + ?Sized>(
    connection: &mut Connection,
    stream: &mut S,
    buffer: &mut [u8],
    now: Timestamp,
    handler: &mut impl Handler,
) -> Turn {
    let mut budget = Budget::new();
    let mut expirations = 0;
    loop {
        let handed_over = hand_over(connection, handler, &mut budget);
        let has_output = connection.wants_output();
        let written = match write(connection, stream, &mut budget) {
            Ok(written) => written,
            Err(error) => return fail(connection, stream, buffer, now, handler, error),
        };
        let has_room = handed_over == HandOver::Blocked && may_hand_over(connection, handler);
        if has_room || (has_output && written == Written::All) {
            continue; // writing may have made room for an answer, or ended the connection
        }
        match connection.transport() {
            Transport::Close if handed_over == HandOver::Done => return over(connection, None),
            // `Event::Closed` comes after messages that the application does not take now.
            Transport::Close if handed_over == HandOver::Blocked => {
                return Turn::Wait(Wait::default());
            }
            Transport::KeepOpen | Transport::ShutdownWrite | Transport::Close => {}
        }
        if handed_over == HandOver::BudgetUsedUp
            || written == Written::BudgetUsedUp
            || budget.is_used_up()
        {
            // Timers fire even if the peer keeps us busy.
            expire(connection, now);
            return Turn::Again;
        }
        match read(connection, stream, buffer, now, handler, &mut budget) {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => return give_up(connection, handler, now, error),
        }
        // The stream has been read and written as far as possible, so timers may fire now. They may
        // lead to output, to the end, or to a last look at the stream.
        // R1 in docs/flow-control.md: a limit blames the peer only after the stream was read once
        // more.
        if expirations < EXPIRATIONS && expire(connection, now) {
            expirations += 1;
            continue;
        }
        return Turn::Wait(Wait {
            readable: wants_reading(connection),
            writable: written == Written::Blocked,
            until: connection.poll_timeout(),
        });
    }
}

/// Fires expired timers, and tells whether there were any.
pub(crate) fn expire(connection: &mut Connection, now: Timestamp) -> bool {
    let is_due = connection.poll_timeout().is_some_and(|deadline| deadline <= now);
    if is_due {
        connection.handle_timeout(now);
    }
    is_due
}

/// Whether to read the stream: because the connection wants input, or to notice the end of the stream
/// after the writing side was shut down.
pub(crate) fn wants_reading(connection: &Connection) -> bool {
    connection.wants_input() || connection.transport() == Transport::ShutdownWrite
}

/// Writes all output, then flushes, and shuts the writing side down if it is time to.
fn write<S: Duplex + ?Sized>(
    connection: &mut Connection,
    stream: &mut S,
    budget: &mut Budget,
) -> io::Result<Written> {
    while connection.wants_output() {
        if budget.is_used_up() {
            return Ok(Written::BudgetUsedUp);
        }
        let output = connection.output();
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = output.chunks_vectored(&mut slices);
        match stream.write_vectored(slices.get(..count).unwrap_or_default()) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => {
                budget.charge_io(written);
                output.advance(written);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Written::Blocked),
            Err(error) if error.kind() == ErrorKind::Interrupted => budget.charge_io(0),
            Err(error) => return Err(error),
        }
    }
    // A stream may have a buffer of its own. Flushing again is cheap.
    flush(stream, connection.transport())
}

/// Reads once, if the stream is to be read. True if it may be worth to read again.
fn read<S: Duplex + ?Sized>(
    connection: &mut Connection,
    stream: &mut S,
    buffer: &mut [u8],
    now: Timestamp,
    handler: &mut impl Handler,
    budget: &mut Budget,
) -> io::Result<bool> {
    if !wants_reading(connection) {
        return Ok(false);
    }
    // A longer read could stay undecoded as a whole, and `Config::memory_bound` does not count
    // that.
    let size = connection.read_size().min(buffer.len());
    let buffer = buffer.get_mut(..size).unwrap_or_default();
    match read_once(stream, buffer)? {
        Read::Blocked => return Ok(false),
        Read::Interrupted => budget.charge_io(0),
        Read::End => {
            budget.charge_io(0);
            connection.handle_eof(now);
        }
        Read::Bytes(input) => {
            budget.charge_io(input.len());
            take_input(connection, handler, now, input, budget);
        }
    }
    Ok(true)
}

/// Ends the connection after a failed write. What has arrived is still read, as far as the application
/// takes it, because the peer's Close may be in it, which says why. All of this happens in one call,
/// because a stream may report an error only once.
fn fail<S: Duplex + ?Sized>(
    connection: &mut Connection,
    stream: &mut S,
    buffer: &mut [u8],
    now: Timestamp,
    handler: &mut impl Handler,
    error: io::Error,
) -> Turn {
    for _ in 0..LAST_READS {
        hand_over_last(connection, handler);
        if !connection.wants_input() {
            break;
        }
        match read_once(stream, buffer) {
            Ok(Read::Bytes(input)) => connection.handle_input(now, input),
            Ok(Read::Interrupted) => {}
            Ok(Read::End | Read::Blocked) | Err(_) => break,
        }
    }
    give_up(connection, handler, now, error)
}

/// Ends the connection when the stream can neither be read nor written.
pub(crate) fn give_up(
    connection: &mut Connection,
    handler: &mut impl Handler,
    now: Timestamp,
    error: io::Error,
) -> Turn {
    // First the end, then the events: `Event::Closed` is among them only after the end is known.
    connection.handle_eof(now);
    hand_over_last(connection, handler);
    over(connection, Some(error))
}

/// Hands over everything that was received, and drops the answers, which cannot be written.
pub(crate) fn hand_over_last(connection: &mut Connection, handler: &mut impl Handler) {
    loop {
        let output = connection.output();
        output.advance(output.remaining());
        if connection.wants_output() {
            continue; // `output` gives one window at a time
        }
        let mut budget = Budget::new();
        if hand_over(connection, handler, &mut budget) == HandOver::Done {
            return;
        }
        if !connection.wants_output() && !may_hand_over(connection, handler) {
            return; // the application does not take the next message
        }
    }
}

/// Returns [`Turn::Over`] if the application has taken everything.
fn over(connection: &Connection, error: Option<io::Error>) -> Turn {
    match connection.closed() {
        Some(how) if !connection.is_message_next() => Turn::Over { how: how.clone(), error },
        _ => Turn::Wait(Wait::default()),
    }
}

/// How often timers are fired in one call: an expired one may start its last look, and another timer
/// may start.
const EXPIRATIONS: usize = 3;

/// Slices in one vectored write. A window of output rarely has more.
const SLICES: usize = 16;

/// Reads after a failed write. Together they read more than the receive buffer of a socket holds.
const LAST_READS: usize = 128;
