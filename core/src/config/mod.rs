//! The settings of a connection. Each default says why it has its value.

mod builder;
mod getters;
pub(crate) mod read_size;
mod watermarks;

pub use self::builder::ConfigBuilder;
pub use self::watermarks::Watermarks;

use core::time::Duration;

/// The settings of a connection, which [`ConfigBuilder::build`] has checked. Share one `Arc<Config>`
/// between connections.
///
/// ```
/// use core::time::Duration;
/// use tidegate_core::{Config, Watermarks};
///
/// let config = Config::builder()
///     .max_message_size(64 * 1024)
///     .byte_marks(Watermarks::new(128 * 1024, 32 * 1024))
///     .ping_interval(Duration::from_secs(20))
///     .build()?;
/// assert!(config.memory_bound() < 512 * 1024);
/// # Ok::<(), tidegate_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub(crate) message_marks: Watermarks,
    pub(crate) byte_marks: Watermarks,
    pub(crate) send_marks: Watermarks,
    pub(crate) max_message_size: usize,
    pub(crate) max_frame_size: Option<usize>,
    pub(crate) fragment_size: Option<usize>,
    pub(crate) delivery: Delivery,
    pub(crate) validate_utf8: bool,
    pub(crate) surface_control: bool,
    pub(crate) pong_policy: PongPolicy,
    pub(crate) max_pongs: usize,
    pub(crate) max_pings: usize,
    pub(crate) ping_interval: Option<Duration>,
    pub(crate) pong_timeout: Option<Duration>,
    pub(crate) close_timeout: Option<Duration>,
    pub(crate) write_timeout: Option<Duration>,
    #[cfg(feature = "deflate")]
    pub(crate) deflate: Option<crate::deflate::DeflateOptions>,
}

/// Whether messages reach the application whole or in chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Delivery {
    /// Each message is one [`Event::Message`](crate::Event::Message), when it is complete. The
    /// default.
    #[default]
    Whole,
    /// Each message is one or more [`Event::Chunk`](crate::Event::Chunk)s, as its payload arrives: a
    /// message of any length passes through constant memory. Each chunk counts as a message at the
    /// gate. Text is cut between characters. A chunk is at most 64 KiB if no read is longer.
    ///
    /// `max_message_size` still limits the whole message: raise it for larger messages.
    Chunks,
}

/// When a ping is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum PongPolicy {
    /// As soon as the ping is decoded: a pong says that the peer's bytes arrived. The default, and
    /// what RFC 6455 §5.5.2 asks for ("as soon as is practical").
    #[default]
    OnReceipt,
    /// When the application has taken every message that came before the ping: a pong says that
    /// the application makes progress. Of several pings between two messages only the newest is
    /// answered (RFC 6455 §5.5.3).
    InOrder,
    /// When the application does it: each ping is an [`Event::Ping`](crate::Event::Ping), and
    /// [`Connection::pong`](crate::Connection::pong) answers it.
    Manual,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            // Enough that a busy application always finds one, few enough that a slow one does not
            // work on old messages.
            message_marks: Watermarks::new(16, 4),
            // Four reads of 64 KiB; the low mark leaves the application one of them to work on
            // until the next read arrives.
            byte_marks: Watermarks::new(256 * 1024, 64 * 1024),
            // What one vectored write to a socket buffer of the default size takes.
            send_marks: Watermarks::new(64 * 1024, 16 * 1024),
            // Larger than almost every real message; a peer can make us hold at most twice as much.
            max_message_size: 1024 * 1024,
            max_frame_size: None,
            fragment_size: None,
            delivery: Delivery::Whole,
            validate_utf8: true,
            surface_control: false,
            pong_policy: PongPolicy::OnReceipt,
            // Every ping of a normal burst is answered: Autobahn sends ten at once; after TLS or a
            // proxy, twenty from Node's `ws` arrive in one read, and it waits for each answer.
            max_pongs: 32,
            // The keepalive has at most one waiting; the rest are for an application that measures
            // latency.
            max_pings: 16,
            // Twice within the 60 s after which nginx and most load balancers cut an idle
            // connection.
            ping_interval: Some(Duration::from_secs(30)),
            // A phone that changes networks is back by then, and a dead peer is found within a
            // minute.
            pong_timeout: Some(Duration::from_secs(30)),
            // Several round trips around the world and a retransmission.
            close_timeout: Some(Duration::from_secs(10)),
            // Longer than a phone is in a tunnel; a peer that never reads does not stay forever.
            write_timeout: Some(Duration::from_secs(30)),
            #[cfg(feature = "deflate")]
            deflate: None,
        }
    }
}
