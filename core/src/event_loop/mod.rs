//! A ready-made loop around a connection. One call reads, writes, hands over events and fires timers,
//! as far as possible without waiting, and returns what to wait for.
//!
//! Needs the feature `std`. The caller brings the sockets, the clock and the threads:
//!
//! | the caller uses | it calls |
//! |---|---|
//! | readiness: epoll, kqueue, `poll`, mio | [`turn`], and before it [`accept`] or [`connect`] for the opening handshake |
//! | readiness, and an application that cannot always take messages | [`turn_with`], with a [`Handler`] |
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
//! // Call this when the stream is ready, when the deadline has come, and after sending:
//! let turn = turn(&mut connection, &mut stream, &mut buffer, now, |connection, event| match event {
//!     Event::Message(message) => drop(connection.send(message)), // an answer is always accepted
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
//! # Guarantees
//!
//! - **An answer is never refused because the outbox is full.** A message or chunk is handed over
//!   only while the outbox is open, so one answer of any size is accepted. Until then the message
//!   stays in the connection, the gate closes, and the peer is slowed down. Control frames and
//!   [`Event::Closed`] do not wait for the outbox.
//! - **It never gets stuck.** [`Turn::Wait`] names everything that could allow progress.
//! - **Each call does a bounded amount of work**, about 1 MiB of input, output and messages together.
//!   [`Turn::Again`] means that there is more to do. Edge-triggered and level-triggered pollers both
//!   work: the loop waits for the stream only after the stream has returned `WouldBlock`.
//! - **It reads before it judges.** Timers are checked after the stream was read, so a pong that has
//!   arrived counts, however late the call is.
//! - **The cause comes first.** After a failed write it still reads what has arrived. The peer's Close
//!   says why the peer hung up; the error only says that it did.
//! - **Everything that was received is handed over before the end.** [`Event::Closed`] comes exactly
//!   once, before [`Turn::Over`].
//!
//! # Sending from outside
//!
//! To send on your own initiative, for example from a timer or another connection, call
//! [`Connection::send`] and then [`turn`], which writes. Only answers have a place reserved, so
//! [`SendError::Full`](crate::SendError::Full) can happen here: skip the message, keep it until
//! [`can_send`](Connection::can_send) is true, or [`abort`](Connection::abort) the connection to a
//! peer that is too slow. [`close`](Connection::close) works in the same way.

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
