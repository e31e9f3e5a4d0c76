//! One turn of an opening handshake on a stream that says when it would block.

use std::io::{self, ErrorKind};

use bytes::Buf;

use crate::READ_SIZE;
use crate::connection::Transport;
use crate::event_loop::budget::Budget;
use crate::event_loop::duplex::Duplex;
use crate::event_loop::stream_io::{Read, Written, flush, read_once};
use crate::event_loop::turn::{Turn, Wait};
use crate::handshake::{ClientHandshake, Handshake, HandshakeError, ServerHandshake, Steps};
use crate::time::Timestamp;

/// Does everything that a server's opening handshake can do without waiting. After each call, look:
///
/// - [`request`](ServerHandshake::request) is there and not answered: decide, by
///   [`accept`](ServerHandshake::accept) or [`reject`](ServerHandshake::reject). A rejection is
///   written by the next calls.
/// - [`is_accepted`](ServerHandshake::is_accepted): go on with
///   [`into_connection`](ServerHandshake::into_connection) and [`turn`](crate::event_loop::turn()), which writes
///   the answer.
///
/// Otherwise do as [`Turn`] says. It is over when there will be no connection: `how` is
/// [`failure`](ServerHandshake::failure).
///
/// ```
/// use tidegate_core::event_loop::{Duplex, Turn, accept};
/// use tidegate_core::handshake::{Acceptance, HandshakeError, Rejection, ServerHandshake};
/// use tidegate_core::Timestamp;
///
/// fn opening_turn(
///     handshake: &mut ServerHandshake,
///     stream: &mut impl Duplex,
///     buffer: &mut [u8],
///     now: Timestamp,
/// ) -> Turn<Option<HandshakeError>> {
///     let turn = accept(handshake, stream, buffer, now);
///     match handshake.request() {
///         Some(request) if !handshake.is_accepted() => {
///             let _ = if request.path() == "/chat" {
///                 handshake.accept(Acceptance::new())
///             } else {
///                 handshake.reject(Rejection::new(404))
///             };
///             Turn::Again
///         }
///         _ => turn,
///     }
/// }
/// # use std::io::{Read, Write};
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let mut peer = std::net::TcpStream::connect(listener.local_addr()?)?;
/// # let (mut stream, _) = listener.accept()?;
/// # peer.write_all(b"GET /other HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
/// #     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")?;
/// # peer.shutdown(std::net::Shutdown::Write)?;
/// # let mut handshake = ServerHandshake::new(Timestamp::ZERO, Default::default());
/// # let how = loop {
/// #     match opening_turn(&mut handshake, &mut stream, &mut [0; 512], Timestamp::ZERO) {
/// #         Turn::Over { how, .. } => break how,
/// #         Turn::Wait(_) | Turn::Again => {}
/// #     }
/// # };
/// # drop(stream);
/// # let mut answer = String::new();
/// # peer.read_to_string(&mut answer)?;
/// # assert!(answer.starts_with("HTTP/1.1 404 "), "{answer} {how:?}");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn accept<S: Duplex + ?Sized>(
    handshake: &mut ServerHandshake,
    stream: &mut S,
    buffer: &mut [u8],
    now: Timestamp,
) -> Turn<Option<HandshakeError>> {
    turn(handshake, stream, buffer, now)
}

/// Does everything that a client's opening handshake can do without waiting.
///
/// When it [`is_open`](ClientHandshake::is_open), go on with
/// [`into_connection`](ClientHandshake::into_connection) and [`turn`](crate::event_loop::turn()). Otherwise do
/// as [`Turn`] says. It is over when there will be no connection: `how` is
/// [`failure`](ClientHandshake::failure), and [`response`](ClientHandshake::response) the server's
/// answer if it gave one.
pub fn connect<S: Duplex + ?Sized>(
    handshake: &mut ClientHandshake,
    stream: &mut S,
    buffer: &mut [u8],
    now: Timestamp,
) -> Turn<Option<HandshakeError>> {
    turn(handshake, stream, buffer, now)
}

fn turn<S: Duplex + ?Sized>(
    handshake: &mut Handshake<impl Steps<Failure = HandshakeError>>,
    stream: &mut S,
    buffer: &mut [u8],
    now: Timestamp,
) -> Turn<Option<HandshakeError>> {
    let mut budget = Budget::new();
    let mut has_expired = false;
    loop {
        let written = match write(handshake, stream, &mut budget) {
            Ok(written) => written,
            Err(error) => return over(handshake, now, error),
        };
        if handshake.transport() == Transport::Close {
            return Turn::Over { how: handshake.failure().copied(), error: None };
        }
        if budget.is_used_up() {
            return Turn::Again;
        }
        let wants_reading =
            handshake.wants_input() || handshake.transport() == Transport::ShutdownWrite;
        if wants_reading {
            // The bytes after the head are kept for the connection, so a read should not be longer than
            // a head can use.
            let size = buffer.len().min(READ_SIZE);
            match read_once(stream, buffer.get_mut(..size).unwrap_or_default()) {
                Ok(Read::Blocked) => {}
                Ok(read) => {
                    match read {
                        Read::Bytes(input) => {
                            budget.charge_io(input.len());
                            handshake.handle_input(now, input);
                        }
                        Read::End => {
                            budget.charge_io(0);
                            handshake.handle_eof(now);
                        }
                        Read::Interrupted | Read::Blocked => budget.charge_io(0),
                    }
                    continue;
                }
                Err(error) => return over(handshake, now, error),
            }
        }
        // The stream was looked at: now the time counts.
        if !has_expired && handshake.poll_timeout().is_some_and(|deadline| deadline <= now) {
            has_expired = true;
            handshake.handle_timeout(now);
            continue;
        }
        return Turn::Wait(Wait {
            readable: wants_reading,
            writable: written == Written::Blocked,
            until: handshake.poll_timeout(),
        });
    }
}

fn write<S: Duplex + ?Sized>(
    handshake: &mut Handshake<impl Steps>,
    stream: &mut S,
    budget: &mut Budget,
) -> io::Result<Written> {
    while handshake.output().has_remaining() {
        match stream.write(handshake.output().chunk()) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => handshake.output().advance(written),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Written::Blocked),
            Err(error) if error.kind() == ErrorKind::Interrupted => budget.charge_io(0),
            Err(error) => return Err(error),
        }
    }
    flush(stream, handshake.transport())
}

fn over(
    handshake: &mut Handshake<impl Steps<Failure = HandshakeError>>,
    now: Timestamp,
    error: io::Error,
) -> Turn<Option<HandshakeError>> {
    handshake.handle_eof(now);
    Turn::Over { how: handshake.failure().copied(), error: Some(error) }
}
