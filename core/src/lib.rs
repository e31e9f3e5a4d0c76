//! The WebSocket protocol as a pure state machine: bytes, time and entropy come in as arguments;
//! events, bytes and a deadline come out. No sockets, no clock, no tasks, no `unsafe`.
//!
//! What it adds to the protocol is a **gate**. A [`Connection`] keeps the messages that the
//! application has not taken, and [`wants_input`](Connection::wants_input) turns false when their
//! number or their bytes reach a high mark, and true again when both are back at the low one. Who
//! stops reading the socket meanwhile lets TCP slow the sender down: memory stays within
//! [`Config::memory_bound`], and nothing is lost.
//!
//! # The loop
//!
//! [`event_loop::turn`] (feature `std`) does all that an event loop does with a connection. Which
//! sockets, threads or wake-ups are behind `socket` is the caller's business.
//!
//! ```
//! # #[cfg(feature = "std")] mod example {
//! use tidegate_core::event_loop::{Duplex, Turn, turn};
//! use tidegate_core::{Connection, Event, Timestamp};
//!
//! /// The socket is ready, the deadline has come, or something was sent from outside.
//! fn echo(
//!     connection: &mut Connection,
//!     socket: &mut impl Duplex, // non-blocking: the sockets of std, or any other by WithShutdown
//!     buffer: &mut [u8],        // one for all connections of a thread
//!     now: Timestamp,           // from one monotonic clock
//! ) -> Turn {
//!     turn(connection, socket, buffer, now, |connection, event| match event {
//!         Event::Message(message) => drop(connection.send(message)), // there is room for an answer
//!         Event::Closed(closed) => println!("{closed}"),
//!         _ => {}
//!     })
//! }
//! # }
//! ```
//!
//! It says what to wait for, and never hands a message over that could not be answered.
//! `examples/mio_echo.rs` (epoll, many connections) is a complete server around it;
//! [`event_loop::Operations`] is its form for completions, used by `examples/io_uring` and
//! `examples/blocking.rs` (threads). Below it are the five questions of a [`Connection`]:
//! [`poll_event`](Connection::poll_event), [`wants_output`](Connection::wants_output),
//! [`transport`](Connection::transport), [`wants_input`](Connection::wants_input) and
//! [`poll_timeout`](Connection::poll_timeout). An application on tokio, smol or async-std takes the
//! adapter crate of that name.
//!
//! # Guarantees
//!
//! - Same input, same output: no clock, no randomness, no global state.
//! - A peer cannot cause a panic, and memory grows with bytes that arrived, never with lengths that
//!   were only declared. Every bound on what a connection keeps is a setting of [`Config`] with a
//!   getter, on by default, and [`Config::memory_bound`] is their sum. How much is read at a time
//!   is the caller's choice: [`READ_SIZE`] and [`MAX_READ_SIZE`] are what the sum allows for.
//! - What was received before a fault is delivered before the fault. A violation of the protocol is
//!   answered with the right close code and reported as a [`ProtocolError`].
//! - The state is consistent after every call, in any order of calls. A call that comes late only
//!   delays.
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
//! | layer | modules |
//! |---|---|
//! | [`Connection`], [`Config`], [`Event`] | routing between the parts, nothing else |
//! | [`handshake`] | the opening handshake of both roles, without I/O too |
//! | inbox, outbox, assembler and chunker, phase, timers | the gate, output, messages whole or in chunks, the closing handshake as a table, deadlines |
//! | `deflate` (a feature) | permessage-deflate: negotiation, compression, shared contexts |
//! | [`event_loop`] (`std`) | the loop around a connection, for readiness and for completions |
//! | [`frame`] | headers, masking, a resumable decoder: public, free of allocations |
//! | [`Timestamp`], [`Watermarks`], [`Role`], errors | what all of it stands on |
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
pub use crate::connection::receive::EventRef;
pub use crate::connection::send::error::{ChunkError, Refusal, SendError};
pub use crate::connection::send::outgoing::Outgoing;
pub use crate::connection::send::output::Output;
pub use crate::connection::send::prepared::Prepared;
pub use crate::connection::stats::Stats;
pub use crate::connection::{Connection, Transport};
pub use crate::deflate::session::Compress;
pub use crate::error::{ConfigError, ControlError, ProtocolError};
pub use crate::message::{Chunk, Message, MessageKind, MessageRef};
pub use crate::role::Role;
pub use crate::time::Timestamp;
