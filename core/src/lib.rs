//! The WebSocket protocol (RFC 6455) without I/O. Bytes, the time and random numbers are arguments;
//! events, bytes to write and a deadline are results. No sockets, no clock, no tasks, no `unsafe`.
//!
//! A [`Connection`] has a **gate** against memory growth. It queues the messages that the application
//! has not taken yet. When their number or their bytes reach a high watermark,
//! [`wants_input`](Connection::wants_input) becomes false, and true again when both have fallen to
//! the low watermark. A caller that does not read the socket meanwhile lets TCP slow the sender down:
//! memory stays within [`Config::memory_bound`], and nothing is lost.
//!
//! # The loop
//!
//! [`event_loop::turn`] (feature `std`) does everything that an event loop has to do with a
//! connection: it reads, writes, hands over events and fires timers. It works with any non-blocking
//! socket.
//!
//! ```
//! # #[cfg(feature = "std")] mod example {
//! use tidegate_core::event_loop::{Duplex, Turn, turn};
//! use tidegate_core::{Connection, Event, Timestamp};
//!
//! /// Call this when the socket is ready, when the deadline has come, and after sending.
//! fn echo(
//!     connection: &mut Connection,
//!     socket: &mut impl Duplex, // non-blocking: a socket of std, or any other in WithShutdown
//!     buffer: &mut [u8],        // one for all connections of a thread
//!     now: Timestamp,           // from one monotonic clock
//! ) -> Turn {
//!     turn(connection, socket, buffer, now, |connection, event| match event {
//!         Event::Message(message) => drop(connection.send(message)), // an answer is always accepted
//!         Event::Closed(closed) => println!("{closed}"),
//!         _ => {}
//!     })
//! }
//! # }
//! ```
//!
//! It returns what to wait for. `examples/mio_echo.rs` is a complete server around it (epoll, many
//! connections). [`event_loop::Operations`] does the same for completions: see `examples/io_uring`
//! and `examples/blocking.rs` (threads).
//!
//! To write a loop yourself, ask a [`Connection`] five questions in each turn:
//! [`poll_event`](Connection::poll_event), [`wants_output`](Connection::wants_output),
//! [`transport`](Connection::transport), [`wants_input`](Connection::wants_input) and
//! [`poll_timeout`](Connection::poll_timeout).
//!
//! For tokio, smol or async-std, use `tidegate-tokio`, `tidegate-smol` or `tidegate-async-std`.
//!
//! # Guarantees
//!
//! - Same input, same output: no clock, no randomness, no global state.
//! - A peer cannot cause a panic. Memory grows with the bytes that have arrived, never with a length
//!   that was only announced.
//! - Every limit is a setting of [`Config`] with a default and a getter. [`Config::memory_bound`] is
//!   their sum, if reads are not longer than [`READ_SIZE`] or what [`Connection::read_size`] says.
//! - Everything that was received before a violation is delivered. The violation is answered with the
//!   right close code and reported as a [`ProtocolError`].
//! - The state is consistent after every call, in any order of calls. A call that comes late only
//!   delays things.
//!
//! # Settings
//!
//! [`Config`], [`handshake::Limits`], `DeflateOptions` and [`handshake::ClientRequest`] are built in
//! the same way, and so are the options of the adapters: `T::builder()`, a setter named as each
//! setting, and `build()?`, which makes all the checks and names the setting in its error. `T` has a
//! getter of the same name for each setting.
//!
//! # Layers
//!
//! Upper layers use lower ones only.
//!
//! | layer | what it does |
//! |---|---|
//! | [`event_loop`] (feature `std`) | a loop around a connection, for readiness and for completions |
//! | [`handshake`] | the opening handshakes of both roles, and requests to proxies |
//! | [`Connection`], [`Event`] | an open WebSocket: receiving, sending, closing, deadlines |
//! | [`Config`], [`Watermarks`] | its settings |
//! | `deflate` (feature) | permessage-deflate: negotiation, compression, shared contexts |
//! | [`frame`] | headers, masking, a decoder that takes input in any pieces; does not allocate |
//! | [`Message`], [`CloseCode`], [`Timestamp`], [`Role`], errors | small types that everything uses |
//!
//! # Features
//!
//! `std` (default): [`event_loop`], vectored output and run-time detection of the CPU. Without it
//! the crate is `no_std` with `alloc`. `http`: the server's opening handshake on the types of that
//! crate. `deflate`: permessage-deflate (RFC 7692). `testing`: tools for tests of your own loop.
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![warn(clippy::std_instead_of_alloc, clippy::std_instead_of_core)]

extern crate alloc;

mod close;
mod config;
mod connection;
mod error;
mod extension;
mod last_look;
mod message;
mod opcode;
mod role;
mod time;
mod utf8;

#[cfg(feature = "deflate")]
pub mod deflate;
#[cfg(not(feature = "deflate"))]
mod deflate;
#[cfg(feature = "std")]
pub mod event_loop;
pub mod frame;
pub mod handshake;
#[cfg(feature = "testing")]
pub mod testing;

pub use bytes::Bytes;
pub use bytestring::ByteString;

pub use crate::close::{CloseCode, CloseFrame};
pub use crate::config::read_size::{MAX_READ_SIZE, READ_SIZE};
pub use crate::config::{Config, ConfigBuilder, Delivery, PongPolicy, Watermarks};
pub use crate::connection::event::{Closed, Event, Failure};
pub use crate::connection::receive::unqueued::EventRef;
pub use crate::connection::send::{ChunkError, Outgoing, Output, Prepared, SendError};
pub use crate::connection::stats::Stats;
pub use crate::connection::{Connection, Transport};
pub use crate::deflate::session::Compress;
pub use crate::error::{ConfigError, ControlError, ProtocolError};
pub use crate::message::{Chunk, Message, MessageKind, MessageRef};
pub use crate::role::Role;
pub use crate::time::Timestamp;
