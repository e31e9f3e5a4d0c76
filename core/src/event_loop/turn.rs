//! One turn of a connection on a stream that says when it would block.

use std::io::{self, ErrorKind, IoSlice};

use bytes::Buf;

use crate::connection::event::Event;
use crate::connection::{Connection, Transport};
use crate::event_loop::duplex::Duplex;
use crate::event_loop::handler::{Handed, Handler, hand_over, may_hand_over, take_input};
use crate::event_loop::share::Share;
use crate::event_loop::{Turn, Wait};
use crate::time::Timestamp;

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
    let mut share = Share::new();
    let mut expirations = 0;
    loop {
        let handed = hand_over(connection, handler, &mut share);
        let has_output = connection.wants_output();
        let written = match write(connection, stream, &mut share) {
            Ok(written) => written,
            Err(error) => return fail(connection, stream, buffer, now, handler, error),
        };
        let has_room = handed == Handed::Waits && may_hand_over(connection, handler);
        if has_room || (has_output && written == Written::All) {
            continue; // what was written may bring an event, or room for an answer
        }
        match connection.transport() {
            Transport::Close if handed == Handed::All => return over(connection, None),
            // The end waits behind messages that the application does not take.
            Transport::Close if handed == Handed::Waits => return Turn::Wait(Wait::default()),
            Transport::KeepOpen | Transport::ShutdownWrite | Transport::Close => {}
        }
        if handed == Handed::Share || written == Written::Share || share.is_used_up() {
            // A peer that keeps us busy does not stop the time.
            expire(connection, now);
            return Turn::Again;
        }
        match read(connection, stream, buffer, now, handler, &mut share) {
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

/// How far writing came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// Everything has left.
    All,
    /// The stream takes no more now.
    Blocked,
    /// The share is used up.
    Share,
}

/// Writes what there is. When all has been said, ends the writing side.
fn write<S: Duplex + ?Sized>(
    connection: &mut Connection,
    stream: &mut S,
    share: &mut Share,
) -> io::Result<Written> {
    while connection.wants_output() {
        if share.is_used_up() {
            return Ok(Written::Share);
        }
        let output = connection.output();
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = output.chunks_vectored(&mut slices);
        match stream.write_vectored(slices.get(..count).unwrap_or_default()) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => {
                share.take_call(written);
                output.advance(written);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Written::Blocked),
            Err(error) if error.kind() == ErrorKind::Interrupted => share.take_call(0),
            Err(error) => return Err(error),
        }
    }
    // A stream may have a buffer of its own. To flush it again is cheap.
    flushed(stream, connection.transport())
}

pub(crate) fn flushed<S: Duplex + ?Sized>(
    stream: &mut S,
    transport: Transport,
) -> io::Result<Written> {
    let mut flushed = stream.flush();
    if flushed.is_ok() && transport == Transport::ShutdownWrite {
        flushed = stream.shut_down_write();
    }
    match flushed {
        Ok(()) => Ok(Written::All),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(Written::Blocked)
        }
        Err(error) => Err(error),
    }
}

/// Reads once, if the stream is to be read. True if anything came, the end included.
fn read<S: Duplex + ?Sized>(
    connection: &mut Connection,
    stream: &mut S,
    buffer: &mut [u8],
    now: Timestamp,
    handler: &mut impl Handler,
    share: &mut Share,
) -> io::Result<bool> {
    if !wants_reading(connection) {
        return Ok(false);
    }
    let size = connection.read_size().min(buffer.len());
    let buffer = buffer.get_mut(..size).unwrap_or_default();
    match read_once(stream, buffer)? {
        Read::Blocked => return Ok(false),
        Read::Interrupted => share.take_call(0),
        Read::End => {
            share.take_call(0);
            connection.handle_eof(now);
        }
        Read::Bytes(input) => {
            share.take_call(input.len());
            take_input(connection, handler, now, input, share);
        }
    }
    Ok(true)
}

/// What a read gave.
pub(crate) enum Read<'b> {
    Bytes(&'b [u8]),
    End,
    Blocked,
    Interrupted,
}

/// Reads. An empty buffer is a mistake of the caller, and would look like the end of the stream.
pub(crate) fn read_once<'b, S: Duplex + ?Sized>(
    stream: &mut S,
    buffer: &'b mut [u8],
) -> io::Result<Read<'b>> {
    if buffer.is_empty() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "the read buffer is empty"));
    }
    match stream.read(buffer) {
        Ok(0) => Ok(Read::End),
        Ok(count) => Ok(Read::Bytes(buffer.get(..count).unwrap_or(buffer))),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Read::Blocked),
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(Read::Interrupted),
        Err(error) => Err(error),
    }
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
        let mut share = Share::new();
        if hand_over(connection, handler, &mut share) == Handed::All {
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
