//! What a connection is set up with. Each default says why it is what it is.

mod getters;
pub(crate) mod read_size;
mod watermarks;

pub use self::watermarks::Watermarks;

use core::time::Duration;

use crate::error::ConfigError;

/// The settings of a connection, checked. Share one `Arc<Config>` between connections.
///
/// ```
/// use core::time::Duration;
/// use tidegate_core::{Config, Watermarks};
///
/// let config = Config::builder()
///     .max_message_size(64 * 1024)
///     .byte_marks(Watermarks::new(128 * 1024, 32 * 1024)?)
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

/// How messages reach the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Delivery {
    /// Each message is one [`Event::Message`], when it is complete. The default.
    #[default]
    Whole,
    /// Each message is one or more [`Event::Chunk`]s, as its payload arrives: a message of any
    /// length passes through constant memory. Each chunk counts as a message at the gate. Text is
    /// cut between characters. A chunk is 64 KiB at most if the reads are.
    ///
    /// `max_message_size` holds as before: raise it for messages that are larger.
    Chunks,
}

/// When a ping is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum PongPolicy {
    /// As soon as it is decoded: a pong says that the peer's bytes arrived. The default, and what
    /// RFC 6455 §5.5.2 asks for ("as soon as is practical").
    #[default]
    OnReceipt,
    /// When the application has taken every message that came before the ping: a pong says that
    /// the application makes progress. Of several pings between two messages the newest is
    /// answered (RFC 6455 §5.5.3).
    InOrder,
    /// By the application: each ping is an [`Event::Ping`](crate::Event::Ping), to be answered by
    /// [`Connection::pong`](crate::Connection::pong).
    Manual,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            // Enough to keep a busy application fed, few enough that a slow one is not far behind.
            message_marks: Watermarks::literal(16, 4),
            // Four reads of 64 KiB; the low mark leaves one to work on while the socket wakes up.
            byte_marks: Watermarks::literal(256 * 1024, 64 * 1024),
            // What one vectored write to a default socket buffer takes.
            send_marks: Watermarks::literal(64 * 1024, 16 * 1024),
            // Larger than almost every real message; a peer cannot make us hold more than twice it.
            max_message_size: 1024 * 1024,
            max_frame_size: None,
            fragment_size: None,
            delivery: Delivery::Whole,
            validate_utf8: true,
            surface_control: false,
            pong_policy: PongPolicy::OnReceipt,
            // Each of a normal burst is answered. Autobahn sends ten pings at once; twenty of Node's
            // `ws` arrive in one read after TLS or a proxy, and it waits for each.
            max_pongs: 32,
            // The keepalive has one under way; the rest is for an application that measures.
            max_pings: 16,
            // Twice within the 60 s after which nginx and most load balancers cut an idle stream.
            ping_interval: Some(Duration::from_secs(30)),
            // A phone that changes networks is back by then; a dead peer is found within a minute.
            pong_timeout: Some(Duration::from_secs(30)),
            // Several round trips around the world and a retransmission.
            close_timeout: Some(Duration::from_secs(10)),
            // Longer than a phone in a tunnel; a peer that takes nothing does not live for ever.
            write_timeout: Some(Duration::from_secs(30)),
            #[cfg(feature = "deflate")]
            deflate: None,
        }
    }
}

impl Config {
    /// Begins with the defaults.
    pub fn builder() -> ConfigBuilder {
        ConfigBuilder { config: Self::default() }
    }

    /// Begins with these settings.
    pub fn to_builder(&self) -> ConfigBuilder {
        ConfigBuilder { config: self.clone() }
    }
}

/// Builds a [`Config`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct ConfigBuilder {
    config: Config,
}

impl ConfigBuilder {
    /// The marks on the number of messages that are decoded and not taken. Surfaced pings and pongs
    /// count as messages. Default: 16 and 4.
    pub fn message_marks(mut self, marks: Watermarks) -> Self {
        self.config.message_marks = marks;
        self
    }

    /// The marks on the payload bytes of messages that are decoded and not taken. Default: 256 KiB
    /// and 64 KiB.
    pub fn byte_marks(mut self, marks: Watermarks) -> Self {
        self.config.byte_marks = marks;
        self
    }

    /// The marks on the bytes of output that the transport has not taken. Default: 64 KiB and
    /// 16 KiB.
    pub fn send_marks(mut self, marks: Watermarks) -> Self {
        self.config.send_marks = marks;
        self
    }

    /// The longest message that is received, in bytes, all fragments together; a longer one fails
    /// the connection with 1009 as soon as a header announces it. Default: 1 MiB.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.config.max_message_size = bytes;
        self
    }

    /// The longest payload of one data frame, in bytes; a longer one fails the connection with
    /// 1009. `None`, the default, leaves it to `max_message_size`. Control frames are not
    /// concerned: RFC 6455 limits them to 125 bytes.
    pub fn max_frame_size(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.config.max_frame_size = bytes.into();
        self
    }

    /// Sends messages that are longer than this many bytes in fragments of this size, with pings,
    /// pongs and the closing handshake in between: a long message then does not hold them up. The
    /// size that counts is the one on the wire. Default: `None`, each message is one frame.
    pub fn fragment_size(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.config.fragment_size = bytes.into();
        self
    }

    /// Whether messages come whole or in chunks. Default: [`Delivery::Whole`].
    pub fn delivery(mut self, delivery: Delivery) -> Self {
        self.config.delivery = delivery;
        self
    }

    /// Whether text is checked to be UTF-8 (RFC 6455 §8.1). Default: yes. If not, text arrives as
    /// [`Message::UncheckedText`](crate::Message::UncheckedText).
    pub fn validate_utf8(mut self, validate: bool) -> Self {
        self.config.validate_utf8 = validate;
        self
    }

    /// Whether pings and pongs become events too. Default: no. They count as messages then, and a
    /// peer that sends many of them closes the gate.
    pub fn surface_control(mut self, surface: bool) -> Self {
        self.config.surface_control = surface;
        self
    }

    /// When a ping is answered. Default: [`PongPolicy::OnReceipt`].
    pub fn pong_policy(mut self, policy: PongPolicy) -> Self {
        self.config.pong_policy = policy;
        self
    }

    /// How many pongs may wait to be written. Beyond them the oldest gives way: it is the newest ping
    /// that must be answered (RFC 6455 §5.5.3). Default: 32.
    pub fn max_pongs(mut self, pongs: usize) -> Self {
        self.config.max_pongs = pongs;
        self
    }

    /// How many pings of our own may wait to be written, that of the keepalive among them. Beyond
    /// them [`Connection::ping`](crate::Connection::ping) is refused. Default: 16.
    pub fn max_pings(mut self, pings: usize) -> Self {
        self.config.max_pings = pings;
        self
    }

    /// How often a ping is sent. Default: 30 s; `None`: never.
    pub fn ping_interval(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.config.ping_interval = interval.into();
        self
    }

    /// How long after a ping nothing may come from the peer until the connection is given up.
    ///
    /// It begins when the transport has taken the ping, the keepalive's or the application's. Any
    /// byte counts as a sign of life. While the gate is closed the time stands still: the answer may
    /// be waiting behind what we do not read. Default: 30 s; `None`: for ever.
    pub fn pong_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.config.pong_timeout = timeout.into();
        self
    }

    /// How long the closing handshake and the end of the stream after it may take, altogether.
    ///
    /// It begins when the transport has taken our Close, or when the peer has broken the protocol.
    /// While the gate is closed and the peer's Close is awaited, the time stands still. Default:
    /// 10 s; `None`: for ever, which lets a peer keep the connection.
    pub fn close_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.config.close_timeout = timeout.into();
        self
    }

    /// How long the peer may take nothing while output waits, until the connection is given up.
    ///
    /// A peer that takes some of it now and then is slow, and is not given up. While the gate is
    /// closed the time stands still, unless the outbox is full: a peer that waits for us to read
    /// may not read itself. Default: 30 s; `None`: for ever, which lets a peer that takes nothing
    /// keep the connection, as long as it says a word now and then.
    pub fn write_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.config.write_timeout = timeout.into();
        self
    }

    /// Compresses messages by permessage-deflate (RFC 7692) if the peer agrees: the opening
    /// handshakes of the adapters offer or accept it by these options. Default: `None`.
    #[cfg(feature = "deflate")]
    pub fn deflate(mut self, options: impl Into<Option<crate::deflate::DeflateOptions>>) -> Self {
        self.config.deflate = options.into();
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`ConfigError::ZeroDuration`] and [`ConfigError::ZeroLimit`]. Marks are checked when they
    /// are made, by [`Watermarks::new`].
    pub fn build(self) -> Result<Config, ConfigError> {
        let config = self.config;
        for (setting, duration) in [
            ("ping_interval", config.ping_interval),
            ("pong_timeout", config.pong_timeout),
            ("close_timeout", config.close_timeout),
            ("write_timeout", config.write_timeout),
        ] {
            ConfigError::check_duration(setting, duration)?;
        }
        for (setting, limit) in [
            ("max_message_size", Some(config.max_message_size)),
            ("fragment_size", config.fragment_size),
            ("max_frame_size", config.max_frame_size),
            ("max_pongs", Some(config.max_pongs)),
            ("max_pings", Some(config.max_pings)),
        ] {
            if limit == Some(0) {
                return Err(ConfigError::ZeroLimit { setting });
            }
        }
        Ok(config)
    }
}
