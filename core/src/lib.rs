//! The WebSocket protocol as a pure state machine.
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod assembler;
mod close;
mod config;
mod connection;
mod error;
mod event;
mod gauge;
mod inbox;
mod keepalive;
mod mask;
mod observe;
mod outbox;
mod output;
mod phase;
mod role;
mod routing;
mod sending;
mod stash;
mod stats;
mod timers;
mod timestamp;
mod utf8;
mod wire;

pub mod frame;
pub mod handshake;

pub use crate::close::{CloseCode, CloseFrame};
pub use crate::config::{Config, ConfigBuilder, PongPolicy};
pub use crate::connection::{Connection, Transport};
pub use crate::error::{ChunkError, ConfigError, ControlError, ProtocolError, SendError};
pub use crate::event::{Chunk, Closed, Event, Failure, Message, MessageKind};
pub use crate::gauge::Watermarks;
pub use crate::output::Output;
pub use crate::role::Role;
pub use crate::stats::Stats;
pub use crate::timestamp::Timestamp;

/// How much to read at a time: the size of the read buffer that serves every connection of a
/// thread, and that [`Config::memory_bound`] counts on.
pub const READ_SIZE: usize = 64 * 1024;
