//! Tools to test your own event loop or parser: generated input, a virtual network, a reference model.
//!
//! If you drive a [`Connection`](crate::Connection) by your own loop, or parse frames yourself, you
//! have the same questions as the tests of this crate. The feature `testing` contains the tools that
//! those tests use:
//!
//! | question | answer |
//! |---|---|
//! | Does it take everything a peer may send? | [`strategies`]: configurations, messages, frames, whole sessions, and every way to cut them in pieces |
//! | Does it refuse what a peer must not send? | [`hostile()`]: each violation with the [`ProtocolError`](crate::ProtocolError) it must yield, and the byte at which it shows; [`hostile_compressed()`] those of compression |
//! | Does it survive a network? | [`Socket`]: non-blocking `Read` and `Write` over a virtual network that splits, delays, stalls and cuts, by a seed |
//! | Does it stop reading, and go on, when it should? | [`Model`]: the gate, written as plainly as possible |
//! | Is what it sent right? | [`Frame`]: frames, parsed and written by a second implementation that shares no code with the decoder |
//!
//! [`Pair`] joins two connections by two [`Pipe`]s. Its clock jumps from one deadline to the next, so
//! that an hour of keepalive takes a millisecond. The number of steps is limited, so that a bug fails
//! the test instead of hanging it.
//!
//! All randomness comes from a seed, or from proptest, which shrinks what it finds.
//! `examples/test_your_loop.rs` tests a foreign loop and a foreign parser with all of this.
//!
//! ```
//! use proptest::prelude::*;
//! use tidegate_core::testing::{proptest, strategies};
//! use tidegate_core::{Config, Connection, Event, Role, Timestamp};
//!
//! # fn main() {
//! proptest!(ProptestConfig::with_cases(20), |(
//!     session in strategies::session(Role::Client, 5, 300),
//!     sizes in strategies::sizes(),
//! )| {
//!     let config = Config::builder().message_marks(tidegate_core::Watermarks::UNLIMITED).build()?;
//!     let mut server = Connection::server(Timestamp::ZERO, config);
//!     for piece in strategies::pieces(&session.bytes(), &sizes) {
//!         server.handle_input(Timestamp::ZERO, piece);
//!     }
//!     for message in session.messages() {
//!         prop_assert_eq!(server.poll_event(), Some(Event::Message(message)));
//!     }
//! });
//! # }
//! ```

mod frames;
mod hostile;
mod hostile_compressed;
mod model;
mod pair;
mod pipe;
mod random;
mod socket;
pub mod strategies;

pub use self::frames::{Frame, header, opcode};
pub use self::hostile::{Hostile, hostile};
pub use self::hostile_compressed::hostile_compressed;
pub use self::model::{Model, Rules, Sent, Taken};
pub use self::pair::{Application, End, Pair, Rest};
pub use self::pipe::{Conditions, Pipe};
pub use self::random::Random;
pub use self::socket::{Socket, sockets};
/// The version of proptest whose strategies these are.
pub use proptest;
