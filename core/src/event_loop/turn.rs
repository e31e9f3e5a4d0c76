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

/// What to do after a call.
#[derive(Debug)]
#[allow(clippy::exhaustive_enums, reason = "a caller must handle every one")]
pub enum Turn<H = Closed> {
    /// Everything that could be done is done: call again when one of these has come, or after
    /// anything was done with the connection from outside.
    Wait(Wait),
    /// There is more to do and the share of this call is used up. Let other connections have their
    /// turn and call again, without waiting for the stream: it may never become ready a second time.
    Again,
    /// It is over: close the stream, by dropping it. The application has been told.
    Over {
        /// How it ended.
        how: H,
        /// What the stream failed with, if it failed. A peer that closes properly and then resets
        /// the connection leaves both: a clean `how`, and the error here.
        error: Option<io::Error>,
    },
}

/// What a connection waits for. Nothing at all, if the application does not take messages
/// ([`Handler::is_ready`]) or a request waits to be answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "a caller must wait for each of them")]
pub struct Wait {
    /// The stream has something to read. While this is false, do not ask the poller for it: that
    /// is what slows the peer down.
    pub readable: bool,
    /// The stream takes output.
    pub writable: bool,
    /// The time has come. A time that has passed means now.
    pub until: Option<Timestamp>,
}

/// Does everything that a connection can do on its stream without waiting: hands over events,
/// writes, reads, keeps the time, and follows the closing handshake to the end of the stream. To be
/// called when what it asked to wait for has come, after anything was done with the connection from
/// outside, and once at the beginning. Any other call is harmless.
///
/// `stream` never blocks. `buffer` is the caller's, not empty and best
/// [`READ_SIZE`](crate::READ_SIZE) long; a longer one, up to
/// [`MAX_READ_SIZE`](crate::MAX_READ_SIZE), speeds long messages up. `now` comes from one monotonic
/// clock. `application` takes the events; it can answer each message by one
/// [`send`](Connection::send), which is not refused for want of room.
///
/// The [module](super) says what is promised, and has an example.
pub fn turn<S: Duplex + ?Sized>(
    connection: &mut Connection,
    stream: &mut S,
    buffer: &mut [u8],
    now: Timestamp,
    mut application: impl FnMut(&mut Connection, Event),
) -> Turn {
    turn_with(connection, stream, buffer, now, &mut application)
}

/// As [`turn`], for an application that does not always take messages.
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
            continue; // what was written may bring an event, or room for an answer
        }
        match connection.transport() {
            Transport::Close if handed_over == HandOver::Done => return over(connection, None),
            // The end waits behind messages that the application does not take.
            Transport::Close if handed_over == HandOver::Blocked => {
                return Turn::Wait(Wait::default());
            }
            Transport::KeepOpen | Transport::ShutdownWrite | Transport::Close => {}
        }
        if handed_over == HandOver::BudgetUsedUp
            || written == Written::BudgetUsedUp
            || budget.is_used_up()
        {
            // A peer that keeps us busy does not stop the time.
            expire(connection, now);
            return Turn::Again;
        }
        match read(connection, stream, buffer, now, handler, &mut budget) {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => return give_up(connection, handler, now, error),
        }
        // All that has come is read, all that can be written is: now the time counts. It may bring
        // output, an end, or the wish to be asked once more.
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

/// Lets deadlines that have passed take effect.
pub(crate) fn expire(connection: &mut Connection, now: Timestamp) -> bool {
    let is_due = connection.poll_timeout().is_some_and(|deadline| deadline <= now);
    if is_due {
        connection.handle_timeout(now);
    }
    is_due
}

/// Whether the stream is to be read: for the connection, or to its end when all is said.
pub(crate) fn wants_reading(connection: &Connection) -> bool {
    connection.wants_input() || connection.transport() == Transport::ShutdownWrite
}

/// Writes what there is. When all has been said, ends the writing side.
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
    // A stream may have a buffer of its own. To flush it again is cheap.
    flush(stream, connection.transport())
}

/// Reads once, if the stream is to be read. True if anything came, the end included.
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

/// Nothing can be written any more. What has arrived is still read, as far as the application takes
/// it: the peer's Close may be in it, and says why. It all happens in this call, since an error may
/// be told only once.
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

/// Nothing can be read or written any more.
pub(crate) fn give_up(
    connection: &mut Connection,
    handler: &mut impl Handler,
    now: Timestamp,
    error: io::Error,
) -> Turn {
    connection.handle_eof(now);
    hand_over_last(connection, handler);
    over(connection, Some(error))
}

/// Hands over everything that was received. What is said to it goes nowhere.
pub(crate) fn hand_over_last(connection: &mut Connection, handler: &mut impl Handler) {
    loop {
        let output = connection.output();
        output.advance(output.remaining());
        if connection.wants_output() {
            continue; // it shows a window at a time
        }
        let mut budget = Budget::new();
        if hand_over(connection, handler, &mut budget) == HandOver::Done {
            return;
        }
        if !connection.wants_output() && !may_hand_over(connection, handler) {
            return; // the application takes no more
        }
    }
}

/// It is over, if the application has been told.
fn over(connection: &Connection, error: Option<io::Error>) -> Turn {
    match connection.closed() {
        Some(how) if !connection.is_message_next() => Turn::Over { how: how.clone(), error },
        _ => Turn::Wait(Wait::default()),
    }
}

/// How often a deadline is looked at in a call: one that has passed may ask for another look, and a
/// new one may begin.
const EXPIRATIONS: usize = 3;

/// Slices in one vectored write: a window of output has rarely more.
const SLICES: usize = 16;

/// Reads after a failed write: more than a receive buffer of the system holds.
const LAST_READS: usize = 128;
