//! Sets the settings of a connection, and checks them.

use core::time::Duration;

use crate::config::{Config, Delivery, PongPolicy, Watermarks};
use crate::error::ConfigError;

/// Builds a [`Config`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct ConfigBuilder {
    pub(super) config: Config,
}

impl Config {
    /// Begins a configuration with the defaults.
    pub fn builder() -> ConfigBuilder {
        ConfigBuilder { config: Self::default() }
    }

    /// Begins a configuration with these settings.
    pub fn to_builder(&self) -> ConfigBuilder {
        ConfigBuilder { config: self.clone() }
    }
}

impl ConfigBuilder {
    /// The marks on the number of messages that are decoded and that the application has not taken.
    /// Pings and pongs that become events count as messages. Default: 16 and 4 messages.
    pub fn message_marks(mut self, marks: Watermarks) -> Self {
        self.config.message_marks = marks;
        self
    }

    /// The marks on the payload bytes of messages that are decoded and that the application has not
    /// taken. Default: 256 KiB and 64 KiB.
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

    /// The longest message that is received, in bytes, all fragments together. A longer one fails
    /// the connection with 1009 as soon as a frame header announces it. Default: 1 MiB.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.config.max_message_size = bytes;
        self
    }

    /// The longest payload of a data frame that is received, in bytes. A longer one fails the
    /// connection with 1009. It does not apply to control frames, which RFC 6455 limits to 125
    /// bytes. Default: `None`, only `max_message_size` limits a frame.
    pub fn max_frame_size(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.config.max_frame_size = bytes.into();
        self
    }

    /// The size of fragments, in bytes: a longer message is sent in fragments of this size. Pings,
    /// pongs and the Close frame can go between two fragments, so a long message does not delay
    /// them. If messages are compressed, the compressed size counts. Default: `None`, each message
    /// is one frame.
    pub fn fragment_size(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.config.fragment_size = bytes.into();
        self
    }

    /// Whether messages are received whole or in chunks. Default: [`Delivery::Whole`].
    pub fn delivery(mut self, delivery: Delivery) -> Self {
        self.config.delivery = delivery;
        self
    }

    /// Whether text is checked to be UTF-8 (RFC 6455 §8.1). Without the check, text arrives as
    /// [`Message::UncheckedText`](crate::Message::UncheckedText). Default: `true`.
    pub fn validate_utf8(mut self, validate: bool) -> Self {
        self.config.validate_utf8 = validate;
        self
    }

    /// Whether pings and pongs become events too. They then count as messages, so a peer that sends
    /// many of them closes the gate. Default: `false`.
    pub fn surface_control(mut self, surface: bool) -> Self {
        self.config.surface_control = surface;
        self
    }

    /// When a ping is answered. Default: [`PongPolicy::OnReceipt`].
    pub fn pong_policy(mut self, policy: PongPolicy) -> Self {
        self.config.pong_policy = policy;
        self
    }

    /// How many pongs may wait to be written. When there are more, the oldest is dropped, because it
    /// is the newest ping that must be answered (RFC 6455 §5.5.3). Default: 32.
    pub fn max_pongs(mut self, pongs: usize) -> Self {
        self.config.max_pongs = pongs;
        self
    }

    /// How many pings of our own may wait to be written, including the keepalive's. When there are
    /// as many, [`Connection::ping`](crate::Connection::ping) is refused. Default: 16.
    pub fn max_pings(mut self, pings: usize) -> Self {
        self.config.max_pings = pings;
        self
    }

    /// How often the keepalive sends a ping. Default: 30 s; `None`: never.
    pub fn ping_interval(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.config.ping_interval = interval.into();
        self
    }

    /// How long the peer may be silent after a ping before the connection is given up.
    ///
    /// The time starts when the transport has taken the ping, whether the keepalive or the
    /// application sent it. Any byte from the peer counts as a sign of life. The time does not run
    /// while the gate is closed, because the pong may be among the bytes that we do not read.
    /// Default: 30 s; `None`: forever.
    pub fn pong_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.config.pong_timeout = timeout.into();
        self
    }

    /// How long the closing handshake and the end of the stream after it may take together.
    ///
    /// The time starts when the transport has taken our Close frame, or when the peer has broken the
    /// protocol. It does not run while the gate is closed and we wait for the peer's Close frame.
    /// Default: 10 s; `None`: forever, which lets a peer keep the connection.
    pub fn close_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.config.close_timeout = timeout.into();
        self
    }

    /// How long output may wait while the peer takes none of it before the connection is given up.
    ///
    /// A peer that takes some of it now and then is only slow, and is not given up. The time does
    /// not run while the gate is closed, unless the output has reached its high mark: a peer that
    /// waits for us to read may have stopped reading itself. Default: 30 s; `None`: forever, which
    /// lets a peer that takes nothing keep the connection as long as it sends something now and
    /// then.
    pub fn write_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.config.write_timeout = timeout.into();
        self
    }

    /// Compresses messages by permessage-deflate (RFC 7692) if the peer agrees. The adapters offer
    /// it (as a client) or accept it (as a server) with these options. Default: `None`, messages are
    /// not compressed.
    #[cfg(feature = "deflate")]
    pub fn deflate(mut self, options: impl Into<Option<crate::deflate::DeflateOptions>>) -> Self {
        self.config.deflate = options.into();
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`ConfigError::ZeroLimit`] if a limit or a high mark is 0, [`ConfigError::LowAboveHigh`] if a
    /// low mark is above its high mark, [`ConfigError::ZeroDuration`] if a duration is less than a
    /// microsecond. Each names the setting.
    pub fn build(self) -> Result<Config, ConfigError> {
        let config = self.config;
        config.message_marks.check("message_marks")?;
        config.byte_marks.check("byte_marks")?;
        config.send_marks.check("send_marks")?;
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
            ConfigError::check_limit(setting, limit)?;
        }
        Ok(config)
    }
}
