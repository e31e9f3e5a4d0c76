//! The loop around a connection, ready to be called: it reads, writes, hands events over and keeps
//! the time, for any event loop that can wait for a socket.
//!
//! Feature `std`. There are no sockets, clocks or threads in here. The caller brings them and calls
//! one function, which does all that can be done without waiting and says what to wait for:
//!
//! | the caller has | it calls |
//! |---|---|
//! | readiness: epoll, kqueue, `poll`, mio | [`turn`], and before it [`accept`] or [`connect`] for the opening handshake |
//! | readiness, and an application that must sometimes wait | [`turn_with`], with a [`Handler`] |
//! | completions: io_uring, IOCP, a thread that reads and one that writes | [`Operations`] |

//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//! use tidegate_core::event_loop::{Turn, turn};
//! use tidegate_core::{Config, Connection, Event, READ_SIZE, Timestamp};
//!
//! # fn main() -> std::io::Result<()> {
//! # let listener = TcpListener::bind("127.0.0.1:0")?;
//! # let mut peer = TcpStream::connect(listener.local_addr()?)?;
//! # let (mut stream, _) = listener.accept()?;
//! # peer.write_all(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")?;
//! # while stream.peek(&mut [0; 11])? < 11 {}
//! # stream.set_nonblocking(true)?;
//! let now = Timestamp::ZERO; // from one monotonic clock
//! let mut connection = Connection::server(now, Config::default());
//! let mut buffer = vec![0; READ_SIZE]; // one for all connections of a thread
//!
//! // The stream is ready, the deadline has come, or something was sent from outside:
//! let turn = turn(&mut connection, &mut stream, &mut buffer, now, |connection, event| match event {
//!     Event::Message(message) => drop(connection.send(message)), // there is room for an answer
//!     Event::Closed(closed) => println!("{closed}"),
//!     _ => {}
//! });
//! match turn {
//!     Turn::Wait(wait) => assert!(wait.readable), // tell the poller
//!     Turn::Again => {}                           // others first, then the same call again
//!     Turn::Over { .. } => drop(stream),
//! }
//! # let mut echo = [0; 7];
//! # peer.read_exact(&mut echo)?;
//! # assert_eq!(&echo, b"\x81\x05Hello");
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//!
//! - **No answer is refused for want of room.** A message, or a chunk of one, is handed over only
//!   while the outbox is open, so that one answer to each is accepted however large it is. Until
//!   then the message waits in the connection, the gate closes, and the peer feels it. Control
//!   frames and [`Event::Closed`] are handed over at once.
//! - **It never gets stuck.** [`Turn::Wait`] names everything that could let it go on. If nothing of
//!   that happens, there is nothing to do.
//! - **A bounded amount of work in each call**, about 1 MiB of input, output and messages together.
//!   [`Turn::Again`] says that there is more. Edge-triggered and level-triggered pollers are both
//!   right: before it asks to wait for the stream, the stream has said that it would block.
//! - **It looks before it judges.** Deadlines are looked at after the stream was read, so that a
//!   pong that has arrived counts however late the call is.
//! - **The cause comes first.** After a failed write it still reads what has arrived: the peer's
//!   Close says why, the error only that it has hung up.
//! - **Everything that was received is handed over before the end**, and [`Event::Closed`] exactly
//!   once, before [`Turn::Over`].
//!
//! # Sending from outside
//!
//! A timer, another connection or a channel sends by [`Connection::send`], and then calls [`turn`],
//! which writes. [`SendError::Full`](crate::SendError::Full) can happen there, since nobody keeps a
//! place free for what comes unasked: skip the message, keep it until
//! [`can_send`](Connection::can_send), or [`abort`](Connection::abort) a peer that is too slow.
//! [`close`](Connection::close) works in the same way.

mod budget;
mod completion;
mod duplex;
mod handler;
mod opening;
mod stream_io;
mod turn;

pub use self::completion::{Next, Operations, Submit};
pub use self::duplex::{Duplex, WithShutdown};
pub use self::handler::Handler;
pub use self::opening::{accept, connect};
pub use self::turn::{Turn, Wait, turn, turn_with};

#[cfg(doc)]
use crate::{Connection, Event};
